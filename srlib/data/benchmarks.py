"""Finding the field's test sets in a folder, however they are laid out (notebook 06)."""

from __future__ import annotations

import os
from pathlib import Path

from srlib.data.pairs import PairedImages, find_lr_dir
from srlib.images.finder import DataError

SETS = ("Set5", "Set14", "B100", "Urban100", "DIV2K")
# where a set's HR images may be, below the folder or below "benchmark" in it
_PLACES = {name: (f"{name}/X{{scale}}/HR", f"{name}/HR") for name in SETS} | {
    "DIV2K": ("DIV2K_valid_HR", "DIV2K/DIV2K_valid_HR")
}


def find_benchmarks(root: str | os.PathLike, *, scale: int) -> dict[str, PairedImages]:
    """The sets of SETS that are in a folder, by name, smallest first; DIV2K is its validation set.

    The layouts: EDSR's benchmark.tar (Set5/HR with Set5/LR_bicubic/X4, also below benchmark/), Set5/X4/HR with Set5/X4/LR,
    and DIV2K's own (DIV2K_valid_HR with DIV2K_valid_LR_bicubic/X4).  Nothing is read yet.  Raises DataError if there is none, or
    if a set's LR images are missing or do not pair.
    """
    root, found = Path(root).expanduser(), {}
    for name, places in _PLACES.items():
        folders = [
            top / place.format(scale=scale)
            for top in (root, root / "benchmark")
            for place in places
        ]
        hr_dir = next((folder for folder in folders if folder.is_dir()), None)
        if hr_dir:
            found[name] = PairedImages(hr_dir, find_lr_dir(hr_dir, scale=scale), scale=scale)
    if not found:
        raise DataError(
            f"None of {', '.join(SETS)} is in {root} for scale {scale}; a set is, for example, {root / 'Set5' / 'HR'}."
        )
    return found
