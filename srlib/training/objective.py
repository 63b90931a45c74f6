"""The loss of one training step in mixed precision, and the moving average of the weights."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from srlib.model.device import processor_seconds
from srlib.model.edsr import EDSR, TAIL_REACH, forward_interior
from srlib.training.config import TrainConfig
from srlib.training.losses import SRLoss

SHORT = 50  # steps; a training this short would lose more by the trial than it could gain
ROUNDS = 3  # of the trial
SAMPLES = 2  # of the batch, on which the trial is made


class Objective(nn.Module):
    """The loss of a network's output, as a module, which torch.compile can take as a whole."""

    def __init__(self, model: EDSR, loss: SRLoss, *, bfloat16: bool = False):
        super().__init__()
        self.model = model
        self.loss = loss
        self.bfloat16 = bfloat16

    def forward(self, lr: Tensor, hr: Tensor) -> Tensor:
        """The loss of a batch, without its outer TAIL_REACH LR pixels."""
        border = TAIL_REACH * self.model.config.scale
        sr = forward_interior(self.model, lr, bfloat16=self.bfloat16)
        return self.loss(sr, hr[:, :, border:-border, border:-border])


def choose_precision(
    objective: Objective, batch: tuple[Tensor, Tensor], config: TrainConfig
) -> str:
    """Choose "float32" or "bfloat16": the one in the config, or for "auto" the faster one.

    On a CPU a few small steps are timed, which changes no weights.
    """
    if config.precision != "auto":
        return config.precision
    device = batch[0].device.type
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    if device != "cpu" or config.max_epochs * config.steps_per_epoch <= SHORT:
        return "float32"
    sample = [images[:SAMPLES] for images in batch]

    def step(bfloat16: bool) -> None:
        objective.bfloat16 = bfloat16
        objective(*sample).backward()

    ways = {"float32": partial(step, False), "bfloat16": partial(step, True)}
    seconds = processor_seconds(ways, rounds=ROUNDS)
    objective.zero_grad(set_to_none=True)
    return min(seconds, key=seconds.get)


@torch.no_grad()
def average_into(average: nn.Module, model: nn.Module, *, step: int, decay: float) -> None:
    """Update an exponential moving average of the weights in place.

    Args:
        average: The module that holds the average.
        model: The module that is trained.
        step: Number of the step, from 0. In the first steps the decay is lower, so that the
            average does not lag behind.
        decay: Share of the average that is kept, 0 to below 1.
    """
    share = 1 - min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), share)
