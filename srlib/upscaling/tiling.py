"""A network over a large picture, tile by tile, with the answer that it gives for the whole."""

import math
from collections import deque
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import psutil
import torch
from torch import Tensor

from srlib.images.tensors import to_tensor
from srlib.model import receptive_field
from srlib.model.device import best_device
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.upscaling.precision import Network, Options, network_for

# LR pixels of the mirrored picture around it. With 8 the answer is within a level of that with the
# whole receptive field (36 for EDSR-baseline), for 8 % more time at 510 x 339 pixels.
MARGIN = 8
SMALLEST_TILE = 16  # LR pixels; a smaller tile is nearly all halo and saves no memory
_LARGEST_TILE = 512  # beyond, the halo costs little, and progress and Cancel get slow
_PIECE = 48  # LR pixels a side of the piece on which 16 bits are tried
# float32 maps and answers alive at the worst moment of a tile, if it is computed whole as on a GPU:
# measured, rounded up. In bands it takes half to four fifths of that.
_MAPS_ALIVE = 5
_ANSWERS_ALIVE = 4
# Except for CUDA, an allocator that fails raises a plain RuntimeError, and oneDNN does not even
# name the reason.
_SHORT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "out of memory",
    "could not create a primitive",
    "bad_alloc",
)
Window = tuple[slice, slice]  # rows and columns


def by_tiles(
    rgb: np.ndarray,
    model: EDSR,
    render: Callable[[Network, Tensor], np.ndarray],
    out: np.ndarray,
    options: Options,
    rows: slice | None = None,
    passes: int = 1,
) -> None:
    """Compute a picture tile by tile, by smaller tiles where memory runs out.

    With a halo as wide as the receptive field the tiles join to the answer for the whole picture.

    Args:
        rgb: LR picture, uint8 or uint16 (H, W, 3).
        model: The network.
        render: Makes the pixels of a tile; gets the network and lr, (1, 3, h, w) in [0, 1].
        out: The result, to be filled; `scale` times as high as `rows` and as wide as `rgb`.
        options: How the network is run.
        rows: The LR rows to compute, all if None; the network sees the others too.
        passes: How often `render` calls the network.

    Raises:
        MemoryError: Even the smallest tile does not fit.
    """
    device = best_device(options.device)
    scale = model.config.scale
    halo = receptive_field(model.config)
    rows = rows or slice(0, len(rgb))
    area = (rows, slice(0, rgb.shape[1]))
    side = tile_side(options.tile, model.config, device)
    places = deque(tiles(area, side))
    # By the whole picture, so that all its strips are computed alike.
    piece = to_tensor(rgb[tuple(_middle(size) for size in rgb.shape[:2])])[None]
    blocks = model.config.n_resblocks * passes
    blocks_done = 0  # of the tile under way
    tiles_done = 0
    total = 0  # tiles

    def on_block() -> None:
        """Report a block, unless it ends a tile or belongs to the trial of a precision."""
        nonlocal blocks_done
        blocks_done += 1
        if options.on_progress and total and blocks_done < blocks:
            options.on_progress(tiles_done + blocks_done / blocks, total)

    lr_pixels = len(rgb) * rgb.shape[1]
    # Without an autocast of the caller's: bfloat16 is for the body alone.
    with torch.inference_mode(), torch.autocast(device.type, enabled=False):
        network = network_for(model, options, lr_pixels, piece, on_block)
        while places:
            seen, kept = with_halo(places[0], halo, rgb.shape)
            blocks_done = 0
            total = tiles_done + len(places)
            try:
                lr = to_tensor(padded(rgb, seen, options.padding))[None]
                answer = render(network, lr.to(device, memory_format=torch.channels_last))
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                side = max(span.stop - span.start for span in places[0]) // 2
                if side < SMALLEST_TILE:
                    height, width = (span.stop - span.start for span in seen)
                    raise MemoryError(
                        f"Even a piece of {width} x {height} pixels of this image does not fit "
                        f"into the free memory ({device}); close other programs, or take a model "
                        "with fewer features."
                    ) from error
                places = deque(smaller for place in places for smaller in tiles(place, side))
                continue
            place = places.popleft()
            below = slice(place[0].start - rows.start, place[0].stop - rows.start)
            out[_times((below, place[1]), scale)] = answer[_times(kept, scale)]
            tiles_done += 1
            if options.on_progress:
                options.on_progress(tiles_done, total)


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in _SHORT_OF_MEMORY)


def _middle(size: int) -> slice:
    start = max(0, (size - _PIECE) // 2)
    return slice(start, start + _PIECE)


def tiles(area: Window, side: int) -> list[Window]:
    """Cut an area into tiles of at most `side` pixels a side, row by row."""
    rows, columns = (_cut(span, side) for span in area)
    return [(row, column) for row in rows for column in columns]


def _cut(span: slice, side: int) -> list[slice]:
    """Pieces of nearly equal size, rather than a sliver at the end."""
    size = span.stop - span.start
    count = math.ceil(size / side)
    cuts = [span.start + size * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(cuts)]


def with_halo(place: Window, halo: int, shape: tuple[int, ...]) -> tuple[Window, Window]:
    """Find the window that the network sees for a tile, and the part of it that is kept.

    The window may reach up to MARGIN beyond the picture; the part is counted within the window.
    """
    seen = tuple(
        slice(max(-MARGIN, span.start - halo), min(size + MARGIN, span.stop + halo))
        for span, size in zip(place, shape, strict=False)
    )
    kept = tuple(
        slice(inner.start - outer.start, inner.stop - outer.start)
        for inner, outer in zip(place, seen, strict=True)
    )
    return seen, kept


def padded(rgb: np.ndarray, window: Window, padding: str) -> np.ndarray:
    """Cut out a window that may reach beyond the picture, which is mirrored or repeated there."""
    rows, columns = (
        np.pad(np.arange(size), MARGIN, padding)[span.start + MARGIN : span.stop + MARGIN]
        for span, size in zip(window, rgb.shape, strict=False)
    )
    return rgb[np.ix_(rows, columns)]


def _times(window: Window, scale: int) -> Window:
    return tuple(slice(span.start * scale, span.stop * scale) for span in window)


def tile_memory(config: EDSRConfig, pixels: int) -> int:
    """Estimate the bytes for a tile of so many LR pixels, halo included."""
    maps = 4 * config.n_feats * _MAPS_ALIVE
    answer = 4 * 3 * config.scale**2 * _ANSWERS_ALIVE
    return pixels * (maps + answer)


def tile_side(tile: int | str, config: EDSRConfig, device: torch.device) -> int:
    """LR pixels a side: `tile`, or for "auto" a quarter of the free memory, between 64 and 512."""
    if tile != "auto":
        return tile
    affordable = _free_memory(device) // 4 // tile_memory(config, 1)
    return min(_LARGEST_TILE, max(64, math.isqrt(affordable) - 2 * receptive_field(config)))


def _free_memory(device: torch.device) -> int:
    """Bytes; on CUDA with those that PyTorch keeps in store, which the driver counts as used."""
    if device.type != "cuda":
        return psutil.virtual_memory().available
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
