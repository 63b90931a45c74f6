"""A photograph that waits to be enlarged."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from srlib.images.picture import (
    ImageError,
    Picture,
    eight_bit,
    encode,
    from_pil,
    read_image,
    to_pil,
)
from srlib.model.edsr import SCALES
from srlib.upscaling import choose_checkpoint
from srlib.widgets.wizard.scratch import Scratch
from srlib.zoo.recommend import Recommendation, recommend_checkpoints

MAX_PIXELS = 12_500_000  # a phone's photograph; twice as wide and high it has 50 million
THUMBNAIL = 360  # pixels of the longer side
_WITH_PLUG_IN = (".heic", ".heif", ".hif", ".jxl")  # of Pillow, which may be missing


@dataclass(frozen=True)
class Photograph:
    """A photograph whose pixels stay in its file until `read` decodes them.

    Two photographs are equal if they have the same name and content.

    Attributes:
        name: The file name, or the name of a sample.
        size: (height, width) in pixels, upright.
        digest: A hash of the content.
        thumbnail: The data URL of a small JPEG.
        content: The file, or its bytes.
    """

    name: str
    size: tuple[int, int]
    digest: str
    thumbnail: str = field(compare=False, repr=False)
    content: Path | Scratch = field(compare=False)

    @classmethod
    def open(cls, source: str | os.PathLike | bytes, name: str = "") -> Photograph:
        """Open a file, or the bytes of one.

        Args:
            source: A path or bytes.
            name: The name to show; that of the path if "".

        Raises:
            FileNotFoundError: If there is no such file.
            ImageError: If the file cannot be decoded, or has more than MAX_PIXELS pixels.
        """
        if isinstance(source, bytes):
            content = Scratch(source)
        else:
            content = Path(source)
            name = name or content.name
            source = content.read_bytes()
        try:
            picture = decode(name, source)
        except ImageError as error:
            if not name.lower().endswith(_WITH_PLUG_IN):
                raise
            raise ImageError(f"{error} Or share it as JPEG, and choose that file.") from error
        height, width = picture.size
        if height * width > MAX_PIXELS:
            raise ImageError(
                f"{name} has {width} × {height} pixels; the wizard takes up to "
                f"{MAX_PIXELS / 1e6:g} megapixels. Crop it first."
            )
        digest = hashlib.sha256(source).hexdigest()
        return cls(name, picture.size, digest, thumbnail(picture), content)

    @property
    def stem(self) -> str:
        """The name without the suffix of a file."""
        path = Path(self.name)
        return path.stem if path.suffix[1:].isalnum() else self.name

    def read(self) -> Picture:
        """Decode the pixels."""
        if isinstance(self.content, Path):
            return read_image(self.content)
        return decode(self.name, self.content.read())

    @cached_property
    def recommendations(self) -> dict[int, Recommendation]:
        """The recommendations for all scales, since the page asks for each of them."""
        return recommend_checkpoints(self.read(), SCALES)


class Advice(NamedTuple):
    """The name of the network for a photograph, and the fault that it removes; "" for none."""

    checkpoint: str
    fault: str


def advice(photograph: Photograph, scale: int, *, self_ensemble: bool = False) -> Advice:
    """Choose a network by the traces of compression and noise in a photograph, and by the time."""
    suitable = photograph.recommendations[scale]
    name, reason = choose_checkpoint(suitable, scale, photograph.size, self_ensemble=self_ensemble)
    if not name.endswith("-photo"):
        return Advice(name, "")
    return Advice(name, "Noise" if "is noisy" in reason else "Compression marks")


def thumbnail(picture: Picture) -> str:
    """The data URL of a JPEG of at most THUMBNAIL pixels a side, in the picture's colour space."""
    small = to_pil(eight_bit(replace(picture, exif=None)))
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    jpeg = encode(replace(from_pil(small), icc_profile=picture.icc_profile), "JPEG")
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def decode(name: str, content: bytes) -> Picture:
    """Decode a file's bytes; an error names the file."""
    stream = io.BytesIO(content)
    stream.name = name
    return read_image(stream)
