"""The time and memory of an enlargement, predicted before it starts."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import lru_cache

import torch

from srlib.model import count_macs, receptive_field
from srlib.model.device import best_device
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.upscaling.engines import Options, Route, choose_route, network_for
from srlib.upscaling.tiling import tile_memory, tile_side, tiles, with_halo

_PROBE_MACS = 5e9  # about a tenth of a second on two cores: enough for a typical speed


@dataclass(frozen=True)
class Cost:
    """The cost of an enlargement: seconds on an idle machine, and bytes beside the input.

    The bytes are those of the largest tile and of the result. Engine and precision as in `Route`.
    """

    seconds: float
    memory: int
    tiles: int
    engine: str
    precision: str


def predict_cost(config: EDSRConfig, height: int, width: int, **options) -> Cost:
    """Predict what `upscale` costs at the model's own scale, without self-ensemble.

    The network's speed is measured on a small tile the first time, which takes a moment.

    Args:
        config: The shape of the network.
        height: Height of the LR image in pixels.
        width: Width of the LR image in pixels.
        **options: As for `upscale`. A network with hooks is computed with engine="torch".

    Example:
        >>> cost = predict_cost(EDSRConfig(scale=2, n_resblocks=1, n_feats=8), 64, 64)
        >>> cost.engine, cost.precision, cost.tiles
        ('torch', 'float32', 1)
    """
    chosen = Options(**options)
    device = best_device(chosen.device)
    route = choose_route(config, chosen, height * width)
    halo = receptive_field(config)
    places = tiles((slice(0, height), slice(0, width)), tile_side(chosen.tile, config, device))
    windows = [with_halo(place, halo, (height, width))[0] for place in places]
    pixels = [math.prod(span.stop - span.start for span in window) for window in windows]
    seconds = sum(pixels) * _seconds_per_pixel(config, device, route, torch.get_num_threads())
    memory = tile_memory(config, max(pixels)) + 3 * config.scale**2 * height * width
    return Cost(seconds, memory, len(places), route.engine, route.precision)


@lru_cache(maxsize=64)
def _seconds_per_pixel(
    config: EDSRConfig, device: torch.device, route: Route, threads: int
) -> float:
    """Measure the seconds per LR pixel, with random weights, which take as long as trained ones."""
    side = max(16, math.isqrt(int(_PROBE_MACS / count_macs(config, 1, 1))))
    lr = torch.zeros(1, 3, side, side, device=device).to(memory_format=torch.channels_last)
    options = Options(device=device, engine=route.engine, precision=route.precision)
    network = network_for(EDSR(config), options, side**2, lr)
    best = math.inf
    with torch.inference_mode():
        for _ in range(2):  # the first one warms up
            started = time.perf_counter()
            network(lr)[0, 0, 0, 0].item()  # waits for a GPU
            best = min(best, time.perf_counter() - started)
    return best / side**2
