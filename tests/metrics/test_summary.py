"""The verdict: what it says, and how often it is wrong.  That of a whole table is in test_metrics.py."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from srlib.metrics import compare


def psnr_of(*values):
    return pd.Series(values, index=[f"i{number}" for number in range(len(values))], dtype=float)


def verdict_on(gains, **options):
    before = psnr_of(*np.linspace(25, 30, len(gains)))
    return compare(before, before + np.asarray(gains), **options)


@pytest.mark.parametrize(("images", "rate"), [(6, 0.07), (12, 0.05)])
def test_pure_chance_is_called_a_difference_as_often_as_promised(images, rate):
    """Of 400 times nothing but noise.  The rates are those of 4,000 times; the plain bootstrap's are 15 % and 9 %."""
    gains = np.random.default_rng(images).normal(0, 1, (400, images))
    called = sum(not str(verdict_on(row)).startswith("No different") for row in gains)
    low, high = stats.binom.ppf([0.005, 0.995], 400, rate)
    assert low <= called <= high


def test_the_interval_of_many_images_is_scipys():
    gains = np.random.default_rng(3).gamma(2, 0.3, 400) - 0.4
    ours, theirs = (
        verdict_on(gains),
        stats.bootstrap((gains,), np.mean, method="percentile", rng=0).confidence_interval,
    )
    width = theirs.high - theirs.low
    assert (ours.low, ours.high) == (
        pytest.approx(theirs.low, abs=0.05 * width),
        pytest.approx(theirs.high, abs=0.05 * width),
    )


def test_the_interval_of_few_images_is_as_wide_as_students():
    gains = np.random.default_rng(4).normal(0.3, 0.2, 8)
    ours, theirs = verdict_on(gains), stats.ttest_1samp(gains, 0).confidence_interval()
    assert ours.high - ours.low == pytest.approx(theirs.high - theirs.low, rel=0.15)


def test_few_images_get_no_verdict():
    assert (
        str(verdict_on([0.001]))
        == "Too few images to tell: 0.00 dB on average (from 0.00 to 0.00), 1 of 1 images improved."
    )
    assert str(verdict_on([0.4, 0.5, 0.6, 0.7])).startswith(
        "Too few images to tell: +0.55 dB on average (from +0.40 to +0.70)"
    )
    assert str(verdict_on([0.4, 0.5, 0.6, 0.7, 0.8])).startswith("Better: +0.60 dB")


def test_it_says_on_what():
    assert str(verdict_on([0.5] * 6, on="JPEG 40")).startswith("Better on JPEG 40: +0.50 dB")
    assert str(verdict_on([0.5], on="JPEG 40")).startswith("Too few images to tell on JPEG 40: ")


def test_a_zero_has_no_sign_and_is_no_difference():
    tiny = "No different: 0.00 dB on average (95 % interval 0.00 to 0.00), {} of 6 images improved."
    assert str(verdict_on([-1e-4] * 6)) == tiny.format(0) and str(
        verdict_on([1e-4] * 6)
    ) == tiny.format(6)


def test_what_has_no_mean_is_named():
    before = psnr_of(30, 31, math.inf)
    with pytest.raises(ValueError, match="the values of i1 are NaN or infinite"):
        compare(before, psnr_of(31, math.nan, math.inf))
    with pytest.raises(ValueError, match="the values of i0, i2 are NaN or infinite"):
        compare(before, psnr_of(math.inf, 32, 30))


def test_an_infinite_gain_alone_is_no_proof():
    verdict = verdict_on([math.inf, *[-0.1] * 5])
    assert (verdict.mean, verdict.low, verdict.high) == (math.inf, pytest.approx(-0.1), math.inf)
    assert str(verdict).startswith("No different")


def test_the_worst_come_first():
    assert dict(verdict_on([0.3, -0.2, 0.1, -0.5, 0.2, 0.4]).worst(2)) == {
        "i3": pytest.approx(-0.5),
        "i1": pytest.approx(-0.2),
    }
