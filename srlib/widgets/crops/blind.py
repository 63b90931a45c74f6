"""Which one is the photograph?  A blind test that keeps score (notebook 05)."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import ipywidgets
import numpy as np
from scipy.stats import binom

from srlib.images.picture import encode, from_array

_SIDE = 288  # screen pixels; a tile is enlarged by a whole number, so that its pixels stay even


class BlindTest:
    """Two pictures at a time, one of them real; say which, and see how many you knew.

    Without a browser the same steps are `answer` and `next`; `real` says where the photograph is.
    """

    def __init__(self, real: Sequence[np.ndarray], made: Sequence[np.ndarray], *, seed: int = 0):
        """real, made: tiles of photographs and what a method made of the same places, uint8, equally many.

        seed: decides which side is which, and the order of the rounds.  Raises ValueError unless there are equally many.
        """
        if len(real) != len(made) or not real:
            raise ValueError(
                f"A blind test needs as many real tiles as made ones, not {len(real)} and {len(made)}."
            )
        rng = np.random.default_rng(seed)
        rounds = [(real[i], made[i]) for i in rng.permutation(len(real))]
        self._sides = rng.integers(0, 2, len(rounds)).tolist()
        self._rounds = [
            pair[::-1] if side else pair for pair, side in zip(rounds, self._sides, strict=True)
        ]
        self.round, self.right, self._answered = 0, 0, False
        self._pictures = [ipywidgets.HTML(), ipywidgets.HTML()]
        self._choices = [
            ipywidgets.Button(description=f"{name} is the photograph", layout={"width": "auto"})
            for name in "AB"
        ]
        self._next = ipywidgets.Button(description="Next pair", button_style="primary")
        self._said = ipywidgets.HTML()
        for side, button in enumerate(self._choices):
            button.on_click(lambda _, side=side: self.answer("AB"[side]))
        self._next.on_click(lambda _: self.next())
        columns = [
            ipywidgets.VBox(column) for column in zip(self._pictures, self._choices, strict=True)
        ]
        self.view = ipywidgets.VBox(
            [ipywidgets.HBox(columns, layout={"flex_flow": "row wrap"}), self._said, self._next]
        )
        self._show()

    @property
    def real(self) -> str:
        """The side of this round's photograph, "A" or "B"."""
        return "AB"[self._sides[self.round]]

    def answer(self, side: str) -> None:
        """Say that A or B is the photograph.  A second answer to the same round does not count."""
        if self._answered:
            return
        self._answered = True
        self.right += side == self.real
        word = "Right" if side == self.real else "No"
        last = self.round == len(self._rounds) - 1
        self._say(
            f"{word}: {self.real} is the photograph. {self.right} of {self.round + 1} so far."
            + (self._verdict() if last else "")
        )
        self._enable()

    def next(self) -> None:
        """Go on to the next pair, once this one is answered."""
        if self._answered and self.round < len(self._rounds) - 1:
            self.round, self._answered = self.round + 1, False
            self._show()

    def _verdict(self) -> str:
        luck = binom.sf(self.right - 1, len(self._rounds), 0.5)
        return f" Somebody who only guesses gets as many, or more, in {luck:.0%} of all games."

    def _show(self) -> None:
        for picture, tile, name in zip(self._pictures, self._rounds[self.round], "AB", strict=True):
            side = max(1, _SIDE // max(tile.shape[:2])) * tile.shape[1]
            source = "data:image/png;base64," + base64.b64encode(encode(from_array(tile))).decode()
            picture.value = f'<img alt="Picture {name}" width="{side}" style="image-rendering: pixelated" src="{source}">'
        self._say(f"Pair {self.round + 1} of {len(self._rounds)}: which one is the photograph?")
        self._enable()

    def _say(self, sentence: str) -> None:
        self._said.value = f'<p role="status">{sentence}</p>'

    def _enable(self) -> None:
        for button in self._choices:
            button.disabled = self._answered
        self._next.disabled = not self._answered or self.round == len(self._rounds) - 1

    def _repr_mimebundle_(self, **kwargs):
        return self.view._repr_mimebundle_(**kwargs)
