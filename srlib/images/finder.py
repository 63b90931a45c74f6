"""The one finder of pictures in a folder, for folder jobs, pairs and the data doctor."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from srlib.errors import DataError
from srlib.images.picture import SUFFIXES

# Folders that systems and archives make: NAS thumbnails, waste baskets, macOS in a zip.
_SYSTEM_FOLDERS = {
    "__macosx", "@eadir", "@tmp", "@recycle", "#recycle", "#snapshot", "@recently-snapshot",
    "$recycle.bin", "system volume information", "lost+found", "found.000",
}  # fmt: skip


@dataclass(frozen=True)
class Listing:
    """The pictures in a folder and its subfolders.

    Attributes:
        folder: The folder.
        pictures: Paths relative to the folder, sorted.
        passed_over: Everything else that is not an ordinary file of another kind, relative to the
            folder, with the reason: hidden, system folder, unfinished, pipe, broken link and so on.
            A folder stands for all that is in it.
        others: Ordinary files that are no pictures by their suffix, such as notes.
    """

    folder: Path
    pictures: list[Path]
    passed_over: dict[Path, str]
    others: list[Path]

    def needed(self) -> Listing:
        """This listing, if there is a picture in it. Raises DataError if there is none."""
        if not self.pictures:
            raise DataError(
                f"There are no pictures in {self.folder} ({self}); {', '.join(sorted(SUFFIXES))} "
                "are looked for, in subfolders too."
            )
        return self

    def __str__(self) -> str:
        """One sentence, such as "3 pictures; passed over: 2 hidden, 1 broken link"."""
        counts = Counter(self.passed_over.values())
        if self.others:
            counts["no picture by its suffix"] = len(self.others)
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
        number = f"{len(self.pictures)} picture{'' if len(self.pictures) == 1 else 's'}"
        return f"{number}; passed over: {reasons}" if reasons else number


def find_images(folder: str | os.PathLike) -> list[Path]:
    """Find all pictures under a folder, as `list_pictures` does: relative paths, sorted.

    Raises:
        DataError: There is no such folder, or no picture in it.
    """
    return list_pictures(folder).needed().pictures


def list_pictures(folder: str | os.PathLike) -> Listing:
    """List the pictures under a folder, and all that is passed over on the way.

    A picture is a regular file, or a link to one, with one of the suffixes that `read_image` reads.
    Subfolders are entered, linked ones too, each folder once. Hidden files and folders, the folders
    of systems and archives, and files that are still being written are passed over.

    Raises:
        DataError: There is no such folder.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    pictures: list[Path] = []
    others: list[Path] = []
    passed_over: dict[Path, str] = {}
    entered: set[Path] = set()
    waiting = [folder]
    links: list[Path] = []
    while waiting or links:
        # Links come last, so that a picture is found under its real folder, if that is here.
        current = waiting.pop() if waiting else links.pop(0)
        real = current.resolve()
        leads_back = current != folder and folder.resolve().is_relative_to(real)
        if real in entered or leads_back:
            passed_over[current.relative_to(folder)] = "link to a folder that is listed already"
            continue
        entered.add(real)
        try:
            entries = sorted(current.iterdir())
        except OSError:
            passed_over[current.relative_to(folder)] = "unreadable folder"
            continue
        for entry in entries:
            if reason := _reason_to_pass(entry):
                passed_over[entry.relative_to(folder)] = reason
            elif entry.is_dir():
                (links if entry.is_symlink() else waiting).append(entry)
            else:
                is_picture = entry.suffix.lower() in SUFFIXES
                (pictures if is_picture else others).append(entry.relative_to(folder))
    return Listing(folder, sorted(pictures), passed_over, sorted(others))


def _reason_to_pass(entry: Path) -> str | None:
    if entry.name.endswith(".part") or entry.name.startswith(".making-"):
        return "unfinished"
    if entry.name.startswith("."):
        return "hidden"
    if entry.name.lower() in _SYSTEM_FOLDERS:
        return "system folder"
    try:
        if entry.is_dir() or entry.is_file():
            return None
        return "pipe or device" if entry.exists() else "broken link"
    except OSError:
        return "unreadable"
