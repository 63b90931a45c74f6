"""Enlarging a picture that is too large for the memory, strip by strip into a TIFF."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from srlib.files.whole import whole_file
from srlib.images.alpha import bleed
from srlib.images.codecs import TILE, write_tiff
from srlib.images.picture import ImageError, Picture, read_image, to_gray
from srlib.images.resize import imresize
from srlib.model.edsr import EDSR, checked_model
from srlib.upscaling.choice import chosen_model
from srlib.upscaling.enlarge import super_resolve
from srlib.upscaling.precision import Options

_STRIP = TILE  # the least LR rows of a strip; at any scale they make whole rows of tiles
_STRIP_BYTES = 400e6  # of the result; up to this, longer strips, which save time at their halos
_BICUBIC_REACH = 3  # LR rows above and below a strip that bicubic needs


def upscale_to_tiff(
    source: str | os.PathLike | Picture,
    target: str | os.PathLike,
    model: EDSR | None = None,
    *,
    self_ensemble: bool = False,
    overwrite: bool = False,
    **options,
) -> Path:
    """Enlarge a picture into a TIFF, with the same pixels as `upscale`, in bounded memory.

    Memory holds the source, one strip of the result and the network's tiles: less than 2 GB at any
    height. Depth, gray, alpha and metadata are kept as by `write_image`. The file is compressed
    without loss, appears once it is complete, and is a BigTIFF where 4 GB may not be enough.

    Args:
        source: A picture or its path.
        target: The file to write, with the suffix .tif or .tiff.
        model: As for `upscale`; the scale is the model's own, 4 if None.
        self_ensemble: As for `upscale`.
        overwrite: Replace a target that is there.
        **options: As for `upscale`. After a cancel by `on_progress` nothing is left behind.

    Returns:
        The target.

    Raises:
        FileExistsError: The target is there and `overwrite` is not set.
        ImageError: The target has another suffix.
        Exception: All that `upscale` raises.
    """
    target = Path(target)
    if target.suffix.lower() not in (".tif", ".tiff"):
        raise ImageError(
            f"{target.name} cannot be written in strips: only a TIFF can; name it .tif."
        )
    if os.path.exists(target) and not overwrite:
        raise FileExistsError(f"{target} exists; choose another name, or overwrite=True.")
    Options(**options)  # finds a typo before the picture is read
    lr = bleed(source if isinstance(source, Picture) else read_image(source))
    options["self_ensemble"] = self_ensemble
    if model is None:
        model = chosen_model(lr, None, **options)
    checked_model(model)
    size = (lr.size[0] * model.config.scale, lr.size[1] * model.config.scale)
    with whole_file(target) as part, open(part, "wb") as file:
        write_tiff(file, _tiles(_strips(lr, model, **options)), lr, size)
    return target


def _tiles(strips: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for strip in strips:
        for top in range(0, strip.shape[0], TILE):
            for left in range(0, strip.shape[1], TILE):
                yield strip[top : top + TILE, left : left + TILE]


def _strips(
    lr: Picture,
    model: EDSR,
    *,
    on_progress: Callable[[float, int], None] | None = None,
    **options,
) -> Iterator[np.ndarray]:
    """The enlarged picture from top to bottom: (rows, scale * W, channels)."""
    row_bytes = lr.rgb[:1].nbytes * model.config.scale**2
    size = 2 * _STRIP if 2 * _STRIP * row_bytes <= _STRIP_BYTES else _STRIP
    starts = range(0, len(lr.rgb), size)

    def progress(strip: int, done: float, tiles: int) -> None:
        if on_progress:
            on_progress(strip * tiles + done, len(starts) * tiles)

    for number, start in enumerate(starts):
        rows = slice(start, min(start + size, len(lr.rgb)))
        options["on_progress"] = partial(progress, number)
        rgb = super_resolve(lr.rgb, model, rows=rows, **options)
        layers = [to_gray(rgb)[..., None] if lr.mode == "L" else rgb]
        if lr.alpha is not None:
            border = options.get("padding", "symmetric")
            layers.append(_enlarged_rows(lr.alpha, rows, model.config.scale, border))
        yield layers[0] if len(layers) == 1 else np.dstack(layers)


def _enlarged_rows(plane: np.ndarray, rows: slice, scale: int, border: str) -> np.ndarray:
    """These rows of `imresize(plane, scale, border=border)`."""
    beyond = _BICUBIC_REACH
    padded = np.pad(plane, ((beyond, beyond), (0, 0)), border)  # borders have numpy.pad's names
    enlarged = imresize(padded[rows.start : rows.stop + 2 * beyond], scale, border=border)
    return enlarged[beyond * scale : -beyond * scale]
