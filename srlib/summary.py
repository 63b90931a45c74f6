"""What a table of scores says: means and tails, gains over bicubic, and the verdict on a fine-tuning (notebook 06)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

_RESAMPLES = 10_000
_TAIL = 0.05  # the share of the images that makes the best and the worst ones


def summarise(table: pd.DataFrame, *, baseline: str = "bicubic") -> pd.DataFrame:
    """One row per method and metric of `evaluate`'s table.

    mean, median, std, best, worst (of metrics where more is better); top5 and bottom5: the mean of the best and the worst 5 % of
    the images (at least one).  Against the baseline, image by image, and NaN for the baseline itself: above_baseline, the share
    of images on which the method beats it; gain, the mean difference; gain_low and gain_high, its 95 % bootstrap interval.
    Raises ValueError if the baseline is not in the table.
    """
    if baseline not in set(table["method"]):
        raise ValueError(f"The baseline, {baseline!r}, is not in the table: evaluate it with the others, or name another one.")
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
    return {"above_baseline": above, "gain": verdict.mean, "gain_low": verdict.low, "gain_high": verdict.high}


def tail_size(images: int) -> int:
    """How many images the best, or the worst, 5 % are: at least one."""
    return max(1, round(_TAIL * images))


@dataclass(frozen=True)
class Verdict:
    """Whether `after` is better than `before` on the same images: gains in dB, their mean with a 95 % bootstrap interval."""

    gains: pd.Series
    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        word = "better" if self.low > 0 else "worse" if self.high < 0 else "no different"
        improved = int((self.gains > 0).sum())
        return (
            f"{word.capitalize()}: {self.mean:+.2f} dB on average (95 % interval {self.low:+.2f} to {self.high:+.2f}), "
            f"{improved} of {len(self.gains)} images improved."
        )


def compare(before: pd.Series, after: pd.Series, *, seed: int = 0) -> Verdict:
    """The verdict on two series of PSNR, indexed by image: paired, by 10,000 bootstrap resamples of the per-image gains.

    Two equal values, infinite ones too, are a gain of zero.  Raises ValueError unless both name the same images.
    """
    if set(before.index) != set(after.index) or not len(before):
        raise ValueError("A comparison needs the same images before and after.")
    after = after.reindex(before.index)
    gains = (after - before).where(after != before, 0.0)
    picks = np.random.default_rng(seed).integers(0, len(gains), (_RESAMPLES, len(gains)))
    low, high = np.percentile(gains.to_numpy()[picks].mean(axis=1), [2.5, 97.5])
    return Verdict(gains, float(gains.mean()), float(low), float(high))
