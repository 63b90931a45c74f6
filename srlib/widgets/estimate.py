"""How long this machine takes for a picture, and how much memory, before it begins."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache

import torch

from srlib.model import EDSR, EDSRConfig, receptive_field

_PROBE = EDSRConfig(2, 4, 32)
_PROBE_SIDE = 96  # LR pixels
_TILE = 512  # LR pixels, the largest tile of `upscale`
_TENSORS_ALIVE = 8  # feature maps at the worst moment of a forward pass


@dataclass(frozen=True)
class Cost:
    seconds: float
    memory_bytes: int


def predict_cost(config: EDSRConfig, height: int, width: int) -> Cost:
    """For an image of height x width LR pixels on this machine's CPU, tiles with their halo; beyond the program's own memory."""
    halo = receptive_field(config)
    tiles = [-(-side // _TILE) for side in (height, width)]
    seen = [min(side, -(-side // count) + 2 * halo) for side, count in zip((height, width), tiles, strict=True)]
    macs = _macs_per_pixel(config) * seen[0] * seen[1] * tiles[0] * tiles[1]
    pictures = 6 * height * width * config.scale**2  # the answer and bicubic's, 8 bits
    return Cost(macs / _macs_per_second(), 4 * config.n_feats * _TENSORS_ALIVE * seen[0] * seen[1] + pictures)


def _macs_per_pixel(config: EDSRConfig) -> int:
    """Multiply-accumulates for each LR pixel as `upscale` computes them, with the tail folded into one convolution."""
    f = config.n_feats
    return 9 * (3 * f + (2 * config.n_resblocks + 1) * f * f) + 25 * f * 3 * config.scale**2


@lru_cache(maxsize=1)
def _macs_per_second() -> float:
    """Measured once, on a small network; the best of three, since the first one warms up."""
    model = EDSR(_PROBE).eval().to(memory_format=torch.channels_last)
    lr = torch.zeros(1, 3, _PROBE_SIDE, _PROBE_SIDE).to(memory_format=torch.channels_last)
    seconds = []
    with torch.inference_mode():
        for _ in range(3):
            began = time.perf_counter()
            model.features(lr)
            seconds.append(time.perf_counter() - began)
    return 9 * (3 * 32 + 9 * 32 * 32) * _PROBE_SIDE**2 / min(seconds)
