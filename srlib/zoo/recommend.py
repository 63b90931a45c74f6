"""Recommend the network for a picture, by the traces that JPEG, WebP and noise left in it."""

import os
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

from srlib.images.downscalers import blocks_of, jpeg_quality
from srlib.images.picture import LUMA_WEIGHTS, AnyImage, as_picture, eight_bit

# The figures were measured on crops of the sample photographs and of 28 others, see MODEL_CARD.md.
# JPEG quality below which -photo has the higher PSNR, by scale, where neighbours differ by 7.5.
_CROSSOVER = {2: 92.25, 3: 90.5, 4: 90.25}
_PER_OCTAVE = 1.5  # detail hides JPEG's blocks: so much lower where there is twice as much
_WINDOW = 96  # pixels per side of the windows that are looked at
_FREQUENCY = np.arange(8)[:, None]
_DCT = np.cos(np.pi * _FREQUENCY * (2 * np.arange(8) + 1) / 16)
_DCT *= np.where(_FREQUENCY, 0.5, np.sqrt(0.125))  # orthonormal
_HIGH = np.add.outer(np.arange(8), np.arange(8)) >= 4  # frequencies that JPEG rounds to zero first
# Share of the DCT coefficients that JPEG or WebP has rounded to zero on its own grid of blocks.
_JPEG = 0.05  # against grids half a block away: WebP, whose blocks have 4 pixels, stays below
_LOST = 0.1  # against all grids: WebP of about quality 80, or a JPEG of 90 that became WebP
_CHANCE = 2.5  # standard deviations of a count: the least of 64 grids lies lower by chance
_FEWEST = 50  # large coefficients, below which a picture is too smooth to tell
_NOISE = 3.0  # standard deviation of the smoothest parts, in levels


class Recommendation(NamedTuple):
    """The name of a checkpoint for a picture, and the reason: what was found in the picture."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}, because {self.reason}."


def recommend_checkpoint(picture: AnyImage, scale: int) -> Recommendation:
    """Recommend "edsr-lite" for a clean picture, and "edsr-lite-photo" for JPEG, WebP or noise.

    A JPEG file states its quality. In other pictures, such as a JPEG saved again as PNG, blocks
    show by the DCT coefficients that were rounded to zero. Light compression does not count, where
    "edsr-lite" still has the higher PSNR.

    Args:
        picture: A picture, its pixels, or a path, which can tell more.
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
        if scale not in _CROSSOVER:
            raise ValueError(f"The checkpoints enlarge by 2, 3 or 4, not by {scale}.")
    windows = _windows(eight_bit(as_picture(picture)).rgb)
    stated = _stated_quality(picture) if isinstance(picture, str | os.PathLike) else None
    return {scale: _recommendation(windows, stated, scale) for scale in scales}


def _recommendation(windows: list[np.ndarray], stated: int | None, scale: int) -> Recommendation:
    """Recommend by parts of a picture, and the quality that its file states."""
    lumas = [window @ LUMA_WEIGHTS for window in windows]
    crossover = _CROSSOVER[scale] - _PER_OCTAVE * (np.log2(2 * _detail(lumas) + 1) - 4)
    if stated is None:
        trace = _trace_of_compression(windows, lumas, crossover)
    elif stated < crossover:
        trace = f"is a JPEG of quality {stated}, whose blocks would be sharpened"
    else:
        trace = None
    if trace is None and _is_noisy(windows):
        trace = "is noisy"
    if trace:
        return Recommendation("edsr-lite-photo", f"it {trace}")
    kind = f"is a JPEG of quality {stated}" if stated else "shows little or no compression"
    return Recommendation("edsr-lite", f"it {kind} and is not noisy")


def _trace_of_compression(
    windows: list[np.ndarray], lumas: list[np.ndarray], crossover: float
) -> str | None:
    """Describe the traces of JPEG or WebP, if they are strong enough for -photo."""
    left, count = _large_coefficients(lumas)
    row, column = np.unravel_index(left.argmin(), left.shape)
    least = left[row, column]
    down = (row + 4) % 8
    right = (column + 4) % 8
    halfway = min(left[down, column], left[row, right], left[down, right])
    everywhere = np.median(left)
    if least < (1 - _JPEG) * halfway:
        found = jpeg_quality([window[row:, column:] for window in windows])
        if found is not None and found < crossover:
            return f"was once a JPEG of quality {found}, whose blocks it still shows"
        if found is None and least < (1 - _LOST - _CHANCE / np.sqrt(count)) * everywhere:
            return "shows the blocks of JPEG"
    elif halfway < (1 - _LOST) * everywhere:
        return "shows the blocks of WebP"
    return None


def _detail(lumas: list[np.ndarray]) -> float:
    """Measure the mean difference of neighbours, in levels."""
    steps = [np.abs(np.diff(luma, axis=axis)).ravel() for luma in lumas for axis in (0, 1)]
    steps = np.concatenate(steps)
    return steps.mean() if steps.size else 0.0


def _stated_quality(path: str | os.PathLike) -> int | None:
    """Read the quality, on libjpeg's scale, off a JPEG file's table of quantisation steps."""
    with open(path, "rb") as file:
        if file.read(3) != b"\xff\xd8\xff":
            return None
    with Image.open(path) as image:
        tables = image.quantization
    percent = 100 * np.mean(tables[min(tables)]) / 57.625  # the mean step of quality 50
    return round(100 - percent / 2 if percent <= 100 else 5000 / percent)


def _windows(rgb: np.ndarray) -> list[np.ndarray]:
    """Cut four windows out of a picture, one of each quarter, or return a small picture whole."""
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
    return [
        rgb[row : row + height, column : column + width]
        for row in starts[0]
        for column in starts[1]
    ]


def _large_coefficients(lumas: list[np.ndarray]) -> tuple[np.ndarray, float]:
    """Share of the high-frequency DCT coefficients above 1 on 64 grids of blocks, and a count."""
    counts = np.zeros((8, 8))
    shares = np.ones((8, 8))
    for row, column in np.ndindex(8, 8):
        blocks = np.concatenate([blocks_of(luma[row:, column:]) for luma in lumas])
        large = np.abs(_DCT @ blocks @ _DCT.T)[:, _HIGH] > 1
        counts[row, column] = large.sum()
        shares[row, column] = large.mean() if large.size else 1
    count = np.median(counts)
    return (shares, count) if count >= _FEWEST else (np.ones((8, 8)), _FEWEST)


def _is_noisy(windows: list[np.ndarray]) -> bool:
    """Measure noise in red minus green, since fine texture has hardly any colour."""
    colours = [(window[..., 0] - window[..., 1].astype(float)) / np.sqrt(2) for window in windows]
    # Second derivatives in both directions leave noise alone (Immerkaer 1996).
    laplacians = [np.diff(np.diff(colour, 2, axis=0), 2, axis=1) / 6 for colour in colours]
    deviations = np.concatenate([blocks_of(values) for values in laplacians]).std(axis=(1, 2))
    return deviations.size > 0 and np.quantile(deviations, 0.1) > _NOISE
