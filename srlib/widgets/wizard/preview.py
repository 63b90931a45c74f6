"""A patch of a photograph, enlarged before the whole; and what can be told about the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image, ImageChops
from scipy.ndimage import uniform_filter

from srlib.images.picture import Picture, to_gray
from srlib.images.resize import imresize
from srlib.metrics.protocols import psnr
from srlib.upscaling.enlarge import upscale
from srlib.upscaling.ensemble import uncertainty_map
from srlib.widgets.wizard.enlarge import Order

PATCH = 160  # pixels of the photograph, the shorter side
_HALO = 12  # pixels around the patch that the network sees too
_FRACTIONS = {2: "half", 3: "a third", 4: "a quarter"}
_CHECKED = 384  # pixels a side of the part that `check_on_itself` looks at
_ASKED = 512 * 512  # pixels of the part that `uncertainty` looks at, at most about
_MOST_LEVELS = 16  # a map of smaller differences than this is not stretched to full brightness
_MOST_SPREAD = 4  # levels; the same of the eight answers' spread


ALL = (0.0, 0.0, 1.0, 1.0)
Pixels = np.ndarray | Picture | Image.Image


@dataclass(frozen=True)
class Patch:
    """A part of a photograph, enlarged.

    Attributes:
        part: Its left, top, right and bottom in fractions of the photograph.
        before: By bicubic interpolation.
        after: By the network, of the same size.
    """

    part: tuple[float, float, float, float]
    before: Pixels
    after: Pixels


def enlarge_patch(order: Order, rgb: np.ndarray, center: tuple | None, shape: float) -> Patch:
    """Enlarge a patch as an order would enlarge the whole.

    Args:
        order: The order.
        rgb: The photograph, uint8 (H, W, 3).
        center: The point (x, y) in its middle, in fractions; the most detailed place if None.
        shape: Its width for each unit of height, about.
    """
    rows = PATCH * min(max(1 / shape, 1), 2)
    columns = PATCH * min(max(shape, 1), 2)
    window = _window(rgb, rows, columns, center)
    lr, inner = window.with_halo(rgb, order.factor)
    model = order.load()
    after = upscale(lr, model, scale=order.factor, self_ensemble=order.best)
    return Patch(window.part(rgb), imresize(lr, order.factor)[inner], after[inner])


def invention(before: Image.Image, after: Image.Image) -> Image.Image:
    """A map of the difference of two RGB images: black where there is none, then red to white."""
    return _heat(np.asarray(ImageChops.difference(before, after).convert("L")), _MOST_LEVELS)


def uncertainty(
    order: Order, rgb: np.ndarray, part: tuple, on_progress: Callable[[float], None]
) -> tuple[tuple[float, float, float, float], Image.Image]:
    """A map of where the network's answers to the eight flips and turns of a photograph differ.

    Args:
        order: The order.
        rgb: The photograph, uint8 (H, W, 3).
        part: Left, top, right and bottom of what is wanted, in fractions of the photograph; of a
            part that takes long, the middle.
        on_progress: Receives the fraction done; may raise to cancel.

    Returns:
        The part that was looked at, and its map: black where the answers agree.
    """
    height, width = rgb.shape[:2]
    rows = (part[3] - part[1]) * height
    columns = (part[2] - part[0]) * width
    shrink = min(1, (_ASKED / max(1, rows * columns)) ** 0.5)
    center = ((part[0] + part[2]) / 2, (part[1] + part[3]) / 2)
    window = _window(rgb, shrink * rows, shrink * columns, center)
    lr, inner = window.with_halo(rgb, order.model_scale)
    model = order.load()
    spread = uncertainty_map(lr, model, on_progress=lambda done, tiles: on_progress(done / tiles))
    unit = 255 / (8 * _MOST_SPREAD)
    levels = np.minimum(spread[inner] * unit, 255).astype(np.uint8)
    return window.part(rgb), _heat(levels, _MOST_SPREAD * unit)


class _Window(NamedTuple):
    """A window in a photograph, in pixels."""

    top: int
    left: int
    rows: int
    columns: int

    def part(self, rgb: np.ndarray) -> tuple[float, float, float, float]:
        """Left, top, right and bottom in fractions of the photograph."""
        height, width = rgb.shape[:2]
        right = (self.left + self.columns) / width
        return (self.left / width, self.top / height, right, (self.top + self.rows) / height)

    def with_halo(
        self, rgb: np.ndarray, factor: float, halo: int = _HALO
    ) -> tuple[np.ndarray, tuple[slice, slice]]:
        """The pixels with some around them, and where the window lies in their enlargement."""
        above = min(halo, self.top)
        beside = min(halo, self.left)
        lr = rgb[
            self.top - above : self.top + self.rows + halo,
            self.left - beside : self.left + self.columns + halo,
        ]
        down = slice(round(above * factor), round((above + self.rows) * factor))
        across = slice(round(beside * factor), round((beside + self.columns) * factor))
        return lr, (down, across)


def _heat(levels: np.ndarray, least: float) -> Image.Image:
    """Levels (uint8) in colours, from black to white; the brightest is at least this level."""
    brightest = max(np.percentile(levels, 99.8), least)
    colours = matplotlib.colormaps["inferno"](np.arange(256) / brightest, bytes=True)[:, :3]
    return Image.fromarray(colours[levels])


def check_on_itself(order: Order, rgb: np.ndarray) -> str:
    """Shrink the most detailed part of a photograph, enlarge it, and compare it with itself."""
    scale = order.model_scale
    rows, columns = (min(side, _CHECKED) // scale * scale for side in rgb.shape[:2])
    if min(rows, columns) < 16 * scale:
        return f"This photo is too small to be shrunk to {_FRACTIONS[scale]} and enlarged again."
    truth, _ = _window(rgb, rows, columns, None).with_halo(rgb, scale, halo=0)
    small = imresize(truth, 1 / scale)
    model = order.load()
    network = upscale(small, model, self_ensemble=order.best)
    plain, learned = (
        psnr(image, truth, border=scale, luma=True) for image in (imresize(small, scale), network)
    )
    gain = learned - plain
    verdict = (
        "closer to the original than by"
        if gain >= 0.05
        else "further from the original than by"
        if gain <= -0.05
        else "as close to the original as by"
    )
    return (
        f"Shrunk to {_FRACTIONS[scale]} and enlarged again, the sharpest part of this photo "
        f"comes back {verdict} ordinary enlargement: "
        f"off by {_levels(learned):.2f} of 255 grey levels, not {_levels(plain):.2f}."
    )


def _levels(value: float) -> float:
    """The root-mean-square error in grey levels of a PSNR."""
    return 255 * 10 ** (-value / 20)


def _window(rgb: np.ndarray, rows: float, columns: float, center: tuple | None) -> _Window:
    """A window of this size at most around a point (x, y), or where there is most detail."""
    height, width = rgb.shape[:2]
    rows = min(height, max(1, round(rows)))
    columns = min(width, max(1, round(columns)))
    if center is None:
        return _most_detailed(rgb, rows, columns)
    top = round(center[1] * height - rows / 2)
    left = round(center[0] * width - columns / 2)
    top = min(max(top, 0), height - rows)
    left = min(max(left, 0), width - columns)
    return _Window(top, left, rows, columns)


def _most_detailed(rgb: np.ndarray, rows: int, columns: int) -> _Window:
    """The window of this size in which neighbouring pixels differ most."""
    step = max(1, int((rgb.shape[0] * rgb.shape[1] / 1e6) ** 0.5))  # a megapixel is enough
    gray = to_gray(rgb[::step, ::step]).astype(np.float32)
    detail = np.zeros_like(gray)
    detail[1:] += np.abs(np.diff(gray, axis=0))
    detail[:, 1:] += np.abs(np.diff(gray, axis=1))
    window = (max(1, rows // step), max(1, columns // step))
    sums = uniform_filter(detail, window, mode="constant")
    # Only where the whole window lies inside.
    down, right = (max(0, side - part) for side, part in zip(gray.shape, window, strict=True))
    inside = sums[window[0] // 2 :, window[1] // 2 :][: down + 1, : right + 1]
    top, left = np.unravel_index(inside.argmax(), inside.shape)
    top = min(int(top) * step, rgb.shape[0] - rows)
    left = min(int(left) * step, rgb.shape[1] - columns)
    return _Window(top, left, rows, columns)
