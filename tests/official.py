"""EDSR as the official code writes and computes it, for the tests to compare with."""

import torch
from torch.nn.functional import conv2d, pixel_shuffle, relu


def official_state_dict(scale: int, n_resblocks: int, n_feats: int) -> dict[str, torch.Tensor]:
    """Random weights under EDSR-PyTorch's key names and shapes, written down from its files, not from our model."""
    torch.manual_seed(scale)
    shapes = {"head.0": (n_feats, 3, 3, 3)}
    for block in range(n_resblocks):
        shapes[f"body.{block}.body.0"] = shapes[f"body.{block}.body.2"] = (n_feats, n_feats, 3, 3)
    shapes[f"body.{n_resblocks}"] = (n_feats, n_feats, 3, 3)
    factor = 9 if scale == 3 else 4
    shapes["tail.0.0"] = (factor * n_feats, n_feats, 3, 3)
    if scale == 4:
        shapes["tail.0.2"] = (4 * n_feats, n_feats, 3, 3)
    shapes["tail.1"] = (3, n_feats, 3, 3)
    weights = {}
    for name, shape in shapes.items():
        weights[f"{name}.weight"] = torch.randn(shape) * 0.05
        weights[f"{name}.bias"] = torch.randn(shape[0])
    mean = 255 * torch.tensor([0.4488, 0.4371, 0.4040])
    for name, sign in (("sub_mean", -1), ("add_mean", 1)):
        weights[f"{name}.weight"] = torch.eye(3).view(3, 3, 1, 1)
        weights[f"{name}.bias"] = sign * mean
    return weights


def official_forward(
    w: dict, x: torch.Tensor, *, scale: int, n_resblocks: int, res_scale: float
) -> torch.Tensor:
    """EDSR as the official code computes it, on RGB in [0, 255]."""

    def conv(name, x):
        return conv2d(
            x, w[f"{name}.weight"], w[f"{name}.bias"], padding=w[f"{name}.weight"].shape[-1] // 2
        )

    head = conv("head.0", conv("sub_mean", x))
    y = head
    for block in range(n_resblocks):
        y = y + res_scale * conv(f"body.{block}.body.2", relu(conv(f"body.{block}.body.0", y)))
    y = head + conv(f"body.{n_resblocks}", y)
    if scale == 4:
        y = pixel_shuffle(conv("tail.0.2", pixel_shuffle(conv("tail.0.0", y), 2)), 2)
    else:
        y = pixel_shuffle(conv("tail.0.0", y), scale)
    return conv("add_mean", conv("tail.1", y))
