"""The checks of lesson 03: the right answer passes, typical wrong ones get a hint."""

import pytest
import torch
from torch import nn
from torch.nn.functional import pixel_unshuffle

from srlib.model import EDSR, EDSRConfig, count_parameters
from srlib.widgets import checks_03 as checks
from srlib.widgets.exercise import RIGHT


def unshuffle(x, s, order=(0, 1, 3, 5, 2, 4)):
    b, c, h, w = x.shape
    return (
        x.reshape(b, c, h // s, s, w // s, s).permute(order).reshape(b, c * s * s, h // s, w // s)
    )


def macs(n, f, s):
    return 9 * (3 * f + (2 * n + 1) * f * f + 3 * f) * s * s


def most_blocks(f, scale, budget, *, tail=True, extra=0):
    one = count_parameters(EDSR(EDSRConfig(scale, 1, f)))
    block = 2 * (9 * f * f + f)
    return (1 + (budget - one) // block if tail else budget // block) + extra


@torch.no_grad()
def fold_norm(conv, norm, *, mean=True, bias=True, eps=True):
    factor = norm.weight / (norm.running_var + norm.eps * eps).sqrt()
    folded = nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1)
    folded.weight.copy_(conv.weight * factor[:, None, None, None])
    offset = (conv.bias if bias else 0) - (norm.running_mean if mean else 0)
    folded.bias.copy_(norm.bias + factor * offset)
    return folded


def fold_tail(tail, f, s, *, turned=True, dark_off=True, bias_kept=True):
    dark = tail(torch.zeros(1, f, 5, 5))
    lit = torch.zeros(f, f, 5, 5)
    lit[range(f), range(f), 2, 2] = 1
    kernel = pixel_unshuffle(tail(lit) - (dark if dark_off else 0), s).transpose(0, 1)
    bias = pixel_unshuffle(dark, s)[0, :, 2, 2] * bias_kept
    return (kernel.flip(2, 3) if turned else kernel), bias


CASES = [
    (checks.check_reach, lambda n: 2 * n + 4, [lambda n: 2 * n, lambda n: n + 4]),
    (
        checks.check_unshuffle,
        unshuffle,
        [
            lambda x, s: unshuffle(x, s, (0, 1, 5, 3, 2, 4)),
            lambda x, s: x.reshape(1, 18, 4, 5),
            lambda x, s: x,
        ],
    ),
    (
        checks.check_macs_enlarged_first,
        macs,
        [lambda n, f, s: macs(n, f, 1) * s, lambda n, f, s: 9 * 2 * n * f * f * s * s],
    ),
    (
        checks.check_most_blocks,
        most_blocks,
        [
            lambda *case: most_blocks(*case, tail=False),
            lambda *case: most_blocks(*case, extra=1),
        ],
    ),
    (
        checks.check_fold_norm,
        fold_norm,
        [
            lambda c, n: fold_norm(c, n, mean=False),
            lambda c, n: fold_norm(c, n, bias=False),
            lambda c, n: fold_norm(c, n, eps=False),
            nn.Sequential,
            lambda c, n: c,
        ],
    ),
    (
        checks.check_fold_tail,
        fold_tail,
        [
            lambda *given: fold_tail(*given, turned=False),
            lambda *given: fold_tail(*given, dark_off=False),
            lambda *given: fold_tail(*given, bias_kept=False),
        ],
    ),
]


@pytest.mark.parametrize(
    ("check", "right", "wrong"), CASES, ids=lambda c: getattr(c, "__name__", "")
)
def test_right_and_wrong_answers(check, right, wrong):
    assert check(right) == RIGHT
    for answer in [*wrong, lambda *given: None]:
        assert check(answer).startswith("Not yet")
