"""Static figures of the course; every function returns a matplotlib Figure and shows nothing (notebooks 05 and 06)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from srlib.metrics import luma, psnr
from srlib.plots.charts import agreement, distributions, gain_by_texture, gains, quality_by_cost
from srlib.plots.figures import STYLES, new_figure
from srlib.training.history import History

__all__ = [
    "agreement", "close_up", "curves", "distributions", "error_maps", "gain_by_texture", "gains", "quality_by_cost",
    "show_images", "training_curves",
]  # fmt: skip


def show_images(
    images: Sequence[np.ndarray],
    labels: Sequence[str],
    *,
    zoom_box: tuple[float, float, float, float] | None = None,
    overview: bool = True,
    columns: int | None = None,
    width: float = 10,
) -> Figure:
    """Images side by side, pixels as they are.  Smaller ones are enlarged to the size of the others by repeating pixels.

    zoom_box: (left, top, width, height) in parts of the image, 0 to 1: only that part is shown; with `overview`, the first
    panel shows where it lies in the last image.
    """
    overview = overview and zoom_box is not None
    columns = columns or min(5 if overview else 4, len(images) + overview)
    panels = [(image, label, False) for image, label in zip(images, labels, strict=True)]
    if overview:
        panels.insert(0, (images[-1], f"{labels[-1]}, all of it", True))
    rows = -(-len(panels) // columns)
    height, wide = (_crop(images[0], zoom_box) if zoom_box else images[0]).shape[:2]
    title = 0.2 + 0.16 * max(1 + label.count("\n") for _, label, _ in panels)
    alt = (
        "Pictures side by side: "
        + "; ".join(label.replace("\n", ", ") for _, label, _ in panels)
        + "."
    )
    figure, axes = new_figure(
        width, rows * (width / columns * height / wide + title), rows, columns, alt=alt
    )
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, (image, label, whole) in zip(axes.flat, panels, strict=False):
        shown = _crop(image, zoom_box) if zoom_box and not whole else image
        axis.imshow(
            shown,
            cmap="gray",
            vmin=0,
            vmax=255,
            interpolation="antialiased" if whole else "nearest",
        )
        axis.set_title(label, fontsize=10)
        if whole:
            full_height, full_width = image.shape[:2]
            left, top, box_width, box_height = zoom_box
            corner, size = (
                (left * full_width, top * full_height),
                (box_width * full_width, box_height * full_height),
            )
            axis.add_patch(Rectangle(corner, *size, fill=False, edgecolor="white", lw=1.5))
    return figure


def _crop(image: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    height, width = image.shape[:2]
    left, top, part_width, part_height = box
    rows = slice(
        round(top * height), max(round(top * height) + 1, round((top + part_height) * height))
    )
    columns = slice(
        round(left * width), max(round(left * width) + 1, round((left + part_width) * width))
    )
    return image[rows, columns]


def close_up(
    pictures: Mapping[str, np.ndarray],
    left: int,
    top: int,
    size: int,
    *,
    name: str = "",
    columns: int | None = None,
) -> Figure:
    """The same square of several pictures, with the PSNR on luma inside it for all that have HR's shape.

    pictures: by what they are called, "HR" among them; name: the photograph's.  left, top, size: HR pixels.
    """
    hr, labels = pictures["HR"], []
    inside = np.s_[top : top + size, left : left + size]
    for label, image in pictures.items():
        if label == "HR" or image.shape != hr.shape:
            labels.append(f"{label}, {name}" if name else label)
        else:
            labels.append(
                f"{label}\n{psnr(image[inside], hr[inside], border=0, luma=True):.1f} dB here"
            )
    box = (left / hr.shape[1], top / hr.shape[0], size / hr.shape[1], size / hr.shape[0])
    columns = columns or len(labels)
    return show_images(
        list(pictures.values()),
        labels,
        zoom_box=box,
        overview=False,
        columns=columns,
        width=1.65 * columns,
    )


def error_maps(
    images: Sequence[np.ndarray],
    labels: Sequence[str],
    hr: np.ndarray,
    *,
    limit: float = 40,
    width: float = 10,
) -> Figure:
    """Where each image differs from HR: the absolute difference of luma in grey levels, all on one scale from 0 to `limit`."""
    errors = [np.abs(_gray(image) - _gray(hr)) for image in images]
    titles = [
        f"{label}: {error.mean():.1f} levels on average"
        for label, error in zip(labels, errors, strict=True)
    ]
    height = (width - 0.9) / len(images) * hr.shape[0] / hr.shape[1] + 0.35
    figure, axes = new_figure(
        width, height, 1, len(images), alt=f"Maps of the difference from HR. {'; '.join(titles)}."
    )
    colours = matplotlib.colormaps["magma"].resampled(
        20
    )  # steps of limit / 20: easier to read, and a tenth of the file
    for axis, error, title in zip(axes.flat, errors, titles, strict=True):
        drawn = axis.imshow(error, cmap=colours, vmin=0, vmax=limit, interpolation="nearest")
        axis.set_title(title, fontsize=10)
        axis.set_axis_off()
    figure.colorbar(drawn, ax=axes, label="grey levels", fraction=0.05, aspect=30, extend="max")
    return figure


def _gray(image: np.ndarray) -> np.ndarray:
    return luma(image) if image.ndim == 3 else image.astype(np.float64)


def curves(
    lines: dict[str, tuple[np.ndarray, np.ndarray]],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    width: float = 6,
) -> Figure:
    """One line per method, from its x and y values; HR, if it is among them, in black."""
    figure, ((axis,),) = new_figure(
        width, 0.45 * width, alt=f"{title or ylabel} over {xlabel}, for {', '.join(lines)}."
    )
    styles = iter(STYLES)
    for method, (x, y) in lines.items():
        colour, line, marker = ("black", "-", "") if method == "HR" else next(styles)
        axis.plot(
            x,
            y,
            color=colour,
            ls=line,
            marker=marker if len(x) <= 30 else "",
            ms=4,
            lw=1.4,
            label=method,
        )
    if all(np.array_equal(x, np.round(x)) for x, _ in lines.values()):
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    return figure


def training_curves(histories: dict[str, History], *, width: float = 10) -> Figure:
    """Losses and validation PSNR by epoch, the best epoch marked, with the lines to beat: bicubic, and the model as it came."""
    best = "; ".join(
        f"{name} is best at epoch {history.best.epoch}" for name, history in histories.items()
    )
    figure, ((left, right),) = new_figure(
        width, 3.6, 1, 2, alt=f"Loss and validation PSNR by epoch: {best}."
    )
    kept = []
    for (name, history), (colour, line, marker) in zip(histories.items(), STYLES[1:], strict=False):
        epochs, best = [e.epoch for e in history.epochs], history.best
        dots = {"color": colour, "ls": line, "marker": marker, "ms": 4}
        left.plot(
            epochs[1:],
            [e.train_loss for e in history.epochs[1:]],
            color=colour,
            ls=line,
            lw=1,
            label=f"{name}, training",
        )
        left.plot(
            epochs, [e.valid_loss for e in history.epochs], label=f"{name}, validation", **dots
        )
        right.plot(epochs, [e.valid_psnr for e in history.epochs], label=name, **dots)
        kept.append((best.epoch, best.valid_loss, best.valid_psnr, colour))
    _star(left, [(epoch, loss, colour) for epoch, loss, _, colour in kept])
    _star(right, [(epoch, score, colour) for epoch, _, score, colour in kept])
    first = next(iter(histories.values()))
    right.axhline(first.bicubic_psnr, color="#888888", ls=":", label="bicubic")
    right.axhline(first.start.valid_psnr, color="black", lw=0.8, label="before fine-tuning")
    left.set(xlabel="epoch", ylabel="loss", title="Loss (star: epoch kept)")
    right.set(xlabel="epoch", ylabel="PSNR, dB", title="Validation PSNR")
    for axis in (left, right):
        axis.legend(
            fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, frameon=False
        )
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
    return figure


def _star(axis: Axes, points: list[tuple[int, float, str]]) -> None:
    """A star at each (epoch, value, colour); those of one epoch are moved apart, up and down, so that none hides another."""
    axis.margins(y=0.14)
    for epoch, group in groupby(sorted(points), key=itemgetter(0)):
        same = list(group)
        for i, (_, value, colour) in enumerate(same):
            inches = 0.14 * (i - (len(same) - 1) / 2)
            place = axis.transData + ScaledTranslation(0, inches, axis.figure.dpi_scale_trans)
            axis.plot(
                epoch,
                value,
                "*",
                ms=14,
                color=colour,
                mec="white",
                transform=place,
                clip_on=False,
                zorder=3,
            )
