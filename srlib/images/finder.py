"""The one finder of pictures in a folder, for folder jobs, pairs and the data doctor."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from srlib.errors import DataError
from srlib.files.whole import as_path
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
        pictures: Paths relative to the folder, sorted.
        passed_over: Everything else that is not an ordinary file of another kind, relative to the
            folder, with the reason: hidden, system folder, unfinished, link and so on. A folder
            stands for all that is in it.
    """

    pictures: list[Path]
    passed_over: dict[Path, str]


def find_images(folder: str | os.PathLike) -> list[Path]:
    """Find all pictures under a folder, as `list_pictures` does: relative paths, sorted."""
    return list_pictures(folder).pictures


def list_pictures(folder: str | os.PathLike) -> Listing:
    """List the pictures under a folder, and all that is passed over on the way.

    A picture is a regular file, or a link to one, with one of the suffixes that `read_image` reads.
    Subfolders are entered, linked ones too, each folder once. Hidden files and folders, the folders
    of systems and archives, and files that are still being written are passed over.

    Raises:
        DataError: There is no such folder, or no picture in it.
    """
    folder = as_path(folder)
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    pictures: list[Path] = []
    others = 0
    passed_over: dict[Path, str] = {}
    entered: set[Path] = set()

    def pass_over(path: str | os.PathLike, reason: str) -> None:
        passed_over[Path(path).relative_to(folder)] = reason

    def unreadable(error: OSError) -> None:
        pass_over(error.filename, "unreadable folder")

    for current, subfolders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        current = Path(current)
        real = current.resolve()
        leads_back = entered and folder.resolve().is_relative_to(real)
        if real in entered or leads_back:
            pass_over(current, "link to a folder that is listed already")
            subfolders.clear()
            continue
        entered.add(real)
        names = set(files)
        for name in [*subfolders, *files]:
            path = current / name
            if reason := _reason_to_pass(path):
                pass_over(path, reason)
            elif path.suffix.lower() in SUFFIXES and name in names:
                pictures.append(path.relative_to(folder))
            else:
                others += name in names
        subfolders[:] = [name for name in subfolders if not _reason_to_pass(current / name)]
        # Links come last, so that a picture is found under its real folder, if that is here.
        subfolders.sort(key=lambda name: ((current / name).is_symlink(), name))
    if not pictures:
        counts = Counter(passed_over.values()) + Counter({"no picture by its suffix": others})
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "nothing"
        raise DataError(
            f"There are no pictures in {folder} (passed over: {reasons}); "
            f"{', '.join(sorted(SUFFIXES))} are looked for, in subfolders too."
        )
    return Listing(sorted(pictures), passed_over)


def _reason_to_pass(path: Path) -> str | None:
    if path.name.endswith(".part") or path.name.startswith(".making-"):
        return "unfinished"
    if path.name.startswith("."):
        return "hidden"
    if path.name.lower() in _SYSTEM_FOLDERS:
        return "system folder"
    is_ordinary = os.path.isdir(path) or os.path.isfile(path)
    return None if is_ordinary else "broken link, pipe or device"
