"""The comparison on the wizard's page: the bee of the start, a patch, or a result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from srlib.images.picture import Picture, eight_bit, read_image, to_pil
from srlib.images.resize import imresize
from srlib.widgets.compare.slider import CompareSlider, most_different
from srlib.widgets.wizard.enlarge import Order
from srlib.widgets.wizard.preview import ALL, Patch, Pixels, invention

_HERE = Path(__file__).parent
# An order, and the place of a patch or "" for all of it; no order for the bee.
Subject = tuple[Order | None, object]
_DEMO: Subject = (None, "")
# "" for none, "invented", or the part of the photograph that `uncertainty` looked at, and its map.
Map = str | tuple[tuple[float, float, float, float], Image.Image]


class Stage:
    """Shows one comparison after another under one divider. Not to be used by two threads at once.

    Args:
        on_target: Receives the point (x, y) of the photograph that the visitor wants to see.

    Attributes:
        slider: The widget.
    """

    def __init__(self, on_target: Callable[[tuple[float, float]], None]):
        small = read_image(_HERE / "bee_before.webp").rgb
        large = read_image(_HERE / "bee_after.webp").rgb
        self._demo = [Image.fromarray(image) for image in (imresize(small, 4), large)]
        self._demo_labels = [_label("Before", small.shape), _label("After", large.shape)]
        self._shown: tuple[Subject, Map] = (_DEMO, "")
        self.slider = CompareSlider(
            self._demo, self._demo_labels, tools="simple", cover=True, sweep=True
        )
        self.slider.observe(lambda change: change["new"] and on_target(change["new"]), "target")

    @property
    def subject(self) -> Subject:
        """What was shown last."""
        return self._shown[0]

    def in_view(self, shape: float) -> tuple[float, float, float, float]:
        """The part of the photograph that is seen on a stage of this width by height.

        A patch counts as seen to its edges.
        """
        if self.slider.part != ALL:
            return self.slider.part
        width, height = self.slider.sizes[-1]
        reach = [
            max(1, ratio) / self.slider.zoom / 2
            for ratio in (shape * height / width, width / height / shape)
        ]
        low = [max(0, c - r) for c, r in zip(self.slider.center, reach, strict=True)]
        high = [min(1, c + r) for c, r in zip(self.slider.center, reach, strict=True)]
        return (*low, *high)

    def show_demo(self) -> None:
        """Show the bee."""
        if self.subject != _DEMO:
            self._show(self._demo, self._demo_labels, cover=True)
            self._shown = (_DEMO, "")

    def show(self, subject: Subject, make: Callable[[], Patch], kind: Map) -> None:
        """Show a patch of a photograph or all of it, and where the patch is, and a map of it.

        Args:
            subject: What to show.
            make: Makes its images, if they are not there.
            kind: The map.
        """
        if self._shown == (subject, kind):
            return
        order, place = subject
        view = {"whole": order.photograph.thumbnail, "part": self.slider.part}
        images = self.slider.images[:2]
        if self.subject != subject:
            made = make()
            images = [made.before, made.after]
            # The page itself keeps to the place where it showed the preview.
            detail = (0.5, 0.5) if place else most_different(*map(_pil, images))
            view |= {"part": made.part, "detail": detail, "cover": True}
        labels = [_label("Before", order.photograph.size), _label("After", order.size)]
        self._show(images, labels, kind, **view)
        self._shown = (subject, kind)

    def _show(
        self,
        images: list[Pixels],
        labels: list[str],
        kind: Map = "",
        *,
        whole: str = "",
        part: tuple = ALL,
        cover: bool = False,
        detail: tuple | None = None,
    ) -> None:
        if kind == "invented":
            images = [*images, invention(*map(_pil, images))]
            labels = [*labels, "Invented detail"]
        elif kind:
            images = [*images, _over(_pil(images[1]), part, *kind)]
            labels = [*labels, "Unsure"]
        with self.slider.hold_sync():
            self.slider.show(images, labels)
            self.slider.pair = (1, 2) if kind else (0, 1)
            self.slider.whole = whole
            self.slider.part = part
            self.slider.cover = cover
            self.slider.detail = detail


def area(part: tuple[float, float, float, float]) -> float:
    """The area of a part, in fractions."""
    left, top, right, bottom = part
    return (right - left) * (bottom - top)


def _over(image: Image.Image, part: tuple, looked_at: tuple, drawn: Image.Image) -> Image.Image:
    """A map of a part of the photograph, on the image of a part that is as large or larger."""
    canvas = image.convert("L").point(lambda level: level // 3).convert("RGB")
    left, top, right, bottom = (
        round((at - start) / (end - start) * side)
        for at, start, end, side in zip(
            looked_at, part[:2] * 2, part[2:] * 2, image.size * 2, strict=True
        )
    )
    canvas.paste(drawn.resize((right - left, bottom - top)), (left, top))
    return canvas


def _pil(image: Pixels) -> Image.Image:
    if isinstance(image, np.ndarray):
        return Image.fromarray(image)
    return to_pil(eight_bit(image)).convert("RGB") if isinstance(image, Picture) else image


def _label(word: str, size: tuple) -> str:
    return f"{word}  {size[1]} × {size[0]}"
