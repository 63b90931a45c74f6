"""One image in, a larger one out: exact tiling, any factor, whatever kind of image (notebooks 00 and 05)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from numbers import Real

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from srlib.images.alpha import bleed, resample
from srlib.images.codecs import to_depth
from srlib.images.picture import ImageError, Picture, from_array, from_pil, read_image, to_pil
from srlib.images.resize import imresize
from srlib.images.tensors import to_array
from srlib.model.edsr import EDSR, SCALES, EDSRConfig
from srlib.upscaling.engines import Network
from srlib.upscaling.ensemble import back_project, mean_of_eight, spread_of_eight
from srlib.upscaling.tiling import by_tiles
from srlib.zoo.checkpoints import load_pretrained

MAX_SCALE = 8
_GRAY = np.array([0.299, 0.587, 0.114])  # BT.601, full range


def upscale(
    image: Image.Image | np.ndarray | Picture | str | os.PathLike,
    model: EDSR | None = None,
    *,
    scale: float | None = None,
    tile: int | str = "auto",
    self_ensemble: bool = False,
    adjust_to_lr: bool = False,
    device: str | torch.device = "auto",
    precision: str = "auto",
    on_progress: Callable[[int, int], None] | None = None,
):
    """`image` enlarged by the model; the type that came in goes out, and a Picture for a path.

    image: PIL image, uint8 or uint16 array (H, W), (H, W, 3) or (H, W, 4), Picture, or path. model: edsr-lite if None; it stays
    on its device and in its mode. A subclass, or one with other layers, may see no further than `receptive_field`.

    scale: 1 to 8, the model's own if None; for another one the model's answer is resized by MATLAB's bicubic. Gray stays gray;
    alpha is enlarged by bicubic and leaves no fringes; profile and EXIF are kept. tile: LR pixels a side, or "auto" from the
    free memory; the result does not depend on it.

    self_ensemble: the mean of the model's answers to the eight flips and turns of the image, at eight times the time.
    adjust_to_lr: the colours are changed until bicubic reduction gives `image` back, within a level of rounding; where that
    is how `image` was made, the answer gets nearer to the truth, and where it has noise or JPEG blocks, those are kept.
    It takes some 60 bytes of memory for each pixel of the result.

    precision: "float32", "float16" or "auto", which takes 16 bits on a GPU, where they are fast and cost under 0.01 dB.
    on_progress(tiles done, tiles in all) may raise to cancel; a forward hook on the model's blocks, which may raise as well,
    is called within a tile too, that of the largest network taking minutes on a CPU. Where memory runs out the tiles left are
    halved, and there are more in all. Raises ValueError for a scale outside 1 to 8, ImageError for what is no picture,
    TypeError for a model, scale or tile that is something else, MemoryError if the smallest tile does not fit.
    """
    check_scale(scale)
    model = chosen_model(model, scale)
    lr = picture = bleed(_as_picture(image))
    if adjust_to_lr:  # 16 bits on the way, so that the answer is in effect rounded once
        picture = _with_depth(picture, np.uint16)
    options = {
        "tile": tile,
        "self_ensemble": self_ensemble,
        "device": device,
        "precision": precision,
    }
    rgb = super_resolve(picture.rgb, model, on_progress=on_progress, **options)
    if picture.mode == "L":
        rgb = np.repeat(gray_of(rgb)[..., None], 3, axis=2)
    alpha = None if picture.alpha is None else imresize(picture.alpha, model.config.scale)
    larger = replace(picture, rgb=rgb, alpha=alpha)
    if scale not in (None, model.config.scale):
        height, width = large_size(lr.size, model.config.scale, scale)
        larger = resample(
            larger, lambda values: imresize(values, scale / model.config.scale)[:height, :width]
        )
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
    precision: str = "auto",
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Where the model invents: how far its answers to the eight flips and turns of `image` lie apart.

    float32 (scale * H, scale * W): the standard deviation of the eight answers' luma, in grey levels of 255 whatever the depth.
    Zero where turning the image turns the answer and nothing else. Arguments and errors as for `upscale`.
    """

    def render(network: Network, lr: Tensor) -> np.ndarray:
        return spread_of_eight(network, lr)[0].float().cpu().numpy()

    rgb, scale = bleed(_as_picture(image)).rgb, chosen_model(model).config.scale
    spread = np.empty((len(rgb) * scale, rgb.shape[1] * scale), np.float32)
    by_tiles(
        rgb,
        model,
        render,
        spread,
        tile=tile,
        device=device,
        precision=precision,
        on_progress=on_progress,
    )
    return spread


def gray_of(rgb: np.ndarray) -> np.ndarray:
    """(H, W) of (H, W, 3): the channels of an enlarged gray picture come back a level or so apart, and their luma is the gray."""
    return np.floor(rgb @ _GRAY + 0.5).astype(rgb.dtype)


def check_scale(scale: float | None) -> None:
    """Raises ValueError unless it is None or from 1 to MAX_SCALE, TypeError if it is no number."""
    if scale is not None and not isinstance(scale, Real):
        raise TypeError(f"The scale is a number from 1 to {MAX_SCALE}, not {scale!r}.")
    if scale is not None and not 1 <= scale <= MAX_SCALE:
        raise ValueError(f"The scale is a number from 1 to {MAX_SCALE}, not {scale}.")


def large_size(size: tuple[int, int], model_scale: int, scale: float | None) -> tuple[int, int]:
    """(height, width) of what `upscale` makes of a picture of this size: the scale times it, rounded up.

    `imresize` makes a pixel more where its product, as MATLAB's, has an error in the last digit: 50 x 1.1 is 55.000000000000007.
    """
    return tuple(math.ceil(round(n * (scale or model_scale), 6)) for n in size)


def default_model(scale: float | None = None) -> EDSR:
    """edsr-lite of the smallest scale that reaches `scale`; of x4 beyond, and if None."""
    return load_pretrained("edsr-lite", next((s for s in SCALES if s >= (scale or 4)), 4))


def chosen_model(model: EDSR | None, scale: float | None = None) -> EDSR:
    """`model`, or the default one if None.  Raises TypeError for what is no EDSR."""
    if model is None:
        return default_model(scale)
    if not isinstance(getattr(model, "config", None), EDSRConfig):
        what = repr(model) if isinstance(model, str | os.PathLike) else type(model).__name__
        raise TypeError(
            f'The model is an EDSR, such as srlib.zoo.load_pretrained("edsr-lite", 4) gives, not {what}.'
        )
    return model


def _as_picture(image) -> Picture:
    if isinstance(image, Picture):
        return image
    if isinstance(image, np.ndarray):
        return from_array(image)
    if isinstance(image, Tensor):
        raise ImageError(
            "A tensor is no picture: srlib.images.to_array makes the array that upscale takes."
        )
    return from_pil(image) if isinstance(image, Image.Image) else read_image(image)


def _with_depth(picture: Picture, depth: type) -> Picture:
    alpha = None if picture.alpha is None else to_depth(picture.alpha, depth)
    return replace(picture, rgb=to_depth(picture.rgb, depth), alpha=alpha)


def super_resolve(
    rgb: np.ndarray,
    model: EDSR,
    *,
    rows: slice | None = None,
    tile: int | str = "auto",
    self_ensemble: bool = False,
    device: str | torch.device = "auto",
    precision: str = "auto",
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """The model's answer for a uint8 or uint16 array: (H, W, 3) to (scale * H, scale * W, 3).  Arguments as for `upscale`.

    rows: those of `rgb` whose answer is wanted, all if None; the others are looked at, and the answer is that much lower.
    Each tile is computed with a halo as wide as the receptive field, so that the joined picture is the untiled one; so is
    that of the self-ensemble, whose eight answers are averaged tile by tile, in float, and rounded once.
    """

    def render(network: Network, lr: Tensor) -> np.ndarray:
        return to_array(
            (mean_of_eight(network, lr) if self_ensemble else network(lr))[0], rgb.dtype
        )

    scale, rows = model.config.scale, rows or slice(0, len(rgb))
    sr = np.empty(((rows.stop - rows.start) * scale, rgb.shape[1] * scale, 3), rgb.dtype)
    by_tiles(
        rgb,
        model,
        render,
        sr,
        rows=rows,
        tile=tile,
        device=device,
        precision=precision,
        on_progress=on_progress,
    )
    return sr
