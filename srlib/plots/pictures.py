"""Figures of images, and of a training; each function returns a figure and shows nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from srlib.metrics.protocols import luma, psnr
from srlib.plots.figures import STYLES, finish, label, new_figure, panels
from srlib.plots.maps import show_maps

if TYPE_CHECKING:
    from srlib.training.history import History

Box = tuple[float, float, float, float]  # left, top, width, height in parts of the image, 0 to 1


def show_images(
    images: Sequence[np.ndarray],
    labels: Sequence[str],
    *,
    zoom_box: Box | None = None,
    overview: bool = True,
    columns: int | None = None,
    width: float = 10,
) -> Figure:
    """Images side by side, pixels as they are; smaller ones are enlarged by repeating pixels.

    Args:
        images: uint8 (H, W, 3) or gray.
        labels: A title for each.
        zoom_box: (left, top, width, height) in parts of the image, 0 to 1: the part to show.
        overview: With a zoom_box, begin with the whole of the last image and the box in it.
        columns: Panels in a row.
        width: Inches.
    """
    overview = overview and zoom_box is not None
    shown = [_crop(image, zoom_box) if zoom_box else image for image in images]
    titles = list(labels)
    if overview:
        shown.insert(0, images[-1])
        titles.insert(0, f"{labels[-1]}, all of it")
    columns = columns or min(5 if overview else 4, len(shown))
    ratio = shown[-1].shape[0] / shown[-1].shape[1]
    alt = f"Pictures side by side: {'; '.join(titles)}."
    figure, axes = panels(titles, ratio=ratio, columns=columns, width=width, alt=alt)
    for axis, image in zip(axes.flat, shown, strict=False):
        axis.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    if overview:
        axes.flat[0].images[0].set_interpolation("antialiased")
        left, top, box_width, box_height = np.multiply(zoom_box, [*images[-1].shape[1::-1]] * 2)
        box = Rectangle((left, top), box_width, box_height, fill=False, edgecolor="white", lw=1.5)
        axes.flat[0].add_patch(box)
    return figure


def _crop(image: np.ndarray, box: Box) -> np.ndarray:
    """The part of the image in the box, at least one pixel."""
    height, width = image.shape[:2]
    left, top, part_width, part_height = box
    first_row = round(top * height)
    first_column = round(left * width)
    rows = slice(first_row, max(first_row + 1, round((top + part_height) * height)))
    columns = slice(first_column, max(first_column + 1, round((left + part_width) * width)))
    return image[rows, columns]


def close_up(
    pictures: Mapping[str, np.ndarray],
    left: int,
    top: int,
    size: int,
    *,
    name: str = "",
    columns: int | None = None,
    overview: bool = False,
) -> Figure:
    """The same square of several pictures, with the PSNR on Y inside it for those of HR's shape.

    Args:
        pictures: By method, "HR" among them.
        left: Of the square, in HR pixels, as are top and size.
        top: Its upper edge.
        size: Its side.
        name: Of the photograph, for the titles.
        columns: Panels in a row; by default all.
        overview: Begin with the whole of HR and the square in it.
    """
    hr = pictures["HR"]
    inside = np.s_[top : top + size, left : left + size]
    labels = []
    for method, image in pictures.items():
        if method == "HR" or image.shape != hr.shape:
            labels.append(f"{method}, {name}" if name else method)
        else:
            score = psnr(image[inside], hr[inside], border=0, luma=True)
            labels.append(f"{method}\n{score:.1f} dB here")
    height, width = hr.shape[:2]
    columns = columns or len(labels) + overview
    return show_images(
        list(pictures.values()),
        labels,
        zoom_box=(left / width, top / height, size / width, size / height),
        overview=overview,
        columns=columns,
        width=max(1.65 * columns, 7.5 if overview else 0),
    )


def error_maps(
    images: Sequence[np.ndarray],
    labels: Sequence[str],
    hr: np.ndarray,
    *,
    limit: float = 40,
    width: float = 10,
) -> Figure:
    """The absolute difference of each image from HR in grey levels of Y, from 0 to `limit`."""
    errors = [np.abs(_brightness(image) - _brightness(hr)) for image in images]
    titles = [
        f"{name}: {error.mean():.1f} levels on average"
        for name, error in zip(labels, errors, strict=True)
    ]
    look = {"limits": (0, limit), "colours": "magma", "unit": "grey levels", "width": width}
    figure = show_maps(errors, titles, **look)
    figure.alt = figure.alt.replace("Maps side by side:", "Maps of the difference from HR.")
    return figure


def _brightness(image: np.ndarray) -> np.ndarray:
    return luma(image) if image.ndim == 3 else image.astype(np.float64)


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
    """One line per method.

    Args:
        lines: (x, y) by method; x may be names. "HR", if it is among them, is drawn in black.
        xlabel: Name and unit of x.
        ylabel: Name and unit of y.
        title: Of the figure.
        log: Whether the y axis is logarithmic.
        marks: Values of x, by name, at which vertical lines are drawn.
        width: Inches.
    """
    alt = f"{title or ylabel} over {xlabel}, for {', '.join(lines)}."
    figure, ((axis,),) = new_figure(width, 0.45 * width, alt=alt)
    styles = iter(STYLES)
    for method, (x, y) in lines.items():
        colour, line, marker = ("black", "-", "") if method == "HR" else next(styles)
        look = {"color": colour, "ls": line, "lw": 1.4, "ms": 4}
        axis.plot(x, y, marker=marker if len(x) <= 30 else "", label=label(method), **look)
    for name, x in (marks or {}).items():
        axis.axvline(x, color="0.4", lw=0.8, label=label(name))
    xs = [np.asarray(x) for x, _ in lines.values()]
    if all(x.dtype.kind in "iuf" and np.array_equal(x, np.round(x)) for x in xs):
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    yscale = "log" if log else "linear"
    finish(axis, xlabel=xlabel, ylabel=ylabel, title=label(title), yscale=yscale)
    return figure


def training_curves(
    histories: dict[str, History], *, bicubic_loss: float | None = None, width: float = 10
) -> Figure:
    """Losses and validation PSNR by epoch, the best epoch marked, with the lines to beat.

    These are bicubic and the model before the training; bicubic's loss is not in the history, and
    is drawn if it is given.
    """
    best = "; ".join(f"{name} is best at epoch {h.best.epoch}" for name, h in histories.items())
    alt = f"Loss and validation PSNR by epoch: {best}."
    figure, ((left, right),) = new_figure(width, 3.6, 1, 2, alt=alt)
    for (name, history), (colour, line, marker) in zip(histories.items(), STYLES[1:], strict=False):
        name = label(name)
        epochs = [e.epoch for e in history.epochs]
        losses = [e.train_loss for e in history.epochs[1:]]
        look = {"color": colour, "ls": line, "marker": marker, "ms": 4}
        left.plot(epochs[1:], losses, color=colour, ls=line, lw=1, label=f"{name}, training")
        left.plot(
            epochs, [e.valid_loss for e in history.epochs], label=f"{name}, validation", **look
        )
        right.plot(epochs, [e.valid_psnr for e in history.epochs], label=name, **look)
    kept = [(h.best, style[0]) for h, style in zip(histories.values(), STYLES[1:], strict=False)]
    _star(left, [(epoch.epoch, epoch.valid_loss, colour) for epoch, colour in kept])
    _star(right, [(epoch.epoch, epoch.valid_psnr, colour) for epoch, colour in kept])
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
    return figure


def _star(axis: Axes, points: list[tuple[int, float, str]]) -> None:
    """A star at each (epoch, value, colour); those of one epoch are moved apart up and down."""
    axis.margins(y=0.14)
    look = {"ms": 14, "mec": "white", "clip_on": False, "zorder": 3}
    for epoch, group in groupby(sorted(points), key=itemgetter(0)):
        same = list(group)
        for number, (_, value, colour) in enumerate(same):
            inches = 0.14 * (number - (len(same) - 1) / 2)
            apart = ScaledTranslation(0, inches, axis.figure.dpi_scale_trans)
            axis.plot(epoch, value, "*", color=colour, transform=axis.transData + apart, **look)
