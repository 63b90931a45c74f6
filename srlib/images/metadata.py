"""The metadata of a photograph, without the parts that hold for a single file only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base

# The tags of the first EXIF directory that describe the photograph. Resolution has its own field
# in a Picture. The others say where and how the pixels of that one file are stored, and would be
# false, or harmful, in another file.
_KEPT = {
    Base.ImageDescription, Base.Make, Base.Model, Base.Software, Base.DateTime, Base.Artist,
    Base.HostComputer, Base.Rating, Base.RatingPercent, Base.Copyright, Base.XPTitle,
    Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject, IFD.Exif, IFD.GPSInfo,
}  # fmt: skip
# False once the picture is turned or enlarged.
_SIZES = {Base.ExifImageWidth, Base.ExifImageHeight}
_FALSE_IN_XMP = re.compile(
    rb"""\s(?:tiff|exif):(?:Orientation|ImageWidth|ImageLength|Pixel[XY]Dimension)=["'][^"']*["']"""
    rb"""|<((?:tiff|exif):(?:Orientation|ImageWidth|ImageLength|Pixel[XY]Dimension))>[^<]*</\1>"""
)
_CENTIMETRE = 3  # EXIF's resolution unit; 2 is the inch


def exif_of(image: Image.Image) -> Image.Exif:
    """The EXIF of a loaded image, empty if there is none or it cannot be parsed."""
    try:
        return image.getexif()
    except Exception:  # broken EXIF fails in many ways, and the pixels are good
        return Image.Exif()


def fields_of(info: Mapping[str, Any], exif: Image.Exif) -> tuple[int, dict[str, Any]]:
    """The orientation (1 to 8), and the fields of a Picture that are metadata.

    `info` is as Pillow's decoders fill `Image.info`, with the image's "format" and PNG "text".
    """
    orientation, description = _take_apart(exif)
    xmp = info.get("xmp")
    comments = {
        str(key): str(value)
        for key, value in info.get("text", {}).items()
        if key != "XML:com.adobe.xmp" and not key.startswith("Raw profile type")
    }
    return orientation, {
        "format": info.get("format"),
        "icc_profile": info.get("icc_profile"),
        "exif": description,
        "xmp": _FALSE_IN_XMP.sub(b"", xmp) if isinstance(xmp, bytes) else None,
        "dpi": _dpi(info, exif),
        "text": comments,
    }


def _take_apart(exif: Image.Exif) -> tuple[int, bytes | None]:
    """The orientation, and the tags that describe the photograph, as bytes, or None without any.

    A missing or senseless orientation counts as 1, upright. Tags that cannot be parsed or stored
    again are dropped.
    """
    orientation = 1
    kept = Image.Exif()
    kept.endian = exif.endian or "<"  # a maker's notes may depend on it
    try:
        if exif.get(Base.Orientation) in range(1, 9):
            orientation = exif[Base.Orientation]
        for tag in _KEPT & set(exif):
            is_directory = tag in (IFD.Exif, IFD.GPSInfo)
            kept[tag] = dict(exif.get_ifd(tag)) if is_directory else as_stored(exif[tag])
        details = kept.get(IFD.Exif, {})
        for tag in _SIZES & set(details):
            del details[tag]
        if IFD.Interop in details:
            details[IFD.Interop] = exif.get_ifd(IFD.Interop)
        return orientation, kept.tobytes() if len(kept) else None
    except Exception:  # as in exif_of
        return orientation, None


def as_stored(value: Any) -> Any:
    """An EXIF value, with text as bytes, since Pillow writes a question mark for each umlaut."""
    return value.encode("latin-1") if isinstance(value, str) else value


def _dpi(info: Mapping[str, Any], exif: Image.Exif) -> tuple[float, float] | None:
    """Pixels per inch, across and down: of the format's own field, else of EXIF, else None."""
    try:
        dpi = info.get("dpi")
        if dpi in ((72, 72), (1, 1)) and not info.get("jfif_unit"):
            dpi = None  # Pillow's guess for a JPEG or TIFF that does not say; EXIF knows
        if not dpi and exif.get(Base.ResolutionUnit, 2) in (2, _CENTIMETRE):
            per_unit = 2.54 if exif.get(Base.ResolutionUnit) == _CENTIMETRE else 1
            dpi = (exif[Base.XResolution] * per_unit, exif[Base.YResolution] * per_unit)
        across, down = (float(value) for value in dpi)
    except Exception:  # none there, or broken EXIF, as in exif_of
        return None
    return (across, down) if 0 < across < 65536 and 0 < down < 65536 else None


def with_dpi(exif: bytes | None, dpi: tuple[float, float] | None) -> bytes:
    """EXIF with the resolution added, for formats without a field of their own."""
    if not dpi:
        return exif or b""
    tags = Image.Exif()
    tags.load(exif or b"")
    for tag, value in tags.items():
        tags[tag] = as_stored(value)
    tags[Base.XResolution], tags[Base.YResolution] = dpi
    tags[Base.ResolutionUnit] = 2
    return tags.tobytes()
