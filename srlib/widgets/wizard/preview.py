"""A patch of a photograph, enlarged before the whole; and what can be told about the network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

import matplotlib
import numpy as np
from PIL import Image, ImageChops
from scipy.ndimage import uniform_filter

from srlib.images.picture import to_gray
from srlib.images.resize import imresize
from srlib.metrics.protocols import psnr
from srlib.upscaling.enlarge import uncertainty_map, upscale
from srlib.widgets.wizard.enlarge import Order, Progress
from srlib.zoo import checkpoints as zoo

PATCH = 160  # pixels of the photograph, the shorter side
_HALO = 12  # pixels around the patch that the network sees too
_FRACTIONS = {2: "half", 3: "a third", 4: "a quarter"}
_CHECKED = 384  # pixels a side of the part that `check_on_itself` looks at
_ASKED = 512 * 512  # pixels of the part that `uncertainty` looks at, at most
_MOST_LEVELS = 16  # a map of smaller differences than this is not stretched to full brightness
_MOST_SPREAD = 4  # levels; the same of the eight answers' spread


@dataclass(frozen=True)
class Patch:
    """A part of a photograph, enlarged.

    Attributes:
        part: Its left, top, right and bottom in fractions of the photograph.
        before: By bicubic interpolation, uint8 (h, w, 3).
        after: By the network, of the same size.
    """

    part: tuple[float, float, float, float]
    before: np.ndarray
    after: np.ndarray


def enlarge_patch(order: Order, rgb: np.ndarray, center: tuple | None, shape: float) -> Patch:
    """Enlarge a patch as an order would enlarge the whole.

    Args:
        order: The order.
        rgb: The photograph, uint8 (H, W, 3).
        center: The point (x, y) in its middle, in fractions; the most detailed place if None.
        shape: Its width for each unit of height, about.
    """
    rows, columns = _window(rgb.shape[:2], shape)
    top, left = _corner(rgb, rows, columns, center)
    lr, inner = _with_halo(rgb, top, left, rows, columns, order.factor)
    model = zoo.load_pretrained(order.recipe.checkpoint, order.model_scale)
    after = upscale(lr, model, scale=order.factor, self_ensemble=order.recipe.passes > 1)
    part = _part(rgb, top, left, rows, columns)
    return Patch(part, imresize(lr, order.factor)[inner], after[inner])


def invention(before: Image.Image, after: Image.Image) -> Image.Image:
    """A map of the difference of two RGB images: black where there is none, then red to white."""
    return _heat(ImageChops.difference(before, after).convert("L"), _MOST_LEVELS)


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
    wanted = (round((part[3] - part[1]) * height), round((part[2] - part[0]) * width))
    shrink = min(1, (_ASKED / max(1, wanted[0] * wanted[1])) ** 0.5)
    rows, columns = (max(1, int(side * shrink)) for side in wanted)
    center = ((part[0] + part[2]) / 2, (part[1] + part[3]) / 2)
    top, left = _corner(rgb, rows, columns, center)
    lr, inner = _with_halo(rgb, top, left, rows, columns, order.model_scale)
    model = zoo.load_pretrained(order.recipe.checkpoint, order.model_scale)
    progress = Progress(model, 8, lr.shape[:2], on_progress)
    spread = uncertainty_map(lr, model, on_progress=progress.on_tile)[inner]
    unit = 255 / (8 * _MOST_SPREAD)
    levels = Image.fromarray(np.minimum(spread * unit, 255).astype(np.uint8))
    return _part(rgb, top, left, rows, columns), _heat(levels, round(_MOST_SPREAD * unit))


def _with_halo(
    rgb: np.ndarray, top: int, left: int, rows: int, columns: int, factor: float
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """A window with some pixels around it, and where it lies in the enlargement of both."""
    above = min(_HALO, top)
    beside = min(_HALO, left)
    lr = rgb[top - above : top + rows + _HALO, left - beside : left + columns + _HALO]
    down, across = (
        slice(round(halo * factor), round((halo + side) * factor))
        for halo, side in ((above, rows), (beside, columns))
    )
    return lr, (down, across)


def _part(rgb: np.ndarray, top: int, left: int, rows: int, columns: int) -> tuple:
    """Left, top, right and bottom of a window, in fractions of the photograph."""
    height, width = rgb.shape[:2]
    return (left / width, top / height, (left + columns) / width, (top + rows) / height)


def _heat(levels: Image.Image, least: int) -> Image.Image:
    """Levels in colours, from black to white; the brightest is at least this level."""
    counts = np.cumsum(levels.histogram())
    brightest = max(int(np.searchsorted(counts, 0.998 * counts[-1])), least)
    colours = matplotlib.colormaps["inferno"](np.linspace(0, 1, 256))[:, :3]
    levels = levels.point([min(255, 255 * level // brightest) for level in range(256)])
    levels.putpalette((255 * colours).astype(np.uint8).tobytes())
    return levels.convert("RGB")


def check_on_itself(order: Order, rgb: np.ndarray) -> str:
    """Shrink the most detailed part of a photograph, enlarge it, and compare it with itself."""
    scale = order.model_scale
    rows, columns = (min(side, _CHECKED) // scale * scale for side in rgb.shape[:2])
    if min(rows, columns) < 16 * scale:
        return f"This photo is too small to be shrunk to {_FRACTIONS[scale]} and enlarged again."
    top, left = _corner(rgb, rows, columns, None)
    truth = rgb[top : top + rows, left : left + columns]
    small = imresize(truth, 1 / scale)
    model = zoo.load_pretrained(order.recipe.checkpoint, scale)
    network = upscale(small, model, self_ensemble=order.recipe.passes > 1)
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
        f"comes back {verdict} ordinary enlargement. Its pixels are off by {_levels(learned):.2f} of 255 grey "
        f"levels, with ordinary enlargement by {_levels(plain):.2f}."
    )


def _levels(value: float) -> float:
    """The root-mean-square error in grey levels of a PSNR."""
    return 255 * 10 ** (-value / 20)


def _window(size: tuple[int, int], shape: float) -> tuple[int, int]:
    """Rows and columns of a patch inside a photograph of this (height, width)."""
    rows = PATCH if shape >= 1 else PATCH / max(shape, 0.5)
    columns = PATCH * min(shape, 2) if shape >= 1 else PATCH
    return min(size[0], round(rows)), min(size[1], round(columns))


def _corner(rgb: np.ndarray, rows: int, columns: int, center: tuple | None) -> tuple[int, int]:
    """Top and left of a window around a point, or where the picture has most detail."""
    last = (rgb.shape[0] - rows, rgb.shape[1] - columns)
    if center is None:
        return _most_detailed(rgb, rows, columns)
    wanted = (center[1] * rgb.shape[0] - rows / 2, center[0] * rgb.shape[1] - columns / 2)
    top, left = (min(max(round(at), 0), end) for at, end in zip(wanted, last, strict=True))
    return top, left


def _most_detailed(rgb: np.ndarray, rows: int, columns: int) -> tuple[int, int]:
    """Top and left of the window in which neighbouring pixels differ most."""
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
    return min(int(top) * step, rgb.shape[0] - rows), min(int(left) * step, rgb.shape[1] - columns)


class Latest:
    """Does the latest of the tasks it was given in a thread; those it did not come to are dropped.

    Args:
        on_error: Receives what a task raises.

    Attributes:
        busy: Whether a task is being done.
    """

    def __init__(self, on_error: Callable[[Exception], None]):
        self._on_error = on_error
        self._tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.busy = False
        threading.Thread(target=self._run, daemon=True).start()

    def put(self, task: Callable[[], None]) -> None:
        """Do a task soon, unless another one comes first."""
        self._tasks.put(task)

    def _run(self) -> None:
        while True:
            task = self._tasks.get()
            while not self._tasks.empty():
                task = self._tasks.get()
            self.busy = True
            try:
                task()
            except Exception as error:
                self._on_error(error)
            self.busy = not self._tasks.empty()
