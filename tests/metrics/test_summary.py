"""The verdict: what it says, and how often it is wrong.  That of a whole table is in test_metrics.py."""

import math

import numpy as np
import pandas as pd
import pytest
from conftest import table_of
from scipy import stats

from srlib.metrics import Verdict, compare, summarise


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
    ours = verdict_on(gains)
    theirs = stats.bootstrap((gains,), np.mean, method="percentile", rng=0).confidence_interval
    width = theirs.high - theirs.low
    assert (ours.low, ours.high) == (
        pytest.approx(theirs.low, abs=0.05 * width),
        pytest.approx(theirs.high, abs=0.05 * width),
    )


def test_the_interval_of_few_images_is_as_wide_as_students():
    gains = np.random.default_rng(4).normal(0.3, 0.2, 8)
    ours = verdict_on(gains)
    theirs = stats.ttest_1samp(gains, 0).confidence_interval()
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


def test_a_missing_value_is_named_and_never_an_improvement():
    before = psnr_of(30, 31, 32)
    for after in (psnr_of(31, math.nan, 33), psnr_of(31, math.nan, math.inf)):
        with pytest.raises(ValueError, match="no gain for i1, "):
            compare(before, after)
        with pytest.raises(ValueError, match="no gain for i1, "):
            compare(after, before)
    nothing = Verdict(psnr_of(*[math.nan] * 6), math.nan, math.nan, math.nan)
    assert not str(nothing).startswith(("Better", "Worse")) and not nothing.failed


@pytest.mark.parametrize("infinite", [math.inf, -math.inf])
def test_an_infinite_gain_is_left_out_and_said(infinite):
    """As when one method restores a white page exactly, and the other does not."""
    verdict = verdict_on([infinite, *[-0.1] * 5])
    assert (verdict.mean, verdict.low, verdict.high) == tuple([pytest.approx(-0.1)] * 3)
    text = str(verdict)
    assert (
        text.startswith("Worse: -0.10 dB") and "1 left out as exact" in text and "inf" not in text
    )
    assert text.endswith(f"{int(infinite > 0)} of 6 images improved.")
    assert str(verdict_on([infinite, *[0.5] * 4])).startswith("Too few images to tell: +0.50 dB")
    only = verdict_on([infinite])
    assert (
        str(only)
        == f"Too few images to tell: no gain is finite, {int(infinite > 0)} of 1 images improved."
    )


def test_a_failure_lies_wholly_below_zero():
    assert verdict_on([-0.3, -0.2, -0.4, -0.5, -0.3, -0.2]).failed
    mixed = verdict_on([-1.5, 0.4, -0.9, 0.3, 0.8, -0.2])
    assert mixed.mean < 0 < mixed.high and not mixed.failed
    assert not verdict_on([-0.5]).failed  # too few to tell


def test_ssim_has_a_verdict_of_its_own():
    before = psnr_of(*[0.8] * 6)
    text = str(compare(before, before + 0.0123, metric="ssim", on="JPEG 40"))
    assert text.startswith(
        "Better on JPEG 40: +0.0123 in SSIM on average (95 % interval +0.0123 to +0.0123)"
    )
    assert compare(before, before - 0.0123, metric="ssim").failed


def test_only_acronyms_are_in_capitals():
    before = psnr_of(*[0.5] * 6)
    assert "+0.1000 in rank correlation" in str(
        compare(before, before + 0.1, metric="rank correlation")
    )


def test_the_interval_of_six_images_by_all_their_resamples():
    """Of all 6^6 resamples, the expanded interval leaves out 0.24 % at each end (Hesterberg 2015).

    Without its factor sqrt(6 / 5) these were 0.51 %, and with six degrees of freedom 0.37 %.
    """
    gains = np.random.default_rng(5).normal(0.2, 0.3, 6)
    means = np.sort(gains[np.indices([6] * 6).reshape(6, -1)].mean(axis=0))
    orders = [np.random.default_rng(seed).permutation(gains) for seed in range(10)]
    verdicts = [verdict_on(order) for order in orders]
    shares = [np.searchsorted(means, verdict.low) / 6**6 for verdict in verdicts]
    shares += [1 - np.searchsorted(means, verdict.high) / 6**6 for verdict in verdicts]
    expected = stats.norm.cdf(math.sqrt(6 / 5) * stats.t.ppf(0.025, 5))
    assert expected == pytest.approx(0.00243, abs=1e-5)
    assert np.mean(shares) == pytest.approx(expected, abs=0.0005)


def test_a_summary_leaves_exact_pictures_out_and_counts_them():
    columns = {"bicubic": [30.0, 25.0, math.inf], "ours": [32.0, math.inf, math.inf]}
    summary = summarise(table_of(columns))
    bicubic = summary.loc[("bicubic", "psnr")]
    ours = summary.loc[("ours", "psnr")]
    assert (bicubic["mean"], bicubic["best"], bicubic["worst"], bicubic["exact"]) == (
        27.5,
        30,
        25,
        1,
    )
    assert (ours["mean"], ours["top5"], ours["exact"], ours["gain"]) == (
        32,
        32,
        2,
        1,
    )  # gains: 2, infinite, 0
    assert ours["above_baseline"] == pytest.approx(2 / 3)
    assert np.isfinite(summary.drop("bicubic").to_numpy(float)).all()
