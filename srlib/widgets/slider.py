"""A labelled slider over a short list of values, usable by keyboard and screen reader."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import anywidget
import traitlets

from srlib.widgets.javascript import javascript


class Slider(anywidget.AnyWidget):
    """Lets the reader choose one of a few values; `observe` the choice under "value".

    It is the browser's own slider: arrow keys, Home, End and touch move it, and a screen reader
    reads its name and its value, which the sliders of ipywidgets do not offer.
    `value` changes when the slider is released.

    Args:
        label: The name of the quantity, with its unit.
        options: The values, or (text, value) pairs.
        value: The value to start with; the first option if None.
        **traits: Traits of the widget, such as `layout`.

    Raises:
        ValueError: If `value` is not one of the options.

    Example:
        >>> slider = Slider("JPEG quality", [("no JPEG", 0), ("90", 90)], value=90)
        >>> slider.value
        90
    """

    _esm = javascript("slider.js")
    _css = Path(__file__).with_name("slider.css")

    label = traitlets.Unicode(help="The name of the quantity, with its unit").tag(sync=True)
    texts = traitlets.List(traitlets.Unicode(), help="The options as text").tag(sync=True)
    index = traitlets.Int(help="The position of the value in the options").tag(sync=True)
    value = traitlets.Any(help="The chosen value, one of the options")

    def __init__(self, label: str, options: Iterable, *, value=None, **traits):
        pairs = [
            option if isinstance(option, tuple) else (f"{option:g}", option) for option in options
        ]
        self._options = [value for _, value in pairs]
        start = self._options[0] if value is None else value
        super().__init__(label=label, texts=[text for text, _ in pairs], value=start, **traits)

    @traitlets.validate("value")
    def _check_value(self, proposal: dict):
        if proposal["value"] not in self._options:
            options = ", ".join(map(str, self._options))
            raise ValueError(f"{self.label} is one of {options}, not {proposal['value']}.")
        return proposal["value"]

    @traitlets.observe("value")
    def _value_to_index(self, change: dict) -> None:
        self.index = self._options.index(change["new"])

    @traitlets.observe("index")
    def _index_to_value(self, change: dict) -> None:
        self.value = self._options[change["new"]]
