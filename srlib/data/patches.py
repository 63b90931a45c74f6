"""Decoded image pairs, and batches of random patches cut from them."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

Pixels = TypeVar("Pixels", np.ndarray, Tensor)


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


@dataclass(frozen=True, eq=False)
class PixelStore(Sequence[Pair]):
    """Decoded pairs, one after the other: a sequence of `Pair`s that are views of two arrays.

    Attributes:
        hr: uint8 (HR pixels of all pairs, 3), in memory or memory-mapped. Gray images have three
            equal channels.
        lr: uint8 (LR pixels of all pairs, 3).
        heights: int64, the height of each LR image.
        widths: int64, the width of each LR image.
        names: The name of each pair.
        scale: HR pixels per LR pixel, in each direction.
        folder: The folder of the memory-mapped files, or None if the pixels are in memory.
    """

    hr: np.ndarray
    lr: np.ndarray
    heights: np.ndarray
    widths: np.ndarray
    names: list[str]
    scale: int
    folder: Path | None = None

    @classmethod
    def from_pairs(cls, pairs: Iterable[Pair], *, scale: int) -> PixelStore:
        """Hold all pairs in memory.

        Raises:
            ValueError: There are no pairs, or one is not 8-bit, or its sizes do not fit.
        """
        hr_parts: list[np.ndarray] = []
        lr_parts: list[np.ndarray] = []
        sizes: list[tuple[int, ...]] = []
        names: list[str] = []
        for hr, lr, name in pairs:
            hr_parts.append(flat_pixels(hr, name))
            lr_parts.append(flat_pixels(lr, name))
            if hr.shape[:2] != (lr.shape[0] * scale, lr.shape[1] * scale):
                raise ValueError(
                    f"{name}: an HR image of {hr.shape[:2]} is not {scale} times "
                    f"an LR image of {lr.shape[:2]}."
                )
            sizes.append(lr.shape[:2])
            names.append(name)
        if not sizes:
            raise ValueError("There are no image pairs to cut patches from.")
        heights, widths = np.array(sizes, np.int64).T
        hr_pixels = np.concatenate(hr_parts)
        return cls(hr_pixels, np.concatenate(lr_parts), heights, widths, names, scale)

    @classmethod
    def open(cls, folder: Path) -> PixelStore:
        """Map the files that `memory_map` wrote.

        Raises:
            OSError: A file is missing.
            ValueError: A file is not whole.
        """
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        scale = index["scale"]
        heights = np.array(index["heights"], np.int64)
        widths = np.array(index["widths"], np.int64)
        size = int((heights * widths).sum())
        hr = np.memmap(folder / "hr.bin", np.uint8, "r", shape=(size * scale**2, 3))
        lr = np.memmap(folder / "lr.bin", np.uint8, "r", shape=(size, 3))
        return cls(hr, lr, heights, widths, index["names"], scale, folder)

    @cached_property
    def starts(self) -> np.ndarray:
        """int64, the first pixel of each LR image in `lr`; times scale², of each HR image."""
        counts = self.heights * self.widths
        return np.cumsum(counts) - counts

    def fingerprint(self) -> str:
        """Identify the set: its number of pairs, first and last name, and a hash.

        The hash covers all names and sizes, and some of the pixels.
        """
        digest = hashlib.sha256(
            repr((self.names, self.heights.tolist(), self.widths.tolist())).encode()
        )
        for pixels in (self.lr, self.hr):
            digest.update(pixels[:: len(pixels) // 256 + 1].tobytes())
        return f"{len(self)} from {self.names[0]} to {self.names[-1]} ({digest.hexdigest()[:8]})"

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Pair:
        hr = self.image(self.hr, index, self.scale)
        return Pair(hr, self.image(self.lr, index, 1), self.names[index])

    def __reduce__(self):
        """Pickle a mapped store as its folder: a worker process maps the files itself."""
        return (PixelStore.open, (self.folder,)) if self.folder else super().__reduce__()

    def image(self, pixels: Pixels, index: int, scale: int) -> Pixels:
        """View image number `index` as (H, W, 3) in all LR pixels (scale 1) or all HR pixels."""
        height = int(self.heights[index]) * scale
        width = int(self.widths[index]) * scale
        start = int(self.starts[index]) * scale**2
        return pixels[start : start + height * width].reshape(height, width, 3)


def flat_pixels(image: np.ndarray, name: str) -> np.ndarray:
    """The pixels of an image as (H * W, 3); a gray image gets three equal channels.

    Raises:
        ValueError: The image is not uint8.
    """
    if image.dtype != np.uint8:
        raise ValueError(
            f"{name} has {image.dtype} values, and patches are cut from 8-bit images: "
            "save it with 8 bits."
        )
    rgb = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    return rgb.reshape(-1, 3)


class PairedPatches:
    """Random pairs of patches, in batches that depend on the seed and the step alone.

    A batch needs no state to be saved, so a resumed training continues with the right one. It is
    the same wherever the pixels are kept. Every position of a patch in the whole set is equally
    likely.

    Example:
        >>> hr = np.zeros((96, 120, 3), np.uint8)
        >>> patches = PairedPatches([Pair(hr, hr[::4, ::4], "black")], scale=4, patch_size=48)
        >>> lr, hr = patches.batch(0, 16)
        >>> lr.shape, hr.shape
        (torch.Size([16, 3, 12, 12]), torch.Size([16, 3, 48, 48]))
    """

    def __init__(
        self,
        pairs: Iterable[Pair],
        *,
        scale: int,
        patch_size: int,
        augment: bool = True,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ):
        """Prepare the pairs for cutting.

        Args:
            pairs: Pairs to hold in memory, on the device; or a memory-mapped store, whose pixels
                stay on the disk.
            scale: HR pixels per LR pixel, in each direction.
            patch_size: The side of a patch in HR pixels, a multiple of the scale.
            augment: Turn and mirror each patch at random, in one of eight ways.
            seed: Batches differ with it.
            device: The device of the batches.

        Raises:
            ValueError: There are no pairs, or one does not fit the scale or the patch size.
        """
        if patch_size % scale:
            raise ValueError(
                f"patch_size counts HR pixels, and {patch_size} is not a multiple of the scale, "
                f"{scale}."
            )
        self.scale = scale
        self.patch_size = patch_size
        self.augment = augment
        self.seed = seed
        self.device = torch.device(device)
        store = (
            pairs if isinstance(pairs, PixelStore) else PixelStore.from_pairs(pairs, scale=scale)
        )
        if store.scale != scale:
            raise ValueError(
                f"The pairs were stored at scale {store.scale}, not {scale}: store them at that "
                "scale."
            )
        self.fingerprint = store.fingerprint()
        self._store = store
        self._lr_size = patch_size // scale
        for name, height, width in zip(store.names, store.heights, store.widths, strict=True):
            if min(height, width) < self._lr_size:
                raise ValueError(
                    f"{name}: {width * scale} x {height * scale} pixels are less than a patch of "
                    f"{patch_size}: use a smaller patch_size."
                )
        # for each image, the rows and the columns where a patch may begin
        self._rows = store.heights - self._lr_size + 1
        self._columns = store.widths - self._lr_size + 1
        positions = self._rows * self._columns
        self._cumulative_share = np.cumsum(positions) / positions.sum()
        self._lr = self._tensor(store.lr)
        self._hr = self._tensor(store.hr)

    def batch(self, step: int, batch_size: int) -> tuple[Tensor, Tensor]:
        """Cut batch number `step`.

        Returns:
            lr (B, 3, p / scale, p / scale) and hr (B, 3, p, p), float32 in [0, 1].
        """
        rng, images = self._draw_images(step, batch_size)
        top = rng.integers(0, self._rows[images])
        left = rng.integers(0, self._columns[images])
        orientation = rng.integers(0, 8 if self.augment else 1, batch_size)
        places = np.stack([images, top, left, orientation], axis=1).tolist()
        return self._cut(self._lr, places, 1), self._cut(self._hr, places, self.scale)

    def names(self, step: int, batch_size: int) -> list[str]:
        """The names of the images that batch number `step` is cut from."""
        return [self._store.names[index] for index in self._draw_images(step, batch_size)[1]]

    def _draw_images(self, step: int, batch_size: int) -> tuple[np.random.Generator, np.ndarray]:
        """The index of each patch's image, and the generator that goes on to draw places."""
        rng = np.random.default_rng([self.seed, step])
        shares = rng.random(batch_size)
        return rng, np.searchsorted(self._cumulative_share, shares, side="right")

    def _tensor(self, pixels: np.ndarray) -> Tensor:
        """The pixels where they are cut: on the device, or in the mapped file."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            tensor = torch.from_numpy(pixels)
        return tensor if self._store.folder else tensor.to(self.device)

    def _cut(self, pixels: Tensor, places: list[list[int]], scale: int) -> Tensor:
        """The patches at these places, of LR images (scale 1) or HR images.

        Each one is a slice: of a mapped file, no more pages are read than it covers.
        """
        size = self._lr_size * scale
        patches = torch.empty((len(places), size, size, 3), dtype=torch.uint8, device=pixels.device)
        for patch, (index, top, left, orientation) in zip(patches, places, strict=True):
            y = top * scale
            x = left * scale
            image = self._store.image(pixels, index, scale)
            patch[:] = _oriented(image[y : y + size, x : x + size], orientation)
        # the memory stays in the order (B, H, W, 3), which is the fastest one for convolutions
        return patches.to(self.device).permute(0, 3, 1, 2).float().div_(255)


def _oriented(image: Tensor, orientation: int) -> Tensor:
    """An (H, W, 3) image after 0 to 3 quarter turns, and from 4 on also mirrored."""
    turned = torch.rot90(image, orientation % 4) if orientation % 4 else image
    return turned.flip(1) if orientation >= 4 else turned
