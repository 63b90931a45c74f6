"""The base of all figures: no pyplot, styles that differ in greyscale, and alternative texts."""

import io
from collections.abc import Iterator, Sequence
from itertools import cycle, islice

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from srlib.errors import printable

# Colour, line and marker by method; they differ in greyscale too.
STYLES = [
    ("#888888", ":", "s"),
    ("#0072b2", "--", "o"),
    ("#d55e00", "-", "^"),
    ("#009e73", "-.", "D"),
    ("#56b4e9", "-", "v"),
]


def styles(first: int = 0) -> Iterator[tuple[str, str, str]]:
    """Yield STYLES from the first on, and again after the last, for any number of methods."""
    return islice(cycle(STYLES), first, None)


class TextFigure(Figure):
    """A figure that Jupyter shows without pyplot, with an alternative text.

    Attributes:
        alt: A sentence that says what the figure shows; it travels with the PNG.
    """

    alt: str

    def __repr__(self) -> str:
        return self.alt

    def png(self) -> bytes:
        """The figure as an opaque PNG, legible on a page of any colour."""
        drawn = io.BytesIO()
        self.savefig(drawn, format="png", facecolor="white", transparent=False)
        packed = io.BytesIO()
        with Image.open(drawn) as picture:
            picture.convert("RGB").save(packed, "PNG", optimize=True)
        return packed.getvalue()

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        return {"image/png": self.png(), "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, *, alt: str):
    """Make a figure of width x height inches and its axes, an array of (rows, columns).

    pyplot does not know the figure: a notebook shows it once, as the value of a cell.
    """
    figure = TextFigure(figsize=(width, height), layout="constrained")
    figure.alt = printable(alt)
    return figure, figure.subplots(rows, columns, squeeze=False)


def panels(titles: Sequence[str], *, ratio: float, columns: int, width: float, alt: str):
    """Make a figure with a panel for each title, `ratio` times as high as wide, without ticks."""
    rows = -(-len(titles) // columns)
    title_height = 0.2 + 0.16 * max(1 + title.count("\n") for title in titles)
    height = rows * (width / columns * ratio + title_height)
    figure, axes = new_figure(width, height, rows, columns, alt=alt.replace("\n", ", "))
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, title in zip(axes.flat, titles, strict=False):
        axis.set_title(label(title), fontsize=10)
    return figure, axes


def finish(axis: Axes, *, legend: bool = True, **settings) -> None:
    """Set labels and the like on an axis, with a light grid and a small legend."""
    axis.set(**settings)
    axis.grid(alpha=0.3)
    if legend:
        axis.legend(fontsize=8)


def label(name: object) -> str:
    """Escape a name for matplotlib, which reads dollar signs as the marks of a formula."""
    return printable(name).replace("$", r"\$")
