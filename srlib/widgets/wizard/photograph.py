"""A photograph that waits to be enlarged: its name, its size, a small picture of it, and where its pixels are."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from srlib.images.picture import (
    ImageError,
    Picture,
    eight_bit,
    encode,
    from_pil,
    read_image,
    to_pil,
)
from srlib.widgets.wizard.scratch import Scratch

MAX_PIXELS = 12_500_000  # twice as wide and high it has 50 million, the most that the wizard makes
THUMBNAIL = 360  # pixels of the longer side


@dataclass(frozen=True)
class Photograph:
    """What is known of a photograph while its pixels stay in the file; `read` decodes them.

    size: (height, width), upright.  thumbnail: the address of a small JPEG, for an <img>.  note: a sentence on what is special.
    """

    name: str
    size: tuple[int, int]
    thumbnail: str
    note: str
    _content: Path | Scratch

    @classmethod
    def open(cls, source: str | os.PathLike | BinaryIO) -> Photograph:
        """From a file or a binary stream.  Raises as `read_image`, and ImageError for too many pixels."""
        if isinstance(source, str | os.PathLike):
            name, content = Path(source).name, Path(source)
        else:
            name, content = Path(getattr(source, "name", "photograph")).name, Scratch(source.read())
        note = _check(name, content)
        picture = cls.decode(name, content)
        return cls(name, picture.size, thumbnail(picture), note, content)

    def read(self) -> Picture:
        return self.decode(self.name, self._content)

    @staticmethod
    def decode(name: str, content: Path | Scratch) -> Picture:
        return read_image(content if isinstance(content, Path) else _stream(name, content))


def thumbnail(picture: Picture) -> str:
    """The data URL of a JPEG of at most THUMBNAIL pixels a side, in the picture's own colour space."""
    small = to_pil(eight_bit(replace(picture, exif=None)))
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    jpeg = encode(replace(from_pil(small), icc_profile=picture.icc_profile), "JPEG")
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _stream(name: str, content: Scratch) -> BinaryIO:
    stream = io.BytesIO(content.read())
    stream.name = name
    return stream


def _check(name: str, content: Path | Scratch) -> str:
    """The note on an animation.  Raises ImageError for a picture whose header already says that it is too large."""
    try:
        with Image.open(content if isinstance(content, Path) else _stream(name, content)) as image:
            (width, height), moves = (
                image.size,
                getattr(image, "is_animated", False) and image.format != "TIFF",
            )
    except (Image.DecompressionBombError, UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return ""  # read_image says it better, and reads some that Pillow does not
    if width * height > MAX_PIXELS:
        limit = f"the wizard takes up to {MAX_PIXELS / 1e6:.0f} megapixels"
        raise ImageError(f"{name} has {width} × {height} pixels; {limit}.  Take a part of it.")
    return f"{name} is an animation; its first frame is taken." if moves else ""
