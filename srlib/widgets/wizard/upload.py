"""Choosing photographs of any size: by click, by drop, by paste, or from the samples."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO

import traitlets

from srlib.widgets.wizard.part import Part, script
from srlib.widgets.wizard.scratch import Scratch


class Upload(Part):
    """Hands each file to a function.  ipywidgets' FileUpload would lose those above 10 MB."""

    _esm = script("upload.js")
    photographs = traitlets.List(help="Those chosen: name, text, thumbnail").tag(sync=True)
    samples = traitlets.List(help="Those on offer: name, thumbnail").tag(sync=True)
    sample = traitlets.Int(-1, help="Which sample is chosen, by its number; -1 for none").tag(
        sync=True
    )
    sentence = traitlets.Unicode("", help="What was wrong with a file, or is special about it").tag(
        sync=True
    )
    limit = traitlets.Int(
        100 * 2**20, help="Bytes; larger files are refused before they are sent"
    ).tag(sync=True)
    most = traitlets.Int(24, help="Files at once; what is beyond is left out, with a sentence").tag(
        sync=True
    )

    def __init__(self, on_file: Callable[[BinaryIO, str], None], actions: dict, **traits):
        """on_file(stream, gesture): gets a stream whose `name` is the file's; files with one gesture were chosen together.

        What it raises becomes the sentence.  actions: "sample" and "remove", with an `index`.
        """
        super().__init__({"piece": self._receive, "refused": self._refuse, **actions}, **traits)
        self._on_file = on_file
        self._gesture = ""
        self._problems: list[str] = []
        self._arriving: int | None = None
        self._content = Scratch()

    def say(self, sentence: str) -> None:
        """Add a sentence to those about the files that were chosen last."""
        self._problems.append(sentence)
        self.sentence = "  ".join(self._problems)

    def quiet(self) -> None:
        self._problems.clear()
        self.sentence = ""

    def _begin(self, gesture: str, beyond: int) -> None:
        if gesture == self._gesture:
            return
        self._gesture, self._arriving = gesture, None
        self.quiet()
        if beyond > 0:
            self.say(f"{self.most} photographs are taken at once; {beyond} more were left out.")

    def _refuse(self, *, gesture: str, name: str, size: int, beyond: int, **_) -> None:
        self._begin(gesture, beyond)
        self.say(f"{name} has {_megabytes(size)} MB; the limit is {_megabytes(self.limit)} MB.")

    def _receive(
        self, piece, *, gesture: str, number: int, name: str, start: int, size: int, beyond: int
    ) -> None:
        self._begin(gesture, beyond)
        if start == 0:
            self._arriving, self._content = number, Scratch()
        if (
            self._arriving != number
            or start != len(self._content)
            or start + len(piece) > min(size, self.limit)
        ):
            self._arriving = None
            self.say(f"{name} did not arrive whole; choose it again.")
            return
        self._content.append(piece)
        if start + len(piece) < size:
            self.sentence = (
                f"{name} is arriving: {_megabytes(start + len(piece))} of {_megabytes(size)} MB …"
            )
            return
        stream = io.BytesIO(self._content.read())
        stream.name = name
        self._arriving, self._content = None, Scratch()
        self.sentence = "  ".join(self._problems)
        try:
            self._on_file(stream, gesture)
        except (ValueError, OSError, MemoryError) as error:
            self.say(str(error) or f"{name} does not fit into the memory of this machine.")


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.0f}"
