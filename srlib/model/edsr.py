"""EDSR: Enhanced Deep Residual Networks for Single Image Super-Resolution.

Lim et al., CVPR Workshops 2017, https://arxiv.org/abs/1707.02921. The state dict has the key names
of the authors' own program, EDSR-PyTorch, so that their checkpoints load strictly.
"""

import os
import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pixel_shuffle, pixel_unshuffle

SCALES = (2, 3, 4)
# Mean colour of DIV2K's training images, in [0, 1]: the constant of the official code.
RGB_MEAN = (0.4488, 0.4371, 0.4040)
# LR pixels that the tail sees to each side: 1 + 1/2 for x2, 1 + 1/3 for x3, 1 + 1/2 + 1/4 for x4.
TAIL_REACH = 2


@dataclass(frozen=True)
class EDSRConfig:
    """The shape of an EDSR. The defaults are EDSR-baseline x4.

    The large network of the paper is `EDSRConfig(scale, 32, 256, 0.1)`.

    Attributes:
        scale: Factor of enlargement: 2, 3 or 4.
        n_resblocks: Number of residual blocks in the body.
        n_feats: Number of feature channels.
        res_scale: Factor by which each block's output is multiplied before it is added.
    """

    scale: int = 4
    n_resblocks: int = 16
    n_feats: int = 64
    res_scale: float = 1.0

    def __post_init__(self):
        if not (
            self.scale in SCALES
            and min(self.n_resblocks, self.n_feats) >= 1
            and abs(self.res_scale) <= torch.finfo(torch.float32).max
        ):
            raise ValueError(
                f"{self} is not an EDSR: scale is 2, 3 or 4, there is at least one block and one "
                "feature, and res_scale is finite."
            )
        for name in ("scale", "n_resblocks", "n_feats"):  # plain, as files hold them
            object.__setattr__(self, name, int(getattr(self, name)))
        object.__setattr__(self, "res_scale", float(self.res_scale))


def conv3x3(n_in: int, n_out: int) -> nn.Conv2d:
    """Make the 3x3 convolution that EDSR consists of; it keeps height and width."""
    return nn.Conv2d(n_in, n_out, 3, padding=1)


class MeanShift(nn.Conv2d):
    """Add `sign` times DIV2K's mean colour to RGB in [0, 255].

    It is a frozen 1x1 convolution because the official checkpoints store it as one.
    """

    def __init__(self, sign: int):
        super().__init__(3, 3, 1)
        # Made on the CPU: on "meta", PyTorch would import its compiler for them.
        eye = torch.eye(3, device="cpu").view(3, 3, 1, 1)
        mean = torch.tensor(RGB_MEAN, device="cpu")
        self.weight.data = eye.to(self.weight)
        self.bias.data = (sign * 255 * mean).to(self.bias)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        # Not under autocast: bfloat16 would round levels above 128 to whole ones.
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


class ResBlock(nn.Module):
    """Compute x + res_scale * conv(relu(conv(x))), without batch norm (figure 2c of the paper)."""

    def __init__(self, n_feats: int, res_scale: float):
        super().__init__()
        self.body = nn.Sequential(
            conv3x3(n_feats, n_feats), nn.ReLU(inplace=True), conv3x3(n_feats, n_feats)
        )
        self.res_scale = res_scale

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.body(x), alpha=self.res_scale)


class Upsampler(nn.Sequential):
    """Turn features into pixels by sub-pixel convolution (Shi et al. 2016).

    As in the official code, x4 is x2 done twice.
    """

    def __init__(self, scale: int, n_feats: int):
        layers = []
        for factor in [2, 2] if scale == 4 else [scale]:
            layers += [conv3x3(n_feats, factor**2 * n_feats), nn.PixelShuffle(factor)]
        super().__init__(*layers)


class EDSR(nn.Module):
    """The network: a small RGB image in, a large one out.

    Input is (B, 3, H, W) float RGB in [0, 1], output is (B, 3, scale * H, scale * W) and not
    clamped. Inside, the network works on [0, 255], as the official one does.

    Args:
        config: The shape of the network; EDSR-baseline x4 if None.

    Example:
        >>> model = EDSR(EDSRConfig(scale=2, n_resblocks=1, n_feats=8))
        >>> model(torch.rand(1, 3, 10, 16)).shape
        torch.Size([1, 3, 20, 32])
    """

    def __init__(self, config: EDSRConfig | None = None):
        super().__init__()
        config = config or EDSRConfig()
        n_feats = config.n_feats
        blocks = [ResBlock(n_feats, config.res_scale) for _ in range(config.n_resblocks)]
        self.config = config
        self.sub_mean = MeanShift(-1)
        self.head = nn.Sequential(conv3x3(3, n_feats))
        self.body = nn.Sequential(*blocks, conv3x3(n_feats, n_feats))
        self.tail = nn.Sequential(Upsampler(config.scale, n_feats), conv3x3(n_feats, 3))
        self.add_mean = MeanShift(+1)

    def forward(self, lr: Tensor) -> Tensor:
        return self.add_mean(self.tail(self.features(lr))) / 255

    def features(self, lr: Tensor) -> Tensor:
        """Compute the features, (B, n_feats, H, W), that the tail turns into pixels."""
        head = self.head(self.sub_mean(lr * 255))
        return head + self.body(head)


def checked_model(model: EDSR) -> EDSR:
    """Return the model. Raises TypeError if it is no EDSR."""
    if not isinstance(getattr(model, "config", None), EDSRConfig):
        found = repr(model) if isinstance(model, str | os.PathLike) else type(model).__name__
        raise TypeError(
            'The model is an EDSR, such as srlib.zoo.load_pretrained("edsr-lite", 4) gives, '
            f"not {found}."
        )
    return model


def is_plain(model: nn.Module) -> bool:
    """Tell whether a network computes what EDSR does with its weights and no part was replaced.

    Hooks are another matter, see `has_hooks`.
    """
    with torch.device("meta"):
        plain = EDSR(model.config)
    if _layers(model) != _layers(plain) or model.state_dict().keys() != plain.state_dict().keys():
        return False
    values = (item for part in model.modules() for item in vars(part).items())
    return not any(callable(value) for name, value in values if name != "_compiled_call_impl")


def _layers(model: nn.Module) -> list[tuple]:
    return [
        (type(part), part.extra_repr(), getattr(part, "res_scale", None))
        for part in model.modules()
    ]


def has_hooks(model: nn.Module) -> bool:
    """Tell whether somebody listens to a part of the network, or changes what it gives."""
    return any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


def folded_tail(model: EDSR) -> tuple[Tensor, Tensor]:
    """Fold the tail into one convolution, which is much cheaper.

    The tail has no non-linearity, so its convolutions compose to a single one. Its weight is the
    tail's response to one lit feature at a time with all biases at zero; its bias is the response
    to darkness. The result is differentiable, and equal to `model.tail` except in the outer
    TAIL_REACH LR pixels, where the tail pads with zeros between its convolutions.

    Returns:
        Weight (3 * scale^2, n_feats, 5, 5) and bias (3 * scale^2), to be followed by
        `pixel_shuffle(..., scale)`.
    """
    scale = model.config.scale
    n_feats = model.config.n_feats
    size = 2 * TAIL_REACH + 1
    impulses = model.head[0].weight.new_zeros(n_feats, n_feats, size, size)
    impulses[range(n_feats), range(n_feats), TAIL_REACH, TAIL_REACH] = 1
    lit = impulses
    for layer in (*model.tail[0], model.tail[1]):
        convolves = isinstance(layer, nn.Conv2d)
        lit = conv2d(lit, layer.weight, padding=1) if convolves else layer(lit)
    dark = model.tail(torch.zeros_like(impulses[:1]))
    weight = pixel_unshuffle(lit, scale).transpose(0, 1).flip(-1, -2)
    bias = pixel_unshuffle(dark, scale)[0, :, TAIL_REACH, TAIL_REACH]
    return weight, bias


def forward_interior(model: EDSR, lr: Tensor, *, bfloat16: bool = False) -> Tensor:
    """Compute `model(lr)` without its outer TAIL_REACH LR pixels, by the folded tail.

    Training uses it, since at x4 it halves the cost of a step.

    Args:
        model: The network.
        lr: (B, 3, H, W) in [0, 1].
        bfloat16: Compute the body in bfloat16. Its 8 significant bits are too few for pixel values
            up to 255, so the head, the tail and the mean shifts stay in float32.

    Returns:
        (B, 3, scale * (H - 4), scale * (W - 4)).
    """
    head = model.head(model.sub_mean(lr * 255))
    with torch.autocast(lr.device.type, torch.bfloat16) if bfloat16 else nullcontext():
        body = model.body(head)
    features = head + body.to(head.dtype)
    pixels = pixel_shuffle(conv2d(features, *folded_tail(model)), model.config.scale)
    return model.add_mean(pixels) / 255


def config_from_state_dict(
    weights: Mapping[str, Tensor], *, res_scale: float | None = None
) -> EDSRConfig:
    """Read the shape of an EDSR off its state dict, which has the official key names.

    Args:
        weights: The state dict.
        res_scale: The residual scale, which weights do not show. If None, it is taken to be the
            authors' choice: 0.1 for 256 features, which diverge without it, else 1.

    Returns:
        The config of the network that takes these weights.

    Raises:
        ValueError: Keys are missing, or no scale of EDSR has such a tail.
    """
    n_resblocks = sum(bool(re.fullmatch(r"body\.\d+\.body\.0\.weight", key)) for key in weights)
    needed = ["head.0.weight", "body.0.body.0.weight", "tail.0.0.weight", "tail.1.weight"]
    missing = [key for key in [*needed, "sub_mean.bias", "add_mean.bias"] if key not in weights]
    if missing:
        raise ValueError(
            "These weights are not an EDSR with the official key names: "
            f"{', '.join(missing)} not found."
        )
    n_feats = weights["head.0.weight"].shape[0]
    area = weights["tail.0.0.weight"].shape[0] // n_feats  # pixels that the first step makes of one
    scale = 4 if "tail.0.2.weight" in weights else {4: 2, 9: 3}.get(area)
    if scale is None:
        raise ValueError(f"tail.0.0 makes {area} pixels of one, which fits no scale of EDSR.")
    if res_scale is None:
        res_scale = 0.1 if n_feats >= 256 else 1.0
    return EDSRConfig(scale, n_resblocks, n_feats, res_scale)
