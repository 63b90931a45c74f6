"""Enlarging a picture that is too large for the memory: strip by strip into a TIFF (notebook 00)."""

from __future__ import annotations

import math
import os
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from PIL.TiffTags import LONG, LONG8

from srlib.images.alpha import bleed
from srlib.images.picture import ImageError, Picture, read_image
from srlib.images.resize import imresize
from srlib.model.edsr import EDSR
from srlib.upscaling.enlarge import chosen_model, gray_of, super_resolve

_STRIP = 512  # LR rows; 512 * 4 rows of 24,000 pixels are 150 MB
_TILE = 256  # HR pixels a side, in the file; a strip, of any scale, is whole rows of tiles
_PREDICTOR, _TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_BYTES, _PROFILE = (
    317,
    322,
    323,
    324,
    325,
    34675,
)
_CLASSIC = (
    4 * 10**9
)  # bytes before packing; noise packs to a little more than itself, and a classic TIFF ends at 2^32
_DEFLATE, _DIFFERENCES, _STRAIGHT_ALPHA = 8, 2, 2


def upscale_to_tiff(
    source: str | os.PathLike | Picture,
    target: str | os.PathLike,
    model: EDSR | None = None,
    *,
    tile: int | str = "auto",
    self_ensemble: bool = False,
    device: str | torch.device = "auto",
    precision: str = "auto",
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Enlarge the picture `source` by the model into the TIFF `target`; the same pixels as `upscale`, in bounded memory.

    The result is never held whole: beside the source there are one strip of it and the network's tiles, less than 2 GB whatever
    the height.  Depth, gray, alpha, profile and EXIF are kept.  The file is tiled and compressed without loss (deflate), which
    viewers of large pictures like, and appears when it is complete.  Arguments as for `upscale`, but for the scale, which is the
    model's own; on_progress(tiles done, tiles in all) may raise to cancel, and then nothing is left behind.

    A result that may not fit into the 4 GB of a classic TIFF becomes a BigTIFF.

    Raises FileExistsError if the target is there and `overwrite` is not set, ImageError for another suffix than .tif or .tiff,
    and what `upscale` raises.
    """
    target = Path(target)
    if target.suffix.lower() not in (".tif", ".tiff"):
        raise ImageError(
            f"{target.name} cannot be written by strips: name it .tif, the one format made for that here."
        )
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists; choose another name, or overwrite=True.")
    model = chosen_model(model)
    lr = bleed(source if isinstance(source, Picture) else read_image(source))
    options = {
        "tile": tile,
        "self_ensemble": self_ensemble,
        "device": device,
        "precision": precision,
    }
    scratch = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with open(scratch, "wb") as file:
            strips = _strips(lr, model, options, on_progress)
            height, width = (side * model.config.scale for side in lr.size)
            write_tiff(
                file,
                strips,
                height,
                width,
                replace(lr, rgb=lr.rgb[:1], alpha=None),
                alpha=lr.alpha is not None,
            )
        os.replace(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)
    return target


def _strips(lr: Picture, model: EDSR, options: dict, on_progress) -> Iterator[np.ndarray]:
    """The answer from top to bottom: (rows, scale * W, channels)."""
    scale, done = model.config.scale, 0
    pieces = [
        slice(start, min(start + _STRIP, len(lr.rgb))) for start in range(0, len(lr.rgb), _STRIP)
    ]
    for number, rows in enumerate(pieces, 1):

        def progress(
            tiles: int, of_strip: int, before: int = done, left: int = len(pieces) - number
        ) -> None:
            nonlocal done
            done = before + tiles
            if on_progress:
                on_progress(done, before + of_strip * (1 + left))

        rgb = super_resolve(lr.rgb, model, rows=rows, on_progress=progress, **options)
        layers = [gray_of(rgb)[..., None] if lr.mode == "L" else rgb]
        if lr.alpha is not None:
            layers.append(_enlarged_rows(lr.alpha, rows, scale)[..., None])
        yield np.dstack(layers)


def _enlarged_rows(plane: np.ndarray, rows: slice, scale: int) -> np.ndarray:
    """`imresize(plane, scale)`, of these rows alone; bicubic sees two pixels to each side."""
    start, stop = max(0, rows.start - 3), min(len(plane), rows.stop + 3)
    return imresize(plane[start:stop], scale)[
        (rows.start - start) * scale : (rows.stop - start) * scale
    ]


def write_tiff(
    file: BinaryIO,
    strips: Iterator[np.ndarray],
    height: int,
    width: int,
    kept: Picture,
    *,
    alpha: bool,
) -> None:
    """A tiled TIFF (TIFF 6.0, section 15) of strips (rows, width, channels), rows a multiple of 256 but in the last one.

    kept: whose depth, mode, profile and EXIF it gets.  Its tags come last, when the places of the tiles are known.  A BigTIFF,
    whose offsets have 64 bits, if all of it comes to more than a classic one holds.
    """
    import imagecodecs

    tags = Image.Exif()
    tags.load(kept.exif or b"")
    count = (1 if kept.mode == "L" else 3) + alpha
    big = (
        math.prod(math.ceil(side / _TILE) * _TILE for side in (height, width))
        * count
        * kept.rgb.itemsize
        > _CLASSIC
    )
    tags.endian = "<" if big else tags.endian or "<"  # Pillow writes no big-endian BigTIFF
    file.write(bytes(16 if big else 8))
    offsets, sizes = [], []
    for strip in strips:
        for top in range(0, len(strip), _TILE):
            for left in range(0, width, _TILE):
                block = strip[top : top + _TILE, left : left + _TILE]
                packed = imagecodecs.deflate_encode(
                    _differences(block, tags.endian), level=6, raw=False
                )
                offsets.append(file.tell())
                sizes.append(file.write(packed))
    tags[Base.ImageWidth], tags[Base.ImageLength], tags[Base.SamplesPerPixel] = width, height, count
    tags[Base.BitsPerSample] = (8 * kept.rgb.itemsize,) * count
    tags[Base.PhotometricInterpretation] = 1 if kept.mode == "L" else 2
    tags[Base.Compression], tags[_PREDICTOR], tags[Base.PlanarConfiguration] = (
        _DEFLATE,
        _DIFFERENCES,
        1,
    )
    tags[_TILE_WIDTH], tags[_TILE_LENGTH], tags[_TILE_OFFSETS], tags[_TILE_BYTES] = (
        _TILE,
        _TILE,
        tuple(offsets),
        tuple(sizes),
    )
    if alpha:
        tags[Base.ExtraSamples] = _STRAIGHT_ALPHA
    if kept.icc_profile:
        tags[_PROFILE] = kept.icc_profile
    place = file.tell() + file.tell() % 2
    header = b"II" if tags.endian == "<" else b"MM"
    header += (
        struct.pack(f"{tags.endian}3HQ", 43, 8, 0, place)
        if big
        else struct.pack(f"{tags.endian}HL", 42, place)
    )
    file.seek(place)
    file.write(_directory(tags, header).tobytes(place))
    file.seek(0)
    file.write(header)


def _directory(tags: Image.Exif, header: bytes) -> ImageFileDirectory_v2:
    """As `tags.tobytes` makes it, but for the offsets, which have 64 bits in a BigTIFF."""
    directory = ImageFileDirectory_v2(header)
    directory.tagtype[_TILE_OFFSETS] = LONG8 if header[2] == 43 else LONG
    for tag, value in tags.items():
        directory[tag] = dict(tags.get_ifd(tag)) if tag in (IFD.Exif, IFD.GPSInfo) else value
    if IFD.Interop in directory.get(IFD.Exif, {}):
        directory[IFD.Exif][IFD.Interop] = tags.get_ifd(IFD.Interop)
    return directory


def _differences(block: np.ndarray, endian: str) -> bytes:
    """A whole tile of the file, the missing part black, each value as the difference to its left neighbour (TIFF 6.0, 14)."""
    tile = np.zeros((_TILE, _TILE, block.shape[2]), block.dtype)
    tile[: block.shape[0], : block.shape[1]] = block
    tile[:, 1:] -= tile[:, :-1].copy()
    return tile.astype(tile.dtype.newbyteorder(endian)).tobytes()
