"""One picture at every size, cut into tiles, for a page that shows a part of it at a time."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageCms

from srlib.images.picture import Picture, eight_bit, to_pil

TILE = 512  # pixels; compare_source.js cuts the same
OVERVIEW_PIXELS = 1_500_000  # a picture up to this size is sent whole, with its widget; of larger ones a reduced copy


class Pyramid:
    """A picture as it is shown: 8 bits, sRGB, opaque, and reduced by 2, 4, 8 … as soon as somebody looks from afar.

    One pixel of level n is the mean of 2^n x 2^n pixels; level 0 is the picture.  Memory: a third more than the picture, and
    only once a level is asked for.  `size` is (width, height).
    """

    def __init__(self, picture: Picture):
        self._levels = [_shown(picture)]
        self.size = self._levels[0].size
        width, height = self.size
        self.coarsest = max(0, math.ceil(math.log(width * height / OVERVIEW_PIXELS, 4)))

    def overview(self) -> bytes:
        """The whole picture as a PNG file of at most about OVERVIEW_PIXELS: level `coarsest`."""
        return _png(self._level(self.coarsest))

    def tile(self, level: int, column: int, row: int) -> bytes:
        """A PNG file of TILE x TILE pixels of a level; less at the right and lower edges.  Raises ValueError beside it."""
        image = self._level(level)
        left, top = column * TILE, row * TILE
        if not (0 <= left < image.width and 0 <= top < image.height):
            raise ValueError(
                f"Level {level} has {image.width} x {image.height} pixels; there is no tile {column}, {row}."
            )
        return _png(
            image.crop((left, top, min(left + TILE, image.width), min(top + TILE, image.height)))
        )

    def crop(self, left: float, top: float, right: float, bottom: float) -> np.ndarray:
        """The pixels touched by a rectangle given in fractions of the picture: uint8 (h, w, 3), at least one."""
        columns, rows = (
            slice(min(math.floor(low * n), n - 1), max(math.ceil(high * n), 1))
            for low, high, n in zip((left, top), (right, bottom), self.size, strict=True)
        )
        return np.asarray(self._levels[0])[rows, columns]

    def _level(self, level: int) -> Image.Image:
        if not 0 <= level <= self.coarsest:
            raise ValueError(f"There are levels 0 to {self.coarsest}, but no {level}.")
        while len(self._levels) <= level:
            self._levels.append(self._levels[-1].reduce(2))
        return self._levels[level]


def _shown(picture: Picture) -> Image.Image:
    picture = eight_bit(picture)
    image = to_pil(Picture(picture.rgb, mode=picture.mode))
    if picture.icc_profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(picture.icc_profile))
            if (
                "srgb" not in ImageCms.getProfileDescription(source).lower()
            ):  # converting those would only round once more
                intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
                image = ImageCms.profileToProfile(
                    image, source, ImageCms.createProfile("sRGB"), intent, outputMode="RGB"
                )
        except (
            OSError,
            ImageCms.PyCMSError,
        ):  # broken, or of another colour space than the pixels: as without one
            pass
    return image.convert("RGB")


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(
        stream, "PNG", compress_level=1
    )  # it travels a short way: time counts for more than bytes
    return stream.getvalue()
