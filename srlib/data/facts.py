"""The properties of the image files of a data set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from srlib.images.downscalers import jpeg_quality
from srlib.images.picture import ImageError, read_image


@dataclass(frozen=True)
class Facts:
    """An image file and its properties."""

    path: str  # below the root of the data set
    side: str  # "hr" or "lr"
    error: str = ""  # why the file cannot be read
    height: int = 0
    width: int = 0
    gray: bool = False  # the three channels are equal
    alpha: bool = False
    deep: bool = False  # 16 bits per channel
    jpeg: bool = False  # stored as JPEG, or LR with traces of JPEG
    digest: str = ""  # hash of the pixels
    shape_bits: int | None = None  # shared with a copy, saved again or resized; None if flat


def examine(root: Path, place: Facts) -> Facts:
    """Decode the image and fill in its properties, or the error."""
    path = root / place.path
    try:
        picture = read_image(path)
        with open(path, "rb") as file:
            is_jpeg = file.read(3) == b"\xff\xd8\xff"
        rgb = picture.rgb
        height, width = picture.size
        eight_bit = rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)
        if place.side == "lr" and jpeg_quality([eight_bit[:192, :192]]) is not None:
            is_jpeg = True
        pixels = np.ascontiguousarray(rgb)
        return replace(
            place,
            height=height,
            width=width,
            gray=picture.mode == "L" or bool((rgb == rgb[..., :1]).all()),
            alpha=picture.alpha is not None,
            deep=rgb.dtype != np.uint8,
            jpeg=is_jpeg,
            digest=hashlib.blake2b(repr(rgb.shape).encode() + pixels.tobytes()).hexdigest(),
            shape_bits=_difference_hash(eight_bit),
        )
    except ImageError as error:
        return replace(place, error=str(error))
    except Exception as error:  # no file may stop the report on the others
        reason = str(error) or type(error).__name__
        if isinstance(error, MemoryError):
            reason = "it needs more memory than there is"
        return replace(place, error=f"{place.path}: {reason}.")


def _difference_hash(rgb: np.ndarray) -> int | None:
    """A bit per pixel of the image shrunk to 9 x 8: it is brighter than its right neighbour."""
    gray = Image.fromarray(rgb).convert("L").resize((9, 8), Image.Resampling.BOX)
    small = np.asarray(gray, np.int16)
    if np.ptp(small) < 8:
        return None
    return int.from_bytes(np.packbits(small[:, :-1] > small[:, 1:]).tobytes())


def difference(one: Facts, other: Facts) -> int:
    """The number of shape bits that differ, of 64; flat images cannot be compared: 10 of 64."""
    if one.shape_bits is None or other.shape_bits is None:
        return 10
    return (one.shape_bits ^ other.shape_bits).bit_count()
