"""Resizing transparent pictures without dark fringes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from srlib.images.codecs import to_depth, unpremultiply
from srlib.images.picture import Picture


def resample(picture: Picture, resize: Callable[[np.ndarray], np.ndarray]) -> Picture:
    """Resize a picture by a linear filter such as bicubic, without fringes where it is transparent.

    The filter gets colour times alpha, and alpha; then alpha is divided out again (Porter and Duff
    1984). So the colour of a transparent pixel, which means nothing, does not leak into its
    neighbours. An opaque picture gets the same values as without alpha. `resize` takes a uint8 or
    uint16 array, (H, W, 3) or (H, W), and returns the same dtype.
    """
    alpha = picture.alpha
    depth = picture.rgb.dtype
    if alpha is None or alpha.min() == np.iinfo(depth).max:
        larger_alpha = None if alpha is None else resize(alpha)
        return replace(picture, rgb=resize(picture.rgb), alpha=larger_alpha)
    deep_alpha = to_depth(alpha, np.uint16)  # 16 bits on the way, so that it is rounded once
    rgb = to_depth(picture.rgb, np.uint16).astype(np.uint32)
    premultiplied = ((rgb * deep_alpha[..., None] + 32767) // 65535).astype(np.uint16)
    alpha = resize(deep_alpha)
    rgb = unpremultiply(resize(premultiplied), alpha)
    return replace(picture, rgb=to_depth(rgb, depth), alpha=to_depth(alpha, depth))


def bleed(picture: Picture) -> Picture:
    """Give each fully transparent pixel the colour of the nearest pixel that is not.

    For filters that are not linear, such as a network: they see no false edge.
    """
    if picture.alpha is None or picture.alpha.all() or not picture.alpha.any():
        return picture
    from scipy.ndimage import distance_transform_edt  # slow to import, seldom needed

    clear = picture.alpha == 0
    nearest = distance_transform_edt(clear, return_distances=False, return_indices=True)
    return replace(picture, rgb=picture.rgb[tuple(nearest)])
