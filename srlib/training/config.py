"""What a fine-tuning does, in numbers: its settings, and the learning rate of each step (notebook 04)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from srlib.model.edsr import EDSR, EDSRConfig


@dataclass(frozen=True)
class TrainConfig:
    """What a fine-tuning does.

    patch_size: HR pixels.  learning_rate: of Adam, after `warm_up_steps`, falling along half a cosine to zero at the last epoch.
    max_grad_norm: longer gradients are shortened to it; 0 for no limit.
    ema_decay: of a moving average of the weights, which is then what is measured and kept; 0 for none.
    whole_every: every so many steps one goes through the network as it is written, on whole patches with their border.  The
    others take the folded tail, which is quicker and has no border: the outer 2 LR pixels per side get no loss.
    patience: epochs without the validation loss falling by `min_delta` after which training stops.
    pixel, ssim, perceptual, backbone, layers, distance: see `SRLoss`.  protocol: of the validation's PSNR and SSIM.
    precision: of the forward pass in training, "float32" or "bfloat16", or "auto", which is bfloat16 on a GPU that has it.
    compile: let torch.compile join the operations of a step.  For long runs on a GPU: the first steps take a minute, a
    compiler must be there, and on two CPU cores a step then took 5 % less time, no more.
    """

    patch_size: int = 96
    batch_size: int = 16
    steps_per_epoch: int = 200
    max_epochs: int = 30
    learning_rate: float = 1e-4
    warm_up_steps: int = 20
    max_grad_norm: float = 1.0
    ema_decay: float = 0.0
    whole_every: int = 4
    patience: int = 3
    min_delta: float = 0.0
    pixel: float = 1.0
    ssim: float = 0.0
    perceptual: float = 0.0
    backbone: str = "auto"
    layers: dict[str, float] | None = field(default=None, hash=False)
    distance: str = "l1"
    protocol: str = "rgb"
    precision: str = "auto"
    compile: bool = False
    seed: int = 0

    def __post_init__(self):
        for name in ("patch_size", "batch_size", "steps_per_epoch", "max_epochs", "patience", "whole_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is 1 or more, not {getattr(self, name)}.")
        for name in ("learning_rate", "warm_up_steps", "max_grad_norm", "min_delta"):
            if not getattr(self, name) >= 0:  # which a NaN is not either
                raise ValueError(f"{name} is 0 or more, not {getattr(self, name)}.")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay is from 0 to below 1, not {self.ema_decay}.")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"precision is auto, float32 or bfloat16, not {self.precision!r}.")


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then half a cosine down to zero at the last step of the last epoch."""
    steps = config.max_epochs * config.steps_per_epoch
    warm_up = min(1.0, (step + 1) / max(1, config.warm_up_steps))
    return config.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * step / steps))


def is_whole(step: int, config: TrainConfig) -> bool:
    """Whether this step trains on whole patches, with their border: the last of every `whole_every`."""
    return step % config.whole_every == config.whole_every - 1


def transferred(model: EDSR, scale: int) -> EDSR:
    """A new EDSR for another scale that begins with the head and the body of this one; its tail is random.

    The paper trains x3 and x4 from x2 in this way (section 3.2 and figure 4).  The tail can be trained alone at first:
    `body.requires_grad_(False)`, and the same for `head`.
    """
    config = model.config
    new = EDSR(EDSRConfig(scale, config.n_resblocks, config.n_feats, config.res_scale))
    new.head.load_state_dict(model.head.state_dict())
    new.body.load_state_dict(model.body.state_dict())
    return new
