"""The same crop of several images, moved in an overview and measured as it moves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from srlib.images.picture import encode, from_array
from srlib.metrics import psnr, ssim
from srlib.widgets.javascript import javascript

PANEL = 192  # screen pixels a side of each crop
MAGNIFICATIONS = (1, 2, 4, 8, 16)


class CropExplorer(anywidget.AnyWidget):
    """Shows the same crop of all methods side by side, with its PSNR and SSIM on luma against HR.

    Click or drag in the overview, or move the crop with the arrow keys (with Shift by single
    pixels); + and - or the slider change the magnification. Pixels are never smoothed: a smaller
    image, such as LR, shows each of its pixels larger.

    Args:
        images: As for `show`.
        **traits: `center` and `magnification` to start from, `layout`.
    """

    _esm = javascript("crops/explorer.js")
    _css = Path(__file__).with_name("explorer.css")

    pictures = traitlets.List(traitlets.Bytes(), help="PNG files; set by show()").tag(sync=True)
    labels = traitlets.List(traitlets.Unicode(), help="The names of the images").tag(sync=True)
    scores = traitlets.List(traitlets.Unicode(), help="The line below each crop").tag(sync=True)
    center = traitlets.Tuple(
        (0, 0), help="The point (x, y) in the middle of the crop, in HR pixels"
    ).tag(sync=True)
    magnification = traitlets.Enum(
        MAGNIFICATIONS, 4, help="Screen pixels per HR pixel, in one direction"
    ).tag(sync=True)
    panel = traitlets.Int(PANEL, help="Screen pixels a side of each crop").tag(sync=True)

    def __init__(self, images: Mapping[str, np.ndarray], **traits):
        super().__init__(**traits)
        self.show(images, center=traits.get("center"))
        self.observe(lambda _: self._measure(), ["center", "magnification"])

    def show(
        self, images: Mapping[str, np.ndarray], *, center: tuple[int, int] | None = None
    ) -> None:
        """Show other images.

        Args:
            images: uint8 arrays (H, W) or (H, W, 3) by name, one of them "HR". The others have the
                size of HR, or fit into it a whole number of times and then get no scores.
            center: The middle of the crop, in HR pixels; the middle of the image if None.

        Raises:
            ValueError: If there is no "HR", or if the shapes do not match.
        """
        if "HR" not in images:
            raise ValueError(
                'One of the pictures must be called "HR", because the others are measured against '
                f"it; given: {list(images)}."
            )
        height, width = images["HR"].shape[:2]
        for label, image in images.items():
            ratio = height / image.shape[0]
            if ratio != round(ratio) or width != image.shape[1] * ratio:
                raise ValueError(
                    f"{label} has {image.shape[1]} x {image.shape[0]} pixels and HR "
                    f"{width} x {height}: crop HR to a multiple of the scale."
                )
        self._images = dict(images)
        pictures = [encode(from_array(image)) for image in images.values()]
        middle = center or (width // 2, height // 2)
        self.set_state({"pictures": pictures, "labels": list(images), "center": middle})
        self._measure()

    @property
    def crop(self) -> tuple[slice, slice]:
        """Rows and columns of HR in the crop; explorer.js has the same rule."""
        height, width = self._images["HR"].shape[:2]
        side = min(PANEL // self.magnification, height, width)
        left, top = (
            min(max(middle - side // 2, 0), size - side)
            for middle, size in zip(self.center, (width, height), strict=True)
        )
        return slice(top, top + side), slice(left, left + side)

    def _measure(self) -> None:
        self.scores = [self._score(label, image) for label, image in self._images.items()]

    def _score(self, label: str, image: np.ndarray) -> str:
        hr = self._images["HR"]
        if label == "HR":
            return "the original"
        if image.shape != hr.shape:
            ratio = len(hr) // len(image)
            return f"each pixel covers {ratio} x {ratio}"
        decibels = psnr(image[self.crop], hr[self.crop], border=0, luma=True)
        if math.isinf(decibels):
            return "equal to HR"
        similarity = ssim(image[self.crop], hr[self.crop], border=0, luma=True)
        return f"{decibels:.1f} dB, SSIM {similarity:.2f}"
