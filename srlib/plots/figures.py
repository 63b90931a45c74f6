"""What the course's figures have in common: they need no pyplot, are told apart in greyscale and describe themselves in words."""

from __future__ import annotations

import io

from matplotlib.figure import Figure
from PIL import Image

# colour, line and marker by method: told apart in greyscale too
STYLES = [
    ("#888888", ":", "s"),
    ("#0072b2", "--", "o"),
    ("#d55e00", "-", "^"),
    ("#009e73", "-.", "D"),
    ("#56b4e9", "-", "v"),
]


class TextFigure(Figure):
    """A figure that a notebook shows even where nothing has woken pyplot, whose backend teaches Jupyter to draw others.

    alt: what it shows, in a sentence; it travels with the picture, for those who cannot see it.
    """

    alt: str

    def __repr__(self) -> str:
        return self.alt

    def png(self) -> bytes:
        drawn, packed = io.BytesIO(), io.BytesIO()
        self.savefig(drawn, format="png")
        Image.open(drawn).convert("RGB").save(
            packed, "PNG", optimize=True
        )  # the same pixels in a fifth less
        return packed.getvalue()

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        return {"image/png": self.png(), "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, *, alt: str):
    """Make a figure and its axes, an array of (rows, columns).

    pyplot does not know the figure: a notebook shows it once, as the value of a cell, and it stays
    open nowhere. Width and height are in inches.
    """
    figure = TextFigure(figsize=(width, height), layout="constrained")
    figure.alt = alt
    return figure, figure.subplots(rows, columns, squeeze=False)
