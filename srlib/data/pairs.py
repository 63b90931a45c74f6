"""HR images and the LR images that belong to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from srlib.data.pairing import NameRule, PairedGroup, pair_files, split_sides
from srlib.data.patches import Pair
from srlib.errors import DataError
from srlib.images.degrade import Degradation
from srlib.images.finder import find_images
from srlib.images.picture import read_image
from srlib.images.resize import crop_to_multiple, imresize


class PairedImages(Sequence[Pair]):
    """HR images with their LR images: a sequence of `Pair(hr, lr, name)`, read when asked for.

    HR images are cropped to a multiple of the scale. LR images whose sizes were rounded up lose
    the row or column that covers only a part of HR.

    Attributes:
        hr_dir: The folder of HR images.
        lr_dir: The folder of LR images, or None if they are made.
        scale: HR pixels per LR pixel, in each direction.
        make_lr: The function that makes LR images, or None.
        names: The names of the pairs, sorted: the paths of the HR files without suffix.
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
        hr_names: str | None = None,
        lr_names: str | None = None,
    ):
        """Pair the files; no image is read yet.

        Args:
            hr_dir: The folder of HR images, with sub-folders.
            lr_dir: The folder of LR images, or None to make them from HR.
            scale: HR pixels per LR pixel, in each direction.
            make_lr: Makes LR images if `lr_dir` is None: a Degradation, with its seed 0, or any
                function from uint8 HR to uint8 LR arrays. By default it is MATLAB's bicubic.
            hr_names: A pattern of the names of HR files without suffix, in which "*" stands for
                the part that partners share. By default the rule is found by the names.
            lr_names: The same for LR files, such as "*x4". Files that do not fit a pattern are
                ignored.

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
        self.hr_dir = Path(hr_dir).expanduser()
        self.lr_dir = Path(lr_dir).expanduser() if lr_dir is not None else None
        self.scale = scale
        self.make_lr = make_lr
        rule = NameRule(hr_names or "*", lr_names or "*") if hr_names or lr_names else None
        found = (
            self._pair(rule) if self.lr_dir else [(file, None) for file in _images_in(self.hr_dir)]
        )
        found.sort(key=lambda pair: pair[0].with_suffix("").as_posix())
        self.names = [hr_file.with_suffix("").as_posix() for hr_file, _ in found]
        self.files = [
            (self.hr_dir / hr_file, self.lr_dir / lr_file if lr_file else None)
            for hr_file, lr_file in found
        ]

    def _pair(self, rule: NameRule | None) -> list[tuple[Path, Path]]:
        hr_files = _images_in(self.hr_dir, besides=self.lr_dir)
        lr_files = _images_in(self.lr_dir, besides=self.hr_dir)
        if hr_files == lr_files and self.lr_dir.samefile(self.hr_dir):
            hr_files, lr_files = split_sides(hr_files, scale=self.scale)
        groups = pair_files(hr_files, lr_files, scale=self.scale, rule=rule)
        self._refuse_unpaired(groups, rule)
        return [pair for group in groups for pair in group.pairs]

    def _refuse_unpaired(self, groups: list[PairedGroup], rule: NameRule | None) -> None:
        """Raise DataError, with files of both sides and the rule that would pair them."""
        where = f"(HR in {self.hr_dir}, LR in {self.lr_dir})"
        alone = {
            "HR": [file for group in groups for file in group.hr_alone],
            "LR": [file for group in groups for file in group.lr_alone],
        }
        main_rule = next((group.rule for group in groups if group.pairs), None)
        if not main_rule and rule:
            raise DataError(f"No names correspond by {rule} {where}: correct the patterns.")
        if not main_rule:
            rules = [group.rule for group in groups if group.rule]
            patterns = rules[0] if rules else 'patterns, such as hr_names="*", lr_names="*x4"'
            raise DataError(
                f"No HR image pairs with an LR image by its name, such as {alone['HR'][0]} with "
                f"{alone['LR'][0]} {where}: if they belong together, pass {patterns}."
            )
        for side, other in (("HR", "LR"), ("LR", "HR")):
            if alone[side]:
                example = alone[side][0]
                raise DataError(
                    f"{len(alone[side])} {side} images have no {other} image {where}, such as "
                    f"{example}, whose partner would be {main_rule.partner(example, side)} by the "
                    f"rule {main_rule}: add the missing {other} images, or pass another rule."
                )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Pair:
        hr_file, lr_file = self.files[index]
        name = self.names[index]
        full_hr = read_image(hr_file).array
        hr = crop_to_multiple(full_hr, self.scale)
        if hr.size == 0:
            raise DataError(
                f"{hr_file} is smaller than {self.scale} pixels: keep it out of the folder."
            )
        lr = read_image(lr_file).array if lr_file else self._make(hr, name)
        height = hr.shape[0] // self.scale
        width = hr.shape[1] // self.scale
        rounded_up = tuple(-(-length // self.scale) for length in full_hr.shape[:2])
        if not (height <= lr.shape[0] <= rounded_up[0] and width <= lr.shape[1] <= rounded_up[1]):
            raise DataError(
                f"{hr_file} has {hr.shape[1]} x {hr.shape[0]} pixels, and its LR image "
                f"{lr_file or 'by make_lr'} has {lr.shape[1]} x {lr.shape[0]}: that is not scale "
                f"{self.scale}."
            )
        return Pair(hr, lr[:height, :width], name)

    def __iter__(self) -> Iterator[Pair]:
        return (self[index] for index in range(len(self)))

    def _make(self, hr: np.ndarray, name: str) -> np.ndarray:
        if isinstance(self.make_lr, Degradation):
            return self.make_lr(hr, name=name)  # its noise depends on the name
        return self.make_lr(hr) if self.make_lr else imresize(hr, 1 / self.scale)


def _images_in(folder: Path, besides: Path | None = None) -> list[Path]:
    """The images of a folder, without those of another folder that lies in it.

    Raises:
        DataError: Two of them have the same name, but for the suffix.
    """
    files = find_images(folder)
    if besides and folder.resolve() in besides.resolve().parents:
        files = [
            file for file in files if besides.resolve() not in (folder / file).resolve().parents
        ]
    by_name: dict[Path, Path] = {}
    for file in files:
        other = by_name.setdefault(file.with_suffix(""), file)
        if other != file:
            raise DataError(
                f"{folder / other} and {folder / file} have the same name: rename one of them."
            )
    return files
