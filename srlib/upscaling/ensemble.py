"""More than one look at a picture: the mean and the spread of eight answers, and back-projection to the input (notebook 05)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from srlib.images.resize import BORDERS, taps

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Network = Callable[[Tensor], Tensor]  # (B, 3, H, W) in [0, 1] to (B, 3, scale * H, scale * W)
_GRAY = (0.299, 0.587, 0.114)  # BT.601, full range
_ROUNDS = (
    30  # of back-projection; what has not come close by then is out of reach, beyond black or white
)
_CLOSE = 0.05  # levels of the input: far enough from the half at which rounding would turn


def eight_answers(network: Network, lr: Tensor) -> Iterator[Tensor]:
    """The network's answers to the eight flips and quarter turns of `lr`, each turned back: (B, 3, H, W) in, one at a time out.

    The geometric self-ensemble of the EDSR paper (Lim et al. 2017, section 3.3).
    """
    for flipped in (False, True):
        for turns in range(4):
            turned = torch.rot90(lr.flip(-1) if flipped else lr, turns, (-2, -1))
            answer = torch.rot90(
                network(turned.contiguous(memory_format=torch.channels_last)), -turns, (-2, -1)
            )
            yield answer.flip(-1) if flipped else answer


def mean_of_eight(network: Network, lr: Tensor) -> Tensor:
    """The self-ensemble's picture, as the network's own: not clamped and not rounded."""
    return sum(eight_answers(network, lr)) / 8


def spread_of_eight(network: Network, lr: Tensor) -> Tensor:
    """The standard deviation of the eight answers' luma, each clamped to what can be shown: (B, H, W), in grey levels of 255."""
    weights = lr.new_tensor(_GRAY).view(3, 1, 1) * 255
    return torch.stack(
        [(answer.clamp(0, 1) * weights).sum(1) for answer in eight_answers(network, lr)]
    ).std(0, correction=0)


def back_project(sr: np.ndarray, lr: np.ndarray, scale: float) -> np.ndarray:
    """`sr` changed as little as it takes for its MATLAB-bicubic reduction to be `lr`: iterative back-projection.

    What the reduction lacks of `lr` is enlarged by bicubic and added, until it is near enough that rounding gives `lr` (Irani and
    Peleg 1991, with bicubic for both of their kernels).  Computed in float, rounded once.

    sr: uint8 or uint16, (ceil(scale * H), ceil(scale * W), C); lr: uint8 or uint16, (H, W, C).  Returns the size of `sr` with the
    depth of `lr`.  Where `lr` is next to black or white the result may have no value that is dark or light enough.
    """
    top = np.iinfo(lr.dtype).max
    down = [
        _matrix(large, small, 1 / scale)
        for large, small in zip(sr.shape[:2], lr.shape[:2], strict=True)
    ]
    up = [
        _matrix(small, large, scale)
        for large, small in zip(sr.shape[:2], lr.shape[:2], strict=True)
    ]
    wanted = lr.astype(np.float32)
    values = sr.astype(np.float32) * np.float32(top / np.iinfo(sr.dtype).max)
    for _ in range(_ROUNDS):
        missing = wanted - _resized(values, *down)
        if np.abs(missing).max() <= _CLOSE * top / 255:
            break
        values += _resized(missing, *up)
        np.clip(values, 0, top, out=values)
    return np.floor(values + 0.5).astype(lr.dtype)


def _matrix(size: int, target: int, scale: float) -> csr_array:
    """Bicubic resizing of one axis as a sparse matrix, (target, size)."""
    from scipy.sparse import csr_array  # slow to import, seldom needed

    source, weights = taps(target, scale)
    rows = np.repeat(np.arange(target), source.shape[1])
    columns = BORDERS["symmetric"](source, size).ravel()
    return csr_array((weights.astype(np.float32).ravel(), (rows, columns)), shape=(target, size))


def _resized(image: np.ndarray, rows: csr_array, columns: csr_array) -> np.ndarray:
    """rows and columns: what `_matrix` makes of each axis.  Not rounded, unlike `imresize`."""
    for matrix in (rows, columns):
        image = (
            (matrix @ image.reshape(len(image), -1)).reshape(-1, *image.shape[1:]).swapaxes(0, 1)
        )
    return image
