"""Checks of the exercises of lesson 03."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import conv2d, pixel_shuffle

from srlib.model import EDSR, EDSRConfig, count_parameters, receptive_field
from srlib.widgets.exercise import exercise, judge


@exercise
def check_reach(reach: Callable[[int], int]) -> str:
    """reach(n_resblocks): LR pixels to each side that an output pixel depends on."""
    wanted = [receptive_field(EDSRConfig(2, n, 4)) for n in (1, 8, 32)]
    return judge(
        lambda: [reach(n) for n in (1, 8, 32)],
        (
            lambda given: given[2] - given[1] == wanted[2] - wanted[1],
            "how many 3 x 3 convolutions does each block add?",
        ),
        (
            lambda given: given == wanted,
            "the blocks are counted right. Head, end of the body and tail see something, too.",
        ),
    )


@exercise
def check_unshuffle(unshuffle: Callable) -> str:
    """unshuffle(x, s): the inverse of pixel_shuffle."""
    channels = torch.arange(2 * 9 * 4 * 5.0).reshape(1, 18, 4, 5)
    return judge(
        lambda: unshuffle(pixel_shuffle(channels, 3), 3),
        (
            lambda given: given.shape == channels.shape,
            "the shape should be (B, c s², H / s, W / s).",
        ),
        (
            lambda given: torch.equal(given.flatten().sort().values, channels.flatten()),
            "numbers should change places, not values.",
        ),
        (
            lambda given: torch.equal(given, channels),
            "the shape is right, the order is not. In which order do the axes have to stand "
            "before they are merged?",
        ),
    )


@exercise
def check_macs_enlarged_first(macs_enlarged_first: Callable) -> str:
    """macs_enlarged_first(n_resblocks, n_feats, scale): MACs for each LR pixel."""
    wanted = 9 * (3 * 8 + 5 * 8 * 8 + 8 * 3)  # 2 blocks of 8 features, at one place
    return judge(
        lambda: [macs_enlarged_first(2, 8, s) for s in (1, 3)],
        (
            lambda given: given[1] == 9 * given[0],
            "how many pixels does the enlarged picture have for each LR pixel?",
        ),
        (lambda given: given[0] == wanted, "count head, blocks, end of the body and last layer."),
    )


@exercise
def check_most_blocks(most_blocks: Callable) -> str:
    """most_blocks(n_feats, scale, budget): how many blocks fit into a budget of parameters."""
    cases = [(16, 4, 500_000), (24, 2, 60_000), (8, 3, 20_000)]
    wanted = [_most_blocks(*case) for case in cases]
    return judge(
        lambda: [most_blocks(*case) for case in cases],
        (
            lambda given: all(abs(g - w) <= 1 for g, w in zip(given, wanted, strict=True)),
            "head, tail and the convolution behind the blocks take a part of the budget.",
        ),
        (
            lambda given: given == wanted,
            "one too many or too few: try the network just above and just below the budget.",
        ),
    )


@exercise
def check_fold_norm(fold_norm: Callable[[nn.Conv2d, nn.BatchNorm2d], nn.Conv2d]) -> str:
    """fold_norm(conv, norm): one convolution for both, in evaluation mode."""
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 5, 3, padding=1)
    norm = nn.BatchNorm2d(5, eps=0.1).eval()
    norm.running_mean.copy_(torch.randn(5))
    norm.running_var.copy_(torch.rand(5) + 0.5)
    nn.init.uniform_(norm.weight, 0.5, 2)
    nn.init.normal_(norm.bias)
    x = torch.randn(2, 3, 9, 8)
    before = conv(x)

    def same(given):
        return torch.allclose(given(x), norm(before), atol=1e-4)

    def same_differences(given):
        flat = torch.zeros(1, 3, 9, 8)
        return torch.allclose(given(x) - given(flat), norm(before) - norm(conv(flat)), atol=1e-4)

    return judge(
        lambda: fold_norm(conv, norm),
        (lambda given: isinstance(given, nn.Conv2d), "the answer is one new nn.Conv2d."),
        (lambda given: given(x).shape == before.shape, "the size of the maps should stay."),
        (lambda _: torch.equal(conv(x), before), "leave the original convolution as it is."),
        (same_differences, "the factors are not right. Where does each output map's factor go?"),
        (same, "the weights are right, the bias is not: what becomes of the old bias?"),
    )


@exercise
def check_fold_tail(fold_tail: Callable) -> str:
    """fold_tail(tail, n_feats, scale): kernel and bias of one convolution for the whole tail."""
    torch.manual_seed(0)
    model = EDSR(EDSRConfig(2, 1, 6))
    features = torch.randn(1, 6, 12, 11)

    @torch.inference_mode()
    def folded():
        kernel, bias = fold_tail(model.tail, 6, 2)
        off = pixel_shuffle(conv2d(features, kernel, bias, padding=2), 2) - model.tail(features)
        zero = torch.zeros_like(features)
        dark = pixel_shuffle(conv2d(zero, kernel, bias, padding=2), 2) - model.tail(zero)
        return {"kernel": kernel, "off": off[..., 4:-4, 4:-4], "dark": dark[..., 4:-4, 4:-4]}

    return judge(
        folded,
        (lambda given: given["kernel"].shape == (12, 6, 5, 5), "the kernel is (3 s², f, 5, 5)."),
        (lambda given: given["dark"].abs().max() < 1e-4, "in darkness only the bias is left."),
        (
            lambda given: given["off"].abs().max() < 1e-3,
            "the bias is right, the kernel is not. A light spreads, and a convolution reads; and "
            "is the answer to darkness taken off?",
        ),
    )


def _most_blocks(n_feats: int, scale: int, budget: int) -> int:
    with torch.device("meta"):  # without drawing the reader's random numbers
        one, two = (count_parameters(EDSR(EDSRConfig(scale, n, n_feats))) for n in (1, 2))
    return 1 + (budget - one) // (two - one)
