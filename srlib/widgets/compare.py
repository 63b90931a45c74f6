"""Two pictures under one divider, with zoom and pan that act on both (notebooks 00 and 05)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anywidget
import numpy as np
import PIL.Image
import traitlets

from srlib.images import Picture, encode, from_array, from_pil

Image = np.ndarray | Picture | PIL.Image.Image

_HERE = Path(__file__).parent
MAX_ZOOM = 32.0  # compare.js stops there too


class CompareSlider(anywidget.AnyWidget):
    """A slider that uncovers one picture over another.

    Drag the divider, or use the arrow keys, Home and End on it.  On the picture, the wheel (once it has the focus), + and -,
    or two fingers zoom; dragging and the arrow keys move; 0 and a double click reset.  Pixels are sent as PNG and shown
    unsmoothed above 100 %, so what is seen is what was computed.
    """

    _esm = _HERE / "compare.js"
    _css = _HERE / "compare.css"

    pictures = traitlets.List(traitlets.Bytes(), help="The two pictures as PNG files; set by show()").tag(sync=True)
    labels = traitlets.List(traitlets.Unicode(), help="What is left and right of the divider").tag(sync=True)
    position = traitlets.Float(0.5, help="Where the divider is: 0 at the left edge, 1 at the right").tag(sync=True)
    zoom = traitlets.Float(1.0, help="1 when the pictures fill the frame, up to MAX_ZOOM").tag(sync=True)
    center = traitlets.Tuple(
        (0.5, 0.5), help="The point (x, y) of the pictures in the middle of the frame, in fractions of them"
    ).tag(sync=True)

    def __init__(self, images: Sequence[Image], labels: Sequence[str] = ("Before", "After"), **traits):
        """images, labels: left and right, as for `show`.  traits: `position`, `zoom` and `center` to start from, `layout`."""
        super().__init__(**_shown(images, labels), **traits)

    def show(self, images: Sequence[Image], labels: Sequence[str] | None = None) -> None:
        """Show two other pictures, at the same zoom and place.

        images: uint8 arrays (H, W) or (H, W, 3), Pictures or PIL images.  They may differ in size, as LR and SR do, and are
        drawn equally large.  labels: the old ones if None.  Raises ValueError unless there are two of both, and if the
        pictures differ in shape by more than a rounding.
        """
        self.set_state(_shown(images, self.labels if labels is None else labels))

    @traitlets.validate("position")
    def _clamp_position(self, proposal: dict) -> float:
        return min(max(proposal["value"], 0.0), 1.0)

    @traitlets.validate("zoom")
    def _clamp_zoom(self, proposal: dict) -> float:
        return min(max(proposal["value"], 1.0), MAX_ZOOM)


def _shown(images: Sequence[Image], labels: Sequence[str]) -> dict:
    """The traits that show these pictures, once they are known to fit together."""
    pictures = [_to_picture(image) for image in images]
    if (len(pictures), len(labels)) != (2, 2):
        raise ValueError(f"A CompareSlider takes two pictures and two labels, not {len(pictures)} and {len(labels)}.")
    small, large = sorted(picture.size for picture in pictures)
    if abs(small[0] * large[1] - small[1] * large[0]) > max(large):
        sizes = " and ".join(f"{width} x {height}" for height, width in (picture.size for picture in pictures))
        raise ValueError(f"Pictures of {sizes} pixels do not show the same scene; crop them to one shape first.")
    return {"pictures": [encode(picture) for picture in pictures], "labels": list(labels)}


def _to_picture(image: Image) -> Picture:
    """Opaque and without EXIF: the lower picture must not shine through the upper one."""
    if isinstance(image, PIL.Image.Image):
        image = from_pil(image)
    elif not isinstance(image, Picture):
        image = from_array(image)
    return replace(image, alpha=None, exif=None)
