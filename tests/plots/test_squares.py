"""The search for the best square, against all squares tried one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlib.plots import best_square


def by_trying(values, side, step):
    rows = range(0, values.shape[0] - side + 1, step)
    columns = range(0, values.shape[1] - side + 1, step)
    places = [(x, y) for y in rows for x in columns]
    return max(places, key=lambda p: values[p[1] : p[1] + side, p[0] : p[0] + side].mean())


@given(st.integers(0, 1000), st.sampled_from([1, 2, 4]), st.integers(1, 8))
def test_it_is_the_highest_of_all_squares(seed, step, side):
    values = np.random.default_rng(seed).normal(size=(17, 23))
    found = best_square(values, side, step=step)
    left, top = by_trying(values, side, step)
    mean = values[found[1] : found[1] + side, found[0] : found[0] + side].mean()
    assert mean == pytest.approx(values[top : top + side, left : left + side].mean())
    assert found[0] % step == found[1] % step == 0


def test_the_margin_is_left_out():
    values = np.zeros((20, 20))
    values[0, 0] = 9
    values[10, 12] = 1
    left, top = best_square(values, 3, margin=2)
    assert left <= 12 < left + 3 and top <= 10 < top + 3


def test_a_map_smaller_than_the_square_is_taken_whole():
    assert best_square(np.ones((5, 40)), 8) == (0, 0)
    assert best_square(np.ones((5, 5)), 8, margin=4) == (0, 0)


def test_values_that_are_no_numbers_do_not_win():
    values = np.zeros((8, 8))
    values[:4, :4] = -np.inf
    values[:, 6:] = np.nan
    values[5, 5] = 1
    left, top = best_square(values, 2)
    assert left <= 5 < left + 2 and top <= 5 < top + 2


def test_the_margin_is_kept_at_the_far_ends():
    rising = np.add.outer(np.arange(20), np.arange(30))
    assert best_square(rising, 4, margin=3) == (23, 13)
