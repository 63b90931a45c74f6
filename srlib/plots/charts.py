"""Charts of `evaluate`'s table and of the zoo; every function returns a matplotlib Figure and shows nothing (notebook 06)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from srlib.metrics.verdict import tail_size
from srlib.plots.figures import STYLES, new_figure

_MANY = 30  # images: beyond, neither their names nor their single points can be read
_UNITS = {"psnr": "PSNR, dB", "ssim": "SSIM"}


def distributions(table: pd.DataFrame, *, width: float = 10) -> Figure:
    """PSNR and SSIM by method as curves: the share of the images (in %) that score no more than x; stars mark the top 5 %."""
    methods = _methods(table)
    wide = {metric: _wide(table, metric)[methods] for metric in _UNITS}
    medians = ", ".join(f"{method} {wide['psnr'][method].median():.2f} dB" for method in methods)
    alt = f"Distributions of PSNR and SSIM over {len(wide['psnr'])} images. Median PSNR: {medians}."
    figure, axes = new_figure(width, 3.4, 1, 2, alt=alt)
    for axis, (metric, unit) in zip(axes.flat, _UNITS.items(), strict=True):
        for method, (colour, line, marker) in zip(methods, STYLES, strict=False):
            values = np.sort(wide[metric][method])
            share, few = np.arange(1, len(values) + 1) / len(values) * 100, tail_size(len(values))
            dots = marker if len(values) <= _MANY else ""
            axis.step(
                values, share, where="post", color=colour, ls=line, marker=dots, ms=4, label=method
            )
            axis.plot(
                values[-few:],
                share[-few:],
                "*",
                ms=11,
                color=colour,
                markeredgecolor="black",
                markeredgewidth=0.5,
            )
        axis.axhline(50, color="black", lw=0.6)
        axis.set(xlabel=unit, ylabel="images with no more, %", ylim=(0, 106))
        axis.grid(alpha=0.3)
    axes[0, 0].legend(fontsize=8, title="star: the top 5 %", title_fontsize=8)
    return figure


def gains(table: pd.DataFrame, *, baseline: str = "bicubic", width: float = 10) -> Figure:
    """What each method gains over the baseline in PSNR, image by image, sorted by the last method's gain.

    Bars with names; for many images each method is a line of its own, from its least gain to its largest.
    """
    gain = _gain(table, baseline)
    gain = gain.sort_values(gain.columns[-1])
    shares = ", ".join(f"{method} gains on {(gain[method] > 0).mean():.0%}" for method in gain)
    alt = f"PSNR gained over {baseline} on each of {len(gain)} images: {shares}."
    many = len(gain) > _MANY
    height = 3.2 if many else 0.6 + 0.32 * len(gain) * max(1, len(gain.columns) / 2)
    figure, ((axis,),) = new_figure(width, height, alt=alt)
    thick = 0.8 / len(gain.columns)
    for number, (method, (colour, line, _)) in enumerate(zip(gain, STYLES[1:], strict=False)):
        if many:
            axis.plot(
                np.sort(gain[method]), np.arange(len(gain)), color=colour, ls=line, label=method
            )
            continue
        places = (
            np.arange(len(gain)) - (number - (len(gain.columns) - 1) / 2) * thick
        )  # from the top down, as in the legend
        axis.barh(
            places,
            gain[method],
            thick,
            color=colour,
            edgecolor="black",
            lw=0.4,
            hatch=["", "//", "..", "xx"][number % 4],
            label=method,
        )
    if many:
        axis.set_ylabel("images, sorted by gain")
    else:
        axis.set_yticks(range(len(gain)), gain.index)
    axis.axvline(0, color="black", lw=0.8)
    axis.set(xlabel=f"PSNR gained over {baseline}, dB")
    axis.legend(fontsize=8)
    return figure


def agreement(table: pd.DataFrame, *, width: float = 5) -> Figure:
    """PSNR against SSIM, a point for each image and method: do the two metrics rank alike?"""
    both = {metric: _wide(table, metric) for metric in _UNITS}
    ranks = {m: both["psnr"][m].corr(both["ssim"][m], method="spearman") for m in _methods(table)}
    said = ", ".join(f"{method} {rank:.2f}" for method, rank in ranks.items())
    figure, ((axis,),) = new_figure(
        width, 0.6 * width, alt=f"SSIM against PSNR. Rank correlation over the images: {said}."
    )
    for (method, rank), (colour, _, marker) in zip(ranks.items(), STYLES, strict=False):
        label = f"{method}, rank correlation {rank:.2f}"
        axis.plot(
            both["psnr"][method],
            both["ssim"][method],
            marker,
            color=colour,
            ms=5,
            alpha=0.8,
            label=label,
        )
    axis.set(xlabel=_UNITS["psnr"], ylabel=_UNITS["ssim"])
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    return figure


def gain_by_texture(
    table: pd.DataFrame, texture: pd.Series, *, baseline: str = "bicubic", width: float = 6
) -> Figure:
    """What each method gains over the baseline in PSNR against how much texture an image has.

    texture: a number for each image, by name; its name is the axis label.
    """
    gain = _gain(table, baseline)
    x = texture.reindex(gain.index)
    related = {method: x.corr(gain[method]) for method in gain}
    said = ", ".join(f"{method} {value:.2f}" for method, value in related.items())
    figure, ((axis,),) = new_figure(
        width,
        0.5 * width,
        alt=f"PSNR gained over {baseline} against {texture.name}. Correlation: {said}.",
    )
    for (method, value), (colour, _, marker) in zip(related.items(), STYLES[1:], strict=False):
        axis.plot(
            x, gain[method], marker, color=colour, ms=5, label=f"{method}, correlation {value:.2f}"
        )
    if len(gain) <= _MANY:
        for name in gain.index:
            axis.annotate(
                name,
                (x[name], gain.loc[name].max()),
                xytext=(5, 3),
                textcoords="offset points",
                fontsize=8,
            )
    axis.axhline(0, color="black", lw=0.8)
    axis.margins(0.12)
    axis.set(xlabel=texture.name, ylabel=f"gain over {baseline}, dB")
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    return figure


def quality_by_cost(
    published: pd.DataFrame, measured: pd.DataFrame, *, title: str, width: float = 6
) -> Figure:
    """Cost against quality: the published points hollow, those measured here filled; whose quality is unknown is a line.

    Both tables are indexed by the model's name, with `cost` (multiplications, on a logarithmic axis) and `psnr` (dB or NaN).
    """
    points = [
        f"{name} {row.psnr:.2f} dB"
        for table in (published, measured)
        for name, row in table.iterrows()
        if row.psnr > 0
    ]
    figure, ((axis,),) = new_figure(
        width, 0.5 * width, alt=f"PSNR against cost, {title}: {', '.join(points)}."
    )
    for table, colour, label in (
        (published, "white", "published"),
        (measured, STYLES[1][0], "measured here"),
    ):
        known = table.dropna()
        axis.plot(
            known["cost"],
            known["psnr"],
            "o",
            ms=8,
            color=colour,
            markeredgecolor="black",
            label=label if len(known) else None,
        )
        for name, row in table.iterrows():
            if np.isnan(row.psnr):
                axis.axvline(
                    row.cost, color=STYLES[1][0], ls="--", lw=1.2, label=f"{name}: its cost"
                )
            else:
                axis.annotate(
                    name,
                    (row.cost, row.psnr),
                    xytext=(8, -3),
                    textcoords="offset points",
                    fontsize=8,
                )
    axis.set(
        xscale="log",
        xlabel="multiplications for each pixel of the result",
        ylabel=_UNITS["psnr"],
        title=title,
    )
    axis.margins(0.2)
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    return figure


def _methods(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(table["method"]))


def _wide(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Images by methods."""
    return table[table["metric"] == metric].pivot(index="image", columns="method", values="value")


def _gain(table: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """PSNR above the baseline's, images by methods, in the table's order."""
    wide = _wide(table, "psnr")
    return wide[[m for m in _methods(table) if m != baseline]].sub(wide[baseline], axis=0)
