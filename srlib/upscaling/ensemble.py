"""Self-ensemble: a network's answers to the eight flips and turns of a picture."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from srlib.upscaling.precision import Network


def eight_answers(network: Network, lr: Tensor) -> Iterator[Tensor]:
    """Yield a network's answers to the eight flips and quarter turns of `lr`, each turned back.

    This is the geometric self-ensemble of the EDSR paper (Lim et al. 2017, section 3.3).
    """
    for flipped in (False, True):
        for turns in range(4):
            turned = torch.rot90(lr.flip(-1) if flipped else lr, turns, (-2, -1))
            answer = network(turned.contiguous(memory_format=torch.channels_last))
            upright = torch.rot90(answer, -turns, (-2, -1))
            yield upright.flip(-1) if flipped else upright


def mean_of_eight(network: Network, lr: Tensor) -> Tensor:
    """Average the eight answers; like the network's own, neither clamped nor rounded."""
    return sum(eight_answers(network, lr)) / 8
