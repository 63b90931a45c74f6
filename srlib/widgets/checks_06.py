"""Checks of the exercises of lesson 06."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from srlib.widgets.exercise import exercise, judge


@exercise
def check_crossing(gains: Mapping[int, float], crossing: int) -> str:
    """The lowest JPEG quality at which the mean gain over bicubic is above zero, or None."""
    above = sorted(quality for quality, gain in gains.items() if gain > 0)
    first = above[0] if above else -1
    return judge(
        lambda: -1 if crossing is None else crossing,
        (lambda given: len(gains) >= 5, "measure all five qualities."),
        (lambda given: given == -1 or given in gains, "it is one of the qualities measured."),
        (lambda given: given == first, "look for the sign of the gain, from low quality up."),
    )


@exercise
def check_similarity(similarity: np.ndarray, shape: tuple[int, int]) -> str:
    """The map of SSIM of a picture with this shape."""
    return judge(
        lambda: np.asarray(similarity),
        (lambda given: given.ndim == 2, "a map has one value for each place."),
        (
            lambda given: given.shape == (shape[0] - 10, shape[1] - 10),
            "only windows of 11 pixels that lie wholly inside count.",
        ),
        (lambda given: given.min() >= -1 and given.max() <= 1 + 1e-9, "SSIM is 1 at most."),
        (lambda given: given.std() > 0, "SSIM differs from place to place."),
    )


@exercise
def check_interval(interval: Callable) -> str:
    """interval(gains, draws, seed): the 2.5 % and 97.5 % quantile of resampled means."""
    gains = np.random.default_rng(1).normal(0.3, 1.0, 400)
    expected = 1.96 * gains.std() / 20

    def answers():
        low, high = interval(gains, 4000, 0)
        return float(low), float(high), tuple(interval(np.full(6, 0.2), 100, 0))

    return judge(
        answers,
        (lambda given: given[0] < gains.mean() < given[1], "the mean lies inside the interval."),
        (lambda given: np.allclose(given[2], 0.2), "equal gains leave nothing to chance."),
        (
            lambda given: given[1] - given[0] < 4 * expected,
            "those are quantiles of the gains, and quantiles of the means are wanted.",
        ),
        (
            lambda given: given[1] - given[0] > 0.5 * expected,
            "draw with repetition, and as many as there are gains.",
        ),
        (
            lambda given: abs((given[1] - given[0]) / (2 * expected) - 1) < 0.12,
            "which quantiles leave 5 % outside, half of it on either side?",
        ),
    )


@exercise
def check_error_ratio(error_ratio: Callable) -> str:
    """error_ratio(dB): the factor of the mean squared error when PSNR rises by dB."""
    return judge(
        lambda: [float(error_ratio(dB)) for dB in (0, 10, -10, 3.0103)],
        (lambda given: np.isclose(given[0], 1), "no decibels, no change."),
        (lambda given: given[1] < 1, "more decibels mean less error."),
        (lambda given: np.isclose(given[1], 0.1), "ten decibels are one power of ten of the MSE."),
        (lambda given: np.allclose(given[2:], (10, 0.5), rtol=1e-4), "it holds both ways."),
    )


@exercise
def check_best_shift(best_shift: Callable) -> str:
    """best_shift(sr, hr, reach): the shift (down, right) by which sr was moved."""
    hr = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)

    def answers():
        shifts = ((0, 0), (1, 0), (0, -2), (2, -1))
        return {s: tuple(map(int, best_shift(np.roll(hr, s, (0, 1)), hr, 2))) for s in shifts}

    return judge(
        answers,
        (lambda given: given[0, 0] == (0, 0), "a picture that was not moved has no shift."),
        (lambda given: given[1, 0] != (0, 1), "down comes before right."),
        (lambda given: given[1, 0] != (-1, 0), "give the shift, not the one that undoes it."),
        (
            lambda given: all(k == v for k, v in given.items()),
            "try negative shifts, too, the largest, and both directions at once.",
        ),
    )
