"""The pictures in a folder."""

from __future__ import annotations

import os
from pathlib import Path

from srlib.errors import SRError
from srlib.images.picture import SUFFIXES


class DataError(SRError, ValueError):
    """A data folder is not as it should be. The message is a sentence that says what to do."""


def find_images(folder: str | os.PathLike) -> list[Path]:
    """Find all pictures under a folder.

    Returns:
        Paths relative to the folder, sorted.

    Raises:
        DataError: There is no such folder, or no picture in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    found = sorted(
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    if not found:
        raise DataError(
            f"There are no pictures in {folder}; {', '.join(sorted(SUFFIXES))} are looked for, "
            "in subfolders too."
        )
    return found
