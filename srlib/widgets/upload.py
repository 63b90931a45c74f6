"""A file chooser for photographs of any size, by click or by drop."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import anywidget
import traitlets

_HERE = Path(__file__).parent


class Upload(anywidget.AnyWidget):
    """Hands each file that the reader chooses or drops to a function.  ipywidgets' FileUpload would lose those above 10 MB."""

    _esm = _HERE / "upload.js"
    _css = _HERE / "upload.css"

    disabled = traitlets.Bool(False).tag(sync=True)
    limit = traitlets.Int(200 * 2**20, help="Bytes; larger files are refused before they are sent").tag(sync=True)

    def __init__(self, on_file: Callable[[BinaryIO], None], on_refusal: Callable[[str], None], **traits):
        """on_file gets a stream whose `name` is the file's, on_refusal a finished sentence about a file above the limit."""
        super().__init__(**traits)
        self._on_file, self._on_refusal = on_file, on_refusal
        self._pieces: list[bytes] = []
        self.on_msg(self._receive)

    def _receive(self, _, message: dict, buffers: list[memoryview]) -> None:
        megabytes, limit = message["size"] / 2**20, self.limit / 2**20
        if "refused" in message:
            self._on_refusal(f"{message['refused']} has {megabytes:.0f} MB; the limit is {limit:.0f} MB.")
            return
        if message["start"] == 0:
            self._pieces.clear()
        self._pieces.append(bytes(buffers[0]))
        if sum(map(len, self._pieces)) == message["size"]:
            stream = io.BytesIO(b"".join(self._pieces))
            stream.name = message["name"]
            self._pieces.clear()
            self._on_file(stream)
