"""What the wizard can do to a photograph: the recipes on this machine, one order, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from srlib.images.picture import Picture, eight_bit, encode
from srlib.images.resize import imresize
from srlib.model.edsr import EDSRConfig, ResBlock
from srlib.upscaling.cost import Cost, predict_cost
from srlib.upscaling.enlarge import MAX_SCALE, large_size, upscale
from srlib.widgets.wizard.photograph import MAX_PIXELS, Photograph, thumbnail
from srlib.widgets.wizard.scratch import Scratch
from srlib.zoo import checkpoints as zoo

MAX_RESULT_PIXELS = (
    4 * MAX_PIXELS
)  # of the network's answer; a dozen visitors share the memory of one machine
SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif"}
# What each network of the zoo is good for.  The last one of these on a machine, asked eight times, is the best there is.
_GOOD_FOR = {
    "edsr-lite": "Clean photo",
    "edsr-lite-photo": "Phone or web picture",
    "edsr-baseline": "Clean photo, finer",
    "edsr": "Clean photo, finest",
}
_TRAINED_ON_CLEAN = ("edsr-lite", "edsr-baseline", "edsr")
Progress = Callable[[float], None]  # the fraction done; it may raise to cancel


@dataclass(frozen=True)
class Recipe:
    """A way to enlarge.  name: the checkpoint's, with the paper's "+" for the mean of eight answers (self-ensemble)."""

    name: str
    title: str
    configs: dict[int, EDSRConfig]  # by scale

    @property
    def self_ensemble(self) -> bool:
        return self.name.endswith("+")

    @property
    def checkpoint(self) -> str:
        return self.name.removesuffix("+")

    def model_scale(self, factor: float) -> int:
        """The smallest scale that reaches the factor, or the largest there is."""
        return next((scale for scale in sorted(self.configs) if scale >= factor), max(self.configs))


def recipes() -> dict[str, Recipe]:
    """By name, those whose weights are on this machine, quickest first."""
    configs: dict[str, dict[int, EDSRConfig]] = {}
    for checkpoint in zoo.available():
        if checkpoint.on_disk():
            configs.setdefault(checkpoint.name, {})[checkpoint.scale] = checkpoint.config
    found = [Recipe(name, _GOOD_FOR.get(name, name), scales) for name, scales in configs.items()]
    best = [recipe for recipe in found if recipe.name in _TRAINED_ON_CLEAN][-1:]
    found += [Recipe(f"{recipe.name}+", "Best quality, slow", recipe.configs) for recipe in best]
    return {recipe.name: recipe for recipe in found}


@dataclass(frozen=True)
class Order:
    """One photograph to enlarge, by a factor or to so many pixels on the longer side; one of the two is None."""

    photograph: Photograph
    recipe: Recipe
    scale: int | None = None
    longer_side: int | None = None

    @cached_property
    def factor(self) -> float:
        """Raises ValueError for a target that is smaller than the photograph, or more than MAX_SCALE times as large."""
        if self.longer_side is None:
            return self.scale
        longer = max(self.photograph.size)
        if not longer <= self.longer_side <= MAX_SCALE * longer:
            offer = f"from {longer} to {MAX_SCALE * longer} pixels can be made of it"
            raise ValueError(
                f"{self.photograph.name} is {longer} pixels long; {offer}, not {self.longer_side}."
            )
        return self.longer_side / longer

    @property
    def model_scale(self) -> int:
        return self.recipe.model_scale(self.factor)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the result"""
        return large_size(self.photograph.size, self.model_scale, self.factor)

    @property
    def cost(self) -> Cost:
        # `enlarge` hooks into the network's blocks, which only PyTorch calls.
        once = predict_cost(
            self.recipe.configs[self.model_scale], *self.photograph.size, engine="torch"
        )
        return replace(once, seconds=once.seconds * (8 if self.recipe.self_ensemble else 1))

    @property
    def stem(self) -> str:
        """What the result is called, without a suffix."""
        how = f"x{self.scale:g}" if self.longer_side is None else f"{self.longer_side}px"
        return f"{Path(self.photograph.name).stem}_{how}_{self.recipe.name}"

    def check(self) -> None:
        """Raises ValueError for a factor that cannot be, and for more than MAX_RESULT_PIXELS on the way or at the end."""
        height, width = (side * self.model_scale for side in self.photograph.size)
        if height * width > MAX_RESULT_PIXELS:
            made, limit = round(height * width / 1e6), round(MAX_RESULT_PIXELS / 1e6)
            advice = "Choose a smaller scale, or a part of the photograph."
            raise ValueError(
                f"{self.photograph.name} would get {made} megapixels; the wizard goes up to {limit}.  {advice}"
            )


@dataclass(frozen=True)
class Enlargement:
    """What came of an order.  The picture waits on disk, as PNG; the properties decode or compute it anew."""

    order: Order
    thumbnail: str
    _png: Scratch

    @property
    def sr(self) -> Picture:
        return Photograph.decode(self.file_name, self._png)

    @property
    def bicubic(self) -> Picture:
        lr, (height, width) = self.order.photograph.read(), self.order.size
        return replace(
            lr, rgb=imresize(eight_bit(lr).rgb, self.order.factor)[:height, :width], alpha=None
        )

    @property
    def labels(self) -> tuple[str, str]:
        return ("Bicubic", self.order.recipe.name)

    @property
    def file_name(self) -> str:
        return f"{self.order.stem}.png"

    def encode(self, kind: str = "PNG") -> bytes:
        """The bytes of a file: "PNG", "JPEG" or "TIFF", with profile and EXIF, and alpha where the format has it."""
        return self._png.read() if kind == "PNG" else encode(self.sr, kind)


def enlarge(order: Order, on_progress: Progress) -> Enlargement:
    """Do it.  Progress is told after every block of the network, so that Cancel need not wait for a tile."""
    model = zoo.load_pretrained(order.recipe.checkpoint, order.model_scale)
    ticks = _Ticks(order, on_progress)
    for module in model.modules():
        if isinstance(module, ResBlock):
            module.register_forward_hook(ticks.block)
    lr, ensemble = order.photograph.read(), order.recipe.self_ensemble
    sr = upscale(lr, model, scale=order.factor, self_ensemble=ensemble, on_progress=ticks.tile)
    return Enlargement(order, thumbnail(sr), Scratch(encode(sr)))


class _Ticks:
    """From blocks computed and tiles done to a fraction."""

    def __init__(self, order: Order, on_progress: Progress):
        blocks = order.recipe.configs[order.model_scale].n_resblocks
        self._per_tile = blocks * (8 if order.recipe.self_ensemble else 1)
        self._on_progress, self._blocks = on_progress, 0
        self._done, self._total = (
            0,
            math.prod(math.ceil(side / 512) for side in order.photograph.size),
        )  # a first guess

    def block(self, *_) -> None:
        self._blocks += 1
        self._tell()

    def tile(self, done: int, total: int) -> None:
        self._done, self._total, self._blocks = done, total, 0
        self._tell()

    def _tell(self) -> None:
        within = min(
            self._blocks / self._per_tile, 1
        )  # more, where a tile was begun anew for want of memory
        self._on_progress(
            (self._done + within) / max(self._total, self._done + 1)
            if within
            else self._done / self._total
        )
