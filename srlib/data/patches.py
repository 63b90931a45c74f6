"""Batches of random patches, cut from pairs. PyTorch is imported only when they are prepared."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from srlib.data.pairs import Pair, rgb_pixels

if TYPE_CHECKING:
    import torch
    from torch import Tensor


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
            pairs: The pairs. Those in memory go to the device. Those of `memory_map` stay on the
                disk, unless they fit into half of a GPU's free memory.
            scale: HR pixels per LR pixel, in each direction.
            patch_size: The side of a patch in HR pixels, a multiple of the scale.
            augment: Turn and mirror each patch at random, in one of eight ways.
            seed: Batches differ with it.
            device: The device of the batches.

        Raises:
            ValueError: There are no pairs, or one does not fit the scale or the patch size.
        """
        import torch

        if patch_size % scale:
            raise ValueError(
                f"patch_size counts HR pixels, and {patch_size} is not a multiple of the scale, "
                f"{scale}."
            )
        self.scale = scale
        self.augment = augment
        self.seed = seed
        self.device = torch.device(device)
        self._lr_size = patch_size // scale
        names: list[str] = []
        lr_images: list[np.ndarray] = []
        hr_images: list[np.ndarray] = []
        for hr, lr, name in pairs:
            height, width = lr.shape[:2]
            if hr.shape[:2] != (height * scale, width * scale):
                raise ValueError(
                    f"{name}: an HR image of {hr.shape[:2]} is not {scale} times "
                    f"an LR image of {lr.shape[:2]}."
                )
            if min(height, width) < self._lr_size:
                raise ValueError(
                    f"{name}: {width * scale} x {height * scale} pixels are less than a patch of "
                    f"{patch_size}: use a smaller patch_size."
                )
            names.append(name)
            lr_images.append(rgb_pixels(lr, name))
            hr_images.append(rgb_pixels(hr, name))
        if not names:
            raise ValueError("There are no image pairs to cut patches from.")
        sizes = np.array([image.shape[:2] for image in lr_images])
        self.fingerprint = _fingerprint(names, sizes, lr_images, hr_images)
        # for each image, the rows and the columns where a patch may begin
        self._rows, self._columns = (sizes - self._lr_size + 1).T
        positions = self._rows * self._columns
        self._cumulative_share = np.cumsum(positions) / positions.sum()
        on_disk = sum(i.nbytes for i in lr_images + hr_images if isinstance(i, np.memmap))
        is_gpu = self.device.type == "cuda"
        stays = on_disk > (torch.cuda.mem_get_info(self.device)[0] // 2 if is_gpu else 0)
        place = "cpu" if stays else self.device
        self._lr = [_tensor(image).to(place) for image in lr_images]
        self._hr = [_tensor(image).to(place) for image in hr_images]

    def batch(self, step: int, batch_size: int) -> tuple[Tensor, Tensor]:
        """Cut batch number `step`.

        Returns:
            lr (B, 3, p / scale, p / scale) and hr (B, 3, p, p), float32 in [0, 1].
        """
        rng = np.random.default_rng([self.seed, step])
        shares = rng.random(batch_size)
        images = np.searchsorted(self._cumulative_share, shares, side="right")
        top = rng.integers(0, self._rows[images])
        left = rng.integers(0, self._columns[images])
        orientation = rng.integers(0, 8 if self.augment else 1, batch_size)
        places = np.stack([images, top, left, orientation], axis=1).tolist()
        return self._cut(self._lr, places, 1), self._cut(self._hr, places, self.scale)

    def _cut(self, images: list[Tensor], places: list[list[int]], scale: int) -> Tensor:
        """The patches at these places, of LR images (scale 1) or HR images.

        Each one is a slice: of a mapped file, no more pages are read than it covers.
        """
        size = self._lr_size * scale
        patches = images[0].new_empty(len(places), size, size, 3)
        for patch, (index, top, left, orientation) in zip(patches, places, strict=True):
            y = top * scale
            x = left * scale
            patch[:] = _oriented(images[index][y : y + size, x : x + size], orientation)
        # the memory stays in the order (B, H, W, 3), which is the fastest one for convolutions
        return patches.to(self.device).permute(0, 3, 1, 2).float().div_(255)


def _tensor(image: np.ndarray) -> Tensor:
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(image))


def _fingerprint(names: list[str], sizes: np.ndarray, *sides: list[np.ndarray]) -> str:
    """The number of pairs, the first and last name, and a hash of all names, sizes, some pixels."""
    digest = hashlib.sha256(repr((names, *sizes.T.tolist())).encode())
    for images in sides:
        pixels = [image.reshape(-1, 3) for image in images]
        step = sum(map(len, pixels)) // 256 + 1
        start = 0  # of an image among the pixels of all
        for image in pixels:
            digest.update(image[-start % step :: step].tobytes())
            start += len(image)
    return f"{len(names)} from {names[0]} to {names[-1]} ({digest.hexdigest()[:8]})"


def _oriented(image: Tensor, orientation: int) -> Tensor:
    """An (H, W, 3) image after 0 to 3 quarter turns, and from 4 on also mirrored."""
    turned = image.rot90(orientation % 4) if orientation % 4 else image
    return turned.flip(1) if orientation >= 4 else turned
