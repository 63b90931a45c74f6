"""Random pairs of patches, cut from decoded images without copying them: what training eats (notebook 04)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Pair(NamedTuple):
    """An HR image, uint8 (scale * h, scale * w, 3) or gray (scale * h, scale * w), and its LR image."""

    hr: np.ndarray
    lr: np.ndarray
    name: str


class PairedPatches:
    """Random (lr, hr) patches of a set of images, all positions of all images equally likely.

    The images are kept decoded, as one run of uint8 pixels on `device`, so a batch is one gather, the same on a CPU and on
    a GPU.  Which patches batch number `step` holds depends on (seed, step) alone: no state to save, nothing to go out of
    step after a resume.
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
        """patch_size: HR pixels, a multiple of the scale.  augment: the eight flips and quarter turns.

        Raises ValueError if there are no pairs, or for a pair that does not fit.
        """
        if patch_size % scale:
            raise ValueError(f"patch_size counts HR pixels, and {patch_size} is not a multiple of the scale, {scale}.")
        self.scale, self.patch_size, self.augment, self.seed = scale, patch_size, augment, seed
        self.device = torch.device(device)
        lr_size = patch_size // scale
        hr_runs, lr_runs, sizes = [], [], []
        for hr, lr, name in pairs:
            height, width = lr.shape[:2]
            if hr.shape[:2] != (height * scale, width * scale):
                raise ValueError(f"{name}: an HR image of {hr.shape[:2]} is not {scale} times an LR image of {lr.shape[:2]}.")
            if min(height, width) < lr_size:
                raise ValueError(
                    f"{name}: {hr.shape[:2]} pixels are less than a patch of {patch_size}; use a smaller patch_size."
                )
            hr_runs.append(_pixels(hr))
            lr_runs.append(_pixels(lr))
            sizes.append((height, width))
        if not sizes:
            raise ValueError("There are no image pairs to take patches from.")
        self._hr, self._lr = torch.cat(hr_runs).to(self.device), torch.cat(lr_runs).to(self.device)
        self._heights, self._widths = np.array(sizes).T
        self._starts = np.cumsum(self._heights * self._widths) - self._heights * self._widths  # in LR pixels
        positions = (self._heights - lr_size + 1) * (self._widths - lr_size + 1)
        self._share = np.cumsum(positions) / positions.sum()
        self._lr_grids, self._hr_grids = _eight_grids(lr_size, self.device), _eight_grids(patch_size, self.device)

    def batch(self, step: int, batch_size: int) -> tuple[Tensor, Tensor]:
        """Batch number `step`: lr (B, 3, p / scale, p / scale) and hr (B, 3, p, p), float32 in [0, 1]."""
        rng, lr_size = np.random.default_rng([self.seed, step]), self.patch_size // self.scale
        image = np.searchsorted(self._share, rng.random(batch_size), side="right")
        top = rng.integers(0, self._heights[image] - lr_size + 1)
        left = rng.integers(0, self._widths[image] - lr_size + 1)
        turn = rng.integers(0, 8 if self.augment else 1, batch_size)
        start, width, turn = (torch.from_numpy(v).to(self.device) for v in (self._starts[image], self._widths[image], turn))
        corner = torch.from_numpy(np.stack([top, left])).to(self.device)
        lr = _gather(self._lr, start, width, corner, self._lr_grids[turn])
        hr = _gather(self._hr, start * self.scale**2, width * self.scale, corner * self.scale, self._hr_grids[turn])
        return lr, hr


def _pixels(image: np.ndarray) -> Tensor:
    """(H * W, 3); a gray image gets three equal channels."""
    rgb = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    return torch.tensor(rgb).reshape(-1, 3)


def _eight_grids(size: int, device: torch.device) -> Tensor:
    """Row and column of every pixel of a patch in each of the eight orientations: (8, 2, size, size)."""
    grid = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij"))
    turned = [grid.rot90(quarter, (1, 2)) for quarter in range(4)]
    return torch.stack(turned + [t.flip(2) for t in turned]).to(device)


def _gather(pixels: Tensor, start: Tensor, width: Tensor, corner: Tensor, grids: Tensor) -> Tensor:
    rows = corner[0, :, None, None] + grids[:, 0]
    columns = corner[1, :, None, None] + grids[:, 1]
    index = start[:, None, None] + rows * width[:, None, None] + columns
    return pixels[index].permute(0, 3, 1, 2).float().div_(255)  # channels last in memory, as convolutions like it
