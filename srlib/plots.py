"""Static figures of the course; every function returns a matplotlib Figure and shows nothing (notebooks 05 and 06)."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from srlib.metrics import luma
from srlib.train import History

# colour, line and marker by method: told apart in greyscale too
_STYLES = [("#888888", ":", "s"), ("#0072b2", "--", "o"), ("#d55e00", "-", "^"), ("#009e73", "-.", "D")]


class _Figure(Figure):
    """A figure that a notebook shows even where nothing has woken pyplot, whose backend teaches Jupyter to draw others."""

    def _repr_png_(self) -> bytes:
        drawn, packed = io.BytesIO(), io.BytesIO()
        self.savefig(drawn, format="png")
        Image.open(drawn).convert("RGB").save(packed, "PNG", optimize=True)  # the same pixels in a fifth less
        return packed.getvalue()


def _figure(width: float, height: float, rows: int = 1, columns: int = 1):
    """A figure of its own, not pyplot's: it is shown once, by being a cell's value, and needs no closing."""
    figure = _Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


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
    figure, axes = _figure(width, rows * (width / columns * height / wide + title), rows, columns)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, (image, label, whole) in zip(axes.flat, panels, strict=False):
        shown = _crop(image, zoom_box) if zoom_box and not whole else image
        axis.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="antialiased" if whole else "nearest")
        axis.set_title(label, fontsize=10)
        if whole:
            full_height, full_width = image.shape[:2]
            left, top, box_width, box_height = zoom_box
            corner, size = (left * full_width, top * full_height), (box_width * full_width, box_height * full_height)
            axis.add_patch(Rectangle(corner, *size, fill=False, edgecolor="white", lw=1.5))
    return figure


def _crop(image: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    height, width = image.shape[:2]
    left, top, part_width, part_height = box
    rows = slice(round(top * height), max(round(top * height) + 1, round((top + part_height) * height)))
    columns = slice(round(left * width), max(round(left * width) + 1, round((left + part_width) * width)))
    return image[rows, columns]


def error_maps(
    images: Sequence[np.ndarray], labels: Sequence[str], hr: np.ndarray, *, limit: float = 40, width: float = 10
) -> Figure:
    """Where each image differs from HR: the absolute difference of luma in grey levels, all on one scale from 0 to `limit`."""
    figure, axes = _figure(width, (width - 0.9) / len(images) * hr.shape[0] / hr.shape[1] + 0.35, 1, len(images))
    colours = matplotlib.colormaps["magma"].resampled(20)  # steps of limit / 20: easier to read, and a tenth of the file
    for axis, image, label in zip(axes.flat, images, labels, strict=True):
        error = np.abs(_gray(image) - _gray(hr))
        drawn = axis.imshow(error, cmap=colours, vmin=0, vmax=limit, interpolation="nearest")
        axis.set_title(f"{label}: {error.mean():.1f} levels on average", fontsize=10)
        axis.set_axis_off()
    figure.colorbar(drawn, ax=axes, label="grey levels", fraction=0.05, aspect=30, extend="max")
    return figure


def _gray(image: np.ndarray) -> np.ndarray:
    return luma(image) if image.ndim == 3 else image.astype(np.float64)


def curves(
    lines: dict[str, tuple[np.ndarray, np.ndarray]], *, xlabel: str, ylabel: str, title: str = "", width: float = 6
) -> Figure:
    """One line per method, from its x and y values; HR, if it is among them, in black."""
    figure, ((axis,),) = _figure(width, 0.45 * width)
    styles = iter(_STYLES)
    for method, (x, y) in lines.items():
        colour, line, marker = ("black", "-", "") if method == "HR" else next(styles)
        axis.plot(x, y, color=colour, ls=line, marker=marker if len(x) <= 30 else "", ms=4, lw=1.4, label=method)
    axis.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    return figure


def training_curves(histories: dict[str, History], *, width: float = 10) -> Figure:
    """Losses and validation PSNR by epoch, the best epoch marked, with the lines to beat: bicubic, and the model as it came."""
    figure, ((left, right),) = _figure(width, 3.6, 1, 2)
    for (name, history), (colour, line, marker) in zip(histories.items(), _STYLES[1:], strict=False):
        epochs, best = [e.epoch for e in history.epochs], history.best
        dots = {"color": colour, "ls": line, "marker": marker, "ms": 4}
        left.plot(epochs[1:], [e.train_loss for e in history.epochs[1:]], color=colour, ls=line, lw=1, label=f"{name}, training")
        left.plot(epochs, [e.valid_loss for e in history.epochs], label=f"{name}, validation", **dots)
        left.plot(best.epoch, best.valid_loss, marker="*", ms=14, color=colour)
        right.plot(epochs, [e.valid_psnr for e in history.epochs], label=name, **dots)
        right.plot(best.epoch, best.valid_psnr, marker="*", ms=14, color=colour)
    first = next(iter(histories.values()))
    right.axhline(first.bicubic_psnr, color="#888888", ls=":", label="bicubic")
    right.axhline(first.start.valid_psnr, color="black", lw=0.8, label="before fine-tuning")
    left.set(xlabel="epoch", ylabel="loss", title="Loss (star: the epoch that is kept)")
    right.set(xlabel="epoch", ylabel="PSNR, dB", title="Validation PSNR on whole images")
    for axis in (left, right):
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    return figure


def distributions(table: pd.DataFrame, *, width: float = 10) -> Figure:
    """PSNR and SSIM by method: one dot per image, a bar at the median."""
    figure, axes = _figure(width, 3.6, 1, 2)
    methods = list(dict.fromkeys(table["method"]))
    for axis, metric, unit in zip(axes.flat, ("psnr", "ssim"), ("PSNR, dB", "SSIM"), strict=True):
        for place, (method, (colour, _, marker)) in enumerate(zip(methods, _STYLES, strict=False)):
            values = table.loc[(table["method"] == method) & (table["metric"] == metric), "value"].to_numpy()
            offsets = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else [0]
            axis.plot(place + np.asarray(offsets), values, marker, color=colour, ms=5, alpha=0.8)
            axis.hlines(np.median(values), place - 0.3, place + 0.3, color=colour, lw=2)
        axis.set_xticks(range(len(methods)), methods)
        axis.set(ylabel=unit)
        axis.grid(axis="y", alpha=0.3)
    return figure


def gains(table: pd.DataFrame, *, baseline: str = "bicubic", width: float = 10) -> Figure:
    """What each method gains over the baseline in PSNR, image by image, sorted by the last method's gain."""
    wide = table[table["metric"] == "psnr"].pivot(index="image", columns="method", values="value")
    methods = [m for m in dict.fromkeys(table["method"]) if m != baseline]
    gain = wide[methods].sub(wide[baseline], axis=0).sort_values(methods[-1])
    figure, ((axis,),) = _figure(width, 0.6 + 0.32 * len(gain) * max(1, len(methods) / 2))
    height = 0.8 / len(methods)
    for number, (method, (colour, *_)) in enumerate(zip(methods, _STYLES[1:], strict=False)):
        places = np.arange(len(gain)) - (number - (len(methods) - 1) / 2) * height  # from the top down, as in the legend
        axis.barh(places, gain[method], height, color=colour, label=method)
    axis.set_yticks(range(len(gain)), gain.index)
    axis.axvline(0, color="black", lw=0.8)
    axis.set(xlabel=f"gain over {baseline}, dB")
    axis.legend(fontsize=8)
    return figure
