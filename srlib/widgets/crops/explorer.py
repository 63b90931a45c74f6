"""One crop of several pictures, chosen in an overview and measured as it moves (notebook 05)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from srlib.images.picture import encode, from_array
from srlib.metrics import psnr, ssim

_HERE = Path(__file__).parent
PANEL = 192  # screen pixels a side of each crop
MAGNIFICATIONS = (1, 2, 4, 8, 16)


class CropExplorer(anywidget.AnyWidget):
    """The same crop of all methods side by side, at 1 to 16 times, with its PSNR and SSIM on luma against HR.

    Click or drag in the overview, or move the crop with the arrow keys (with Shift by single pixels); + and - or the slider
    change the magnification.  Pixels are never smoothed: a smaller picture, such as LR, shows each of its pixels larger.
    """

    _esm = _HERE / "explorer.js"
    _css = _HERE / "explorer.css"

    pictures = traitlets.List(
        traitlets.Bytes(), help="The pictures as PNG files; set by show()"
    ).tag(sync=True)
    labels = traitlets.List(traitlets.Unicode(), help="What they are called").tag(sync=True)
    scores = traitlets.List(traitlets.Unicode(), help="What is said below each crop").tag(sync=True)
    center = traitlets.Tuple(
        (0, 0), help="The point (x, y) in the middle of the crop, HR pixels"
    ).tag(sync=True)
    magnification = traitlets.Enum(
        MAGNIFICATIONS, 4, help="Screen pixels for each HR pixel, in one direction"
    ).tag(sync=True)
    panel = traitlets.Int(PANEL).tag(sync=True)

    def __init__(self, images: Mapping[str, np.ndarray], **traits):
        """images: as for `show`.  traits: `center` and `magnification` to start from, `layout`."""
        super().__init__(**traits)
        self.show(images, center=traits.get("center"))
        self.observe(lambda _: self._measure(), ["center", "magnification"])

    def show(
        self, images: Mapping[str, np.ndarray], *, center: tuple[int, int] | None = None
    ) -> None:
        """Show other pictures: uint8 arrays (H, W) or (H, W, 3) by name, one of them "HR".

        The others have HR's size, or one that is contained in it a whole number of times, and then have no scores.
        center: the middle of the crop, in HR pixels; the middle of the picture if None.  Raises ValueError for other shapes.
        """
        if "HR" not in images:
            raise ValueError(
                f'One of the pictures must be called "HR", the others are measured by it; given: {list(images)}.'
            )
        height, width = images["HR"].shape[:2]
        for label, image in images.items():
            ratio = height / image.shape[0]
            if ratio != round(ratio) or width != image.shape[1] * ratio:
                sizes = f"{image.shape[1]} x {image.shape[0]} pixels and HR {width} x {height}"
                raise ValueError(
                    f"{label} has {sizes}: that is not the same scene; crop HR to a multiple of the scale."
                )
        self._images = dict(images)
        state = {
            "pictures": [encode(from_array(image)) for image in images.values()],
            "labels": list(images),
        }
        self.set_state(state | {"center": center or (width // 2, height // 2)})
        self._measure()

    @property
    def crop(self) -> tuple[slice, slice]:
        """Rows and columns of HR that are shown; crops.js has the same rule."""
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
            return "the truth"
        if image.shape != hr.shape:
            return f"each pixel for {len(hr) // len(image)} x {len(hr) // len(image)}"
        decibels = psnr(image[self.crop], hr[self.crop], border=0, luma=True)
        similarity = ssim(image[self.crop], hr[self.crop], border=0, luma=True)
        return (
            "equal to HR" if math.isinf(decibels) else f"{decibels:.1f} dB, SSIM {similarity:.2f}"
        )
