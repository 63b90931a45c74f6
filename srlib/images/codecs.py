"""PNG and TIFF of 16 bits, which Pillow cannot hold, by imagecodecs and tifffile."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image
from PIL.ExifTags import IFD
from PIL.TiffImagePlugin import BITSPERSAMPLE, SAMPLEFORMAT, ImageFileDirectory_v2

from srlib.images.metadata import as_stored, profile_of_rgb

if TYPE_CHECKING:
    from srlib.images.picture import Picture

TILE = 256  # pixels a side of the tiles in a tiled TIFF
# Bytes of pixels. Noise compresses to a little more than itself, and a classic TIFF ends at 2^32.
CLASSIC_LIMIT = 4 * 10**9


def is_deep(path: str | os.PathLike) -> bool:
    """Tell by its header whether a file is a PNG or a TIFF of 16-bit gray or RGB."""
    with contextlib.suppress(Exception), Image.open(path, formats=("PNG", "TIFF")) as image:
        return has_deep_pixels(image)
    return False


def has_deep_pixels(image: Image.Image) -> bool:
    """Tell whether an image that was opened, not loaded, is a PNG or TIFF of more than 8 bits."""
    if image.format == "TIFF" and image.mode != "CMYK":
        bits = image.tag_v2.get(BITSPERSAMPLE, (1,))[0]
        return bits in (12, 16) and image.tag_v2.get(SAMPLEFORMAT, (1,))[0] == 1
    return image.format == "PNG" and str(image.tile[0].args).endswith(";16B")


def deep_samples(image: Image.Image, stream: BinaryIO) -> np.ndarray:
    """Decode the pixels of a PNG or TIFF that `has_deep_pixels`: uint16, (H, W, 1 to 4).

    Alpha is not premultiplied, and the orientation is not applied. A damaged file raises any error.
    """
    if image.format == "PNG":
        import imagecodecs  # not needed by a machine that just trains

        image.load()  # EXIF may follow the pixels
        stream.seek(0)
        samples = imagecodecs.png_decode(stream.read())
        return samples.reshape(*samples.shape[:2], -1)
    from tifffile import EXTRASAMPLE, PHOTOMETRIC, TiffFile

    stream.seek(0)
    page = TiffFile(stream).pages.first
    samples = page.asarray(maxworkers=1)
    if page.axes.startswith("S"):  # one plane per channel
        samples = np.moveaxis(samples, 0, -1)
    samples = samples.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)
    if page.bitspersample < 16:  # such as the 12 of a camera, whose white is 4095
        white = 2**page.bitspersample - 1
        samples = ((samples.astype(np.uint32) * 65535 + white // 2) // white).astype(np.uint16)
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        samples = 65535 - samples
    if page.extrasamples[:1] == (EXTRASAMPLE.UNSPECIFIED,):  # so it is no alpha (TIFF 6.0)
        samples = samples[..., :-1]
    elif page.extrasamples[:1] == (EXTRASAMPLE.ASSOCALPHA,):
        samples[..., :-1] = unpremultiply(samples[..., :-1], samples[..., -1])
    return samples


def encode_png(samples: np.ndarray, shell: bytes) -> bytes:
    """Encode uint16 samples, (H, W, 1 to 4), with the metadata of `shell`, a PNG by Pillow."""
    import imagecodecs

    png = imagecodecs.png_encode(samples[..., 0].copy() if samples.shape[2] == 1 else samples)
    after_header = 8 + 25  # the signature and the chunk IHDR, which comes first
    chunks = shell[after_header : shell.rindex(b"IDAT") - 4]
    return png[:after_header] + chunks + png[after_header:]


def write_tiff(
    file: BinaryIO,
    data: np.ndarray | Iterator[np.ndarray],
    like: Picture,
    size: tuple[int, int] | None = None,
) -> None:
    """Write samples, (H, W, C), as a TIFF with the dtype, channels and metadata of `like`.

    Gray with alpha becomes RGBA, and loses a profile of gray.

    With a size, (height, width), data are tiles instead, row by row: (TILE, TILE, C), or less at
    the right and lower edges. The file is then compressed without loss, and a BigTIFF if it may
    grow beyond a classic one. Alpha is not premultiplied.
    """
    import tifffile

    is_gray = like.mode == "L" and like.alpha is None
    channels = 1 if is_gray else 3 + (like.alpha is not None)
    # tifffile takes a third axis of one for pages, and Pillow reads no 16-bit gray with alpha.
    layers = slice(None) if like.mode == "RGB" else 0 if is_gray else [0, 0, 0, 1]
    data = data[..., layers] if size is None else (tile[..., layers] for tile in data)
    exif = Image.Exif()
    exif.load(like.exif or b"")
    layout = {}
    big = False
    if size is not None:
        shape = size if channels == 1 else (*size, channels)
        layout = {"shape": shape, "dtype": like.rgb.dtype, "tile": (TILE, TILE)}
        layout |= {"compression": "zlib", "predictor": True}
        padded = (math.ceil(side / TILE) * TILE for side in size)
        big = math.prod(padded) * channels * like.rgb.itemsize > CLASSIC_LIMIT
    resolution = {"resolution": like.dpi, "resolutionunit": "INCH"} if like.dpi else {}
    with tifffile.TiffWriter(file, bigtiff=big, byteorder="<") as tiff:
        tiff.write(
            data,
            photometric="minisblack" if is_gray else "rgb",
            planarconfig="contig",
            extrasamples=() if like.alpha is None else ("unassalpha",),
            iccprofile=like.icc_profile if is_gray else profile_of_rgb(like.icc_profile),
            extratags=list(_extra_tags(file, like, exif, big)),
            metadata=None,
            software=False,
            **resolution,
            **layout,
        )


def _extra_tags(file: BinaryIO, like: Picture, exif: Image.Exif, big: bool) -> Iterator[tuple]:
    """XMP and EXIF as tags for tifffile: (code, type, count, value, first page only).

    The directories of the camera's settings and of the place are written to the file at once, in
    front of the pixels. Their tags are given by name, because tifffile drops their numbers.
    """
    if like.xmp:
        yield 700, "B", len(like.xmp), like.xmp, True
    header = b"II+\0" + bytes(12) if big else b"II*\0" + bytes(4)  # all that Pillow needs of it
    for tag, value in exif.items():
        if tag in (IFD.Exif, IFD.GPSInfo):
            directory = ImageFileDirectory_v2(header)
            directory.update({name: as_stored(v) for name, v in exif.get_ifd(tag).items()})
            name = "ExifTag" if tag == IFD.Exif else "GPSTag"
            yield name, "Q" if big else "I", 1, file.tell(), True
            file.write(directory.tobytes(file.tell()))
            file.write(b"\0" * (file.tell() % 2))  # directories begin at even places
        elif isinstance(value, str):
            yield tag, "s", 0, as_stored(value).encode(), True
        elif isinstance(value, bytes):
            yield tag, "B", len(value), value, True
        else:
            yield tag, "H", 1, value, True


def unpremultiply(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Divide uint16 colour by uint16 alpha: at most white, and black where alpha is 0."""
    divisor = np.maximum(alpha, 1).astype(np.uint32)[..., None]
    straight = (rgb.astype(np.uint32) * 65535 + divisor // 2) // divisor
    return np.where(alpha[..., None] > 0, np.minimum(straight, 65535), 0).astype(np.uint16)


def to_depth(values: np.ndarray, dtype: type) -> np.ndarray:
    """Convert between uint8 and uint16: 255 becomes 65535, and back rounded to the nearest."""
    if values.dtype == dtype:
        return values
    if dtype == np.uint16:
        return values.astype(np.uint16) * np.uint16(257)
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
