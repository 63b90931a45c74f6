"""Random pairs of patches, cut from decoded images without copying them: what training eats (notebook 04)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset


class Pair(NamedTuple):
    """An HR image, uint8 (scale * h, scale * w, 3) or gray (scale * h, scale * w), and its LR image."""

    hr: np.ndarray
    lr: np.ndarray
    name: str


@dataclass(frozen=True, eq=False)
class PixelStore(Sequence[Pair]):
    """Decoded pairs, end to end: a sequence of `Pair`s that are views of it, gray ones with three equal channels.

    hr, lr: uint8 (pixels, 3), in memory or memory-mapped.  heights, widths, starts: int64, one a pair, in LR pixels; starts
    says where a pair begins in `lr`, and, times scale², in `hr`.  folder: where the memory-mapped files are, or None.  A mapped
    store is pickled as its folder's name, so that a worker process opens the files itself and no pixel travels.
    """

    hr: np.ndarray
    lr: np.ndarray
    heights: np.ndarray
    widths: np.ndarray
    starts: np.ndarray
    names: list[str]
    scale: int
    folder: Path | None = None

    @classmethod
    def from_pairs(cls, pairs: Iterable[Pair], *, scale: int) -> PixelStore:
        """All pairs in memory.  Raises ValueError if there are none, or for one that is not 8-bit or whose sizes do not fit."""
        hr_runs, lr_runs, sizes, names = [], [], [], []
        for hr, lr, name in pairs:
            hr_runs.append(flat_pixels(hr, name))
            lr_runs.append(flat_pixels(lr, name))
            if hr.shape[:2] != (lr.shape[0] * scale, lr.shape[1] * scale):
                raise ValueError(
                    f"{name}: an HR image of {hr.shape[:2]} is not {scale} times an LR image of {lr.shape[:2]}."
                )
            sizes.append(lr.shape[:2])
            names.append(name)
        if not sizes:
            raise ValueError("There are no image pairs to take patches from.")
        heights, widths = np.array(sizes, np.int64).T
        starts = np.cumsum(heights * widths) - heights * widths
        return cls(
            np.concatenate(hr_runs), np.concatenate(lr_runs), heights, widths, starts, names, scale
        )

    @classmethod
    def open(cls, folder: Path) -> PixelStore:
        """The store that `srlib.pairs.memory_map` wrote.  Raises OSError or ValueError if it is not there or not whole."""
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        heights, widths, starts = (
            np.array(index[key], np.int64) for key in ("heights", "widths", "starts")
        )
        size = int((heights * widths).sum())
        hr = np.memmap(folder / "hr.bin", np.uint8, "r", shape=(size * index["scale"] ** 2, 3))
        lr = np.memmap(folder / "lr.bin", np.uint8, "r", shape=(size, 3))
        return cls(hr, lr, heights, widths, starts, index["names"], index["scale"], folder)

    def fingerprint(self) -> str:
        """Tells this set from others: how many pairs, the first and the last name, a hash of names, sizes and some pixels."""
        known = hashlib.sha256(
            repr((self.names, self.heights.tolist(), self.widths.tolist())).encode()
        )
        for pixels in (self.lr, self.hr):
            known.update(pixels[:: len(pixels) // 256 + 1].tobytes())
        return f"{len(self)} from {self.names[0]} to {self.names[-1]} ({known.hexdigest()[:8]})"

    def __reduce__(self):
        return (PixelStore.open, (self.folder,)) if self.folder else super().__reduce__()

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Pair:
        height, width, start = (
            int(self.heights[index]),
            int(self.widths[index]),
            int(self.starts[index]),
        )
        end, more = start + height * width, self.scale**2
        hr = self.hr[start * more : end * more].reshape(height * self.scale, width * self.scale, 3)
        return Pair(hr, self.lr[start:end].reshape(height, width, 3), self.names[index])


def flat_pixels(image: np.ndarray, name: str) -> np.ndarray:
    """(H * W, 3) of an image; a gray one gets three equal channels.  Raises ValueError if it is not uint8."""
    if image.dtype != np.uint8:
        raise ValueError(
            f"{name} has {image.dtype} values, and patches are cut from 8-bit pictures: save it with 8 bits."
        )
    rgb = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    return rgb.reshape(-1, 3)


class PairedPatches:
    """Random (lr, hr) patches of a set of images, all positions of all images equally likely.

    The images are kept decoded, as one run of uint8 pixels on `device`, so a batch is one gather, the same on a CPU and on
    a GPU.  A memory-mapped PixelStore stays on the disk instead: patches are cut from it on the CPU, whatever the size of the
    set, and only they go to `device`.  Which patches batch number `step` holds depends on (seed, step) alone: no state to
    save, nothing to go out of step after a resume, and nothing that depends on where the pixels are kept.
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
            raise ValueError(
                f"patch_size counts HR pixels, and {patch_size} is not a multiple of the scale, {scale}."
            )
        self.scale, self.patch_size, self.augment, self.seed = scale, patch_size, augment, seed
        self.device = torch.device(device)
        store = (
            pairs if isinstance(pairs, PixelStore) else PixelStore.from_pairs(pairs, scale=scale)
        )
        if store.scale != scale:
            raise ValueError(
                f"The pairs were stored at scale {store.scale}, not {scale}; store them at that scale."
            )
        self._names, self.fingerprint = store.names, store.fingerprint()
        lr_size = patch_size // scale
        for name, height, width in zip(store.names, store.heights, store.widths, strict=True):
            if min(height, width) < lr_size:
                found = f"{width * scale} x {height * scale} pixels"
                raise ValueError(
                    f"{name}: {found} are less than a patch of {patch_size}; use a smaller patch_size."
                )
        self._heights, self._widths, self._starts = store.heights, store.widths, store.starts
        positions = (self._heights - lr_size + 1) * (self._widths - lr_size + 1)
        self._share = np.cumsum(positions) / positions.sum()
        self._on_disk = store if store.folder else None
        if not self._on_disk:
            self._hr, self._lr = (torch.from_numpy(v).to(self.device) for v in (store.hr, store.lr))
            self._lr_grids, self._hr_grids = (
                _eight_grids(lr_size, self.device),
                _eight_grids(patch_size, self.device),
            )

    def batch(self, step: int, batch_size: int) -> tuple[Tensor, Tensor]:
        """Batch number `step`: lr (B, 3, p / scale, p / scale) and hr (B, 3, p, p), float32 in [0, 1]."""
        rng, image = self._drawn(step, batch_size)
        lr_size = self.patch_size // self.scale
        top = rng.integers(0, self._heights[image] - lr_size + 1)
        left = rng.integers(0, self._widths[image] - lr_size + 1)
        turn = rng.integers(0, 8 if self.augment else 1, batch_size)
        pixels = self._cut if self._on_disk else self._gather
        # channels last in memory, as convolutions like it
        lr, hr = (p.permute(0, 3, 1, 2).float().div_(255) for p in pixels(image, top, left, turn))
        return lr, hr

    def names(self, step: int, batch_size: int) -> list[str]:
        """Of the images that the patches of batch number `step` are cut from."""
        return [self._names[i] for i in self._drawn(step, batch_size)[1]]

    def _drawn(self, step: int, batch_size: int) -> tuple[np.random.Generator, np.ndarray]:
        """The numbers of a batch's images, and the generator that goes on to draw places in them."""
        rng = np.random.default_rng([self.seed, step])
        return rng, np.searchsorted(self._share, rng.random(batch_size), side="right")

    def _gather(
        self, image: np.ndarray, top: np.ndarray, left: np.ndarray, turn: np.ndarray
    ) -> tuple[Tensor, Tensor]:
        """uint8 (B, size, size, 3) of LR and HR, out of memory on the device."""
        numbers = np.stack([self._starts[image], self._widths[image], top, left, turn])
        start, width, top, left, turn = torch.from_numpy(numbers).to(self.device)[..., None, None]
        turn, scale = turn.flatten(), self.scale

        def take(pixels: Tensor, grids: Tensor, scale: int) -> Tensor:
            rows, columns = top * scale + grids[turn, 0], left * scale + grids[turn, 1]
            return pixels[start * scale**2 + rows * (width * scale) + columns]

        return take(self._lr, self._lr_grids, 1), take(self._hr, self._hr_grids, scale)

    def _cut(
        self, image: np.ndarray, top: np.ndarray, left: np.ndarray, turn: np.ndarray
    ) -> tuple[Tensor, Tensor]:
        """The same, out of the files: each patch is a slice, so that no more pages are read than it covers."""
        out = []
        for scale, of in ((1, "lr"), (self.scale, "hr")):
            size = self.patch_size // self.scale * scale
            patches = np.empty((len(image), size, size, 3), np.uint8)
            for patch, i, y, x, t in zip(
                patches, image, top * scale, left * scale, turn, strict=True
            ):
                patch[:] = _turned(getattr(self._on_disk[i], of)[y : y + size, x : x + size], t)
            out.append(torch.from_numpy(patches).to(self.device))
        return out[0], out[1]


class PatchBatches(Dataset):
    """Batches first, first + 1, … of a PairedPatches as a map-style data set: a DataLoader's workers cut ahead of the GPU.

    `DataLoader(PatchBatches(patches, batch_size=16, steps=1000), batch_size=None, num_workers=2)` gives the same batches in the
    same order for any number of workers and any way of starting them.  From a memory-mapped store the workers get the name
    of its folder, not its pixels.  Raises ValueError for patches on a GPU, which worker processes cannot share safely.
    """

    def __init__(self, patches: PairedPatches, *, batch_size: int, steps: int, first: int = 0):
        if patches.device.type != "cpu":
            raise ValueError(
                f'Workers cut patches on the CPU, and these are on "{patches.device}"; move the batches instead.'
            )
        self.patches, self.batch_size, self.steps, self.first = patches, batch_size, steps, first

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not 0 <= index < self.steps:
            raise IndexError(f"There is no batch {index}: there are {self.steps}.")
        return self.patches.batch(self.first + index, self.batch_size)


def _turned(image: np.ndarray, turn: int) -> np.ndarray:
    """An (H, W, ...) array in one of the eight orientations: 0 to 3 quarter turns, and the same mirrored, as a view."""
    turned = np.rot90(image, turn % 4)
    return turned[:, ::-1] if turn >= 4 else turned


def _eight_grids(size: int, device: torch.device) -> Tensor:
    """Row and column of every pixel of a patch in each of the eight orientations: (8, 2, size, size)."""
    grid = np.stack(np.mgrid[:size, :size], axis=2)
    turned = np.stack([_turned(grid, turn) for turn in range(8)])
    return torch.from_numpy(turned).permute(0, 3, 1, 2).to(device)
