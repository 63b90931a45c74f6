"""Two to four images of one scene under a divider, in alternation or side by side."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from pathlib import Path

import anywidget
import numpy as np
import PIL.Image
import traitlets
from PIL import ImageChops
from scipy.ndimage import gaussian_filter

from srlib.images.picture import Picture, from_array, from_pil
from srlib.metrics.protocols import psnr
from srlib.plots.figures import TextFigure
from srlib.plots.pictures import show_images
from srlib.widgets.compare.pyramid import Pyramid
from srlib.widgets.javascript import javascript

Image = np.ndarray | Picture | PIL.Image.Image

_SCRIPTS = tuple(
    f"compare/{name}.js"
    for name in ("view", "source", "paint", "controls", "overview", "hand", "slider")
)
_ZOOM_LIMITS = (0.01, 1000.0)  # the page, which knows its size, has narrower limits


class CompareSlider(anywidget.AnyWidget):
    """Compares images: one revealed over another, in alternation, or up to four side by side.

    Drag the divider, or use the arrow keys, Home and End on it. On the image, the wheel (once it
    has the focus), + and -, or two fingers zoom; dragging and the arrow keys move; 0 and a double
    click reset; ? lists the other keys. Images are shown as 8-bit sRGB, and without smoothing from
    100 % on, so the page shows exactly the computed pixels. Of a large image the page gets a
    reduced copy first, and then the tiles in view.

    Args:
        images, labels, reference: As for `show`.
        at_detail: Open at 100 %, where the first and the last image differ most, instead of with
            the whole image.
        **traits: `mode`, `position`, `zoom` and `center` to start from, `layout`; and `tools`:
            "simple" fills the room that the page gives it and has buttons for zooming only.

    Example:
        >>> before = np.zeros((12, 16, 3), np.uint8)
        >>> slider = CompareSlider([before, before + 9], ["before", "after"])
        >>> slider.sizes
        [(16, 12), (16, 12)]
    """

    _esm = javascript(*_SCRIPTS)
    _css = Path(__file__).with_name("slider.css")

    pictures = traitlets.List(traitlets.Bytes(), help="PNG files; set by show()").tag(sync=True)
    sizes = traitlets.List(
        traitlets.Tuple(), help="(width, height) of each image in pixels; set by show()"
    ).tag(sync=True)
    version = traitlets.Int(help="Counts the calls of show()").tag(sync=True)
    scored = traitlets.Bool(help="Whether there is a reference; set by show()").tag(sync=True)
    labels = traitlets.List(traitlets.Unicode(), help="The names of the images").tag(sync=True)
    mode = traitlets.Enum(
        ("divider", "flicker", "side-by-side"), "divider", help="How to compare"
    ).tag(sync=True)
    pair = traitlets.Tuple(
        (0, 1), help="The numbers of the images left and right of the divider"
    ).tag(sync=True)
    position = traitlets.Float(
        0.5, help="The position of the divider: 0 at the left edge, 1 at the right"
    ).tag(sync=True)
    zoom = traitlets.Float(1.0, help="1 when the whole image just fits, 2 for twice that size").tag(
        sync=True
    )
    center = traitlets.Tuple(
        (0.5, 0.5), help="The point (x, y) in the middle of the frame, in fractions of the image"
    ).tag(sync=True)

    detail = traitlets.Tuple(
        None, allow_none=True, help="The point (x, y) to open at in true size, as for `center`"
    ).tag(sync=True)

    tools = traitlets.Enum(("all", "simple"), "all", help="How many buttons").tag(sync=True)
    whole = traitlets.Unicode(
        help="The address of a small picture for the overview of the simple tools; none if empty"
    ).tag(sync=True)
    part = traitlets.Tuple(
        (0.0, 0.0, 1.0, 1.0), help="Left, top, right, bottom of the images in the whole"
    ).tag(sync=True)
    target = traitlets.Tuple(
        None, allow_none=True, help="The point of the whole that the overview was moved to"
    ).tag(sync=True)
    cover = traitlets.Bool(help="Whether to open without a margin around the images").tag(sync=True)
    sweep = traitlets.Bool(help="Whether the divider moves to both sides once").tag(sync=True)

    def __init__(
        self,
        images: Sequence[Image],
        labels: Sequence[str] = ("Before", "After"),
        *,
        reference: Image | None = None,
        at_detail: bool = False,
        **traits,
    ):
        super().__init__(**traits)
        self.on_msg(self._answer)
        self.show(images, labels, reference=reference)
        if at_detail:
            self.detail = most_different(self._pyramids[0].image, self._pyramids[-1].image)

    def show(
        self,
        images: Sequence[Image],
        labels: Sequence[str] | None = None,
        *,
        reference: Image | None = None,
    ) -> None:
        """Show other images, at the same zoom and place.

        Args:
            images: Two to four uint8 or uint16 arrays (H, W) or (H, W, 3), Pictures or PIL images.
                Alpha is ignored. Images of different size, such as LR and SR, are drawn equally
                large.
            labels: Their names; the previous ones if None.
            reference: The image that the others should match. The page then shows the PSNR
                (RGB, no border) of the part in view, for each image of the same size.

        Raises:
            ValueError: If the numbers of images and labels differ, or if the shapes differ by
                more than rounding.
        """
        labels = list(self.labels if labels is None else labels)
        pictures = [_to_picture(image) for image in images]
        if not 2 <= len(pictures) <= 4 or len(labels) != len(pictures):
            raise ValueError(
                "A CompareSlider takes two to four pictures and as many labels, "
                f"not {len(pictures)} and {len(labels)}."
            )
        _check_shapes(pictures)
        pyramids = [Pyramid(picture) for picture in pictures]
        self._reference = None if reference is None else Pyramid(_to_picture(reference))
        self._pyramids = pyramids
        with self.hold_sync():
            if len(labels) != len(self.pictures):
                self.pair = (0, len(labels) - 1)
            self.pictures = [pyramid.overview() for pyramid in pyramids]
            self.sizes = [pyramid.size for pyramid in pyramids]
            self.labels = labels
            self.scored = reference is not None
            self.version += 1

    @property
    def images(self) -> list[PIL.Image.Image]:
        """The images as they are shown: 8 bits, sRGB, opaque."""
        return [pyramid.image for pyramid in self._pyramids]

    def figure(self, *, width: float = 8) -> TextFigure:
        """The part in view, side by side, as a static figure for a page without a kernel.

        Args:
            width: Of the figure, in inches.
        """
        reach = 0.5 / self.zoom
        low = [max(middle - reach, 0.0) for middle in self.center]
        high = [min(middle + reach, 1.0) for middle in self.center]
        images = [PIL.Image.fromarray(pyramid.crop(*low, *high)) for pyramid in self._pyramids]
        for image in images:
            image.thumbnail((50 * width, 10_000))  # about the figure's resolution; never enlarged
        arrays = [np.asarray(image) for image in images]
        return show_images(arrays, self.labels, columns=2, width=width)

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        png = base64.b64encode(self.figure(width=6).png()).decode()
        return {**data, "image/png": png}, metadata

    def _answer(self, _, message: dict, buffers: list) -> None:
        """Send a tile, or the PSNR of the part in view, unless other images are shown by now."""
        ((kind, (version, *request)),) = message.items()
        if version != self.version:
            return
        if kind == "tile":
            picture, *place = request
            self.send(message, [self._pyramids[picture].tile(*place)])
        elif kind == "psnr":
            self.send({kind: [version, [self._score(p, request) for p in self._pyramids]]})

    def _score(self, pyramid: Pyramid, part: Sequence[float]) -> str:
        """The PSNR of a part (left, top, right, bottom, in fractions) of one image, as text."""
        if pyramid.size != self._reference.size:
            return ""
        value = psnr(pyramid.crop(*part), self._reference.crop(*part), border=0, luma=False)
        return "identical" if value == math.inf else f"PSNR {value:.2f} dB"

    @traitlets.validate("position")
    def _clamp_position(self, proposal: dict) -> float:
        return min(max(proposal["value"], 0.0), 1.0)

    @traitlets.validate("zoom")
    def _clamp_zoom(self, proposal: dict) -> float:
        return min(max(proposal["value"], _ZOOM_LIMITS[0]), _ZOOM_LIMITS[1])


def most_different(
    first: PIL.Image.Image, second: PIL.Image.Image, *, window: int = 256
) -> tuple[float, float]:
    """The point around which two RGB images of one scene differ most.

    Args:
        first: One image.
        second: The other; if they differ in size, the smaller one is enlarged.
        window: Pixels a side of the neighbourhood that counts.

    Returns:
        (x, y) in fractions of the images.
    """
    size = max(first.size, second.size)
    difference = ImageChops.difference(
        *(image if image.size == size else image.resize(size) for image in (first, second))
    )
    block = max(1, window // 8)
    coarse = np.asarray(difference.reduce(block), dtype=float).sum(axis=2)
    values = gaussian_filter(coarse, sigma=window / block / 4)
    row, column = np.unravel_index(values.argmax(), values.shape)
    return (
        min((column + 0.5) * block / size[0], 1.0),
        min((row + 0.5) * block / size[1], 1.0),
    )


def _check_shapes(pictures: Sequence[Picture]) -> None:
    height, width = max(picture.size for picture in pictures)
    if any(abs(p.size[0] * width - p.size[1] * height) > max(height, width) for p in pictures):
        sizes = ", ".join(f"{picture.size[1]} x {picture.size[0]}" for picture in pictures)
        raise ValueError(
            f"Pictures of {sizes} pixels do not show the same scene; crop them to one shape first."
        )


def _to_picture(image: Image) -> Picture:
    if isinstance(image, PIL.Image.Image):
        return from_pil(image)
    return image if isinstance(image, Picture) else from_array(image)
