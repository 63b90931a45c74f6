"""One image in, a larger one out: any kind of image, any factor."""

import math
from dataclasses import replace
from functools import partial
from numbers import Integral, Real

import numpy as np
from PIL import Image
from torch import Tensor

from srlib.images.alpha import bleed, resample
from srlib.images.picture import AnyImage, as_picture, to_gray, to_pil
from srlib.images.resize import imresize
from srlib.images.tensors import to_array
from srlib.model.edsr import EDSR, checked_model
from srlib.upscaling.choice import chosen_model
from srlib.upscaling.ensemble import eight_answers
from srlib.upscaling.precision import Network, Options
from srlib.upscaling.tiling import by_tiles

MAX_SCALE = 8


def upscale(
    image: AnyImage,
    model: EDSR | None = None,
    *,
    scale: float | None = None,
    width: int | None = None,
    height: int | None = None,
    self_ensemble: bool = False,
    **options,
):
    """Enlarge an image by a network.

    The image is mirrored around its border before the network sees it, so that edges are as good
    as the rest; `model(lr)` pads with zeros instead. Gray stays gray. Alpha is enlarged by bicubic
    and leaves no fringes. Profile and EXIF are kept.

    Args:
        image: PIL image, Picture, path, or uint8 or uint16 array (H, W), (H, W, 3) or (H, W, 4).
        model: An EDSR, changed in any way, that sees no further than `receptive_field`. It stays
            on its device and in its mode. If None, the network that `choose_checkpoint` names
            for the image, of the smallest scale that is enough; the logger "srlib.upscaling" says
            which and why, at level INFO.
        scale: 1 to 8; the model's own if None. For other factors the network's answer is resized
            by MATLAB's bicubic.
        width: Width of the result in pixels, instead of `scale`.
        height: Height of the result in pixels, instead of `scale`.
        self_ensemble: Average the answers to the eight flips and turns of the image, which takes
            eight times as long.
        **options: How the network is run: `tile`, `device`, `precision`, `padding`,
            `on_progress` and `on_precision`, as `srlib.upscaling.Options` describes them.

    Returns:
        The enlarged image, of the type that came in; a Picture for a path.

    Raises:
        ValueError: `scale`, `width` or `height` is no number, or would enlarge by less than 1 or
            more than 8; or an option has a wrong value.
        TypeError: The model is no EDSR, or an option is unknown.
        ImageError: The image is none.
        MemoryError: Even the smallest tile does not fit.

    Example:
        >>> upscale(np.zeros((20, 30, 3), np.uint8), scale=2).shape
        (40, 60, 3)
        >>> upscale(np.zeros((20, 30), np.uint8), width=75).shape
        (50, 75)
    """
    Options(**options)  # finds a typo before the image is read
    check_scale(scale)
    picture = bleed(as_picture(image))
    scale = _factor(picture.size, scale, width, height)
    options["self_ensemble"] = self_ensemble
    if model is None:
        model = chosen_model(picture, scale, **options)
    rgb = super_resolve(picture.rgb, checked_model(model), **options)
    if picture.mode == "L":
        rgb = np.repeat(to_gray(rgb)[..., None], 3, axis=2)
    resize = partial(imresize, border=options.get("padding", "symmetric"))
    alpha = None if picture.alpha is None else resize(picture.alpha, model.config.scale)
    larger = replace(picture, rgb=rgb, alpha=alpha)
    if scale not in (None, model.config.scale):
        rows, columns = large_size(picture.size, model.config.scale, scale)
        ratio = scale / model.config.scale
        larger = resample(larger, lambda values: resize(values, ratio)[:rows, :columns])
    if isinstance(image, Image.Image):
        return to_pil(larger)
    if isinstance(image, np.ndarray):
        return larger.array if alpha is None else np.dstack([larger.rgb, larger.alpha])
    return larger


def super_resolve(
    rgb: np.ndarray,
    model: EDSR,
    *,
    rows: slice | None = None,
    self_ensemble: bool = False,
    **options,
) -> np.ndarray:
    """Enlarge an array by a network's own scale.

    Args:
        rgb: uint8 or uint16 (H, W, 3).
        model: As for `upscale`.
        rows: The rows of `rgb` to enlarge, all if None. The network sees the others too.
        self_ensemble: As for `upscale`; the mean is taken in float and rounded once.
        **options: As for `upscale`.

    Returns:
        (scale * rows, scale * W, 3) of the same depth.
    """

    def render(network: Network, lr: Tensor) -> np.ndarray:
        sr = sum(eight_answers(network, lr)) / 8 if self_ensemble else network(lr)
        return to_array(sr[0], rgb.dtype)

    scale = model.config.scale
    rows = rows or slice(0, len(rgb))
    sr = np.empty(((rows.stop - rows.start) * scale, rgb.shape[1] * scale, 3), rgb.dtype)
    by_tiles(rgb, model, render, sr, Options(**options), rows, 8 if self_ensemble else 1)
    return sr


def check_scale(scale: float | None) -> None:
    """Raise ValueError for a scale that is neither None nor a number from 1 to 8."""
    if scale is not None and not (isinstance(scale, Real) and 1 <= scale <= MAX_SCALE):
        raise ValueError(f"The scale is a number from 1 to {MAX_SCALE}, not {scale!r}.")


def _factor(
    size: tuple[int, int], scale: float | None, width: int | None, height: int | None
) -> float | None:
    """The scale, or the factor that gives a picture of this (height, width) the width or height."""
    given = {"scale": scale, "width": width, "height": height}
    given = {name: value for name, value in given.items() if value is not None}
    if len(given) > 1:
        raise ValueError(f"Give one of scale, width and height, not {' and '.join(given)}.")
    if not given or scale is not None:
        return scale
    [(name, wanted)] = given.items()
    side = size[1] if name == "width" else size[0]
    if not (isinstance(wanted, Integral) and side <= wanted <= MAX_SCALE * side):
        raise ValueError(
            f"The {name} of the picture is {side} pixels, and it is only made larger: give a whole "
            f"number from {side} to {MAX_SCALE * side}, not {wanted!r}."
        )
    return wanted / side


def large_size(size: tuple[int, int], model_scale: int, scale: float | None) -> tuple[int, int]:
    """Compute (height, width) after `upscale` by `scale`, else the model's: rounded up.

    `imresize` adds a pixel where MATLAB's product has an error in the last digit, as in
    50 x 1.1 = 55.000000000000007; `upscale` does not.
    """
    height, width = (math.ceil(round(side * (scale or model_scale), 6)) for side in size)
    return height, width
