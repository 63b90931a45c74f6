"""The checks of lesson 06's exercises, with a right answer and two typical wrong ones each."""

import itertools

import numpy as np
import pytest

from srlib.widgets import checks_06
from srlib.widgets.exercise import RIGHT


def interval(gains, draws, seed, tails=(2.5, 97.5), size=None):
    picks = np.random.default_rng(seed).integers(0, len(gains), (draws, size or len(gains)))
    return np.percentile(gains[picks].mean(axis=1), tails)


def best_shift(sr, hr, reach, least=None, most=None):
    inside = np.s_[reach:-reach, reach:-reach]
    least = -reach if least is None else least
    most = reach if most is None else most
    shifts = itertools.product(range(least, most + 1), repeat=2)

    def error(shift):
        back = np.roll(sr, (-shift[0], -shift[1]), (0, 1))
        return np.mean((back[inside].astype(float) - hr[inside]) ** 2)

    return min(shifts, key=error)


def one_axis(sr, hr, reach):
    """The better of the best shift down and the best shift right."""

    def error(shift):
        return np.mean((np.roll(sr, (-shift[0], -shift[1]), (0, 1)).astype(float) - hr) ** 2)

    steps = range(-reach, reach + 1)
    return min([*((step, 0) for step in steps), *((0, step) for step in steps)], key=error)


GAINS = {10: -0.3, 30: -0.1, 50: 0.1, 70: 0.5, 90: 1.0}
RIGHT_ANSWERS = [
    (checks_06.check_crossing, (GAINS, 50)),
    (checks_06.check_crossing, (dict.fromkeys(GAINS, -1.0), None)),
    (checks_06.check_similarity, (np.linspace(0.5, 1, 600).reshape(20, 30), (30, 40))),
    (checks_06.check_interval, (interval,)),
    (checks_06.check_error_ratio, (lambda dB: 10 ** (-dB / 10),)),
    (checks_06.check_best_shift, (best_shift,)),
]
WRONG_ANSWERS = [
    (checks_06.check_crossing, (GAINS, 90), "sign"),
    (checks_06.check_crossing, (GAINS, 60), "measured"),
    (checks_06.check_crossing, ({50: 1.0}, 50), "five"),
    (checks_06.check_similarity, (np.full((30, 40), 0.9), (30, 40)), "inside"),
    (checks_06.check_similarity, (0.9, (30, 40)), "each place"),
    (checks_06.check_similarity, (np.zeros((20, 30)), (30, 40)), "place to place"),
    (checks_06.check_interval, (lambda g, n, s: np.percentile(g, (2.5, 97.5)),), "means"),
    (checks_06.check_interval, (lambda g, n, s: interval(g, n, s, tails=(5, 95)),), "5 %"),
    (checks_06.check_interval, (lambda g, n, s: (g.mean() - 1e-3, g.mean() + 1e-3),), "equal"),
    (checks_06.check_error_ratio, (lambda dB: 10 ** (dB / 10),), "less"),
    (checks_06.check_error_ratio, (lambda dB: 10 ** (-dB / 20),), "power of ten"),
    (checks_06.check_best_shift, (lambda *g: tuple(-s for s in best_shift(*g)),), "undoes"),
    (checks_06.check_best_shift, (lambda sr, hr, r: best_shift(sr, hr, r, 0),), "negative"),
    (checks_06.check_best_shift, (lambda *g: best_shift(*g, most=1),), "largest"),
    (checks_06.check_best_shift, (one_axis,), "both"),
]


@pytest.mark.parametrize(("check", "answer"), RIGHT_ANSWERS)
def test_right(check, answer):
    assert check(*answer) == RIGHT


@pytest.mark.parametrize(("check", "answer", "hint"), WRONG_ANSWERS)
def test_wrong(check, answer, hint):
    verdict = check(*answer)
    assert verdict.startswith("Not yet") and hint in verdict
