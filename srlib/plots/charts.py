"""Charts of `evaluate`'s table, of costs and of a training; each function returns a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from srlib.metrics.verdict import tail_size
from srlib.plots.figures import STYLES, finish, label, new_figure, styles

if TYPE_CHECKING:
    from srlib.training.history import History

_MANY = 30  # images; names and single points of more cannot be read
_UNITS = {"psnr": "PSNR, dB", "ssim": "SSIM"}
_PLACES = {  # of a name beside its point, in points, and the side of the name that lies there
    (7, 0): {"ha": "left", "va": "center"},
    (-7, 0): {"ha": "right", "va": "center"},
    (0, 6): {"ha": "center", "va": "bottom"},
    (0, -7): {"ha": "center", "va": "top"},
}
_HATCHES = ("", "//", "..", "xx")


def distributions(table: pd.DataFrame, *, width: float = 10) -> Figure:
    """PSNR and SSIM by method as curves: the share of the images, in %, that score no more than x.

    Stars mark the top 5 %. Pictures that are restored exactly are left out.
    """
    methods = table["method"].unique()
    wide = {metric: _wide(table, metric) for metric in _UNITS}
    medians = ", ".join(f"{method} {wide['psnr'][method].median():.2f} dB" for method in methods)
    alt = f"Distributions of PSNR and SSIM over {len(wide['psnr'])} images. Median PSNR: {medians}."
    figure, axes = new_figure(width, 3.4, 1, 2, alt=alt)
    for axis, (metric, unit) in zip(axes.flat, _UNITS.items(), strict=True):
        for method, (colour, line, marker) in zip(methods, styles(), strict=False):
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


def gains(table: pd.DataFrame, *, width: float = 10) -> Figure:
    """The PSNR that each method gains over bicubic, sorted by the last method's gain.

    Bars with names; for many images a line per method, from its least gain to its largest.
    """
    gain = _gain(table)
    gain = gain.sort_values(gain.columns[-1])
    shares = ", ".join(f"{method} gains on {(gain[method] > 0).mean():.0%}" for method in gain)
    alt = f"PSNR gained over bicubic on each of {len(gain)} images: {shares}."
    many = len(gain) > _MANY
    count = len(gain.columns)
    height = 3.2 if many else 0.6 + 0.32 * len(gain) * max(1, count / 2)
    figure, ((axis,),) = new_figure(width, height, alt=alt)
    places = np.arange(len(gain))
    for number, (method, (colour, line, _)) in enumerate(zip(gain, styles(1), strict=False)):
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
    axis.set(xlabel="PSNR gained over bicubic, dB")
    axis.legend(fontsize=8)
    return figure


def agreement(table: pd.DataFrame) -> Figure:
    """PSNR against SSIM, a point for each image and method, with their rank correlation."""
    psnr = _wide(table, "psnr")
    ssim = _wide(table, "ssim")
    ranks = {m: psnr[m].corr(ssim[m], method="spearman") for m in table["method"].unique()}
    numbers = ", ".join(f"{method} {rank:.2f}" for method, rank in ranks.items())
    alt = f"SSIM against PSNR. Rank correlation over the images: {numbers}."
    figure, ((axis,),) = new_figure(5, 3, alt=alt)
    for (method, rank), (colour, _, marker) in zip(ranks.items(), styles(), strict=False):
        name = f"{label(method)}, rank correlation {rank:.2f}"
        axis.plot(psnr[method], ssim[method], marker, color=colour, ms=5, alpha=0.8, label=name)
    finish(axis, xlabel=_UNITS["psnr"], ylabel=_UNITS["ssim"])
    return figure


def gain_by_texture(table: pd.DataFrame, texture: pd.Series) -> Figure:
    """The PSNR that each method gains over bicubic, against the texture of the images.

    texture: a number for each image, indexed by name; the name of the series labels the axis.
    """
    gain = _gain(table)
    x = texture.reindex(gain.index)
    related = {method: x.corr(gain[method]) for method in gain}
    numbers = ", ".join(f"{method} {value:.2f}" for method, value in related.items())
    alt = f"PSNR gained over bicubic against {texture.name}. Correlation: {numbers}."
    figure, ((axis,),) = new_figure(6, 3, alt=alt)
    for (method, value), (colour, _, marker) in zip(related.items(), styles(1), strict=False):
        name = f"{label(method)}, correlation {value:.2f}"
        axis.plot(x, gain[method], marker, color=colour, ms=5, label=name)
    axis.axhline(0, color="black", lw=0.8)
    axis.margins(0.12)
    finish(axis, xlabel=label(texture.name), ylabel="gain over bicubic, dB")
    if len(gain) <= _MANY:
        _annotate(axis, {name: (x[name], gain.loc[name].max()) for name in gain.index})
    return figure


def quality_by_cost(models: pd.DataFrame, *, title: str) -> Figure:
    """Quality against cost, a point for each model.

    models: by name, `cost` (multiplications for each pixel of the result) and `psnr` (dB).
    """
    listed = ", ".join(f"{name} {psnr:.2f} dB" for name, psnr in models["psnr"].items())
    alt = f"PSNR against cost, {title}: {listed}."
    figure, ((axis,),) = new_figure(6, 3, alt=alt)
    axis.plot(models["cost"], models["psnr"], "o", ms=8, color=STYLES[1][0], mec="black")
    axis.margins(0.2)
    unit = "multiplications for each pixel of the result"
    look = {"xscale": "log", "xlabel": unit, "ylabel": _UNITS["psnr"], "title": label(title)}
    finish(axis, legend=False, **look)
    _annotate(axis, dict(zip(models.index, models[["cost", "psnr"]].to_numpy(), strict=True)))
    return figure


def costs(values: pd.Series, *, mark: float, mark_label: str, width: float = 7) -> Figure:
    """Bars for values in dB by name, from zero, with a vertical line to compare them with.

    values: the name of the series labels the axis. mark: the line's place. mark_label: its meaning.
    """
    listed = ", ".join(f"{name} {value:.1f} dB" for name, value in values.items())
    alt = f"Bars of {values.name}: {listed}. A line at {mark:.1f} dB: {mark_label}."
    figure, ((axis,),) = new_figure(width, 0.8 + 0.3 * len(values), alt=alt)
    places = np.arange(len(values))[::-1]
    axis.barh(places, values, 0.6, color=STYLES[1][0], edgecolor="black", lw=0.4)
    axis.set_yticks(places, map(label, values.index))
    axis.axvline(mark, color=STYLES[2][0], ls="--", lw=1.5, label=label(mark_label))
    axis.axvline(0, color="black", lw=0.8)
    finish(axis, xlabel=label(values.name))
    return figure


def curves(
    lines: Mapping[str, tuple[Sequence, Sequence]],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    log: bool = False,
    marks: Mapping[str, float] | None = None,
    width: float = 6,
) -> Figure:
    """Draw a line per method.

    Args:
        lines: (x, y) by method; x may be names. "HR", if it is among them, is drawn in black.
        xlabel: Name and unit of x.
        ylabel: Name and unit of y.
        title: Title of the figure.
        log: Whether the y axis is logarithmic.
        marks: Values of x, by name, at which vertical lines are drawn.
        width: Inches.
    """
    alt = f"{title or ylabel} over {xlabel}, for {', '.join(lines)}."
    figure, ((axis,),) = new_figure(width, 0.45 * width, alt=alt)
    look_of = styles()
    for method, (x, y) in lines.items():
        colour, line, marker = ("black", "-", "") if method == "HR" else next(look_of)
        look = {"color": colour, "ls": line, "lw": 1.4, "ms": 4}
        axis.plot(x, y, marker=marker if len(x) <= _MANY else "", label=label(method), **look)
    for name, x in (marks or {}).items():
        axis.axvline(x, color="0.4", lw=0.8, label=label(name))
    xs = [np.asarray(x) for x, _ in lines.values()]
    if all(x.dtype.kind in "iuf" and np.array_equal(x, np.round(x)) for x in xs):
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    yscale = "log" if log else "linear"
    finish(axis, legend=False, xlabel=xlabel, ylabel=ylabel, title=label(title), yscale=yscale)
    beside = {"loc": "upper left", "bbox_to_anchor": (1, 1), "frameon": False}
    axis.legend(fontsize=8, **(beside if len(lines) > 4 else {}))  # five lines leave no free corner
    return figure


def training_curves(
    histories: dict[str, History], *, bicubic_loss: float | None = None, width: float = 10
) -> Figure:
    """Losses and validation PSNR by epoch, with the best epoch and the lines to beat.

    The lines are bicubic and the model before training; bicubic's loss is drawn if it is given.
    """
    best = "; ".join(f"{name} is best at epoch {h.best.epoch}" for name, h in histories.items())
    alt = f"Loss and validation PSNR by epoch: {best}."
    figure, ((left, right),) = new_figure(width, 3.6, 1, 2, alt=alt)
    for (name, history), (colour, line, marker) in zip(histories.items(), styles(1), strict=False):
        name = label(name)
        epochs = [e.epoch for e in history.epochs]
        losses = [e.train_loss for e in history.epochs[1:]]
        look = {"color": colour, "ls": line, "marker": marker, "ms": 4}
        left.plot(epochs[1:], losses, color=colour, ls=line, lw=1, label=f"{name}, training")
        checked = [e.valid_loss for e in history.epochs]
        left.plot(epochs, checked, label=f"{name}, validation", **look)
        right.plot(epochs, [e.valid_psnr for e in history.epochs], label=name, **look)
        star = {"color": colour, "ms": 14, "mec": "white", "clip_on": False, "zorder": 3}
        left.plot(history.best.epoch, history.best.valid_loss, "*", **star)
        right.plot(history.best.epoch, history.best.valid_psnr, "*", **star)
    if bicubic_loss is not None:
        left.axhline(bicubic_loss, color="#888888", ls=":", label="bicubic, validation")
    first = next(iter(histories.values()))
    right.axhline(first.bicubic_psnr, color="#888888", ls=":", label="bicubic")
    right.axhline(first.start.valid_psnr, color="black", lw=0.8, label="before fine-tuning")
    titles = {left: ("loss", "Loss (star: epoch kept)"), right: ("PSNR, dB", "Validation PSNR")}
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 2, "frameon": False}
    for axis, (ylabel, title) in titles.items():
        finish(axis, legend=False, xlabel="epoch", ylabel=ylabel, title=title)
        axis.legend(fontsize=8, **below)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.margins(y=0.14)
    return figure


def _annotate(axis: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Write each name beside its point, at the first place that covers nothing."""
    axis.figure.draw_without_rendering()  # only now is it known where everything lies
    dots = [dot for line in axis.lines for dot in axis.transData.transform(line.get_xydata())]
    taken = [Bbox.from_extents(*(dot - 6), *(dot + 6)) for dot in dots]
    taken += [axis.get_legend().get_window_extent()] if axis.get_legend() else []
    for name, point in points.items():
        if not np.isfinite(point).all():
            continue
        text = axis.annotate(label(name), point, (0, 0), fontsize=8, textcoords="offset points")
        for place, look in _PLACES.items():
            text.set(position=place, **look)
            box = text.get_window_extent()
            inside = axis.bbox.containsx(box.x0) and axis.bbox.containsx(box.x1)
            if inside and not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)


def _wide(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The finite values of a metric, images by methods; NaN elsewhere."""
    rows = table[table["metric"] == metric]
    wide = rows.pivot(index="image", columns="method", values="value")
    return wide.reindex(columns=table["method"].unique()).replace([np.inf, -np.inf], np.nan)


def _gain(table: pd.DataFrame) -> pd.DataFrame:
    """PSNR above bicubic's, images by methods, in the table's order."""
    wide = _wide(table, "psnr")
    if "bicubic" not in wide or len(wide.columns) < 2:
        raise ValueError("A gain needs bicubic and another method in the table.")
    return wide.drop(columns="bicubic").sub(wide["bicubic"], axis=0)
