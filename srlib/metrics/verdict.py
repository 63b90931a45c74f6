"""Summaries of a table of scores, and the verdict on one method against another."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit

_RESAMPLES = 10_000
_ENOUGH = 5  # images for a verdict: four gains have one sign by chance one time in eight
_TAIL = 0.05  # the share of the images that counts as the best and the worst


def summarise(table: pd.DataFrame, *, baseline: str = "bicubic") -> pd.DataFrame:
    """Summarise `evaluate`'s table by method and metric.

    Args:
        table: As `evaluate` returns it; higher is better in every metric.
        baseline: The method that the others are compared with.

    Returns:
        One row per (method, metric). mean, median, std, best and worst, and top5 and bottom5, the
        means of the best and the worst 5 % of the images (at least one). exact is the number of
        images with an infinite value, as a picture that is restored exactly has in PSNR; all the
        others leave them out. Against the baseline, and NaN for the baseline itself:
        above_baseline, the share of the images on which the method is better, and gain, gain_low
        and gain_high, the mean gain with its 95 % interval as `compare` gives it.

    Raises:
        ValueError: The baseline is not in the table, or a gain cannot be taken.
    """
    if baseline not in set(table["method"]):
        raise ValueError(
            f"The baseline, {baseline!r}, is not in the table: evaluate it with the others, or "
            "name another one."
        )
    wide = table.pivot(index="image", columns=["method", "metric"], values="value")
    rows = {}
    for method, metric in dict.fromkeys(zip(table["method"], table["metric"], strict=True)):
        values = wide[method, metric]
        finite = values[np.isfinite(values)].sort_values()
        few = tail_size(len(finite))
        gains = [math.nan] * 4
        if method != baseline:
            verdict = compare(wide[baseline, metric], values)
            gains = [(verdict.gains > 0).mean(), verdict.mean, verdict.low, verdict.high]
        rows[method, metric] = {
            "mean": finite.mean(),
            "median": finite.median(),
            "std": finite.std(ddof=0),
            "best": finite.max(),
            "worst": finite.min(),
            "top5": finite.tail(few).mean(),
            "bottom5": finite.head(few).mean(),
            "exact": int(np.isinf(values).sum()),
            **dict(zip(("above_baseline", "gain", "gain_low", "gain_high"), gains, strict=True)),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["method", "metric"])


def tail_size(images: int) -> int:
    """The number of images in the best or the worst 5 %, at least one."""
    return max(1, round(_TAIL * images))


@dataclass(frozen=True)
class Verdict:
    """Whether a method is better than another on the same images; `str()` says it in a sentence.

    Attributes:
        gains: The gain of each image, indexed by name; infinite if only one of the two methods
            restored it exactly.
        mean: The mean of the finite gains.
        low: The lower end of the 95 % interval of the mean; of fewer than five finite gains the
            least of them, and there is no verdict.
        high: The upper end, likewise.
        on: The input that was measured, "" if that is clear.
        metric: "psnr", whose gains are in dB, or the name of another metric.
    """

    gains: pd.Series
    mean: float
    low: float
    high: float
    on: str = ""
    metric: str = "psnr"

    @property
    def outcome(self) -> str:
        """One of "better", "worse", "no different" and "too few images to tell"."""
        if np.isfinite(self.gains).sum() < _ENOUGH:
            return "too few images to tell"
        # By the numbers as printed, so that "better" never stands beside 0.00 dB.
        if float(self._signed(self.low)) > 0:
            return "better"
        return "worse" if float(self._signed(self.high)) < 0 else "no different"

    @property
    def failed(self) -> bool:
        """Whether the method is clearly worse: the whole interval lies below zero."""
        return self.outcome == "worse"

    def __str__(self) -> str:
        mean, low, high = (self._signed(value) for value in (self.mean, self.low, self.high))
        unit = {"psnr": "dB", "ssim": "in SSIM"}.get(self.metric, f"in {self.metric}")
        on = f" on {self.on}" if self.on else ""
        few = self.outcome.startswith("too few")
        spread = f"from {low} to {high}" if few else f"95 % interval {low} to {high}"
        if infinite := np.isinf(self.gains).sum():
            spread += f", {infinite} left out as exact"
        finite = not math.isnan(self.mean)
        gain = f"{mean} {unit} on average ({spread})" if finite else "no gain is finite"
        improved = f"{(self.gains > 0).sum()} of {len(self.gains)} images improved"
        return f"{self.outcome.capitalize()}{on}: {gain}, {improved}."

    def _signed(self, gain: float) -> str:
        decimals = 2 if self.metric == "psnr" else 4
        rounded = round(gain, decimals)
        return f"{rounded:+.{decimals}f}" if rounded else f"{0:.{decimals}f}"


def compare(before: pd.Series, after: pd.Series, *, on: str = "", metric: str = "psnr") -> Verdict:
    """Compare two methods on the same images by 10,000 bootstrap resamples of the gains.

    The interval is the expanded percentile interval (Hesterberg 2015, What Teachers Should Know
    About the Bootstrap). The plain one is too short for few images: of six it would call 15 % of
    pure chance a difference, instead of 5 %.

    Args:
        before: The scores of one method, indexed by image. Two equal values, infinite ones too,
            are a gain of zero.
        after: The scores of the other method.
        on: The input that was measured, for the sentence.
        metric: "psnr", or the name of another metric in which higher is better.

    Returns:
        The verdict, from the finite gains.

    Raises:
        ValueError: The images differ, or a value is missing.

    Example:
        >>> bicubic = pd.Series([28.1, 30.4, 26.0, 31.2, 27.5])
        >>> print(compare(bicubic, bicubic + 0.5))
        Better: +0.50 dB on average (95 % interval +0.50 to +0.50), 5 of 5 images improved.
    """
    if set(before.index) != set(after.index):
        raise ValueError("A comparison needs the same images before and after.")
    after = after.reindex(before.index)
    gains = (after - before).where(after != before, 0.0)
    if gains.isna().any():
        names = ", ".join(map(str, gains.index[gains.isna()]))
        raise ValueError(f"There is no gain for {names}, where a value is missing (NaN).")
    finite = gains[np.isfinite(gains)].to_numpy()
    if len(finite) >= _ENOUGH:
        low, high = _interval(finite)
    else:
        low, high = (finite.min(), finite.max()) if len(finite) else (math.nan, math.nan)
    mean = finite.mean() if len(finite) else math.nan
    return Verdict(gains, float(mean), float(low), float(high), on, metric)


def _interval(gains: np.ndarray) -> np.ndarray:
    """The expanded percentiles of the resampled means.

    They lie further out than 2.5 % and 97.5 %, by as much as Student's t is wider than the normal
    distribution and a sample's spread is smaller than the true one.
    """
    count = len(gains)
    tail = ndtr(math.sqrt(count / (count - 1)) * stdtrit(count - 1, 0.025))
    picks = np.random.default_rng(0).integers(0, count, (_RESAMPLES, count))
    return np.quantile(gains[picks].mean(axis=1), [tail, 1 - tail], method="inverted_cdf")
