"""One image in, a larger one out: exact tiling, any factor, whatever kind of image (notebooks 00 and 05)."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import psutil
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, pixel_shuffle

from srlib.alpha import bleed, resample
from srlib.codecs import to_depth
from srlib.ensemble import back_project, mean_of_eight, spread_of_eight
from srlib.images import Picture, from_array, from_pil, read_image, to_array, to_pil, to_tensor
from srlib.model import EDSR, SCALES, TAIL_REACH, folded_tail, receptive_field
from srlib.resize import imresize
from srlib.zoo import load_pretrained

MAX_SCALE = 8
SMALLEST_TILE = 16  # LR pixels: below, the halo is all that is computed, and a smaller tile saves no memory
_GRAY = np.array([0.299, 0.587, 0.114])  # BT.601, full range
_TENSORS_ALIVE = 8  # feature maps held at the worst moment of a forward pass, measured generously
Window = tuple[slice, slice]  # rows and columns


def upscale(
    image: Image.Image | np.ndarray | Picture | str | os.PathLike,
    model: EDSR | None = None,
    *,
    scale: float | None = None,
    tile: int | str = "auto",
    self_ensemble: bool = False,
    adjust_to_lr: bool = False,
    device: str | torch.device = "auto",
    on_progress: Callable[[int, int], None] | None = None,
):
    """`image` enlarged by the model; the type that came in goes out, and a Picture for a path.

    image: PIL image, uint8 or uint16 array (H, W), (H, W, 3) or (H, W, 4), Picture, or path. model: edsr-lite if None. scale:
    1 to 8, the model's own if None; for another one the model's answer is resized by MATLAB's bicubic. Gray stays gray; alpha
    is enlarged by bicubic and leaves no fringes; profile and EXIF are kept. tile: LR pixels a side, or "auto" from the free
    memory; the result does not depend on it.

    self_ensemble: the mean of the model's answers to the eight flips and turns of the image, at eight times the time.
    adjust_to_lr: the colours are changed until bicubic reduction gives `image` back, within a level of rounding; where that
    is how `image` was made, the answer gets nearer to the truth, and where it has noise or JPEG blocks, those are kept.
    It takes some 60 bytes of memory for each pixel of the result.

    on_progress(tiles done, tiles in all) may raise to cancel. Where memory runs out the tiles left are halved, and there
    are more in all. Raises ValueError for a scale outside 1 to 8, ImageError for what is no picture, MemoryError if the
    smallest tile does not fit.
    """
    check_scale(scale)
    if model is None:
        model = default_model(scale)
    lr = picture = bleed(_as_picture(image))
    if adjust_to_lr:  # 16 bits on the way, so that the answer is in effect rounded once
        picture = _with_depth(picture, np.uint16)
    rgb = super_resolve(picture.rgb, model, tile=tile, self_ensemble=self_ensemble, device=device, on_progress=on_progress)
    if picture.mode == "L":  # three equal channels come back a level or so apart: their luma is the gray
        gray = np.floor(rgb @ _GRAY + 0.5).astype(rgb.dtype)
        rgb = np.repeat(gray[..., None], 3, axis=2)
    alpha = None if picture.alpha is None else imresize(picture.alpha, model.config.scale)
    larger = replace(picture, rgb=rgb, alpha=alpha)
    if scale not in (None, model.config.scale):
        larger = resample(larger, lambda values: imresize(values, scale / model.config.scale))
    if adjust_to_lr:
        adjusted = back_project(bleed(larger).rgb, lr.rgb, scale or model.config.scale)
        larger = replace(_with_depth(larger, lr.rgb.dtype), rgb=adjusted)
    if isinstance(image, Image.Image):
        return to_pil(larger)
    if isinstance(image, np.ndarray):
        return larger.array if alpha is None else np.dstack([larger.rgb, larger.alpha])
    return larger


def uncertainty_map(
    image: Image.Image | np.ndarray | Picture | str | os.PathLike,
    model: EDSR,
    *,
    tile: int | str = "auto",
    device: str | torch.device = "auto",
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Where the model invents: how far its answers to the eight flips and turns of `image` lie apart.

    float32 (scale * H, scale * W): the standard deviation of the eight answers' luma, in grey levels of 255 whatever the depth.
    Zero where turning the image turns the answer and nothing else. Arguments and errors as for `upscale`.
    """

    def render(network: Callable[[Tensor], Tensor], lr: Tensor) -> np.ndarray:
        return spread_of_eight(network, lr)[0].float().cpu().numpy()

    rgb, scale = bleed(_as_picture(image)).rgb, model.config.scale
    spread = np.empty((len(rgb) * scale, rgb.shape[1] * scale), np.float32)
    _by_tiles(rgb, model, render, spread, tile=tile, device=device, on_progress=on_progress)
    return spread


def check_scale(scale: float | None) -> None:
    """Raises ValueError unless it is None or from 1 to MAX_SCALE."""
    if scale is not None and not 1 <= scale <= MAX_SCALE:
        raise ValueError(f"The scale is a number from 1 to {MAX_SCALE}, not {scale}.")


def large_size(size: tuple[int, int], model_scale: int, scale: float | None) -> tuple[int, int]:
    """(height, width) of what `upscale` makes of a picture of this size."""
    return tuple(math.ceil(n * model_scale * ((scale or model_scale) / model_scale)) for n in size)


def default_model(scale: float | None = None) -> EDSR:
    """edsr-lite of the smallest scale that reaches `scale`; of x4 beyond, and if None."""
    return load_pretrained("edsr-lite", next((s for s in SCALES if s >= (scale or 4)), 4))


def _as_picture(image) -> Picture:
    if isinstance(image, Picture):
        return image
    if isinstance(image, np.ndarray):
        return from_array(image)
    return from_pil(image) if isinstance(image, Image.Image) else read_image(image)


def _with_depth(picture: Picture, depth: type) -> Picture:
    alpha = None if picture.alpha is None else to_depth(picture.alpha, depth)
    return replace(picture, rgb=to_depth(picture.rgb, depth), alpha=alpha)


def super_resolve(
    rgb: np.ndarray,
    model: EDSR,
    *,
    tile: int | str = "auto",
    self_ensemble: bool = False,
    device: str | torch.device = "auto",
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """The model's answer for a uint8 or uint16 array: (H, W, 3) to (scale * H, scale * W, 3).  Arguments as for `upscale`.

    Each tile is computed with a halo as wide as the receptive field, so that the joined picture is the untiled one; so is
    that of the self-ensemble, whose eight answers are averaged tile by tile, in float, and rounded once.
    """

    def render(network: Callable[[Tensor], Tensor], lr: Tensor) -> np.ndarray:
        return to_array((mean_of_eight(network, lr) if self_ensemble else network(lr))[0], rgb.dtype)

    scale = model.config.scale
    sr = np.empty((len(rgb) * scale, rgb.shape[1] * scale, 3), rgb.dtype)
    _by_tiles(rgb, model, render, sr, tile=tile, device=device, on_progress=on_progress)
    return sr


def _by_tiles(
    rgb: np.ndarray,
    model: EDSR,
    render: Callable[[Callable[[Tensor], Tensor], Tensor], np.ndarray],
    out: np.ndarray,
    *,
    tile: int | str,
    device: str | torch.device,
    on_progress: Callable[[int, int], None] | None,
) -> None:
    """Fill `out` tile by tile with render(network, lr), lr (1, 3, h, w) in [0, 1]; where memory runs out, by smaller tiles."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    scale, halo = model.config.scale, receptive_field(model.config)
    tile = _auto_tile(model.config.n_feats, halo) if tile == "auto" else tile
    if tile < 1:
        raise ValueError(f"A tile has at least one pixel a side, not {tile}.")
    model = model.to(device, memory_format=torch.channels_last).eval()
    places, done = deque(_tiles((slice(0, len(rgb)), slice(0, rgb.shape[1])), tile)), 0
    with torch.inference_mode():
        folded = folded_tail(model)
        while places:
            seen, kept = _with_halo(places[0], halo, rgb.shape)
            try:
                lr = to_tensor(rgb[seen])[None].to(device, memory_format=torch.channels_last)
                answer = render(lambda lr: _forward(model, folded, lr), lr)
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                tile = max(span.stop - span.start for span in places[0]) // 2
                if tile < SMALLEST_TILE:
                    raise MemoryError(_too_little(rgb[seen].shape, device)) from error
                places = deque(smaller for place in places for smaller in _tiles(place, tile))
                continue
            out[_times(places.popleft(), scale)] = answer[_times(kept, scale)]
            done += 1
            if on_progress:
                on_progress(done, done + len(places))


# The allocators for the CPU and for other devices than CUDA raise a plain RuntimeError, and oneDNN, which computes convolutions
# on the CPU, does not even say why it fails: only their words tell.
_SHORT_OF_MEMORY = ("DefaultCPUAllocator", "out of memory", "could not create a primitive")


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in _SHORT_OF_MEMORY)


def _too_little(shape: tuple[int, ...], device: str | torch.device) -> str:
    return (
        f"Even a piece of {shape[1]} x {shape[0]} pixels of this image does not fit into the free memory ({device}); "
        "close other programs, or take a model with fewer features."
    )


def _forward(model: EDSR, folded: tuple[Tensor, Tensor], lr: Tensor) -> Tensor:
    """`model(lr)` by the folded tail, with the border that folding gets wrong computed by the tail itself, in four strips."""
    features, scale = model.features(lr), model.config.scale
    weight, bias = folded
    sr = pixel_shuffle(conv2d(features, weight, bias, padding=TAIL_REACH), scale)
    deep, wrong = 2 * TAIL_REACH, TAIL_REACH * scale
    sr[:, :, :wrong] = model.tail(features[:, :, :deep])[:, :, :wrong]
    sr[:, :, -wrong:] = model.tail(features[:, :, -deep:])[:, :, -wrong:]
    sr[:, :, :, :wrong] = model.tail(features[:, :, :, :deep])[:, :, :, :wrong]
    sr[:, :, :, -wrong:] = model.tail(features[:, :, :, -deep:])[:, :, :, -wrong:]
    return model.add_mean(sr) / 255


def _tiles(area: Window, tile: int) -> list[Window]:
    """The area cut into tiles of at most `tile` a side."""
    rows, columns = (_cut(span, tile) for span in area)
    return [(r, c) for r in rows for c in columns]


def _cut(span: slice, tile: int) -> list[slice]:
    size = span.stop - span.start
    count = math.ceil(size / tile)
    cuts = [span.start + size * i // count for i in range(count + 1)]  # all tiles alike, rather than a sliver at the end
    return [slice(start, stop) for start, stop in pairwise(cuts)]


def _with_halo(place: Window, halo: int, shape: tuple[int, ...]) -> tuple[Window, Window]:
    """What the model sees of the image for this tile, and what of its answer is kept; in LR pixels."""
    seen = tuple(slice(max(0, s.start - halo), min(size, s.stop + halo)) for s, size in zip(place, shape, strict=False))
    kept = tuple(slice(p.start - s.start, p.stop - s.start) for p, s in zip(place, seen, strict=True))
    return seen, kept


def _times(window: Window, scale: int) -> Window:
    return tuple(slice(s.start * scale, s.stop * scale) for s in window)


def _auto_tile(n_feats: int, halo: int) -> int:
    """The side of a tile whose feature maps take a quarter of the free memory, between 64 and 512."""
    per_pixel = 4 * n_feats * _TENSORS_ALIVE
    side = math.isqrt(psutil.virtual_memory().available // 4 // per_pixel) - 2 * halo
    return min(512, max(64, side))
