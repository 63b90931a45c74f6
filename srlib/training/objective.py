"""The loss of one training step in mixed precision, and the moving average of the weights."""

import torch
from torch import Tensor, nn

from srlib.model.edsr import EDSR, TAIL_REACH, forward_interior
from srlib.training.config import TrainConfig
from srlib.training.losses import SRLoss
from srlib.upscaling.precision import trial

SHORT = 50  # steps; a training this short is computed in float32 unless told otherwise


def batch_loss(
    model: EDSR, loss: SRLoss, lr: Tensor, hr: Tensor, *, bfloat16: bool = False
) -> Tensor:
    """Compute the loss of a batch in [0, 1], without its outer TAIL_REACH LR pixels."""
    border = TAIL_REACH * model.config.scale
    sr = forward_interior(model, lr, bfloat16=bfloat16)
    return loss(sr, hr[:, :, border:-border, border:-border])


def choose_precision(model: EDSR, config: TrainConfig, device: torch.device) -> str:
    """Choose "float32" or "bfloat16": the one in the config, or for "auto" the faster one."""
    if config.precision != "auto":
        return config.precision
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bfloat16" if fast else "float32"
    if device.type != "cpu" or config.max_epochs * config.steps_per_epoch <= SHORT:
        return "float32"
    seconds = trial(model.config.n_feats, device)
    return min(seconds, key=seconds.get)


@torch.no_grad()
def average_into(average: nn.Module, model: nn.Module, *, step: int, decay: float) -> None:
    """Update an exponential moving average of the weights in place.

    In the first steps, counted from 0, the decay is lower, so that the average does not lag behind.
    """
    share = 1 - min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), share)
