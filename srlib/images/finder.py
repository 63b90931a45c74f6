"""Finding the pictures of a data folder: what everything that reads a folder shares."""

from __future__ import annotations

import os
from pathlib import Path

from srlib.errors import DataError
from srlib.images.picture import SUFFIXES


def find_images(folder: str | os.PathLike) -> list[Path]:
    """All pictures under a folder, sorted, relative to it.  Raises DataError if there is no such folder or no picture in it."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    pictures = (
        p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")
    )
    found = sorted(p.relative_to(folder) for p in pictures)
    if not found:
        raise DataError(
            f"There are no pictures in {folder}; {', '.join(sorted(SUFFIXES))} are looked for, in subfolders too."
        )
    return found
