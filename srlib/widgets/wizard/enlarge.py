"""The networks, the order to enlarge a photograph, and its result."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from srlib.images.picture import Picture, eight_bit, encode
from srlib.images.resize import imresize
from srlib.model.edsr import EDSR
from srlib.upscaling.cost import predict_cost
from srlib.upscaling.enlarge import MAX_SCALE, large_size, upscale
from srlib.upscaling.strips import upscale_to_tiff
from srlib.widgets.wizard.photograph import MAX_PIXELS, Photograph, advice, decode
from srlib.widgets.wizard.scratch import Scratch
from srlib.zoo import checkpoints as zoo

# Of the network's answer in memory: a dozen visitors share one machine. Larger ones go to a TIFF.
MAX_RESULT_PIXELS = 4 * MAX_PIXELS
SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif"}


def networks() -> dict[str, list[int]]:
    """The networks on this machine: the scales of each name, smallest first."""
    scales: dict[str, list[int]] = {}
    for checkpoint in zoo.available():
        if checkpoint.on_disk():
            scales.setdefault(checkpoint.name, []).append(checkpoint.scale)
    return {name: sorted(found) for name, found in scales.items()}


@dataclass(frozen=True)
class Order:
    """One photograph to be enlarged, by a factor or to a length.

    Attributes:
        photograph: The photograph.
        model: The name of the network.
        model_scale: Its scale.
        best: Whether by self-ensemble.
        scale: The factor, or None.
        longer_side: The longer side of the result in pixels, or None. One of the two is None.
    """

    photograph: Photograph
    model: str
    model_scale: int
    best: bool = False
    scale: int | None = None
    longer_side: int | None = None

    @property
    def factor(self) -> float:
        """The factor between the sides of result and photograph."""
        return self.scale or self.longer_side / max(self.photograph.size)

    @property
    def network(self) -> str:
        """The name of the network, with the paper's "+" for self-ensemble."""
        return f"{self.model}+" if self.best else self.model

    def load(self) -> EDSR:
        """Load the network."""
        return zoo.load_pretrained(self.model, self.model_scale)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the result."""
        return large_size(self.photograph.size, self.model_scale, self.factor)

    @property
    def pixels(self) -> int:
        """The pixels of the network's answer."""
        return math.prod(side * self.model_scale for side in self.photograph.size)

    @property
    def is_streamed(self) -> bool:
        """Whether the result does not fit into memory, and is written into a TIFF as it is made."""
        return self.pixels > MAX_RESULT_PIXELS and self.factor == self.model_scale

    @property
    def seconds(self) -> float:
        """The forecast of its time on an idle machine."""
        config = zoo.find(self.model, self.model_scale).config
        passes = 8 if self.best else 1
        return passes * predict_cost(config, *self.photograph.size).seconds

    @property
    def stem(self) -> str:
        """The name of the result without a suffix."""
        how = f"x{self.scale:g}" if self.longer_side is None else f"{self.longer_side}px"
        return f"{self.photograph.stem}_{how}_{self.network}"

    @property
    def in_words(self) -> str:
        """The sizes before and after, and the fault that is removed."""
        before, after = (
            f"{width} × {height}" for height, width in (self.photograph.size, self.size)
        )
        factor = "" if self.scale is None else f"{self.scale}×: "
        fault = ""
        if self.model.endswith("-photo"):
            fault = advice(self.photograph, self.model_scale).fault
        return f"{factor}{before} → {after}.{f' {fault} removed.' if fault else ''}"

    def check(self) -> None:
        """Check that the order can be carried out here.

        Raises:
            ValueError: For a factor below 1 or above MAX_SCALE, for a size beyond MAX_RESULT_PIXELS
                that is not a network's own, and for a result that would take more than half of the
                disk's room.
        """
        longer = max(self.photograph.size)
        if not 1 <= self.factor <= MAX_SCALE:
            raise ValueError(
                f"The longer side of {self.photograph.name} has {longer} pixels: choose {longer} "
                f"to {MAX_SCALE * longer} for the enlarged one."
            )
        if self.pixels <= MAX_RESULT_PIXELS:
            return
        size = f"{self.photograph.name} would become {self.pixels / 1e6:.0f} megapixels"
        if not self.is_streamed:
            raise ValueError(
                f"{size}; the limit here is {MAX_RESULT_PIXELS / 1e6:.0f}. "
                "Choose a factor, such as 2×, or a smaller size."
            )
        free = shutil.disk_usage(tempfile.gettempdir()).free
        if 2 * 3 * self.pixels > free:
            raise ValueError(
                f"{size}, too many for the {free / 1e9:.1f} GB that are free on the disk here. "
                "Choose a smaller factor, or crop the photograph."
            )


@dataclass(frozen=True)
class Enlargement:
    """The result of an order. It waits on disk, as PNG, or as TIFF if it was streamed.

    Attributes:
        order: The order.
        batch: Results that were started together have the same number.
    """

    order: Order
    batch: int
    _content: Scratch

    @property
    def sr(self) -> Picture:
        """The enlarged photograph."""
        return decode(self.file_name, self._content.read())

    @property
    def bicubic(self) -> Picture:
        """The photograph enlarged by bicubic interpolation, for comparison."""
        lr = self.order.photograph.read()
        height, width = self.order.size
        rgb = imresize(eight_bit(lr).rgb, self.order.factor)[:height, :width]
        return replace(lr, rgb=rgb, alpha=None)

    @property
    def labels(self) -> tuple[str, str]:
        """The names of `bicubic` and `sr` in a comparison."""
        return ("Bicubic", self.order.network)

    @property
    def file_name(self) -> str:
        """The name of the file on disk."""
        return self.order.stem + SUFFIXES["TIFF" if self.order.is_streamed else "PNG"]

    def file(self, kind: str = "PNG", *, metadata: bool = True) -> tuple[str, Scratch]:
        """The name and content of a file, with profile, and with alpha where the format has it.

        Args:
            kind: "PNG", "JPEG" or "TIFF"; a streamed result is a TIFF anyway.
            metadata: Whether to keep the camera's notes, such as the place and the time. A
                streamed result has none.
        """
        if self.order.is_streamed or (kind == "PNG" and metadata):
            return self.file_name, self._content
        sr = self.sr if metadata else _without_notes(self.sr)
        return self.order.stem + SUFFIXES[kind], Scratch(encode(sr, kind))


def _without_notes(picture: Picture) -> Picture:
    return replace(picture, exif=None, xmp=None)


def enlarge(order: Order, on_progress: Callable[[float], None], *, batch: int = 0) -> Enlargement:
    """Carry out an order.

    Args:
        order: The order.
        on_progress: Receives the fraction done after every block of the network, so that Cancel
            takes effect within a tile; may raise to cancel.
        batch: As in Enlargement.
    """
    model = order.load()
    options = {
        "self_ensemble": order.best,
        "on_progress": lambda done, tiles: on_progress(done / tiles),
    }
    picture = order.photograph.read()
    if not order.is_streamed:
        sr = upscale(picture, model, scale=order.factor, **options)
        return Enlargement(order, batch, Scratch(encode(sr)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.tif"
        upscale_to_tiff(_without_notes(picture), path, model, **options)
        return Enlargement(order, batch, Scratch.of_file(path))
