"""Recipes for enlarging, one order for one photograph, and its result."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from srlib.images.picture import Picture, eight_bit, encode
from srlib.images.resize import imresize
from srlib.model.edsr import EDSR, EDSRConfig, ResBlock
from srlib.upscaling.enlarge import MAX_SCALE, large_size, upscale
from srlib.upscaling.strips import upscale_to_tiff
from srlib.widgets.wizard.photograph import MAX_PIXELS, Photograph, advice, decode
from srlib.widgets.wizard.scratch import Scratch
from srlib.zoo import checkpoints as zoo

# Of the network's answer in memory: a dozen visitors share one machine. Larger ones go to a TIFF.
MAX_RESULT_PIXELS = 4 * MAX_PIXELS
SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif"}
_TITLES = {
    "edsr-lite": "Clean photo",
    "edsr-lite-photo": "Web photo",
    "edsr-baseline-srlib": "Clean photo, finer",
    "edsr-baseline": "Clean photo, finer",
    "edsr": "Clean photo, finest",
}


@dataclass(frozen=True)
class Recipe:
    """A network, with or without self-ensemble.

    Attributes:
        name: The name of the checkpoint, with the paper's "+" for self-ensemble.
        title: The kind of picture that it is good for.
        configs: The network's configuration by scale.
    """

    name: str
    title: str
    configs: dict[int, EDSRConfig]

    @property
    def checkpoint(self) -> str:
        """The name of the checkpoint."""
        return self.name.removesuffix("+")

    @property
    def passes(self) -> int:
        """How often the network runs: 8 times with self-ensemble."""
        return 8 if self.name.endswith("+") else 1

    def model_scale(self, factor: float) -> int:
        """The smallest scale that reaches the factor, or the largest there is."""
        return next((scale for scale in sorted(self.configs) if scale >= factor), max(self.configs))


def recipes() -> dict[str, Recipe]:
    """The recipes whose weights are on this machine, by name: each also with self-ensemble."""
    configs: dict[str, dict[int, EDSRConfig]] = {}
    for checkpoint in zoo.available():
        if checkpoint.on_disk():
            configs.setdefault(checkpoint.name, {})[checkpoint.scale] = checkpoint.config
    found = [Recipe(name, _TITLES.get(name, name), scales) for name, scales in configs.items()]
    found += [Recipe(f"{recipe.name}+", recipe.title, recipe.configs) for recipe in found]
    return {recipe.name: recipe for recipe in found}


@dataclass(frozen=True)
class Order:
    """One photograph to be enlarged, by a factor or to a length.

    Attributes:
        photograph: The photograph.
        recipe: The recipe.
        scale: The factor, or None.
        longer_side: The longer side of the result in pixels, or None. One of the two is None.
    """

    photograph: Photograph
    recipe: Recipe
    scale: int | None = None
    longer_side: int | None = None

    @cached_property
    def factor(self) -> float:
        """The factor between the sides of result and photograph.

        Raises:
            ValueError: If the result would be smaller than the photograph, or more than MAX_SCALE
                times as large.
        """
        if self.longer_side is None:
            return self.scale
        longer = max(self.photograph.size)
        if not longer <= self.longer_side <= MAX_SCALE * longer:
            raise ValueError(
                f"The longer side of {self.photograph.name} has {longer} pixels: choose {longer} "
                f"to {MAX_SCALE * longer}, not {self.longer_side}."
            )
        return self.longer_side / longer

    @property
    def model_scale(self) -> int:
        """The scale of the network that is used."""
        return self.recipe.model_scale(self.factor)

    @property
    def config(self) -> EDSRConfig:
        """The configuration of the network that is used."""
        return self.recipe.configs[self.model_scale]

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
    def stem(self) -> str:
        """The name of the result without a suffix."""
        how = f"x{self.scale:g}" if self.longer_side is None else f"{self.longer_side}px"
        return f"{self.photograph.stem}_{how}_{self.recipe.name}"

    @property
    def in_words(self) -> str:
        """The sizes before and after, and the fault that is removed."""
        before, after = (
            f"{width} × {height}" for height, width in (self.photograph.size, self.size)
        )
        factor = "" if self.scale is None else f"{self.scale}×: "
        fault = ""
        if self.recipe.checkpoint.endswith("-photo"):
            fault = advice(self.photograph, self.model_scale).fault
        return f"{factor}{before} → {after}.{f' {fault} removed.' if fault else ''}"

    def check(self) -> None:
        """Check that the order can be carried out here.

        Raises:
            ValueError: For an impossible factor, for a size beyond MAX_RESULT_PIXELS that is not
                a network's own, and for a result that would take more than half of the disk's room.
        """
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
        return ("Bicubic", self.order.recipe.name)

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
    model = zoo.load_pretrained(order.recipe.checkpoint, order.model_scale)
    options = {
        "self_ensemble": order.recipe.passes > 1,
        "on_progress": Progress(
            model, order.recipe.passes, order.photograph.size, on_progress
        ).on_tile,
    }
    picture = order.photograph.read()
    if not order.is_streamed:
        sr = upscale(picture, model, scale=order.factor, **options)
        return Enlargement(order, batch, Scratch(encode(sr)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.tif"
        upscale_to_tiff(_without_notes(picture), path, model, **options)
        return Enlargement(order, batch, Scratch.of_file(path))


class Progress:
    """Turns finished blocks and tiles into a fraction.

    Args:
        model: The network, which gets hooks.
        passes: How often it runs on each tile.
        size: (height, width) of the image.
        on_progress: As for `enlarge`.
    """

    def __init__(
        self,
        model: EDSR,
        passes: int,
        size: tuple[int, int],
        on_progress: Callable[[float], None],
    ):
        for module in model.modules():
            if isinstance(module, ResBlock):
                module.register_forward_hook(self._on_block)
        self._on_progress = on_progress
        self._blocks_per_tile = model.config.n_resblocks * passes
        self._blocks = 0
        self._tiles = 0
        # A first guess, until the first tile is done.
        self._total = math.prod(math.ceil(side / 512) for side in size)

    def _on_block(self, *_) -> None:
        self._blocks += 1
        # More blocks than expected where a tile was started again for lack of memory.
        tiles = self._tiles + min(self._blocks / self._blocks_per_tile, 1)
        self._on_progress(tiles / max(self._total, self._tiles + 1))

    def on_tile(self, done: int, total: int) -> None:
        """To be given to the function that enlarges."""
        self._blocks = 0
        self._tiles = done
        self._total = total
        self._on_progress(done / total)
