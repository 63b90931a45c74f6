"""A network's answers to the eight flips and turns of a picture, and a map of where they differ."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from srlib.images.alpha import bleed
from srlib.images.picture import LUMA_WEIGHTS, AnyImage, as_picture
from srlib.model.edsr import EDSR, checked_model
from srlib.upscaling.precision import Network, Options
from srlib.upscaling.tiling import by_tiles


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


def uncertainty_map(image: AnyImage, model: EDSR, **options) -> np.ndarray:
    """Map where a network is unsure: the spread of its answers to eight flips and turns.

    It is zero where turning the image turns the answer and does nothing else.

    Args:
        image: As for `upscale`.
        model: As for `upscale`.
        **options: As for `upscale`.

    Returns:
        float32 (scale * H, scale * W): the standard deviation of the luma of the eight answers, in
        grey levels of 255 whatever the depth.
    """

    def render(network: Network, lr: Tensor) -> np.ndarray:
        weights = lr.new_tensor(LUMA_WEIGHTS.tolist()).view(3, 1, 1) * 255
        lumas = [(answer.clamp(0, 1) * weights).sum(1) for answer in eight_answers(network, lr)]
        return torch.stack(lumas).std(0, correction=0)[0].cpu().numpy()

    rgb = bleed(as_picture(image)).rgb
    scale = checked_model(model).config.scale
    spread = np.empty((len(rgb) * scale, rgb.shape[1] * scale), np.float32)
    by_tiles(rgb, model, render, spread, Options(**options), passes=8)
    return spread
