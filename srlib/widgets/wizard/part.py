"""What the parts of the wizard are made from: a script with the few lines that all of them share, and one style sheet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anywidget

_HERE = Path(__file__).parent


def script(name: str) -> str:
    """The `_esm` of a part: its own script after the shared lines."""
    return (_HERE.parent / "dom.js").read_text() + (_HERE / name).read_text()


class Part(anywidget.AnyWidget):
    """A part of the wizard.  It tells what the visitor does by calling functions, and shows what its traits say."""

    _css = _HERE / "wizard.css"

    def __init__(self, actions: dict[str, Callable], **traits):
        """actions: by the type of a message from the page, what it calls, with the rest of the message."""
        super().__init__(**traits)
        self._actions = actions
        self.on_msg(self._act)

    def _act(self, _, message: dict, buffers: list[memoryview]) -> None:
        what = dict(message)
        if action := self._actions.get(what.pop("type", None)):
            action(*buffers, **what)
        self.send({"heard": True})  # so that the page knows whether anybody is there
