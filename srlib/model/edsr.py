"""EDSR: Enhanced Deep Residual Networks for Single Image Super-Resolution (Lim et al. 2017, arXiv 1707.02921)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pixel_shuffle

SCALES = (2, 3, 4)
RGB_MEAN = (
    0.4488,
    0.4371,
    0.4040,
)  # of DIV2K's training images, in [0, 1]; the official code's constant


@dataclass(frozen=True)
class EDSRConfig:
    """The shape of an EDSR.  Defaults: EDSR-baseline.  The large model of the paper is (scale, 32, 256, 0.1)."""

    scale: int = 4
    n_resblocks: int = 16
    n_feats: int = 64
    res_scale: float = 1.0

    def __post_init__(self):
        if self.scale not in SCALES:
            raise ValueError(
                f"EDSR enlarges by {', '.join(map(str, SCALES[:-1]))} or {SCALES[-1]}, not by {self.scale}."
            )
        if self.n_resblocks < 1 or self.n_feats < 1:
            raise ValueError(
                f"An EDSR has at least one block and one feature, not {self.n_resblocks} and {self.n_feats}."
            )


def conv3x3(n_in: int, n_out: int) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, 3, padding=1)


class MeanShift(nn.Conv2d):
    """Adds `sign` times DIV2K's mean colour.  A frozen 1x1 convolution, since the official checkpoints store it as one."""

    def __init__(self, sign: int):
        super().__init__(3, 3, 1)
        self.weight.data = torch.eye(3).view(3, 3, 1, 1)
        self.bias.data = sign * 255 * torch.tensor(RGB_MEAN)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        # under autocast too in the weights' own precision: bfloat16 would round values up to 255 to half a level or a whole one
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


class ResBlock(nn.Module):
    """x + res_scale * conv(relu(conv(x))): a residual block without batch norm (the paper's figure 2c)."""

    def __init__(self, n_feats: int, res_scale: float):
        super().__init__()
        self.body = nn.Sequential(
            conv3x3(n_feats, n_feats), nn.ReLU(inplace=True), conv3x3(n_feats, n_feats)
        )
        self.res_scale = res_scale

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.body(x), alpha=self.res_scale)


class Upsampler(nn.Sequential):
    """Sub-pixel convolution (Shi et al. 2016): features become pixels.  x4 is twice x2, as in the official code."""

    def __init__(self, scale: int, n_feats: int):
        steps = [2, 2] if scale == 4 else [scale]
        super().__init__(
            *(m for r in steps for m in (conv3x3(n_feats, r * r * n_feats), nn.PixelShuffle(r)))
        )


class EDSR(nn.Module):
    """RGB in, RGB out: (B, 3, H, W) float in [0, 1] to (B, 3, scale * H, scale * W), not clamped.

    The network itself works on [0, 255], as the official one does; its state dict has the official key layout, so that
    `load_state_dict` takes EDSR-PyTorch's checkpoints strictly.
    """

    def __init__(self, config: EDSRConfig | None = None):
        super().__init__()
        self.config = config = config or EDSRConfig()
        n_feats = config.n_feats
        blocks = [ResBlock(n_feats, config.res_scale) for _ in range(config.n_resblocks)]
        self.sub_mean = MeanShift(-1)
        self.head = nn.Sequential(conv3x3(3, n_feats))
        self.body = nn.Sequential(*blocks, conv3x3(n_feats, n_feats))
        self.tail = nn.Sequential(Upsampler(config.scale, n_feats), conv3x3(n_feats, 3))
        self.add_mean = MeanShift(+1)

    def forward(self, lr: Tensor) -> Tensor:
        return self.add_mean(self.tail(self.features(lr))) / 255

    def features(self, lr: Tensor) -> Tensor:
        """What the tail turns into pixels: (B, 3, H, W) in [0, 1] to (B, n_feats, H, W)."""
        head = self.head(self.sub_mean(lr * 255))
        return head + self.body(head)


TAIL_REACH = 2  # LR pixels that the tail sees to each side: 1 + 1/2 + 1/4 for x4, 1 + 1/2 for x2, 1 + 1/3 for x3


def folded_tail(model: EDSR) -> tuple[Tensor, Tensor]:
    """The tail as one convolution: weight (3 * scale^2, n_feats, 5, 5) and bias, before `pixel_shuffle(…, scale)`.

    There is no non-linearity between the sub-pixel convolutions and the last one, so their composition is linear but for
    its biases: the weight is read off as the response to one lit feature at a time with the biases at zero (subtracting
    their share afterwards would cost three digits), the bias as the response to darkness.  Differentiable.  Equal to
    `model.tail` but for the outer TAIL_REACH LR pixels, where the tail's own zero padding between its convolutions shows.
    """
    n_feats, scale, window = model.config.n_feats, model.config.scale, 2 * TAIL_REACH + 1
    impulses = model.head[0].weight.new_zeros(n_feats, n_feats, window, window)
    impulses[range(n_feats), range(n_feats), TAIL_REACH, TAIL_REACH] = 1
    no_biases = {
        name: torch.zeros_like(p)
        for name, p in model.tail.named_parameters()
        if name.endswith("bias")
    }
    weight = nn.functional.pixel_unshuffle(
        torch.func.functional_call(model.tail, no_biases, impulses), scale
    )
    bias = nn.functional.pixel_unshuffle(model.tail(torch.zeros_like(impulses[:1])), scale)
    return weight.transpose(0, 1).flip(-1, -2), bias[0, :, TAIL_REACH, TAIL_REACH]


def forward_interior(model: EDSR, lr: Tensor) -> Tensor:
    """`model(lr)` without its outer TAIL_REACH LR pixels, by the folded tail: for training, where x4 gets cheaper by half.

    (B, 3, H, W) in [0, 1] to (B, 3, scale * (H - 4), scale * (W - 4)).
    """
    weight, bias = folded_tail(model)
    pixels = pixel_shuffle(conv2d(model.features(lr), weight, bias), model.config.scale)
    return model.add_mean(pixels) / 255


def config_from_state_dict(
    weights: Mapping[str, Tensor], *, res_scale: float | None = None
) -> EDSRConfig:
    """Read blocks, features and scale off an official-layout state dict.

    `res_scale` cannot be read from weights; unless given it is assumed as trained by the authors: 0.1 for 256 features
    (which diverge without it), 1 for the others.  Raises ValueError, with what is missing, if this is no EDSR.
    """
    blocks = {
        int(m[1]) for key in weights if (m := re.fullmatch(r"body\.(\d+)\.body\.0\.weight", key))
    }
    needed = ["head.0.weight", "tail.0.0.weight", "tail.1.weight", "sub_mean.bias", "add_mean.bias"]
    missing = [key for key in needed if key not in weights] + (
        [] if blocks else ["body.0.body.0.weight"]
    )
    if missing:
        raise ValueError(
            f"These weights are not an EDSR in the official layout: {', '.join(missing)} not found."
        )
    n_feats = weights["head.0.weight"].shape[0]
    steps = weights["tail.0.0.weight"].shape[0] // n_feats
    scale = 4 if "tail.0.2.weight" in weights else {4: 2, 9: 3}.get(steps)
    if scale is None:
        raise ValueError(
            f"tail.0.0 makes {steps} pixels of one: no scale of EDSR's ({', '.join(map(str, SCALES))}) does that."
        )
    if res_scale is None:
        res_scale = 0.1 if n_feats >= 256 else 1.0
    return EDSRConfig(scale, len(blocks), n_feats, res_scale)


def count_parameters(model: nn.Module) -> int:
    """Trained values; the 24 frozen ones of the mean shifts do not count, as in the paper's table."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def receptive_field(config: EDSRConfig) -> int:
    """How far an output pixel sees, in LR pixels to each side: one per 3x3 convolution at LR size, and the tail's reach.

    This is also the halo with which a tile gives exactly what the whole image would.
    """
    return 2 + 2 * config.n_resblocks + TAIL_REACH


def count_macs(config: EDSRConfig, height: int, width: int) -> int:
    """Multiply-accumulates of the convolutions for an LR image of height x width, as the network is written (no folding)."""
    f, s = config.n_feats, config.scale
    per_lr_pixel = 9 * (3 * f + (2 * config.n_resblocks + 1) * f * f)
    steps = [2, 2] if s == 4 else [s]
    area = 1
    for r in steps:
        per_lr_pixel += 9 * f * f * r * r * area
        area *= r * r
    return (per_lr_pixel + 9 * f * 3 * area) * height * width
