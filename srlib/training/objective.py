"""What a training step minimises, and the moving average of what it makes (notebook 04)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from srlib.training.losses import SRLoss
from srlib.model.edsr import EDSR, TAIL_REACH, forward_interior
from srlib.training.config import TrainConfig


class Objective(nn.Module):
    """The loss of a model's answer.  A module of its own, since what averages gradients over processes hooks into `forward`."""

    def __init__(self, model: EDSR, loss_of: SRLoss, *, bfloat16: bool = False):
        super().__init__()
        self.model, self.loss_of, self.bfloat16 = model, loss_of, bfloat16

    def forward(self, lr: Tensor, hr: Tensor, *, whole: bool) -> Tensor:
        """whole: with the border, by the network as it is written; else without it, by the folded tail."""
        with torch.autocast(lr.device.type, torch.bfloat16, enabled=self.bfloat16):
            sr = self.model(lr) if whole else forward_interior(self.model, lr)
        edge = TAIL_REACH * self.model.config.scale
        return self.loss_of(sr, hr if whole else hr[:, :, edge:-edge, edge:-edge])


def takes_bfloat16(config: TrainConfig, device: torch.device) -> bool:
    """Whether to compute with it: by "auto" on the GPUs that can; the CPUs that gain by it, those with AMX, are few."""
    if config.precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    return config.precision == "bfloat16"


@torch.no_grad()
def average_into(average: nn.Module, model: nn.Module, *, step: int, decay: float) -> None:
    """One step of an exponential moving average of the weights; in the first steps it forgets faster, so as not to lag behind."""
    share = 1 - min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), share)
