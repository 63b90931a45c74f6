"""The line below a Start button: what the job is doing, how far it is, and the file it made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anywidget
import traitlets

_HERE = Path(__file__).parent


class JobLine(anywidget.AnyWidget):
    """A sentence, a progress bar and a download button, each there only when it has something to say.

    The state of the job is these three traits; they may be set from the job's own thread.
    """

    _esm = _HERE / "job.js"
    _css = _HERE / "job.css"

    sentence = traitlets.Unicode("", help="Read out by screen readers when it changes").tag(sync=True)
    done = traitlets.Float(None, allow_none=True, help="0 to 1; None hides the bar").tag(sync=True)
    file_name = traitlets.Unicode("", help="What the download is called; empty hides the button").tag(sync=True)

    def __init__(self, make_file: Callable[[], bytes], **traits):
        """make_file: gives the bytes of the download, called when they are asked for."""
        super().__init__(**traits)
        self._make_file = make_file
        self.on_msg(self._send_file)

    def _send_file(self, _, message: dict, __) -> None:
        if message.get("type") == "download" and self.file_name:
            self.send({"file_name": self.file_name}, buffers=[self._make_file()])
