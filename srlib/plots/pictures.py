"""Figures of images; each function returns a figure."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from srlib.metrics.protocols import luma, psnr
from srlib.plots.figures import panels
from srlib.plots.maps import show_maps

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
    """Show images side by side, the smaller ones enlarged by repeating pixels.

    Args:
        images: uint8 (H, W, 3) or gray.
        labels: A title for each.
        zoom_box: (left, top, width, height) in parts of the image, 0 to 1: the part to show.
        overview: With a zoom_box, begin with the whole last image and the box in it.
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
    overview: bool = False,
    columns: int | None = None,
) -> Figure:
    """Show one square of several pictures, with the PSNR on Y inside it for those of HR's shape.

    Args:
        pictures: By method, "HR" among them.
        left: Left edge of the square, in HR pixels.
        top: Top edge of the square.
        size: Side of the square.
        name: Name of the photograph, for the titles.
        overview: Begin with the whole of the last picture, and the square in it.
        columns: Panels side by side; all of them if None.
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
    images: Sequence[np.ndarray], labels: Sequence[str], hr: np.ndarray, *, width: float = 10
) -> Figure:
    """Show the absolute difference of each RGB image from HR in grey levels of Y, from 0 to 40."""
    errors = [np.abs(luma(image) - luma(hr)) for image in images]
    titles = [
        f"{name}: {error.mean():.1f} levels on average"
        for name, error in zip(labels, errors, strict=True)
    ]
    look = {"limits": (0, 40), "colours": "magma", "unit": "grey levels", "width": width}
    figure = show_maps(errors, titles, **look)
    figure.alt = figure.alt.replace("Maps side by side:", "Maps of the difference from HR.")
    return figure
