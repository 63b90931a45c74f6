"""What was made during this visit, to be looked at again and downloaded."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence

import traitlets

from srlib.widgets.wizard.enlarge import SUFFIXES, Enlargement
from srlib.widgets.wizard.part import Part, script
from srlib.widgets.wizard.scratch import Scratch

_PIECE = 4 * 2**20  # bytes in one message


class Results(Part):
    """The list of results, one of which is selected, and downloads of it or of all as a zip."""

    _esm = script("results.js")
    items = traitlets.List(help="name (without suffix), text, thumbnail").tag(sync=True)
    selected = traitlets.Int(-1, help="-1 for none").tag(sync=True)
    sentence = traitlets.Unicode("", help="What went wrong with a download").tag(sync=True)

    def __init__(
        self, results: Callable[[], Sequence[Enlargement]], on_show: Callable[[int], None], **traits
    ):
        """results: gives those that `items` tells of; on_show: gets the number of the one to be shown."""
        super().__init__(
            {"show": lambda index: on_show(index), "download": self._download}, **traits
        )
        self._results = results
        self._outgoing: tuple[str, str, Scratch] | None = None  # ticket, file name, content

    def _download(self, *, ticket: str, start: int, what: str = "", kind: str = "PNG") -> None:
        self.sentence = ""
        try:
            if start == 0:
                make = zip_of if what == "all" else self._selected
                self._outgoing = (ticket, *make(self._results(), kind))
            if self._outgoing is None or self._outgoing[0] != ticket:
                return  # another download has taken its place
            _, name, content = self._outgoing
            piece = content.read(start, _PIECE)
        except (ValueError, OSError, MemoryError) as error:  # ImageError among them
            self.sentence = f"The download failed: {error}"
            return
        message = {"ticket": ticket, "name": name, "size": len(content), "next": start + len(piece)}
        if message["next"] >= message["size"]:
            self._outgoing = None
        self.send(message, buffers=[piece])

    def _selected(self, results: Sequence[Enlargement], kind: str) -> tuple[str, Scratch]:
        result = results[self.selected]
        return result.order.stem + SUFFIXES[kind], Scratch(result.encode(kind))


def zip_of(results: Sequence[Enlargement], kind: str) -> tuple[str, Scratch]:
    """A zip of all results in one format; of two of one name the later gets a number.  One picture at a time is in memory."""
    content, seen = Scratch(), Counter()
    with zipfile.ZipFile(_Appending(content), "w") as archive:
        for result in results:
            name = result.order.stem
            seen[name] += 1
            unique = name if seen[name] == 1 else f"{name} ({seen[name]})"
            archive.writestr(unique + SUFFIXES[kind], result.encode(kind))
    return "enlarged.zip", content


class _Appending(io.RawIOBase):
    """Scratch as a stream that is written from its start to its end."""

    def __init__(self, content: Scratch):
        self._content = content

    def writable(self) -> bool:
        return True

    def write(self, piece) -> int:
        self._content.append(bytes(piece))
        return len(piece)
