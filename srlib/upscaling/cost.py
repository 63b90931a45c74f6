"""The time and memory of an enlargement, predicted before it starts."""

import math
from dataclasses import dataclass

import torch

from srlib.model import receptive_field
from srlib.model.device import best_device
from srlib.model.edsr import TAIL_REACH, EDSRConfig
from srlib.upscaling.precision import Options, choose_precision, trial
from srlib.upscaling.tiling import tile_memory, tile_side, tiles, with_halo

_AROUND = 1.2  # all there is around the blocks: 1.1 to 1.4, measured for five networks


@dataclass(frozen=True)
class Cost:
    """The cost of an enlargement: seconds on an idle machine, and bytes beside the input.

    The bytes are those of the largest tile and of the result.
    """

    seconds: float
    memory: int
    precision: str


def predict_cost(config: EDSRConfig, height: int, width: int, **options) -> Cost:
    """Predict what `upscale` costs at the model's own scale, without self-ensemble.

    The time is counted from a residual block that is timed the first time, for some 50 ms.

    Args:
        config: The shape of the network.
        height: Height of the LR image in pixels.
        width: Width of the LR image in pixels.
        **options: As for `upscale`.

    Example:
        >>> predict_cost(EDSRConfig(scale=2, n_resblocks=1, n_feats=8), 64, 64).precision
        'float32'
    """
    chosen = Options(**options)
    device = best_device(chosen.device)
    precision = choose_precision(config, chosen, height * width)
    halo = receptive_field(config)
    places = tiles((slice(0, height), slice(0, width)), tile_side(chosen.tile, config, device))
    windows = [with_halo(place, halo, (height, width))[0] for place in places]
    pixels = [math.prod(span.stop - span.start for span in window) for window in windows]
    macs = sum(pixels) * _macs(config)
    timed = trial(config.n_feats, device)
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    seconds = _AROUND * macs * timed.get(precision, timed["float32"]) / threads
    memory = tile_memory(config, max(pixels)) + 3 * config.scale**2 * height * width
    return Cost(seconds, memory, precision)


def _macs(config: EDSRConfig) -> int:
    """Count the multiply-accumulates for an LR pixel, with the tail as one convolution."""
    n_feats = config.n_feats
    body = 9 * n_feats**2 * (2 * config.n_resblocks + 1)
    tail = (2 * TAIL_REACH + 1) ** 2 * n_feats * 3 * config.scale**2
    return 9 * 3 * n_feats + body + tail
