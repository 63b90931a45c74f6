"""HR images and the LR images that belong to them, paired by name (notebook 01)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from srlib.data.patches import Pair
from srlib.images.degrade import Degradation
from srlib.images.finder import DataError, find_images
from srlib.images.picture import read_image
from srlib.images.resize import crop_to_multiple, imresize


def find_lr_dir(hr_dir: str | os.PathLike, *, scale: int) -> Path:
    """The folder of LR images that belongs to a folder of HR images, by the names in use.

    DIV2K_train_HR goes with DIV2K_train_LR_bicubic/X4 (the official archives) or DIV2K_train_LR/X4 (notebook 01), and hr with
    lr/X4 or lr.  Raises DataError if there is none, or more than one.
    """
    hr_dir = Path(os.path.abspath(hr_dir))
    beside = (
        hr_dir.name.removesuffix("HR") + "LR"
        if hr_dir.name.endswith("HR")
        else hr_dir.name.removesuffix("hr") + "lr"
    )
    folders = [hr_dir.with_name(beside + kind) for kind in ("_bicubic", "")]
    scaled = [folder / f"X{scale}" for folder in folders if (folder / f"X{scale}").is_dir()]
    found = scaled or [
        folder for folder in folders if folder.is_dir() and not any(folder.glob("X[0-9]"))
    ]
    if not found:
        tried = " or ".join(str(folder / f"X{scale}") for folder in folders)
        raise DataError(
            f"There is no LR folder for {hr_dir}, such as {tried}: make the LR images (notebook 01)."
        )
    if len(found) > 1:
        raise DataError(
            f"{hr_dir} has two LR folders, {found[0]} and {found[1]}: say which one is meant."
        )
    return found[0]


class PairedImages:
    """HR images and the LR images of the same name: a sequence of `Pair(hr, lr, name)`, read when asked for.

    Names pair by their path without suffix; DIV2K's "0801x4" pairs with "0801".  HR is cropped to a multiple of the scale.
    lr_dir: None makes each LR image from its HR image, with `make_lr` (a Degradation, with its seed 0, or any other hr -> lr of
    uint8 arrays) or, without one, as MATLAB does.
    Raises DataError if nothing pairs, or if two files have one name, and names what has no partner.
    """

    def __init__(
        self,
        hr_dir: str | os.PathLike,
        lr_dir: str | os.PathLike | None,
        *,
        scale: int,
        make_lr: Callable[[np.ndarray], np.ndarray] | None = None,
    ):
        if lr_dir is not None and make_lr:
            raise ValueError(
                "LR images are read from lr_dir or made by make_lr, not both: pass lr_dir=None, or no make_lr."
            )
        self.hr_dir, self.lr_dir, self.scale, self.make_lr = (
            Path(hr_dir),
            lr_dir and Path(lr_dir),
            scale,
            make_lr,
        )
        hr_files = _by_name(self.hr_dir)
        lr_files = (
            _by_name(self.lr_dir, f"x{scale}", hr_files) if self.lr_dir else dict.fromkeys(hr_files)
        )
        alone = sorted(hr_files.keys() ^ lr_files.keys())
        if alone:
            many = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
            where = f"only in one of {hr_dir} and {lr_dir}"
            raise DataError(
                f"{', '.join(alone[:3])}{many}: {where}; make the LR images again (notebook 01)."
            )
        self.names = sorted(hr_files)
        self.files = [(hr_files[name], lr_files[name]) for name in self.names]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Pair:
        hr_file, lr_file = self.files[index]
        hr = crop_to_multiple(read_image(hr_file).array, self.scale)
        if hr.size == 0:
            raise DataError(f"{hr_file} is smaller than {self.scale} pixels: remove it.")
        lr = read_image(lr_file).array if lr_file else self._made(hr, self.names[index])
        if hr.shape[0] != lr.shape[0] * self.scale or hr.shape[1] != lr.shape[1] * self.scale:
            raise DataError(
                f"{self.names[index]}: HR has {hr.shape[1]} x {hr.shape[0]} pixels and LR {lr.shape[1]} x {lr.shape[0]}; "
                f"that is not scale {self.scale}."
            )
        return Pair(hr, lr, self.names[index])

    def __iter__(self) -> Iterator[Pair]:
        return (self[i] for i in range(len(self)))

    def _made(self, hr: np.ndarray, name: str) -> np.ndarray:
        if isinstance(self.make_lr, Degradation):  # it has noise of its own for each name
            return self.make_lr(hr, name=name)
        return self.make_lr(hr) if self.make_lr else imresize(hr, 1 / self.scale)


def _by_name(
    folder: Path, ending: str = "", known: dict[str, Path] | None = None
) -> dict[str, Path]:
    """Path by name of all pictures; an ending is taken off unless the names are the known ones as they are."""
    files = [(p.with_suffix("").as_posix(), folder / p) for p in find_images(folder)]
    if known is None or {name for name, _ in files} != known.keys():
        files = [(name.removesuffix(ending), path) for name, path in files]
    named: dict[str, Path] = {}
    for name, path in files:
        if name in named:
            raise DataError(
                f"{named[name]} and {path} have the same name, {name}: remove or rename one of them."
            )
        named[name] = path
    return named
