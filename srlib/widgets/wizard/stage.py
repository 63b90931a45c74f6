"""The comparison on the wizard's page: the bee of the start, a patch, or a result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from srlib.images.picture import Picture, eight_bit, read_image, to_pil
from srlib.images.resize import imresize
from srlib.widgets.compare.slider import CompareSlider, most_different
from srlib.widgets.wizard.enlarge import Enlargement, Order
from srlib.widgets.wizard.photograph import Photograph
from srlib.widgets.wizard.preview import Patch, invention

_HERE = Path(__file__).parent
_ALL = (0.0, 0.0, 1.0, 1.0)


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
        self._shown: tuple = ("demo",)
        self.slider = CompareSlider(
            self._demo, self._demo_labels, tools="simple", cover=True, sweep=True
        )
        self.slider.observe(lambda change: change["new"] and on_target(change["new"]), "target")

    def shows(self, *what) -> bool:
        """Whether this was shown last: the arguments of `show_patch`, without the patch."""
        return self._shown == what

    def is_about(self, photograph: Photograph) -> bool:
        """Whether a part or the whole of this photograph was shown last."""
        shown = self._shown[0]
        order = shown.order if isinstance(shown, Enlargement) else shown
        return isinstance(order, Order) and order.photograph == photograph

    def show_demo(self) -> None:
        """Show the bee."""
        if not self.shows("demo"):
            self._show(self._demo, self._demo_labels, cover=True)
            self._shown = ("demo",)

    def show_patch(
        self, order: Order, patch: Patch, center: tuple | None, shape: float, invented: bool
    ) -> None:
        """Show a patch of a photograph, and where in the photograph it is."""
        images = [Image.fromarray(image) for image in (patch.before, patch.after)]
        labels = _labels(order)
        self._show(
            images, labels, invented, whole=order.photograph.thumbnail, part=patch.part, cover=True
        )
        self._shown = (order, center, shape, invented)

    def show_result(self, made: Enlargement, invented: bool) -> None:
        """Show a result, at first where its preview was, or where it has changed most."""
        if self.shows(made, invented):
            return
        images = [made.bicubic, made.sr]
        if self._shown[0] is made:
            detail = None
        elif self._shown[0] == made.order:
            left, top, right, bottom = self.slider.part
            detail = ((left + right) / 2, (top + bottom) / 2)
        else:
            detail = most_different(*map(_pil, images))
        whole = made.order.photograph.thumbnail
        self._show(images, _labels(made.order), invented, whole=whole, detail=detail)
        self._shown = (made, invented)

    def _show(
        self,
        images: list[Image.Image | Picture],
        labels: list[str],
        invented: bool = False,
        *,
        whole: str = "",
        part: tuple = _ALL,
        cover: bool = False,
        detail: tuple | None = None,
    ) -> None:
        if invented:
            images = [*images, invention(*map(_pil, images))]
            labels = [*labels, "Invented detail"]
        with self.slider.hold_sync():
            self.slider.show(images, labels)
            self.slider.pair = (1, 2) if invented else (0, 1)
            self.slider.whole = whole
            self.slider.part = part
            self.slider.cover = cover
            self.slider.detail = detail


def _pil(image: Image.Image | Picture) -> Image.Image:
    return to_pil(eight_bit(image)).convert("RGB") if isinstance(image, Picture) else image


def _labels(order: Order) -> list[str]:
    return [_label("Before", order.photograph.size), _label("After", order.size)]


def _label(word: str, size: tuple) -> str:
    return f"{word}  {size[1]} × {size[0]}"
