"""Files of photographs put together by hand or by other libraries, for the tests of reading and writing."""

import functools
import io
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image, ImageCms, PngImagePlugin


def saved(image: Image.Image, kind: str = "PNG", **options) -> io.BytesIO:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    stream.seek(0)
    return stream


def chunk(name: bytes, data: bytes) -> bytes:
    stream = io.BytesIO()
    PngImagePlugin.putchunk(stream, name, data)
    return stream.getvalue()


def png16(
    samples: np.ndarray, *before: bytes, size: tuple[int, int] | None = None, after: bytes = b""
) -> io.BytesIO:
    """A 16-bit PNG put together by the book: unfiltered rows, most significant byte first."""
    height, width = size or samples.shape[:2]
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[samples.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows)) + after + chunk(b"IEND", b"")
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + data)


def tiff16(samples: np.ndarray, **options) -> io.BytesIO:
    """A 16-bit TIFF by tifffile, for (H, W, 1 to 4)."""
    stream = io.BytesIO()
    count = samples.shape[2]
    options = {
        "photometric": "rgb" if count > 2 else "minisblack",
        "planarconfig": "contig",
    } | options
    if count in (2, 4):
        options.setdefault("extrasamples", ["unassalpha"])
    tifffile.imwrite(stream, samples if count > 1 else samples[..., 0], **options)
    stream.seek(0)
    return stream


def deep_of(photo: np.ndarray, count: int) -> np.ndarray:
    """(H, W, count) of 16 bits whose lower bytes matter."""
    bands = np.dstack([photo, photo[::-1, :, :1]])[..., :count].astype(np.uint16)
    return bands * 256 + bands[::-1]


def camera_exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x013B] = "A. Photographer"
    exif.get_ifd(0x8769).update({0x829D: 2.8, 0xA002: 4000})
    exif.get_ifd(0x8825)[1] = "N"
    return exif


@functools.cache  # the time is in it
def profile(space: str = "sRGB") -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()
