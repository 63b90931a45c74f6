"""Charts of `evaluate`'s table and of the zoo; each function returns a figure and shows nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from srlib.metrics.verdict import tail_size
from srlib.plots.figures import STYLES, finish, label, new_figure

_MANY = 30  # images; names and single points of more cannot be read
_UNITS = {"psnr": "PSNR, dB", "ssim": "SSIM"}
_HATCHES = ("", "//", "..", "xx")


def distributions(table: pd.DataFrame, *, width: float = 10) -> Figure:
    """PSNR and SSIM by method as curves: the share of the images, in %, that score no more than x.

    Stars mark the top 5 %. Pictures that are restored exactly are left out.
    """
    methods = _methods(table)
    wide = {metric: _wide(table, metric) for metric in _UNITS}
    medians = ", ".join(f"{method} {wide['psnr'][method].median():.2f} dB" for method in methods)
    alt = f"Distributions of PSNR and SSIM over {len(wide['psnr'])} images. Median PSNR: {medians}."
    figure, axes = new_figure(width, 3.4, 1, 2, alt=alt)
    for axis, (metric, unit) in zip(axes.flat, _UNITS.items(), strict=True):
        for method, (colour, line, marker) in zip(methods, STYLES, strict=False):
            values = wide[metric][method].dropna().sort_values().to_numpy()
            share = np.arange(1, len(values) + 1) / max(1, len(values)) * 100
            top = slice(-tail_size(len(values)), None)
            dots = {"marker": marker if len(values) <= _MANY else "", "ms": 4}
            axis.step(values, share, line, where="post", color=colour, label=label(method), **dots)
            axis.plot(values[top], share[top], "*", ms=11, color=colour, mec="black", mew=0.5)
        axis.axhline(50, color="black", lw=0.6)
        finish(axis, legend=False, xlabel=unit, ylabel="images with no more, %", ylim=(0, 106))
    axes[0, 0].legend(fontsize=8, title="star: the top 5 %", title_fontsize=8)
    return figure


def gains(table: pd.DataFrame, *, baseline: str = "bicubic", width: float = 10) -> Figure:
    """The PSNR that each method gains over the baseline, sorted by the last method's gain.

    Bars with names; for many images a line per method, from its least gain to its largest.
    """
    gain = _gain(table, baseline)
    gain = gain.sort_values(gain.columns[-1])
    shares = ", ".join(f"{method} gains on {(gain[method] > 0).mean():.0%}" for method in gain)
    alt = f"PSNR gained over {baseline} on each of {len(gain)} images: {shares}."
    many = len(gain) > _MANY
    count = len(gain.columns)
    height = 3.2 if many else 0.6 + 0.32 * len(gain) * max(1, count / 2)
    figure, ((axis,),) = new_figure(width, height, alt=alt)
    places = np.arange(len(gain))
    for number, (method, (colour, line, _)) in enumerate(zip(gain, STYLES[1:], strict=False)):
        name = label(method)
        if many:
            axis.plot(np.sort(gain[method]), places, color=colour, ls=line, label=name)
            continue
        above = (count - 1) / 2 - number  # from the top down, as in the legend
        look = {"color": colour, "hatch": _HATCHES[number % 4], "edgecolor": "black", "lw": 0.4}
        axis.barh(places + above * 0.8 / count, gain[method], 0.8 / count, label=name, **look)
    if many:
        axis.set_ylabel("images, sorted by gain")
    else:
        axis.set_yticks(places, map(label, gain.index))
    axis.axvline(0, color="black", lw=0.8)
    axis.set(xlabel=f"PSNR gained over {label(baseline)}, dB")
    axis.legend(fontsize=8)
    return figure


def agreement(table: pd.DataFrame, *, width: float = 5) -> Figure:
    """PSNR against SSIM, a point for each image and method, with their rank correlation."""
    psnr = _wide(table, "psnr")
    ssim = _wide(table, "ssim")
    ranks = {m: psnr[m].corr(ssim[m], method="spearman") for m in _methods(table)}
    numbers = ", ".join(f"{method} {rank:.2f}" for method, rank in ranks.items())
    alt = f"SSIM against PSNR. Rank correlation over the images: {numbers}."
    figure, ((axis,),) = new_figure(width, 0.6 * width, alt=alt)
    for (method, rank), (colour, _, marker) in zip(ranks.items(), STYLES, strict=False):
        name = f"{label(method)}, rank correlation {rank:.2f}"
        axis.plot(psnr[method], ssim[method], marker, color=colour, ms=5, alpha=0.8, label=name)
    finish(axis, xlabel=_UNITS["psnr"], ylabel=_UNITS["ssim"])
    return figure


def gain_by_texture(
    table: pd.DataFrame, texture: pd.Series, *, baseline: str = "bicubic", width: float = 6
) -> Figure:
    """The PSNR that each method gains over the baseline, against the texture of the images.

    texture: a number for each image, indexed by name; the name of the series labels the axis.
    """
    gain = _gain(table, baseline)
    x = texture.reindex(gain.index)
    related = {method: x.corr(gain[method]) for method in gain}
    numbers = ", ".join(f"{method} {value:.2f}" for method, value in related.items())
    alt = f"PSNR gained over {baseline} against {texture.name}. Correlation: {numbers}."
    figure, ((axis,),) = new_figure(width, 0.5 * width, alt=alt)
    for (method, value), (colour, _, marker) in zip(related.items(), STYLES[1:], strict=False):
        name = f"{label(method)}, correlation {value:.2f}"
        axis.plot(x, gain[method], marker, color=colour, ms=5, label=name)
    if len(gain) <= _MANY:
        for name in gain.index:
            _annotate(axis, name, (x[name], gain.loc[name].max()), offset=(5, 3))
    axis.axhline(0, color="black", lw=0.8)
    axis.margins(0.12)
    finish(axis, xlabel=label(texture.name), ylabel=f"gain over {label(baseline)}, dB")
    return figure


def quality_by_cost(
    published: pd.DataFrame, measured: pd.DataFrame, *, title: str, width: float = 6
) -> Figure:
    """Cost against quality: hollow points as published, filled ones as measured here.

    A model of unknown quality is a line. Both tables are indexed by the model's name, with `cost`
    (multiplications, on a logarithmic axis) and `psnr` (dB or NaN).
    """
    known = pd.concat([published, measured]).dropna()
    points = ", ".join(f"{name} {row.psnr:.2f} dB" for name, row in known.iterrows())
    alt = f"PSNR against cost, {title}: {points}."
    figure, ((axis,),) = new_figure(width, 0.5 * width, alt=alt)
    for table, colour, name in (
        (published, "white", "published"),
        (measured, STYLES[1][0], "measured here"),
    ):
        points = table.dropna()
        look = {"ms": 8, "color": colour, "mec": "black", "label": name if len(points) else None}
        axis.plot(points["cost"], points["psnr"], "o", **look)
        for model, row in table.iterrows():
            if np.isnan(row.psnr):
                cost = f"{label(model)}: its cost"
                axis.axvline(row.cost, color=STYLES[1][0], ls="--", lw=1.2, label=cost)
            else:
                _annotate(axis, model, (row.cost, row.psnr), offset=(8, -3))
    axis.margins(0.2)
    unit = "multiplications for each pixel of the result"
    finish(axis, xscale="log", xlabel=unit, ylabel=_UNITS["psnr"], title=label(title))
    return figure


def _annotate(axis, name, point: tuple[float, float], *, offset: tuple[int, int]) -> None:
    if np.isfinite(point).all():
        place = {"xytext": offset, "textcoords": "offset points"}
        axis.annotate(label(name), point, fontsize=8, **place)


def _methods(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(table["method"]))


def _wide(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The finite values of a metric, images by methods; NaN elsewhere."""
    rows = table[table["metric"] == metric]
    wide = rows.pivot(index="image", columns="method", values="value")
    return wide.reindex(columns=_methods(table)).replace([np.inf, -np.inf], np.nan)


def _gain(table: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """PSNR above the baseline's, images by methods, in the table's order."""
    wide = _wide(table, "psnr")
    return wide.drop(columns=baseline).sub(wide[baseline], axis=0)
