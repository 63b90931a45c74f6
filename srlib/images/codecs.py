"""16-bit PNG and TIFF, which Pillow cuts down to 8 bits or does not open, with their profile and EXIF; clean EXIF for all."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, PngImagePlugin
from PIL.ExifTags import IFD, Base

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ICC_TAG = 34675
# What EXIF says about a photograph.  Other tags of a first directory tell where and how pixels are stored in that one file,
# and would be false, or harmful, in another.
_KEPT = {
    Base.ImageDescription, Base.Make, Base.Model, Base.XResolution, Base.YResolution, Base.ResolutionUnit, Base.Software,
    Base.DateTime, Base.Artist, Base.HostComputer, Base.Rating, Base.RatingPercent, Base.Copyright, Base.XPTitle,
    Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject, IFD.Exif, IFD.GPSInfo,
}  # fmt: skip
_SIZES = {
    Base.ExifImageWidth,
    Base.ExifImageHeight,
}  # before turning upright, cropping or enlarging


@dataclass(frozen=True)
class Deep:
    """The content of a 16-bit file, before its orientation is applied.

    samples: uint16, (H, W, 1 to 4): gray, gray and alpha, RGB, RGBA; alpha not premultiplied.
    """

    samples: np.ndarray
    exif: Image.Exif
    icc_profile: bytes | None


def read_deep(stream: BinaryIO, check_size: Callable[[int, int], None]) -> Deep | None:
    """The picture in a PNG or TIFF (its first page) of 16-bit gray or RGB samples; None for any other file.

    check_size(width, height) is called before anything is decoded, and may raise.  Raises ValueError for a damaged file.
    """
    head = stream.read(26)
    stream.seek(0)
    if head.startswith(_PNG) and len(head) == 26 and head[24] == 16:
        check_size(*struct.unpack(">II", head[16:24]))
        return _read_png(stream)
    return _read_tiff(stream, check_size) if head.startswith(_TIFF) else None


def _read_png(stream: BinaryIO) -> Deep:
    import imagecodecs  # only here and where 16 bits are written: a machine that just trains needs none of it

    with Image.open(stream) as image:
        image.load()  # a profile comes before the pixels, but EXIF may follow them
        exif, profile = exif_of(image), image.info.get("icc_profile")
    stream.seek(0)
    try:
        samples = imagecodecs.png_decode(stream.read())
    except imagecodecs.PngError as error:
        raise ValueError(str(error)) from None
    return Deep(samples.reshape(*samples.shape[:2], -1), exif, profile)


def _read_tiff(stream: BinaryIO, check_size: Callable[[int, int], None]) -> Deep | None:
    import tifffile

    try:
        tiff = tifffile.TiffFile(stream)
        page = tiff.pages.first
    except (
        Exception
    ):  # a broken directory fails in many ways; Pillow, next in line, says what is wrong
        return None
    kind, count = page.photometric, page.samplesperpixel
    gray = kind in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE)
    if page.dtype != np.uint16 or page.bitspersample != 16 or page.imagedepth != 1:
        return None
    if not (gray and count in (1, 2)) and not (
        kind == tifffile.PHOTOMETRIC.RGB and count in (3, 4)
    ):
        return None
    check_size(
        max(page.imagewidth, page.tilewidth), max(page.imagelength, page.tilelength)
    )  # one tile is decoded at a time
    if not page.imagewidth * page.imagelength:
        raise ValueError("It has no pixels")
    try:
        samples = page.asarray(maxworkers=1)
    except (
        tifffile.TiffFileError,
        ValueError,
        RuntimeError,
        OSError,
        struct.error,
        zlib.error,
    ) as error:
        raise ValueError(str(error)) from None
    planes = tuple(
        page.shaped[i] for i in (0, 2, 3, 4)
    )  # tifffile's own order: separate planes, height, width, samples
    samples = np.moveaxis(samples.reshape(planes), 0, 2).reshape(
        page.imagelength, page.imagewidth, count
    )
    if kind == tifffile.PHOTOMETRIC.MINISWHITE:
        samples = np.concatenate([65535 - samples[..., :1], samples[..., 1:]], axis=2)
    exif, extra = Image.Exif(), page.extrasamples[:1]
    exif.bigtiff, exif.endian = tiff.is_bigtiff, tiff.byteorder
    try:
        exif.load_from_fp(stream, page.offset)
    except Exception:  # as in exif_of
        exif = Image.Exif()
    if extra == (
        tifffile.EXTRASAMPLE.UNSPECIFIED,
    ):  # "nothing is known about it" (TIFF 6.0), so it is no alpha
        samples = samples[..., :-1]
    elif extra == (tifffile.EXTRASAMPLE.ASSOCALPHA,):
        samples = np.dstack([unpremultiply(samples[..., :-1], samples[..., -1]), samples[..., -1]])
    return Deep(samples, exif, page.iccprofile)


def exif_of(image: Image.Image) -> Image.Exif:
    """The EXIF of a loaded image, empty if there is none or it cannot be parsed."""
    try:
        return image.getexif()
    except Exception:  # broken EXIF fails in many ways; the pixels are good
        return Image.Exif()


def take_apart(exif: Image.Exif) -> tuple[int, bytes | None]:
    """The orientation, 1 to 8 as EXIF counts, and what is told of the photograph and its taking, as bytes or None.

    A missing or senseless orientation is 1, upright.  What cannot be parsed or stored again is dropped.
    """
    orientation, kept = 1, Image.Exif()
    kept.endian = exif.endian or "<"  # makers' notes may count on it
    try:
        if (value := exif.get(Base.Orientation)) in range(1, 9):
            orientation = value
        for tag in _KEPT & set(exif):
            kept[tag] = exif[tag] if tag not in (IFD.Exif, IFD.GPSInfo) else dict(exif.get_ifd(tag))
        details = kept.get(IFD.Exif, {})
        for tag in _SIZES & set(details):
            del details[tag]
        if IFD.Interop in details:
            details[IFD.Interop] = exif.get_ifd(IFD.Interop)
        return orientation, kept.tobytes() if len(kept) else None
    except Exception:  # as in exif_of
        return orientation, None


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W, C) turned as the EXIF orientation says: mirrored for 2, 4, 5 and 7, then turned by quarters."""
    if orientation in (2, 4, 5, 7):
        pixels = pixels[:, ::-1]
    return np.rot90(pixels, {3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}.get(orientation, 0))


def encode_png(samples: np.ndarray, exif: bytes | None, icc_profile: bytes | None) -> bytes:
    """A 16-bit PNG of uint16 (H, W, 1 to 4), with its profile and EXIF (Pillow's bytes) in their chunks."""
    import imagecodecs

    png = imagecodecs.png_encode(
        np.ascontiguousarray(samples if samples.shape[2] > 1 else samples[..., 0])
    )
    header = len(_PNG) + 25  # the IHDR chunk, which comes first
    stream = io.BytesIO()
    if icc_profile:
        PngImagePlugin.putchunk(stream, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile))
    if exif:
        PngImagePlugin.putchunk(stream, b"eXIf", exif.removeprefix(b"Exif\0\0"))
    return png[:header] + stream.getvalue() + png[header:]


def encode_tiff(samples: np.ndarray, exif: bytes | None, icc_profile: bytes | None) -> bytes:
    """A 16-bit TIFF of uint16 (H, W, 1 to 4), uncompressed, one strip, alpha not premultiplied (TIFF 6.0).

    A TIFF is a directory of tags and then the pixels, and EXIF is such a directory: the tags of the picture join it.
    """
    height, width, count = samples.shape
    tags = Image.Exif()
    tags.load(exif or b"")
    tags.endian = tags.endian or "<"
    storage = {
        Base.ImageWidth: width, Base.ImageLength: height, Base.BitsPerSample: (16,) * count, Base.Compression: 1,
        Base.PhotometricInterpretation: 2 if count > 2 else 1, Base.StripOffsets: 0, Base.SamplesPerPixel: count,
        Base.RowsPerStrip: height, Base.StripByteCounts: samples.nbytes, Base.PlanarConfiguration: 1,
    }  # fmt: skip
    if count in (2, 4):
        storage[Base.ExtraSamples] = 2
    if icc_profile:
        storage[_ICC_TAG] = icc_profile
    for tag, value in storage.items():
        tags[tag] = value
    return tags.tobytes().removeprefix(b"Exif\0\0") + samples.astype(f"{tags.endian}u2").tobytes()


def unpremultiply(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """uint16 colour divided by uint16 alpha, at most white; black where alpha is 0."""
    divisor = np.maximum(alpha, 1).astype(np.uint32)[..., None]
    straight = (rgb.astype(np.uint32) * 65535 + divisor // 2) // divisor
    return np.where(alpha[..., None] > 0, np.minimum(straight, 65535), 0).astype(np.uint16)


def to_depth(values: np.ndarray, dtype: type) -> np.ndarray:
    """uint8 and uint16 into each other: 255 is 65535, rounded to the nearest."""
    if values.dtype == dtype:
        return values
    if dtype == np.uint16:
        return values.astype(np.uint16) * np.uint16(257)
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
