"""The wizard's page around the comparison, and the way of files between page and kernel."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import anywidget
import traitlets

from srlib.widgets.javascript import javascript
from srlib.widgets.wizard.enlarge import Enlargement
from srlib.widgets.wizard.scratch import Scratch

_SCRIPTS = ("kernel", "upload", "strip", "choices", "more", "job", "page")
PIECE = 4 * 2**20  # bytes in one message; a Jupyter server silently drops messages above 10 MB


class Page(anywidget.AnyWidget):
    """The bar below the comparison, and what lies over it. Any thread may set traits.

    Args:
        on_file: Receives the bytes and the name of each file, and the gesture that it came with:
            files of one gesture were chosen together. What it raises is shown to the visitor.
        make_file: Returns the name and the content of a download.
        actions: The function for each other type of message; it gets the rest of the message as
            keyword arguments.
        **traits: Values of traits.
    """

    _esm = javascript(*(f"wizard/{name}.js" for name in _SCRIPTS))
    _css = Path(__file__).with_name("wizard.css")

    samples = traitlets.List(help="Offered: name, thumbnail").tag(sync=True)
    landing = traitlets.Bool(True, help="Whether nothing has been chosen yet").tag(sync=True)
    problem = traitlets.Unicode("", help="Sentences about the files chosen last").tag(sync=True)
    limit = traitlets.Int(100 * 2**20, help="Bytes of a file; above, it is refused").tag(sync=True)
    most = traitlets.Int(24, help="Files at once").tag(sync=True)

    strip = traitlets.List(help="The photographs: name, text, thumbnail, state, current").tag(
        sync=True
    )
    scales = traitlets.List(
        help="Offered: value, text, whether refused, the reason for it, and whether made"
    ).tag(sync=True)
    chosen = traitlets.Dict(
        help="scale (0: to longer_side), longer_side and its limits, model, best (self-ensemble?)"
    ).tag(sync=True)
    kind = traitlets.Dict(help="Of the picture: title, reason, and what its words mean").tag(
        sync=True
    )
    networks = traitlets.List(help="Offered: name, title").tag(sync=True)

    made = traitlets.Bool(False, help="Whether the result is there to download").tag(sync=True)
    label = traitlets.Unicode("Enlarge", help="Of the large button").tag(sync=True)
    ready = traitlets.Bool(False, help="Whether there is something to start").tag(sync=True)
    busy = traitlets.Bool(False, help="Shows the bar and Cancel").tag(sync=True)
    done = traitlets.Float(None, allow_none=True, help="0 to 1; None if unknown").tag(sync=True)
    fraction = traitlets.Float(None, allow_none=True, help="Of the running job").tag(sync=True)
    sentence = traitlets.Unicode("", help="The state of the work").tag(sync=True)
    together = traitlets.Int(0, help="How many results the zip would have").tag(sync=True)
    unsaved = traitlets.Bool(False, help="Whether results would be left behind").tag(sync=True)
    veil = traitlets.Dict(
        help="The picture that hides the stage, until that is ready with a version"
    ).tag(sync=True)
    map = traitlets.Enum(("", "invented", "unsure"), "", help="Which is shown").tag(sync=True)
    asking = traitlets.Bool(False, help="Whether one is being computed").tag(sync=True)

    def __init__(
        self,
        on_file: Callable[[bytes, str, str], None],
        make_file: Callable[..., tuple[str, Scratch]],
        actions: dict[str, Callable],
        **traits,
    ):
        super().__init__(**traits)
        own = {
            "piece": self._receive,
            "download": self._download,
            "dismiss": self.clear_problems,
        }
        self._actions = own | actions
        self._on_file = on_file
        self._make_file = make_file
        self._problems: list[str] = []
        self._gesture = ""
        self._arriving: tuple[str, str] | None = None  # gesture and name of the file
        self._content = Scratch()
        self._outgoing: tuple[str, str, Scratch] | None = None  # ticket, file name, content
        self.on_msg(self._act)

    def _act(self, _, message: dict, buffers: list[memoryview]) -> None:
        arguments = dict(message)
        try:
            if action := self._actions.get(arguments.pop("type", None)):
                action(*buffers, **arguments)
        finally:
            self.send({"heard": True})  # the page warns about a kernel that does not answer

    def add_problem(self, sentence: str) -> None:
        """Add a sentence about the files that were chosen last."""
        self._problems.append(sentence)
        self.problem = " ".join(self._problems)

    def clear_problems(self) -> None:
        """Remove these sentences."""
        self._problems.clear()
        self.problem = ""

    def _receive(
        self, piece, *, gesture: str, name: str, start: int, size: int, beyond: int
    ) -> None:
        if gesture != self._gesture:
            self._gesture = gesture
            self.clear_problems()
            if beyond > 0:
                self.add_problem(
                    f"The wizard takes {self.most} photographs at once; {beyond} were left out."
                )
        if size > self.limit:
            limit = _megabytes(self.limit)
            self.add_problem(f"{name} has {_megabytes(size)}; the limit is {limit}.")
            return
        if start == 0:
            self._arriving = (gesture, name)
            self._content = Scratch()
        end = start + len(piece)
        in_order = self._arriving == (gesture, name) and start == len(self._content)
        if not in_order or end > size:  # the page may be anybody's
            self._arriving = None
            self.add_problem(f"{name} did not arrive completely; choose it again.")
            return
        self._content.write(piece)
        if end < size:
            self.problem = f"{name} is arriving: {_megabytes(end)} of {_megabytes(size)} …"
            return
        content = self._content.read()
        self._arriving = None
        self._content = Scratch()
        self.problem = " ".join(self._problems)
        try:
            self._on_file(content, name, gesture)
        except MemoryError:
            self.add_problem(f"{name} does not fit into the memory of this machine.")
        except (ValueError, OSError) as error:  # ImageError among them
            self.add_problem(str(error))

    def _download(self, *, ticket: str, start: int, **wanted) -> None:
        try:
            if start == 0:
                self._outgoing = (ticket, *self._make_file(**wanted))
            if self._outgoing is None or self._outgoing[0] != ticket:
                return  # the visitor has started another download
            _, name, content = self._outgoing
            piece = content.read(start, PIECE)
        except (ValueError, OSError, MemoryError) as error:
            self.add_problem(f"The download failed: {error}")
            return
        end = start + len(piece)
        if end >= len(content):
            self._outgoing = None
        message = {"ticket": ticket, "name": name, "size": len(content), "next": end}
        self.send(message, buffers=[piece])


def zip_of(results: Sequence[Enlargement], kind: str, *, metadata: bool = True) -> Scratch:
    """A zip of results in one format, made with one image in memory at a time.

    Args:
        results: The results; where two have one name, the later gets a number.
        kind: As in `Enlargement.file`.
        metadata: As in `Enlargement.file`.
    """
    content = Scratch()
    seen = Counter()
    with zipfile.ZipFile(content, "w") as archive:
        for made in results:
            stem = made.order.stem
            seen[stem] += 1
            unique = stem if seen[stem] == 1 else f"{stem} ({seen[stem]})"
            name, file = made.file(kind, metadata=metadata)
            member = unique + Path(name).suffix
            with archive.open(member, "w", force_zip64=True) as stream:
                for start in range(0, len(file), PIECE):
                    stream.write(file.read(start, PIECE))
    return content


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.0f} MB"
