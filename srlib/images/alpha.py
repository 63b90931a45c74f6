"""Transparency while a picture is resized: no dark fringes (notebooks 00 and 05)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from srlib.images.codecs import to_depth, unpremultiply
from srlib.images.picture import Picture


def resample(picture: Picture, resize: Callable[[np.ndarray], np.ndarray]) -> Picture:
    """The picture resized by `resize`, a linear filter such as bicubic, without fringes where it is transparent.

    resize: takes a uint8 or uint16 array, (H, W, 3) or (H, W), and returns the same depth.  With transparency it is given
    colour times alpha, and alpha, both in 16 bits whatever the picture has, and the alpha is divided out again (Porter and
    Duff 1984): a transparent pixel, whose colour means nothing, so has no part in its neighbours'.  A picture that is opaque
    throughout is resized as if it had no alpha, to the same values.
    """
    alpha, depth = picture.alpha, picture.rgb.dtype
    if alpha is None or alpha.min() == np.iinfo(depth).max:
        return replace(
            picture, rgb=resize(picture.rgb), alpha=None if alpha is None else resize(alpha)
        )
    deep = to_depth(alpha, np.uint16)
    premultiplied = (
        to_depth(picture.rgb, np.uint16).astype(np.uint32) * deep[..., None] + 32767
    ) // 65535
    alpha = resize(deep)
    rgb = unpremultiply(resize(premultiplied.astype(np.uint16)), alpha)
    return replace(picture, rgb=to_depth(rgb, depth), alpha=to_depth(alpha, depth))


def bleed(picture: Picture) -> Picture:
    """The picture with each wholly transparent pixel's colour, which means nothing, taken from the nearest other pixel.

    For filters that are not linear, such as a network: they then see no false edge, and need no premultiplied alpha.
    """
    if picture.alpha is None or picture.alpha.all() or not picture.alpha.any():
        return picture
    from scipy.ndimage import distance_transform_edt  # slow to import, seldom needed

    nearest = distance_transform_edt(
        picture.alpha == 0, return_distances=False, return_indices=True
    )
    return replace(picture, rgb=picture.rgb[tuple(nearest)])
