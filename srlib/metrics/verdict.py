"""What a table of scores says: means and tails, gains over bicubic, and the verdict on a fine-tuning (notebook 06)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit

_RESAMPLES = 10_000
_ENOUGH = 5  # images for a verdict: of four gains, one time in eight all have one sign by chance
_TAIL = 0.05  # the share of the images that makes the best and the worst ones


def summarise(table: pd.DataFrame, *, baseline: str = "bicubic") -> pd.DataFrame:
    """One row per method and metric of `evaluate`'s table.

    mean, median, std, best, worst (of metrics where more is better); top5 and bottom5: the mean of the best and the worst 5 % of
    the images (at least one).  Against the baseline, image by image, and NaN for the baseline itself: above_baseline, the share
    of images on which the method beats it; gain, the mean difference; gain_low and gain_high, its 95 % interval as `compare`
    gives it.  Raises ValueError if the baseline is not in the table, or a gain cannot be taken.
    """
    if baseline not in set(table["method"]):
        raise ValueError(
            f"The baseline, {baseline!r}, is not in the table: evaluate it with the others, or name another one."
        )
    wide = table.pivot(index="image", columns=["method", "metric"], values="value")
    rows = {}
    for method, metric in dict.fromkeys(zip(table["method"], table["metric"], strict=True)):
        values = wide[method, metric]
        few = tail_size(len(values))
        ordered = np.sort(values)
        rows[method, metric] = {
            "mean": values.mean(), "median": values.median(), "std": values.std(ddof=0), "best": ordered[-1], "worst": ordered[0],
            "top5": ordered[-few:].mean(), "bottom5": ordered[:few].mean(),
        } | _against(wide[baseline, metric], None if method == baseline else values)  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["method", "metric"])


def _against(baseline: pd.Series, values: pd.Series | None) -> dict[str, float]:
    if values is None:
        return dict.fromkeys(("above_baseline", "gain", "gain_low", "gain_high"), math.nan)
    verdict = compare(baseline, values)
    above = float((verdict.gains > 0).mean())
    return {
        "above_baseline": above,
        "gain": verdict.mean,
        "gain_low": verdict.low,
        "gain_high": verdict.high,
    }


def tail_size(images: int) -> int:
    """How many images the best, or the worst, 5 % are: at least one."""
    return max(1, round(_TAIL * images))


@dataclass(frozen=True)
class Verdict:
    """Whether `after` is better than `before` on the same images: gains in dB, their mean with a 95 % bootstrap interval.

    low, high: the interval; of fewer than five images the least and the largest gain, and there is no verdict.  on: what was
    measured on, "" if that is clear.
    """

    gains: pd.Series
    mean: float
    low: float
    high: float
    on: str = ""

    def __str__(self) -> str:
        mean, low, high = (_signed(value) for value in (self.mean, self.low, self.high))
        enough = len(self.gains) >= _ENOUGH
        # by the numbers as they are printed: nobody shall read "better" beside a gain of 0.00 dB
        word = "better" if float(low) > 0 else "worse" if float(high) < 0 else "no different"
        head = (word.capitalize() if enough else "Too few images to tell") + (
            f" on {self.on}" if self.on else ""
        )
        spread = f"95 % interval {low} to {high}" if enough else f"from {low} to {high}"
        improved = int((self.gains > 0).sum())
        return f"{head}: {mean} dB on average ({spread}), {improved} of {len(self.gains)} images improved."

    def worst(self, count: int = 3) -> pd.Series:
        """The lowest gains in dB, the lowest first, by image: the photographs to look at."""
        return self.gains.nsmallest(count)


def _signed(decibels: float) -> str:
    text = f"{decibels:+.2f}"
    return text if float(text) else "0.00"


def compare(before: pd.Series, after: pd.Series, *, on: str = "", seed: int = 0) -> Verdict:
    """The verdict on two series of PSNR, indexed by image: paired, by 10,000 bootstrap resamples of the per-image gains.

    The interval is the expanded percentile interval (Hesterberg 2015, What Teachers Should Know About the Bootstrap): the plain
    one is too short for few images, and of six would call 15 % of pure chance a difference, instead of 5 %.

    on: what was measured on, for the sentence.  Two equal values, infinite ones too, are a gain of zero.  Raises ValueError
    unless both name the same images, if a value is NaN, and if gains are infinite both ways.
    """
    if set(before.index) != set(after.index) or not len(before):
        raise ValueError("A comparison needs the same images before and after.")
    after = after.reindex(before.index)
    gains = (after - before).where(after != before, 0.0)
    odd = gains[~np.isfinite(gains)]
    if odd.isna().any() or odd.nunique() > 1:
        names = ", ".join(map(str, odd.index))
        raise ValueError(
            f"The gains have no mean: the values of {names} are NaN or infinite.  Mend these images or leave them out."
        )
    low, high = (
        _interval(gains.to_numpy(), seed) if len(gains) >= _ENOUGH else (gains.min(), gains.max())
    )
    return Verdict(gains, float(gains.mean()), float(low), float(high), on)


def _interval(gains: np.ndarray, seed: int) -> tuple[float, float]:
    """The expanded percentiles: further out by as much as Student's t is wider, and a sample's spread smaller, than the truth."""
    count = len(gains)
    tail = ndtr(math.sqrt(count / (count - 1)) * stdtrit(count - 1, 0.025))
    picks = np.random.default_rng(seed).integers(0, count, (_RESAMPLES, count))
    # without interpolation, which would make NaN of an infinite gain
    return tuple(np.quantile(gains[picks].mean(axis=1), [tail, 1 - tail], method="inverted_cdf"))
