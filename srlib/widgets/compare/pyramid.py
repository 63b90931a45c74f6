"""An image at several sizes, cut into tiles, for a page that shows one part at a time."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageCms

from srlib.images.picture import Picture, eight_bit, to_pil

TILE = 512  # pixels; source.js uses the same size
OVERVIEW_PIXELS = 1_500_000  # images up to this size are sent whole, larger ones reduced


class Pyramid:
    """An image as the page shows it: 8 bits, sRGB, opaque, and reduced by 2, 4, 8, ... on demand.

    One pixel of level n is the mean of 2^n x 2^n pixels; level 0 is the image itself.
    The levels take a third more memory than the image, and only once they are needed.

    Attributes:
        image: Level 0, a PIL image in mode RGB.
        size: (width, height) in pixels.
        coarsest: The number of the level that serves as the overview.
    """

    def __init__(self, picture: Picture):
        self.image = _to_srgb(picture)
        self.size = self.image.size
        self.coarsest = max(0, math.ceil(math.log(math.prod(self.size) / OVERVIEW_PIXELS, 4)))
        self._levels = [self.image]

    def overview(self) -> bytes:
        """The whole image as a PNG file of about OVERVIEW_PIXELS at most: level `coarsest`."""
        return _png(self._level(self.coarsest))

    def tile(self, level: int, column: int, row: int) -> bytes:
        """One tile of a level as a PNG file, TILE pixels a side or less at the edges.

        Raises:
            ValueError: If there is no such level or tile.
        """
        image = self._level(level)
        left = column * TILE
        top = row * TILE
        if not (0 <= left < image.width and 0 <= top < image.height):
            raise ValueError(
                f"Level {level} has {image.width} x {image.height} pixels; "
                f"there is no tile {column}, {row}."
            )
        right = min(left + TILE, image.width)
        bottom = min(top + TILE, image.height)
        return _png(image.crop((left, top, right, bottom)))

    def crop(self, left: float, top: float, right: float, bottom: float) -> np.ndarray:
        """The pixels that a rectangle touches, at least one.

        Args:
            left: The left edge in fractions of the width.
            top: The upper edge in fractions of the height.
            right: The right edge in fractions of the width.
            bottom: The lower edge in fractions of the height.

        Returns:
            A uint8 array (h, w, 3).
        """
        columns, rows = (
            slice(min(math.floor(low * n), n - 1), max(math.ceil(high * n), 1))
            for low, high, n in zip((left, top), (right, bottom), self.size, strict=True)
        )
        return np.asarray(self.image)[rows, columns]

    def _level(self, level: int) -> Image.Image:
        if not 0 <= level <= self.coarsest:
            raise ValueError(f"There are levels 0 to {self.coarsest}, but no {level}.")
        while len(self._levels) <= level:
            self._levels.append(self._levels[-1].reduce(2))
        return self._levels[level]


def _to_srgb(picture: Picture) -> Image.Image:
    picture = eight_bit(picture)
    image = to_pil(Picture(picture.rgb, mode=picture.mode))
    if picture.icc_profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(picture.icc_profile))
            # To convert from sRGB to sRGB would only round once more.
            if "srgb" not in ImageCms.getProfileDescription(source).lower():
                srgb = ImageCms.createProfile("sRGB")
                intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
                image = ImageCms.profileToProfile(image, source, srgb, intent, outputMode="RGB")
        except (OSError, ImageCms.PyCMSError):
            pass  # a broken profile, or one of another colour space, is ignored
    return image.convert("RGB")


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)  # the way is short: speed matters more than size
    return stream.getvalue()
