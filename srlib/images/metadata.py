"""The metadata of a photograph, without the parts that hold for a single file only."""

import contextlib
import re
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base

# The tags of the first EXIF directory that describe the photograph. The others say where and how
# the pixels of that one file are stored, and would be false, or harmful, in another file.
_KEPT = {
    Base.ImageDescription, Base.Make, Base.Model, Base.Software, Base.DateTime, Base.Artist,
    Base.HostComputer, Base.Rating, Base.RatingPercent, Base.Copyright, Base.XPTitle,
    Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject, IFD.Exif, IFD.GPSInfo,
}  # fmt: skip
# The sizes are false once the picture is turned or enlarged.
_DROPPED_DETAILS = (Base.ExifImageWidth, Base.ExifImageHeight, IFD.Interop)
_FALSE_IN_XMP = re.compile(
    rb"""\s(?:tiff|exif):(?:Orientation|ImageWidth|ImageLength|Pixel[XY]Dimension)=["'][^"']*["']"""
    rb"""|<((?:tiff|exif):(?:Orientation|ImageWidth|ImageLength|Pixel[XY]Dimension))>[^<]*</\1>"""
)
_GUESS = (72, 72)  # dpi, by Pillow of files that state none


def metadata_of(image: Image.Image) -> tuple[int, dict[str, Any]]:
    """The orientation (1 to 8) of a loaded image, and the fields of a Picture that are metadata.

    A missing or senseless orientation counts as 1, upright. EXIF that cannot be parsed or stored
    again is dropped.
    """
    orientation = 1
    description = None
    kept = Image.Exif()
    with contextlib.suppress(Exception):  # broken EXIF fails in many ways, and the pixels are good
        exif = image.getexif()
        if exif.get(Base.Orientation) in range(1, 9):
            orientation = exif[Base.Orientation]
        for tag in _KEPT & set(exif):
            is_directory = tag in (IFD.Exif, IFD.GPSInfo)
            values = exif.get_ifd(tag) if is_directory else {tag: exif[tag]}
            stored = {name: as_stored(value) for name, value in values.items()}
            kept[tag] = stored if is_directory else stored[tag]
        for tag in _DROPPED_DETAILS:
            kept.get(IFD.Exif, {}).pop(tag, None)
        description = kept.tobytes() if len(kept) else None
    xmp = image.info.get("xmp")
    dpi = image.info.get("dpi") or _GUESS
    is_dpi = dpi != _GUESS and all(1 < side < 65536 for side in dpi)
    return orientation, {
        "icc_profile": image.info.get("icc_profile"),
        "exif": description,
        "xmp": _FALSE_IN_XMP.sub(b"", xmp) if isinstance(xmp, bytes) else None,
        "dpi": tuple(map(float, dpi)) if is_dpi else None,
    }


class _Text(str):
    """A text of EXIF with its own bytes: Pillow reads Latin-1, and writes ASCII and "?"."""

    def encode(self, *_: str) -> bytes:
        return super().encode("latin-1")


def as_stored(value: Any) -> Any:
    """Make an EXIF value that is stored as it was read."""
    return _Text(value) if isinstance(value, str) else value


def profile_of_rgb(profile: bytes | None) -> bytes | None:
    """Return the colour profile for a file of RGB, or None if it is one of gray."""
    return None if profile and profile[16:20] == b"GRAY" else profile
