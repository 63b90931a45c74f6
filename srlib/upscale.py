"""One image in, a larger one out: exact tiling, any factor, whatever kind of image (notebooks 00 and 05)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import psutil
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, pixel_shuffle

from srlib.alpha import bleed, resample
from srlib.images import Picture, from_array, from_pil, read_image, to_array, to_pil, to_tensor
from srlib.model import EDSR, SCALES, TAIL_REACH, folded_tail, receptive_field
from srlib.resize import imresize
from srlib.zoo import load_pretrained

MAX_SCALE = 8
_GRAY = np.array([0.299, 0.587, 0.114])  # BT.601, full range
_TENSORS_ALIVE = 8  # feature maps held at the worst moment of a forward pass, measured generously


def upscale(
    image: Image.Image | np.ndarray | Picture | str | os.PathLike,
    model: EDSR | None = None,
    *,
    scale: float | None = None,
    tile: int | str = "auto",
    device: str | torch.device = "auto",
    on_progress: Callable[[int, int], None] | None = None,
):
    """`image` enlarged by the model; the type that came in goes out, and a Picture for a path.

    image: PIL image, uint8 or uint16 array (H, W), (H, W, 3) or (H, W, 4), Picture, or path. model: edsr-lite if None. scale:
    1 to 8, the model's own if None; for another one the model's answer is resized by MATLAB's bicubic. Gray stays gray; alpha
    is enlarged by bicubic and leaves no fringes; profile and EXIF are kept. tile: LR pixels a side, or "auto" from the free
    memory; the result does not depend on it. on_progress(tiles done, tiles in all) may raise to cancel.
    Raises ValueError for a scale outside 1 to 8, ImageError for what is no picture.
    """
    if scale is not None and not 1 <= scale <= MAX_SCALE:
        raise ValueError(f"The scale is a number from 1 to {MAX_SCALE}, not {scale}.")
    if model is None:
        model = load_pretrained("edsr-lite", next((s for s in SCALES if s >= (scale or 4)), 4))
    picture = bleed(_as_picture(image))
    rgb = super_resolve(picture.rgb, model, tile=tile, device=device, on_progress=on_progress)
    if picture.mode == "L":  # three equal channels come back a level or so apart: their luma is the gray
        gray = np.floor(rgb @ _GRAY + 0.5).astype(rgb.dtype)
        rgb = np.repeat(gray[..., None], 3, axis=2)
    alpha = None if picture.alpha is None else imresize(picture.alpha, model.config.scale)
    larger = replace(picture, rgb=rgb, alpha=alpha)
    if scale not in (None, model.config.scale):
        larger = resample(larger, lambda values: imresize(values, scale / model.config.scale))
    if isinstance(image, Image.Image):
        return to_pil(larger)
    if isinstance(image, np.ndarray):
        return larger.array if alpha is None else np.dstack([larger.rgb, larger.alpha])
    return larger


def _as_picture(image) -> Picture:
    if isinstance(image, Picture):
        return image
    if isinstance(image, np.ndarray):
        return from_array(image)
    return from_pil(image) if isinstance(image, Image.Image) else read_image(image)


def super_resolve(
    rgb: np.ndarray,
    model: EDSR,
    *,
    tile: int | str = "auto",
    device: str | torch.device = "auto",
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """The model's answer for a uint8 or uint16 array: (H, W, 3) to (scale * H, scale * W, 3).  Arguments as for `upscale`.

    Each tile is computed with a halo as wide as the receptive field, so that the joined picture is the untiled one.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    config, halo = model.config, receptive_field(model.config)
    tile = _auto_tile(config.n_feats, halo) if tile == "auto" else tile
    if tile < 1:
        raise ValueError(f"A tile has at least one pixel a side, not {tile}.")
    height, width = rgb.shape[:2]
    model = model.to(device, memory_format=torch.channels_last).eval()
    sr = np.empty((height * config.scale, width * config.scale, 3), rgb.dtype)
    tiles = list(_tiles(height, width, tile, halo))
    with torch.inference_mode():
        folded = folded_tail(model)
        for done, (seen, kept, place) in enumerate(tiles, 1):
            lr = to_tensor(rgb[seen])[None].to(device, memory_format=torch.channels_last)
            answer = to_array(_forward(model, folded, lr)[0], rgb.dtype)
            sr[_times(place, config.scale)] = answer[_times(kept, config.scale)]
            if on_progress:
                on_progress(done, len(tiles))
    return sr


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


Window = tuple[slice, slice]


def _tiles(height: int, width: int, tile: int, halo: int) -> Iterator[tuple[Window, Window, Window]]:
    """For each tile: what the model sees of the image, what of its answer is kept, and where that goes; all in LR pixels."""
    for rows in _spans(height, tile, halo):
        for columns in _spans(width, tile, halo):
            yield tuple(zip(rows, columns, strict=True))


def _spans(size: int, tile: int, halo: int) -> list[tuple[slice, slice, slice]]:
    count = math.ceil(size / tile)
    cuts = [size * i // count for i in range(count + 1)]  # all tiles alike, rather than a sliver at the end
    spans = []
    for start, stop in pairwise(cuts):
        seen = slice(max(0, start - halo), min(size, stop + halo))
        spans.append((seen, slice(start - seen.start, stop - seen.start), slice(start, stop)))
    return spans


def _times(window: Window, scale: int) -> Window:
    return tuple(slice(s.start * scale, s.stop * scale) for s in window)


def _auto_tile(n_feats: int, halo: int) -> int:
    """The side of a tile whose feature maps take a quarter of the free memory, between 64 and 512."""
    per_pixel = 4 * n_feats * _TENSORS_ALIVE
    side = math.isqrt(psutil.virtual_memory().available // 4 // per_pixel) - 2 * halo
    return min(512, max(64, side))
