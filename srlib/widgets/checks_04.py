"""Checks of the exercises of lesson 04."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from srlib.training import TrainConfig, learning_rate_at
from srlib.widgets.exercise import exercise, judge


@exercise
def check_bargain(share_of_gain: float, share_of_price: float) -> str:
    """The network half way between start and specialist, for JPEG: both shares from 0 to 1."""
    return judge(
        lambda: (share_of_gain, share_of_price),
        (
            lambda given: all(0 <= share <= 1.3 for share in given),
            "both are shares of what the specialist gains and loses, with 1 for all of it.",
        ),
        (
            lambda given: given[0] > given[1],
            "half way, JPEG gives more of the gain than it takes of the price. Is the price "
            "measured on clean input, and the gain on JPEG?",
        ),
    )


@exercise
def check_ceiling(ceiling: Callable) -> str:
    """ceiling(l1): the highest PSNR that an L1 loss on values from 0 to 1 allows."""
    return judge(
        lambda: [float(ceiling(l1)) for l1 in (1.0, 0.1, 0.01)],
        (lambda given: np.isclose(given[0], 0), "an error as large as the whole range is 0 dB."),
        (lambda given: given[1] > 0, "a smaller error has more decibels."),
        (
            lambda given: np.isclose(given[2] - given[1], 20),
            "PSNR is made of squared errors: what happens to the square?",
        ),
    )


@exercise
def check_rate(rate: Callable) -> str:
    """rate(step, steps, warm_up, highest): linear warm-up times half a cosine."""
    plan = TrainConfig(steps_per_epoch=100, max_epochs=1, learning_rate=1e-3, warm_up_steps=10)

    def agrees(given, steps):
        return all(np.isclose(given[step], learning_rate_at(step, plan)) for step in steps)

    return judge(
        lambda: {step: float(rate(step, 100, 10, 1e-3)) for step in (0, 9, 10, 50, 99)},
        (lambda given: given[0] > 0, "the first step must move the weights, too."),
        (lambda given: given[99] < 1e-5, "the rate should be nearly zero at the end."),
        (lambda given: agrees(given, (50, 99)), "look at the cosine: half the rate half way."),
        (lambda given: agrees(given, (0, 9, 10)), "look at the steps of the warm-up."),
    )


@exercise
def check_soup(soup: Callable) -> str:
    """soup(state_dicts): the mean of the weights of any number of networks."""
    first = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([4.0])}
    second = {"a": torch.tensor([3.0, 6.0]), "b": torch.tensor([0.0])}
    third = {"a": torch.tensor([5.0, 4.0]), "b": torch.tensor([5.0])}
    return judge(
        lambda: soup([first, second, third]),
        (lambda given: given.keys() == second.keys(), "a tensor is needed for every name."),
        (lambda given: first["a"].tolist() == [1, 2], "the weights given must stay as they are."),
        (
            lambda given: torch.allclose(given["a"], torch.tensor([3.0, 4.0])),
            "every network counts the same, however many there are.",
        ),
        (lambda given: torch.allclose(given["b"], torch.tensor([3.0])), "do it for every name."),
    )


@exercise
def check_lines(edge: Callable) -> str:
    """edge(image): how far the grey levels overshoot beside a vertical step, in grey levels."""
    plain = np.full((9, 24), 50.0)
    plain[:, 12:] = 150
    ringing = plain.copy()
    ringing[:, 12] = 170
    ringing[:, 11] = 40
    return judge(
        lambda: [float(edge(image)) for image in (plain, ringing, 200 - ringing)],
        (lambda given: abs(given[0]) < 1e-6, "a clean step does not overshoot."),
        (lambda given: given[1] > 0, "values beyond the two plateaus are an overshoot."),
        (
            lambda given: np.allclose(given[1:], 20),
            "the larger of the two sides counts, measured from its own plateau.",
        ),
    )
