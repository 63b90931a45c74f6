"""Recommend the network for a picture, by the traces that JPEG, WebP and noise left in it."""

from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from srlib.images.alpha import bleed
from srlib.images.downscalers import blocks_of
from srlib.images.picture import LUMA_WEIGHTS, AnyImage, as_picture, eight_bit

# A logistic regression on which network has the higher PSNR, by tools/fit_recommendation.py.
# _CLEAN holds the means over clean photographs.
_CLEAN = {"JPEG": -0.015, "WebP": -0.005, "noise": 0.755, "detail": 2.749}
_WEIGHTS = {"JPEG": -15.877, "WebP": -13.168, "noise": 1.081, "detail": -2.184}
_LIMITS = {2: 4.139, 3: 5.307, 4: 5.032}  # by scale: the sum above which -photo is chosen
_REASONS = {
    "JPEG": "it shows the blocks of JPEG",
    "WebP": "it shows the blocks of WebP",
    "noise": "it is noisy",
}
_WINDOW = 96  # pixels per side of the windows that are looked at
_LARGE = 1.0, 4.0  # levels: where large coefficients begin, the lower the smoother a picture is
_CHANCE = 20  # coefficients, with which chance does not decide where hardly any are large


class Recommendation(NamedTuple):
    """The name of a checkpoint for a picture, and the reason: what was found in the picture."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}, because {self.reason}."


def recommend_checkpoint(picture: AnyImage, scale: int) -> Recommendation:
    """Recommend "edsr-lite" for a clean picture, and "edsr-lite-photo" for JPEG, WebP or noise.

    Only the pixels are looked at, so a JPEG that was saved again as PNG is still found. Light
    compression does not count, where "edsr-lite" still has the higher PSNR.

    Args:
        picture: A picture, its pixels, or a path.
        scale: Factor of enlargement: 2, 3 or 4.

    Raises:
        FileNotFoundError: There is no such file.
        ImageError: The file or the array is not a picture that can be read.
        ValueError: The scale is none of EDSR's.

    Example:
        >>> recommend_checkpoint(np.full((64, 64, 3), 128, np.uint8), 2).name
        'edsr-lite'
    """
    return recommend_checkpoints(picture, [scale])[scale]


def recommend_checkpoints(picture: AnyImage, scales: Iterable[int]) -> dict[int, Recommendation]:
    """Recommend as `recommend_checkpoint` does, for each of several scales; decode a file once."""
    scales = list(scales)
    for scale in scales:
        if scale not in _LIMITS:
            raise ValueError(f"The checkpoints enlarge by 2, 3 or 4, not by {scale}.")
    found = traces(eight_bit(bleed(as_picture(picture))).rgb)
    parts = {name: _WEIGHTS[name] * (found[name] - _CLEAN[name]) for name in found}
    strongest = max(_REASONS, key=parts.get)
    photo = Recommendation("edsr-lite-photo", _REASONS[strongest])
    plain = Recommendation("edsr-lite", "it shows little or no compression and is not noisy")
    return {scale: photo if sum(parts.values()) > _LIMITS[scale] else plain for scale in scales}


def traces(rgb: np.ndarray) -> dict[str, float]:
    """Measure the traces of JPEG, WebP and noise in a uint8 picture, (H, W, 3), and its detail.

    Detail is the logarithm of the mean difference of neighbours. The smoother a picture is, the
    more do traces show, and the sooner does -photo have the higher PSNR.
    """
    windows = _windows(rgb).astype(np.float32)
    luma = windows @ LUMA_WEIGHTS.astype(np.float32)
    steps = np.abs(np.diff(luma, axis=1))
    return {
        "JPEG": _blockiness(luma, 8, slice(6, 12)),
        "WebP": _blockiness(luma, 4, slice(3, 7)),
        "noise": _noise(windows[..., 2] - luma),
        "detail": float(np.log(4 + (steps.mean() if steps.size else 0))),
    }


def _windows(rgb: np.ndarray) -> np.ndarray:
    """Cut four windows out of a picture, one of each quarter, or take a small picture whole."""
    starts = []
    lengths = []
    for size in rgb.shape[:2]:
        if size < 2 * _WINDOW:
            starts.append([0])
            lengths.append(size)
        else:
            starts.append([(part * size // 4 - _WINDOW // 2) // 8 * 8 for part in (1, 3)])
            lengths.append(_WINDOW)
    height, width = lengths
    return np.stack([rgb[y : y + height, x : x + width] for y, x in product(*starts)])


def _blockiness(luma: np.ndarray, side: int, band: slice) -> float:
    """How many large DCT coefficients blocks lack on their own grid, as a logarithm below 0.

    Compression rounds high frequencies to zero in its own blocks; in blocks that lie across them
    they are there. `band` is that of the sum of the two frequencies.
    """
    if min(luma.shape[1:]) < 2 * side:
        return 0.0
    transform = _dct(side).T
    rows = sliding_window_view(luma, side, axis=1) @ transform
    blocks = sliding_window_view(rows, side, axis=2) @ transform  # one begins at every pixel
    frequency = np.add.outer(np.arange(side), np.arange(side))
    sizes = np.abs(blocks[..., (frequency >= band.start) & (frequency < band.stop)])
    limit = np.clip(np.quantile(sizes[:, ::3, ::3], 0.9), *_LARGE)
    large = (sizes > limit).sum(-1)
    height, width = (length // side for length in large.shape[1:])
    by_grid = large[:, : height * side, : width * side].reshape(-1, height, side, width, side)
    counts = by_grid.sum((0, 1, 3)) + _CHANCE
    # Where texture is uneven, the counts differ too, but not that of one grid from all others.
    return float(np.log(counts.min() / np.quantile(counts, 0.1)))


def _dct(side: int) -> np.ndarray:
    """The orthonormal DCT of `side` values as a matrix; SciPy's would take longer to import."""
    frequency = np.arange(side)[:, None]
    waves = np.cos(np.pi * frequency * (2 * np.arange(side) + 1) / (2 * side))
    return (waves * np.sqrt(np.where(frequency, 2, 1) / side)).astype(np.float32)


def _noise(colour: np.ndarray) -> float:
    """The noise in the smoothest places of a colour, where texture is rare, in levels."""
    # Second derivatives in both directions leave noise alone (Immerkaer 1996).
    laplacian = np.diff(np.diff(colour, 2, axis=1), 2, axis=2) / 6
    deviations = np.concatenate([blocks_of(window) for window in laplacian]).std((1, 2))
    return float(np.quantile(deviations, 0.1)) if deviations.size else 0.0
