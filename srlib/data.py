"""DIV2K's layout, the making of LR images, and pairs to train and measure on (notebook 01)."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from srlib.images import SUFFIXES, ImageError, read_image, write_image
from srlib.patches import Pair, PairedPatches
from srlib.resize import crop_to_multiple, imresize

__all__ = [
    "DataError", "LowResReport", "Pair", "PairedImages", "PairedPatches",
    "create_low_res_images_recursive", "find_images", "jpeg_round_trip",
]  # fmt: skip


class DataError(ValueError):
    """A data folder is not what it should be; the message is a finished sentence with what to do."""


@dataclass(frozen=True)
class LowResReport:
    """What happened to each file: paths relative to the target folder; failed maps a source path to the reason."""

    written: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{len(self.written)} written, {len(self.skipped)} already there, {len(self.failed)} failed"


def find_images(folder: str | os.PathLike) -> list[Path]:
    """All pictures under a folder, sorted, relative to it.  Raises DataError if there is no such folder or no picture in it."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    pictures = (p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    found = sorted(p.relative_to(folder) for p in pictures)
    if not found:
        raise DataError(f"There are no pictures in {folder}; {', '.join(sorted(SUFFIXES))} are looked for, in subfolders too.")
    return found


def create_low_res_images_recursive(
    source_dir: str | os.PathLike,
    target_dir: str | os.PathLike,
    scale: int = 4,
    *,
    method: str = "matlab",
    executor: Executor | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> LowResReport:
    """Make the LR image of every picture under `source_dir`, as a PNG at the same place under `target_dir`.

    Each HR image is cropped to a multiple of `scale` and shrunk by `method`: "matlab" (antialiased bicubic, what every
    published number rests on) or "pillow" (its bicubic, which differs in one value of six).  A file that cannot be read is
    reported with its reason and the rest goes on.  What is already there is left alone unless `overwrite`; if it is of another
    size, that is reported too.  executor: any concurrent.futures one; all cores, by threads, if None.
    on_progress(done, total) is called after each file.  Raises DataError for an empty source, ValueError for an unknown scale
    or method.
    """
    if method not in METHODS:
        raise ValueError(f"method is one of {', '.join(METHODS)}, not {method!r}.")
    if scale not in (2, 3, 4, 8):
        raise ValueError(f"The scale of a data set is 2, 3, 4 or 8, not {scale}.")
    source_dir, target_dir = Path(source_dir), Path(target_dir)
    if source_dir.resolve() == target_dir.resolve():
        raise DataError(f"Source and target are the same folder, {source_dir}: its pictures would be overwritten.")
    names = find_images(source_dir)
    same_target = Counter(name.with_suffix(".png") for name in names)
    report = LowResReport()
    job = partial(_make_one, source_dir, target_dir, scale, method, overwrite)
    unique = []
    for name in names:
        if same_target[name.with_suffix(".png")] > 1:
            report.failed[str(name)] = "Another picture in the same folder has this name with another suffix; rename one."
        else:
            unique.append(name)
    own = None if executor else ThreadPoolExecutor(os.cpu_count())
    try:
        for done, (name, state, reason) in enumerate((executor or own).map(job, unique), 1 + len(report.failed)):
            if state == "failed":
                report.failed[str(name)] = reason
            else:
                getattr(report, state).append(str(name.with_suffix(".png")))
            if on_progress:
                on_progress(done, len(names))
    finally:
        if own:
            own.shutdown(cancel_futures=True)
    return report


def _make_one(source_dir: Path, target_dir: Path, scale: int, method: str, overwrite: bool, name: Path) -> tuple[Path, str, str]:
    target = target_dir / name.with_suffix(".png")
    try:
        hr = crop_to_multiple(read_image(source_dir / name).array, scale)
        if hr.size == 0:
            return name, "failed", f"The picture is smaller than {scale} pixels."
        if target.exists() and not overwrite:
            with Image.open(target) as there:
                if there.size == (hr.shape[1] // scale, hr.shape[0] // scale):
                    return name, "skipped", ""
                found = f"{there.width} x {there.height} pixels"
                return name, "failed", f"{target} exists with {found}; use another folder or overwrite=True."
        target.parent.mkdir(parents=True, exist_ok=True)
        write_image(target, METHODS[method](hr, scale))
    except (OSError, ImageError, TypeError) as error:
        return name, "failed", str(error)
    return name, "written", ""


def _pillow(hr: np.ndarray, scale: int) -> np.ndarray:
    return np.asarray(Image.fromarray(hr).resize((hr.shape[1] // scale, hr.shape[0] // scale), Image.Resampling.BICUBIC))


def _matlab(hr: np.ndarray, scale: int) -> np.ndarray:
    return imresize(hr, 1 / scale)


METHODS = {"matlab": _matlab, "pillow": _pillow}


def jpeg_round_trip(image: np.ndarray, quality: int) -> np.ndarray:
    """What is left of a uint8 image after saving it as JPEG of this quality (1 to 95), as phones and web sites do."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as saved:
        return np.asarray(saved)


class PairedImages:
    """HR images and the LR images of the same name: a sequence of `Pair(hr, lr, name)`, read when asked for.

    Names pair by their path without suffix; DIV2K's "0801x4" pairs with "0801".  HR is cropped to a multiple of the scale.
    Raises DataError if nothing pairs, and names what has no partner.
    """

    def __init__(self, hr_dir: str | os.PathLike, lr_dir: str | os.PathLike, *, scale: int):
        self.hr_dir, self.lr_dir, self.scale = Path(hr_dir), Path(lr_dir), scale
        hr_files = {str(p.with_suffix("")): p for p in find_images(hr_dir)}
        lr_files = {str(p.with_suffix("")).removesuffix(f"x{scale}"): p for p in find_images(lr_dir)}
        alone = sorted(hr_files.keys() ^ lr_files.keys())
        if alone:
            many = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
            where = f"only in one of {hr_dir} and {lr_dir}"
            raise DataError(f"{', '.join(alone[:3])}{many}: {where}; make the LR images again (notebook 01).")
        self.names = sorted(hr_files)
        self._files = [(hr_files[name], lr_files[name]) for name in self.names]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Pair:
        hr_file, lr_file = self._files[index]
        hr = crop_to_multiple(read_image(self.hr_dir / hr_file).array, self.scale)
        lr = read_image(self.lr_dir / lr_file).array
        if hr.shape[0] != lr.shape[0] * self.scale or hr.shape[1] != lr.shape[1] * self.scale:
            raise DataError(
                f"{self.names[index]}: HR has {hr.shape[1]} x {hr.shape[0]} pixels and LR {lr.shape[1]} x {lr.shape[0]}; "
                f"that is not scale {self.scale}."
            )
        return Pair(hr, lr, self.names[index])

    def __iter__(self) -> Iterator[Pair]:
        return (self[i] for i in range(len(self)))
