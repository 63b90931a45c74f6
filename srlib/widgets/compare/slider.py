"""Two to four pictures of one scene under a divider, in turn or side by side, to the last pixel (notebooks 00 to 05)."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence
from pathlib import Path

import anywidget
import numpy as np
import PIL.Image
import traitlets

from srlib.images.picture import Picture, from_array, from_pil
from srlib.metrics.protocols import psnr
from srlib.plots.figures import TextFigure
from srlib.plots.pictures import show_images
from srlib.widgets.compare.pyramid import Pyramid

Image = np.ndarray | Picture | PIL.Image.Image

_HERE = Path(__file__).parent
_MODULES = ("view.js", "source.js", "paint.js", "controls.js", "hand.js", "slider.js")
_ZOOM = (0.01, 1000.0)  # the page, which knows its size, keeps to narrower limits


def _one_module(names: Sequence[str]) -> str:
    """The JavaScript of several ES modules as the one that a widget may have, without the words that join them."""
    code = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)
    return re.sub(r"^(import .*\n|export (?!default))", "", code, flags=re.MULTILINE)


class CompareSlider(anywidget.AnyWidget):
    """A slider that uncovers one picture over another, lets them flicker, or lays up to four of them side by side.

    Drag the divider, or use the arrow keys, Home and End on it.  On the picture, the wheel (once it has the focus), + and -,
    or two fingers zoom; dragging and the arrow keys move; 0 and a double click reset; ? lists the other keys.  Every picture is
    shown as sRGB with 8 bits, unsmoothed from 100 % on, so what is seen is what was computed.  Of pictures larger than a screen
    the page gets a reduced copy, and then the tiles that are looked at.
    """

    _esm = _one_module(_MODULES)
    _css = _HERE / "slider.css"

    pictures = traitlets.List(
        traitlets.Bytes(), help="PNG files, large pictures reduced; set by show()"
    ).tag(sync=True)
    sizes = traitlets.List(
        traitlets.Tuple(), help="(width, height) of each picture in pixels; set by show()"
    ).tag(sync=True)
    version = traitlets.Int(help="Counts the calls of show()").tag(sync=True)
    scored = traitlets.Bool(help="Whether there is a reference; set by show()").tag(sync=True)
    labels = traitlets.List(traitlets.Unicode(), help="What the pictures are called").tag(sync=True)
    mode = traitlets.Enum(
        ("divider", "flicker", "side-by-side"), "divider", help="How to compare"
    ).tag(sync=True)
    pair = traitlets.Tuple(
        (0, 1), help="The numbers of the pictures left and right of the divider"
    ).tag(sync=True)
    position = traitlets.Float(
        0.5, help="Where the divider is: 0 at the left edge, 1 at the right"
    ).tag(sync=True)
    zoom = traitlets.Float(
        1.0, help="1 when the whole picture just fits, 2 for twice as large"
    ).tag(sync=True)
    center = traitlets.Tuple(
        (0.5, 0.5),
        help="The point (x, y) of the pictures in the middle of the frame, in fractions of them",
    ).tag(sync=True)

    def __init__(
        self,
        images: Sequence[Image],
        labels: Sequence[str] = ("Before", "After"),
        *,
        reference: Image | None = None,
        **traits,
    ):
        """images, labels, reference: as for `show`.  traits: `mode`, `position`, `zoom`, `center` to start from, `layout`."""
        super().__init__(**traits)
        self.on_msg(self._answer)
        self.show(images, labels, reference=reference)

    def show(
        self,
        images: Sequence[Image],
        labels: Sequence[str] | None = None,
        *,
        reference: Image | None = None,
    ) -> None:
        """Show other pictures, at the same zoom and place.

        images: two to four uint8 or uint16 arrays (H, W) or (H, W, 3), Pictures or PIL images; alpha is left out.  They may
        differ in size, as LR and SR do, and are drawn equally large.  labels: the old ones if None.  reference: the picture
        they should be; the PSNR (RGB, no border) of what is in view is then shown for each that has its size.  Raises
        ValueError unless there are as many labels, and if the pictures differ in shape by more than a rounding.
        """
        labels = list(self.labels if labels is None else labels)
        pictures = [_to_picture(image) for image in images]
        if not 2 <= len(pictures) <= 4 or len(labels) != len(pictures):
            counts = f"{len(pictures)} and {len(labels)}"
            raise ValueError(
                f"A CompareSlider takes two to four pictures and as many labels, not {counts}."
            )
        _check_shapes(pictures)
        pyramids = [Pyramid(picture) for picture in pictures]
        self._reference = None if reference is None else Pyramid(_to_picture(reference))
        self._pyramids = pyramids
        with self.hold_sync():
            if len(labels) != len(self.pictures):
                self.pair = (0, len(labels) - 1)
            self.pictures = [pyramid.overview() for pyramid in self._pyramids]
            self.sizes = [pyramid.size for pyramid in self._pyramids]
            self.labels, self.scored = labels, reference is not None
            self.version += 1

    def figure(self, *, width: float = 8) -> TextFigure:
        """What is in view, side by side: the static twin, for a page without a kernel.  width: in inches."""
        reach = 0.5 / self.zoom
        low, high = (
            [min(max(at + side, 0.0), 1.0) for at in self.center] for side in (-reach, reach)
        )
        images = [PIL.Image.fromarray(pyramid.crop(*low, *high)) for pyramid in self._pyramids]
        for image in images:
            image.thumbnail(
                (50 * width, 10_000)
            )  # about as many pixels as the figure has for it; smaller ones stay
        return show_images(
            [np.asarray(image) for image in images], self.labels, columns=2, width=width
        )

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return {
            **data,
            "image/png": base64.b64encode(self.figure(width=6).png()).decode(),
        }, metadata

    def _answer(self, _, message: dict, buffers: list) -> None:
        """Send what the page has asked for: a tile, or the PSNR of what is in view; nothing once other pictures are shown."""
        ((kind, (version, *what)),) = message.items()
        if version != self.version:
            return
        if kind == "tile":
            picture, *place = what
            self.send(message, [self._pyramids[picture].tile(*place)])
        elif kind == "psnr":
            self.send({kind: [version, self._scores(*what)]})

    def _scores(self, *part: float) -> list[str]:
        """The PSNR of a part of each picture, in words; the part in fractions: left, top, right, bottom."""
        truth = self._reference.crop(*part)
        same = [pyramid.size == self._reference.size for pyramid in self._pyramids]
        crops = [
            p.crop(*part) if fits else None for p, fits in zip(self._pyramids, same, strict=True)
        ]
        values = [
            None if crop is None else psnr(crop, truth, border=0, luma=False) for crop in crops
        ]
        return [
            "" if v is None else "identical" if v == math.inf else f"PSNR {v:.2f} dB"
            for v in values
        ]

    @traitlets.validate("position")
    def _clamp_position(self, proposal: dict) -> float:
        return min(max(proposal["value"], 0.0), 1.0)

    @traitlets.validate("zoom")
    def _clamp_zoom(self, proposal: dict) -> float:
        return min(max(proposal["value"], _ZOOM[0]), _ZOOM[1])


def _check_shapes(pictures: Sequence[Picture]) -> None:
    large = max(picture.size for picture in pictures)
    if any(abs(p.size[0] * large[1] - p.size[1] * large[0]) > max(large) for p in pictures):
        sizes = ", ".join(
            f"{width} x {height}" for height, width in (picture.size for picture in pictures)
        )
        raise ValueError(
            f"Pictures of {sizes} pixels do not show the same scene; crop them to one shape first."
        )


def _to_picture(image: Image) -> Picture:
    if isinstance(image, PIL.Image.Image):
        return from_pil(image)
    return image if isinstance(image, Picture) else from_array(image)
