"""The usual test sets, found in a folder however they are laid out."""

import os

from srlib.data.pairing import find_lr_dir
from srlib.data.pairs import PairedImages
from srlib.errors import DataError
from srlib.files.whole import as_path

SETS = ("Set5", "Set14", "B100", "Urban100", "DIV2K")


def find_benchmarks(root: str | os.PathLike, *, scale: int) -> dict[str, PairedImages]:
    """Find the usual test sets in a folder; no image is read yet.

    The layouts are that of EDSR's benchmark.tar (Set5/HR with Set5/LR_bicubic/X4, also below
    benchmark/), Set5/X4/HR with Set5/X4/LR, those of BasicSR and KAIR (Set5/GTmod12 or
    Set5/original with Set5/LRbicx4), and DIV2K's own (DIV2K_valid_HR with
    DIV2K_valid_LR_bicubic/X4).

    Returns:
        The sets of `SETS` that are there, by name, smallest first; DIV2K is its validation set.

    Raises:
        DataError: There is no set, or the LR images of a set are missing or do not pair.
    """
    root = as_path(root)
    found = {}
    for name in SETS:
        places = [f"{name}/X{scale}/HR", f"{name}/HR", f"{name}/GTmod12", f"{name}/original"]
        if name == "DIV2K":
            places = ["DIV2K_valid_HR", "DIV2K/DIV2K_valid_HR"]
        folders = [top / place for top in (root, root / "benchmark") for place in places]
        hr_dir = next((folder for folder in folders if folder.is_dir()), None)
        if hr_dir:
            of_basicsr = hr_dir.parent / f"LRbicx{scale}"
            lr_dir = of_basicsr if of_basicsr.is_dir() else find_lr_dir(hr_dir, scale=scale)
            found[name] = PairedImages(hr_dir, lr_dir, scale=scale)
    if not found:
        raise DataError(
            f"None of {', '.join(SETS)} is in {root} for scale {scale}; a set is a folder such as "
            f"{root / 'Set5' / 'HR'}."
        )
    return found
