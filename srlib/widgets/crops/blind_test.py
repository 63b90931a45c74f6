"""A blind test that keeps score: which of two images is the photograph?"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import ipywidgets
import numpy as np
from scipy.stats import binom

from srlib.images.picture import encode, from_array

_SIDE = 288  # screen pixels; tiles are enlarged by a whole number, so that pixels stay even
_NAMES = "AB"


class BlindTest:
    """Shows two images at a time, one of them a photograph, and counts the right answers.

    Without a browser the same steps are `answer` and `next`.

    Args:
        real: Tiles of photographs, uint8.
        made: The tiles that a method made of the same places, in the same order.
        seed: Determines the sides and the order of the rounds.

    Raises:
        ValueError: Unless there are equally many of both, and at least one.

    Attributes:
        round: The number of the current round, from 0.
        right: How many answers were right so far.
        sentence: The sentence below the images.
        view: The ipywidgets box on the page.
    """

    def __init__(self, real: Sequence[np.ndarray], made: Sequence[np.ndarray], *, seed: int = 0):
        if len(real) != len(made) or not real:
            raise ValueError(
                "A blind test needs as many real tiles as made ones, "
                f"not {len(real)} and {len(made)}."
            )
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(real))
        self._sides = rng.integers(0, 2, len(real)).tolist()  # of the photograph, 0 for A
        self._rounds = [
            (made[i], real[i]) if side else (real[i], made[i])
            for i, side in zip(order, self._sides, strict=True)
        ]
        self.round = 0
        self.right = 0
        self.sentence = ""
        self._answered = False
        self._pictures = [ipywidgets.HTML() for _ in _NAMES]
        self._choices = [
            ipywidgets.Button(description=f"{name} is the photograph", layout={"width": "auto"})
            for name in _NAMES
        ]
        for name, button in zip(_NAMES, self._choices, strict=True):
            button.on_click(lambda _, name=name: self.answer(name))
        self._next = ipywidgets.Button(description="Next pair", button_style="primary")
        self._next.on_click(lambda _: self.next())
        self._status = ipywidgets.HTML()
        columns = [
            ipywidgets.VBox(column) for column in zip(self._pictures, self._choices, strict=True)
        ]
        tiles = ipywidgets.HBox(columns, layout={"flex_flow": "row wrap"})
        self.view = ipywidgets.VBox([tiles, self._status, self._next])
        self._show_round()

    @property
    def real(self) -> str:
        """The side of this round's photograph, "A" or "B"."""
        return _NAMES[self._sides[self.round]]

    @property
    def pair(self) -> tuple[np.ndarray, np.ndarray]:
        """The two tiles of this round, A and B."""
        return self._rounds[self.round]

    def answer(self, side: str) -> None:
        """Answer that A or B is the photograph; a second answer in one round does not count."""
        if self._answered:
            return
        self._answered = True
        self.right += side == self.real
        word = "Right" if side == self.real else "Wrong"
        score = f"{self.right} of {self.round + 1} so far."
        if self._is_last():
            chance = binom.sf(self.right - 1, len(self._rounds), 0.5)
            score += f" Pure guessing does at least as well in {chance:.0%} of all games."
        self._show_sentence(f"{word}: {self.real} is the photograph. {score}")

    def next(self) -> None:
        """Go to the next pair, once this one is answered."""
        if self._answered and not self._is_last():
            self.round += 1
            self._answered = False
            self._show_round()

    def _is_last(self) -> bool:
        return self.round == len(self._rounds) - 1

    def _show_round(self) -> None:
        for widget, tile, name in zip(self._pictures, self.pair, _NAMES, strict=True):
            width = max(1, _SIDE // max(tile.shape[:2])) * tile.shape[1]
            png = base64.b64encode(encode(from_array(tile))).decode()
            widget.value = (
                f'<img alt="Picture {name}" width="{width}" style="image-rendering: pixelated" '
                f'src="data:image/png;base64,{png}">'
            )
        number = f"Pair {self.round + 1} of {len(self._rounds)}"
        self._show_sentence(f"{number}: which one is the photograph?")

    def _show_sentence(self, sentence: str) -> None:
        self.sentence = sentence
        self._status.value = f'<p role="status">{sentence}</p>'
        for button in self._choices:
            button.disabled = self._answered
        self._next.disabled = not self._answered or self._is_last()

    def _repr_mimebundle_(self, **kwargs):
        return self.view._repr_mimebundle_(**kwargs)
