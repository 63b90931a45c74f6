"""The checks of lesson 04's exercises, with a right answer and two typical wrong ones each."""

import math

import numpy as np
import pytest
import torch

from srlib.widgets import checks_04
from srlib.widgets.exercise import RIGHT


def rate(step, steps, warm_up, highest):
    return highest * min(1, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))


def soup(state_dicts):
    return {n: sum(s[n] for s in state_dicts) / len(state_dicts) for n in state_dicts[0]}


def overshoot(image):
    left = np.median(image[:, :6])
    right = np.median(image[:, -6:])
    return max(image.max() - max(left, right), min(left, right) - image.min())


RIGHT_ANSWERS = [
    (checks_04.check_bargain, (0.84, 0.33)),
    (checks_04.check_ceiling, (lambda l1: -20 * math.log10(l1),)),
    (checks_04.check_rate, (rate,)),
    (checks_04.check_soup, (soup,)),
    (checks_04.check_lines, (overshoot,)),
]


def changed_in_place(state_dicts):
    total = state_dicts[0]
    for other in state_dicts[1:]:
        for name in total:
            total[name] += other[name]
    return {name: value / len(state_dicts) for name, value in total.items()}


WRONG_ANSWERS = [
    (checks_04.check_bargain, (84, 33), "1 for all"),
    (checks_04.check_bargain, (0.33, 0.84), "measured on"),
    (checks_04.check_ceiling, (lambda l1: -10 * math.log10(l1),), "square"),
    (checks_04.check_ceiling, (lambda l1: 20 * math.log10(255 / l1),), "0 dB"),
    (checks_04.check_rate, (lambda s, n, w, h: rate(s, n, 1, h),), "warm-up"),
    (checks_04.check_rate, (lambda s, n, w, h: h * min(1, (s + 1) / w) * (1 - s / n),), "end"),
    (checks_04.check_soup, (lambda s: {n: (s[0][n] + s[1][n]) / 2 for n in s[0]},), "same"),
    (checks_04.check_soup, (changed_in_place,), "stay"),
    (checks_04.check_lines, (lambda image: np.ptp(image),), "clean"),
    (checks_04.check_lines, (lambda image: 0.0,), "beyond"),
    (checks_04.check_lines, (lambda image: image.max() - image[:, -1].mean(),), "larger"),
    (checks_04.check_lines, (None,), "stops with"),
    (checks_04.check_bargain, (..., ...), "empty"),
    (checks_04.check_soup, (lambda s: None,), "empty"),
]


@pytest.mark.parametrize(("check", "answer"), RIGHT_ANSWERS)
def test_right(check, answer):
    assert check(*answer) == RIGHT


@pytest.mark.parametrize(("check", "answer", "hint"), WRONG_ANSWERS)
def test_wrong(check, answer, hint):
    verdict = check(*answer)
    assert verdict.startswith("Not yet") and hint in verdict


def test_a_soup_of_tensors_is_compared_by_value():
    assert checks_04.check_soup(lambda s: {n: torch.zeros(1) for n in s[0]}) != RIGHT
