"""HR images and the LR images that belong to them."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from srlib.data.pairing import pair_files
from srlib.errors import DataError, printable
from srlib.files.whole import as_path
from srlib.images.degrade import Degradation
from srlib.images.finder import find_images
from srlib.images.picture import ImageError, read_image
from srlib.images.resize import crop_to_multiple, imresize


class Pair(NamedTuple):
    """An HR image and its LR image.

    Attributes:
        hr: uint8, (scale * h, scale * w, 3), or (scale * h, scale * w) if it is gray.
        lr: The same with (h, w) pixels.
        name: How messages call the pair.
    """

    hr: np.ndarray
    lr: np.ndarray
    name: str


def rgb_pixels(image: np.ndarray, name: str) -> np.ndarray:
    """An 8-bit image as (H, W, 3); a gray one gets three equal channels."""
    if image.dtype != np.uint8:
        raise ValueError(
            f"{name} has {image.dtype} values, and patches are cut from 8-bit images: "
            "save it with 8 bits."
        )
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


class PairedImages(Sequence[Pair]):
    """HR images with their LR images: a sequence of `Pair(hr, lr, name)`, read when asked for.

    HR images are cropped to a multiple of the scale. LR images whose sizes were rounded up lose
    the row or column that covers only a part of HR.

    Attributes:
        names: The names of the pairs, sorted: the paths of the HR files without suffix, printable.
        files: The HR file and the LR file (or None) of each pair.

    Example:
        >>> pairs = PairedImages("data/sample/DIV2K_valid_HR", None, scale=4)
        >>> pairs[0].hr.shape, pairs[0].lr.shape, pairs[0].name
        ((636, 804, 3), (159, 201, 3), '0801')
    """

    def __init__(
        self,
        hr_dir: str | os.PathLike,
        lr_dir: str | os.PathLike | None,
        *,
        scale: int,
        make_lr: Callable[[np.ndarray], np.ndarray] | None = None,
        as_rgb: bool = False,
    ):
        """Pair the files. A damaged HR file without partner is left out with a warning.

        Args:
            hr_dir: The folder of HR images, with sub-folders.
            lr_dir: The folder of LR images, or None to make them from HR.
            scale: HR pixels per LR pixel, in each direction.
            make_lr: Makes LR images if `lr_dir` is None: a Degradation, with its seed 0, or any
                function from uint8 HR to uint8 LR arrays. By default it is MATLAB's bicubic.
            as_rgb: Give gray images three equal channels. By default they have none, and metrics
                compare them as they are.

        Raises:
            DataError: A folder is missing or empty, a file has no partner, or two files have the
                same name.
            ValueError: Both `lr_dir` and `make_lr` are given.
        """
        if lr_dir is not None and make_lr:
            raise ValueError(
                "LR images are read from lr_dir or made by make_lr, not both: pass lr_dir=None, or "
                "no make_lr."
            )
        self.hr_dir = as_path(hr_dir)
        self.lr_dir = as_path(lr_dir) if lr_dir is not None else None
        self.scale = scale
        self.make_lr = make_lr
        self.as_rgb = as_rgb
        found = self._pair() if self.lr_dir else [(file, None) for file in _images_in(self.hr_dir)]
        found.sort(key=lambda pair: pair[0].with_suffix("").as_posix())
        self.names = [printable(hr_file.with_suffix("").as_posix()) for hr_file, _ in found]
        self.files = [
            (self.hr_dir / hr_file, self.lr_dir / lr_file if lr_file else None)
            for hr_file, lr_file in found
        ]

    def _pair(self) -> list[tuple[Path, Path]]:
        hr_files = _images_in(self.hr_dir, besides=self.lr_dir)
        lr_files = _images_in(self.lr_dir, besides=self.hr_dir)
        pairs, hr_alone, lr_alone = pair_files(hr_files, lr_files, scale=self.scale)
        where = f"(HR in {self.hr_dir}, LR in {self.lr_dir})"
        if not pairs:
            raise DataError(
                f"No HR image pairs with an LR image by its name, such as {hr_files[0]} with "
                f"{lr_files[0]} {where}: give the images of a pair one name, or name other folders."
            )
        hr_alone = self._readable(hr_alone)
        for side, other, alone in (("HR", "LR", hr_alone), ("LR", "HR", lr_alone)):
            if alone:
                raise DataError(
                    f"{len(alone)} of {len(pairs) + len(alone)} {side} images have no {other} "
                    f"image {where}, such as {alone[0]}, while {pairs[0][0]} pairs with "
                    f"{pairs[0][1]}: add the missing {other} images, or rename them."
                )
        return pairs

    def _readable(self, files: list[Path]) -> list[Path]:
        """The HR files without those that cannot be read, of which no LR image can be made."""
        readable = []
        for file in files:
            try:
                read_image(self.hr_dir / file)
                readable.append(file)
            except ImageError as error:
                warnings.warn(f"{self.hr_dir / file} is left out: {error}", stacklevel=4)
        return readable

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Pair:
        hr_file, lr_file = self.files[index]
        name = self.names[index]
        full_hr = self._read(hr_file)
        hr = crop_to_multiple(full_hr, self.scale)
        if hr.size == 0:
            raise DataError(
                f"{hr_file} is smaller than {self.scale} pixels: keep it out of the folder."
            )
        lr = self._read(lr_file) if lr_file else self._make(hr, name)
        if fault := size_fault(full_hr.shape[:2], lr.shape[:2], self.scale):
            raise DataError(
                f"{hr_file} has {full_hr.shape[1]} x {full_hr.shape[0]} pixels, and its LR image "
                f"{lr_file or 'by make_lr'} has {lr.shape[1]} x {lr.shape[0]}, not 1/{self.scale}: "
                f"{': '.join(fault)}."
            )
        return Pair(hr, lr[: hr.shape[0] // self.scale, : hr.shape[1] // self.scale], name)

    def __iter__(self) -> Iterator[Pair]:
        """The pairs one by one. One whose files cannot be read is left out with a warning."""
        for index, (hr_file, _) in enumerate(self.files):
            try:
                pair = self[index]
            except ImageError as error:
                warnings.warn(f"{hr_file} is left out: {error}", stacklevel=2)
            else:
                yield pair

    def _read(self, file: Path) -> np.ndarray:
        try:
            picture = read_image(file)
        except ImageError as error:  # which names the file alone, and HR and LR may have one name
            raise ImageError(f"in {file.parent}, {error}") from error
        return picture.rgb if self.as_rgb else picture.array

    def _make(self, hr: np.ndarray, name: str) -> np.ndarray:
        if isinstance(self.make_lr, Degradation):
            return self.make_lr(hr, name=name)  # its noise depends on the name
        return self.make_lr(hr) if self.make_lr else imresize(hr, 1 / self.scale)


def same_photos(inputs: Mapping[str, Iterable[Pair]]) -> dict[str, list[Pair]]:
    """Keep the photographs that every input has, in one order, so that numbers mean the same.

    An input lacks a photograph if its LR file is damaged.
    """
    by_name = {source: {pair.name: pair for pair in pairs} for source, pairs in inputs.items()}
    names = sorted(set.intersection(*map(set, by_name.values())))
    return {source: [pairs[name] for name in names] for source, pairs in by_name.items()}


def detailed_half(pairs: Iterable[Pair], *, scale: int, side: int) -> list[Pair]:
    """Cut pairs into tiles, and keep the half of them that bicubic restores worst.

    Smooth skies and walls fill much of large photographs, and teach a network little.

    Args:
        pairs: The pairs. Those smaller than a tile are left out.
        scale: HR pixels per LR pixel, in each direction.
        side: The side of a tile in LR pixels. Neighbours overlap by half of it.

    Returns:
        The tiles, the one with the largest error first, named after the photograph, row and column.

    Example:
        >>> hr = np.zeros((32, 64, 3), np.uint8)
        >>> hr[::2, 32:] = 255
        >>> half = detailed_half([Pair(hr, imresize(hr, 1 / 2), "a")], scale=2, side=16)
        >>> [tile.name for tile in half]
        ['a 0 16', 'a 0 8']
    """
    tiles = []
    for hr, lr, name in pairs:
        bicubic = imresize(rgb_pixels(lr, name), scale)
        error = np.abs(bicubic - rgb_pixels(hr, name).astype(float))
        rows, columns = (range(0, size - side + 1, max(1, side // 2)) for size in lr.shape[:2])
        for y, x in product(rows, columns):
            part = np.s_[y * scale : (y + side) * scale, x * scale : (x + side) * scale]
            tile = Pair(hr[part], lr[y : y + side, x : x + side], f"{name} {y} {x}")
            tiles.append((error[part].mean(), tile))
    tiles.sort(key=lambda tile: tile[0], reverse=True)
    return [tile for _, tile in tiles[: (len(tiles) + 1) // 2]]


def size_fault(hr: tuple[int, int], lr: tuple[int, int], scale: int) -> tuple[str, str] | None:
    """The fault of two sizes, (height, width), that are no pair, and its cure; None if they fit.

    Both are part of a sentence. LR sizes that were rounded down or up are right.

    Example:
        >>> size_fault((96, 120), (192, 240), 4)
        ('LR and HR are exchanged', 'swap them')
    """

    def fits(*size: int) -> bool:
        sides = zip(size, hr, strict=True)
        return all(side // scale <= small <= -(-side // scale) for small, side in sides)

    if fits(*lr):
        return None
    if fits(lr[1], lr[0]):
        return "one of them lies on its side", "turn it by 90 degrees (see its EXIF data)"
    if lr[0] > hr[0] and lr[1] > hr[1]:
        return "LR and HR are exchanged", "swap them"
    if abs(lr[0] - hr[0]) < scale and abs(lr[1] - hr[1]) < scale:
        return "LR was enlarged already", "take the small images"
    ratios = (hr[0] / lr[0], hr[1] / lr[1])
    if round(ratios[0]) != scale and abs(ratios[0] - ratios[1]) < 0.02 * ratios[1]:
        ratio = f"{ratios[0]:.2g}"
        return (
            f"that is scale {ratio}, not {scale}",
            f"take LR images of x{scale}, or scale {ratio}",
        )
    return f"that is not {scale} times", f"crop HR to {scale} times LR, or make LR from HR again"


def _images_in(folder: Path, besides: Path | None = None) -> list[Path]:
    """The images of a folder, without those of another folder that lies in it.

    Raises:
        DataError: Two of them have the same name, but for the suffix.
    """
    files = find_images(folder)
    if besides and folder.resolve() in besides.resolve().parents:
        inner = besides.resolve()
        files = [file for file in files if inner not in (folder / file).resolve().parents]
    if not files:
        raise DataError(f"There are no pictures in {folder} but those in {besides}.")
    by_name: dict[Path, Path] = {}
    for file in files:
        other = by_name.setdefault(file.with_suffix(""), file)
        if other != file:
            raise DataError(
                f"{folder / other} and {folder / file} have the same name: rename one of them."
            )
    return files
