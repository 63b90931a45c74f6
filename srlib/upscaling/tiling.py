"""A network over a large picture, tile by tile, with the answer it would give for the whole (notebooks 00 and 03)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from numbers import Integral

import numpy as np
import psutil
import torch
from torch import Tensor

from srlib.images.picture import to_tensor
from srlib.model.cost import receptive_field
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.upscaling.engines import Network, network_for

SMALLEST_TILE = (
    16  # LR pixels: below, the halo is all that is computed, and a smaller tile saves no memory
)
_MAPS_ALIVE, _ANSWERS_ALIVE = (
    5,
    4,
)  # feature maps and answers in float32 held at the worst moment of a tile: measured, rounded up
_LARGEST_TILE = 512  # beyond, the halo is little, and progress and Cancel get slow
Window = tuple[slice, slice]  # rows and columns


def by_tiles(
    rgb: np.ndarray,
    model: EDSR,
    render: Callable[[Network, Tensor], np.ndarray],
    out: np.ndarray,
    *,
    rows: slice | None = None,
    tile: int | str = "auto",
    device: str | torch.device = "auto",
    precision: str = "auto",
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Fill `out` tile by tile with render(network, lr), lr (1, 3, h, w) in [0, 1]; where memory runs out, by smaller tiles.

    rgb: uint8 or uint16 (H, W, 3).  rows: those of `rgb` whose answer is wanted, all if None; `out` has scale times their number.
    Each tile is computed with a halo as wide as the receptive field, so that the joined picture is the untiled one.  The other
    arguments and errors: as for `srlib.upscale.upscale`.
    """
    device, scale, halo = chosen_device(device), model.config.scale, receptive_field(model.config)
    rows = rows or slice(0, len(rgb))
    side = tile_side(tile, model.config, device)
    network = network_for(model, device, precision, pixels=(rows.stop - rows.start) * rgb.shape[1])
    places, done = deque(tiles((rows, slice(0, rgb.shape[1])), side)), 0
    with torch.inference_mode():
        while places:
            seen, kept = with_halo(places[0], halo, rgb.shape)
            try:
                lr = to_tensor(rgb[seen])[None].to(device, memory_format=torch.channels_last)
                answer = render(network, lr)
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                side = max(span.stop - span.start for span in places[0]) // 2
                if side < SMALLEST_TILE:
                    raise MemoryError(_too_little(rgb[seen].shape, device)) from error
                places = deque(smaller for place in places for smaller in tiles(place, side))
                continue
            place = places.popleft()
            below = slice(place[0].start - rows.start, place[0].stop - rows.start)
            out[_times((below, place[1]), scale)] = answer[_times(kept, scale)]
            done += 1
            if on_progress:
                on_progress(done, done + len(places))


def chosen_device(device: str | torch.device) -> str | torch.device:
    """`device`, or for "auto" the GPU if there is one."""
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


# The allocators for the CPU and for other devices than CUDA raise a plain RuntimeError, and oneDNN, which computes convolutions
# on the CPU, does not even say why it fails: only their words tell.
_SHORT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "out of memory",
    "could not create a primitive",
    "bad_alloc",
)


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in _SHORT_OF_MEMORY)


def _too_little(shape: tuple[int, ...], device: str | torch.device) -> str:
    return (
        f"Even a piece of {shape[1]} x {shape[0]} pixels of this image does not fit into the free memory ({device}); "
        "close other programs, or take a model with fewer features."
    )


def tiles(area: Window, side: int) -> list[Window]:
    """The area cut into tiles of at most `side` pixels a side, row by row."""
    rows, columns = (cut(span, side) for span in area)
    return [(r, c) for r in rows for c in columns]


def cut(span: slice, side: int) -> list[slice]:
    """The span in pieces of at most `side`, all alike, rather than a sliver at the end."""
    size = span.stop - span.start
    count = math.ceil(size / side)
    cuts = [span.start + size * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(cuts)]


def with_halo(place: Window, halo: int, shape: tuple[int, ...]) -> tuple[Window, Window]:
    """What the model sees of the image for this tile, and what of its answer is kept; in LR pixels."""
    seen = tuple(
        slice(max(0, s.start - halo), min(size, s.stop + halo))
        for s, size in zip(place, shape, strict=False)
    )
    kept = tuple(
        slice(p.start - s.start, p.stop - s.start) for p, s in zip(place, seen, strict=True)
    )
    return seen, kept


def _times(window: Window, scale: int) -> Window:
    return tuple(slice(s.start * scale, s.stop * scale) for s in window)


def tile_memory(config: EDSRConfig, pixels: int) -> int:
    """Bytes that the network needs for a tile of this many LR pixels, halo included."""
    maps = 4 * config.n_feats * _MAPS_ALIVE
    answer = 3 * config.scale**2 * (4 * _ANSWERS_ALIVE)
    return pixels * (maps + answer)


def tile_side(tile: int | str, config: EDSRConfig, device: str | torch.device) -> int:
    """LR pixels a side: `tile`, or for "auto" what takes a quarter of the device's free memory, between 64 and 512.

    Raises TypeError for another word or kind of thing, ValueError for a number below 1.
    """
    if tile == "auto":
        affordable = _free_memory(torch.device(device)) // 4 // tile_memory(config, 1)
        return min(_LARGEST_TILE, max(64, math.isqrt(affordable) - 2 * receptive_field(config)))
    if isinstance(tile, bool) or not isinstance(tile, Integral):
        raise TypeError(f'tile is a number of LR pixels or "auto", not {tile!r}.')
    if tile < 1:
        raise ValueError(f"A tile has at least one pixel a side, not {tile}.")
    return tile


def _free_memory(device: torch.device) -> int:
    """Bytes.  On CUDA with what PyTorch holds in store, which the driver counts as taken."""
    if device.type != "cuda":
        return psutil.virtual_memory().available
    return (
        torch.cuda.mem_get_info(device)[0]
        + torch.cuda.memory_reserved(device)
        - torch.cuda.memory_allocated(device)
    )
