"""The cost of an EDSR: parameters, multiply-accumulates and receptive field."""

from torch import nn

from srlib.model.edsr import TAIL_REACH, EDSRConfig


def count_parameters(model: nn.Module) -> int:
    """Count the trained values; the 24 fixed ones of the mean shifts do not count."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def count_macs(config: EDSRConfig, height: int, width: int) -> int:
    """Count the multiply-accumulates of the network as written, without the folded tail.

    Args:
        config: The shape of the network.
        height: Height of the LR image in pixels.
        width: Width of the LR image in pixels.
    """
    n_feats = config.n_feats
    head = 9 * 3 * n_feats
    body = 9 * n_feats * n_feats * (2 * config.n_resblocks + 1)
    tail = 0
    area = 1  # pixels made so far from one LR pixel
    for factor in [2, 2] if config.scale == 4 else [config.scale]:
        tail += 9 * n_feats * n_feats * factor**2 * area
        area *= factor**2
    tail += 9 * n_feats * 3 * area
    return (head + body + tail) * height * width


def receptive_field(config: EDSRConfig) -> int:
    """Compute how many LR pixels to each side an output pixel depends on.

    Each 3x3 convolution at LR size adds one pixel, and the tail adds its own reach. A tile with a
    halo this wide gives exactly the pixels that the whole image would give.
    """
    convolutions = 1 + 2 * config.n_resblocks + 1  # head, blocks, end of the body
    return convolutions + TAIL_REACH
