"""A slider with a name, for every reader and every hand (notebooks 01, 03 and 05)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import anywidget
import traitlets

_HERE = Path(__file__).parent


class Slider(anywidget.AnyWidget):
    """Choose one of a few values; `observe` it under "value".

    The browser's own slider: arrow keys, Home, End and a finger move it, and a screen reader says its name and the value as it
    is written beside it, both of which the sliders of ipywidgets keep to themselves.  `value` changes when it is let go.
    """

    _esm = _HERE / "slider.js"
    _css = _HERE / "slider.css"

    label = traitlets.Unicode(help="What is chosen, with its unit").tag(sync=True)
    texts = traitlets.List(traitlets.Unicode(), help="How each value is written").tag(sync=True)
    index = traitlets.Int(help="The place of the value among the options").tag(sync=True)
    value = traitlets.Any(help="The value chosen, one of the options")

    def __init__(self, label: str, options: Iterable, *, value=None, **traits):
        """options: values, or (text, value) pairs.  value: the one to start with, the first if None; ValueError for another."""
        pairs = [
            option if isinstance(option, tuple) else (f"{option:g}", option) for option in options
        ]
        self._options = [value for _, value in pairs]
        start = self._options[0] if value is None else value
        super().__init__(label=label, texts=[text for text, _ in pairs], value=start, **traits)

    @traitlets.validate("value")
    def _known(self, proposal: dict):
        if proposal["value"] not in self._options:
            options = ", ".join(map(str, self._options))
            raise ValueError(f"{self.label} is one of {options}, not {proposal['value']}.")
        return proposal["value"]

    @traitlets.observe("value")
    def _move(self, change: dict) -> None:
        self.index = self._options.index(change["new"])

    @traitlets.observe("index")
    def _choose(self, change: dict) -> None:
        self.value = self._options[change["new"]]
