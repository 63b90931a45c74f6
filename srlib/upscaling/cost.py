"""How long an enlargement will take on this machine, and how much memory: asked before, told in advance (notebooks 00 and 03)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import lru_cache

import torch

from srlib.model.cost import count_macs, receptive_field
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.upscaling.engines import compiles, network_for
from srlib.upscaling.tiling import chosen_device, tile_memory, tile_side, tiles, with_halo

_LARGE = 10**9  # pixels; so many are compiled for, whatever the network
_PROBE_MACS = 5e9  # a tenth of a second or so on two cores, and enough for the speed to be typical


@dataclass(frozen=True)
class Cost:
    """seconds, and bytes of memory beside the input: what the largest tile needs, and the result."""

    seconds: float
    memory: int
    tiles: int


def predict_cost(
    config: EDSRConfig,
    height: int,
    width: int,
    *,
    tile: int | str = "auto",
    device: str | torch.device = "auto",
    compiled: bool | None = None,
) -> Cost:
    """The cost of `srlib.upscale.upscale` for an LR image of height x width at the model's own scale, without self-ensemble.

    The first time, the network's speed is measured on a small tile, which takes a moment, and more for a large network.  The
    forecast is for a machine that does nothing else; what else it does makes it longer.  compiled: False where the network's
    layers are watched by hooks, so that only PyTorch can compute it; as `upscale` chooses if None.
    """
    device = torch.device(chosen_device(device))
    halo, side = receptive_field(config), tile_side(tile, config, device)
    places = tiles((slice(0, height), slice(0, width)), side)
    seen = [
        math.prod(span.stop - span.start for span in with_halo(place, halo, (height, width))[0])
        for place in places
    ]
    if compiled is None:
        compiled = compiles(config, device, height * width)
    result = 3 * config.scale**2 * height * width
    seconds = sum(seen) * _seconds_per_pixel(config, device, torch.get_num_threads(), compiled)
    return Cost(seconds, tile_memory(config, max(seen)) + result, len(places))


@lru_cache(maxsize=64)
def _seconds_per_pixel(
    config: EDSRConfig, device: torch.device, threads: int, compiled: bool
) -> float:
    """Of an LR pixel, for this network; weights do not change the time, so they need not be the trained ones."""
    side = max(16, math.isqrt(int(_PROBE_MACS / count_macs(config, 1, 1))))
    lr, best = (
        torch.zeros(1, 3, side, side, device=device).to(memory_format=torch.channels_last),
        math.inf,
    )
    network = network_for(EDSR(config), device, pixels=_LARGE if compiled else 0)
    with torch.inference_mode():
        for _ in range(2):  # the first one warms up
            started = time.perf_counter()
            network(lr)[0, 0, 0, 0].item()  # a number on the CPU: a GPU has then really finished
            best = min(best, time.perf_counter() - started)
    return best / side**2
