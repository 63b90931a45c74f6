"""The Image Wizard: from a small photograph to a large one in three choices (notebook 00)."""

from __future__ import annotations

import html
import math
import os
from collections.abc import Mapping
from typing import BinaryIO

import ipywidgets

from srlib.widgets.compare.slider import CompareSlider
from srlib.widgets.wizard.controls import Choices, JobLine
from srlib.widgets.wizard.enlarge import Enlargement, Recipe
from srlib.widgets.wizard.photograph import Photograph
from srlib.widgets.wizard.results import Results
from srlib.widgets.wizard.upload import Upload
from srlib.widgets.wizard.visit import MOST, Visit, in_words

PRIVACY = "Nothing leaves the machine that this runs on, and nothing is kept when you go."
ELSEWHERE = "Notebook 02 fetches more networks."


class ImageWizard(Visit):
    """Choose photographs, a size and a model; watch the work; compare with bicubic; download.

    Without a browser the same steps are `open`, `choose`, `start` and `wait`.  Work is done in a thread of its own, one job at a
    time, so that choosing goes on and Cancel is heard meanwhile.  Only models that are on this machine are offered.
    """

    def __init__(self, samples: Mapping[str, str | os.PathLike] | None = None):
        """samples: what to call each sample photograph, and its file; the first one is open at the start."""
        super().__init__()
        self._samples = {name: Photograph.open(path) for name, path in (samples or {}).items()}
        self._gesture = ""  # the one that brought the photographs that are there
        self._shown: Enlargement | Photograph | None = None
        on_offer = [
            {"name": name, "thumbnail": sample.thumbnail} for name, sample in self._samples.items()
        ]
        actions = {"sample": self._on_sample, "remove": self._on_remove}
        self._upload = Upload(self._on_file, actions, samples=on_offer, most=MOST)
        scales = sorted({scale for recipe in self.recipes.values() for scale in recipe.configs})
        self._choices = Choices({"choose": self._on_choose}, scales=scales, note=ELSEWHERE)
        self._job = JobLine({"start": self._on_start, "cancel": self.cancel}, privacy=PRIVACY)
        self._results = Results(lambda: self.results, self.show)
        self._stage = ipywidgets.VBox()
        column = ipywidgets.VBox([self._upload, self._choices, self._job])
        column.add_class("srlib-column")
        stage = ipywidgets.VBox([self._stage, self._results])
        stage.add_class("srlib-stage")
        self.view = ipywidgets.Box([column, stage])
        self.view.add_class("srlib-wizard")
        self.take(list(self._samples.values())[:1])

    def _repr_mimebundle_(self, **kwargs) -> dict:
        return self.view._repr_mimebundle_(**kwargs)

    # ---- from the page; what goes wrong becomes a sentence on it

    def _on_file(self, stream: BinaryIO, gesture: str) -> None:
        photograph = Photograph.open(stream)
        together = self.photographs if gesture == self._gesture else []
        self._gesture = gesture
        self.take([*together, photograph])
        if photograph.note:
            self._upload.say(photograph.note)

    def _on_sample(self, index: int) -> None:
        self._upload.quiet()
        self.take([list(self._samples.values())[index]])

    def _on_remove(self, index: int) -> None:
        self.take(self.photographs[:index] + self.photographs[index + 1 :])

    def _on_choose(self, **choice) -> None:
        scale, model = choice.get("scale", self.scale), choice.get("model", self.model)
        if not self.offers(model, scale):
            model = next(name for name in self.recipes if self.offers(name, scale))
        self.scale, self.longer_side, self.model = (
            scale,
            choice.get("longer_side", self.longer_side),
            model,
        )
        self.changed()

    def _on_start(self) -> None:
        try:
            self.start()
        except (ValueError, RuntimeError) as refusal:
            self.sentence = str(refusal)
            self.changed()

    # ---- to the page

    def changed(self) -> None:
        with self._lock:
            self._draw_photographs()
            self._draw_choices()
            self._draw_stage()
            self._draw_job()  # last: who reads "Done" finds the result in its place

    def progressed(self) -> None:
        with self._lock:
            self._draw_job()

    def _draw_photographs(self) -> None:
        samples = list(self._samples.values())
        alone = self.photographs[0] if len(self.photographs) == 1 else None
        self._upload.sample = samples.index(alone) if alone in samples else -1
        own = [] if self._upload.sample >= 0 else self.photographs
        self._upload.photographs = [
            {
                "name": photograph.name,
                "text": _size(photograph.size),
                "thumbnail": photograph.thumbnail,
            }
            for photograph in own
        ]

    def _draw_choices(self) -> None:
        self._choices.chosen = {
            "scale": self.scale,
            "longer_side": self.longer_side,
            "model": self.model,
        }
        self._choices.models = [
            {"name": name, "title": recipe.title, "cost": self._cost(recipe)}
            for name, recipe in self.recipes.items()
            if self.offers(name, self.scale)
        ]
        self._choices.summary = self._sizes()

    def _cost(self, recipe: Recipe) -> str:
        try:
            costs = [order.cost for order in self.orders(recipe)]
        except ValueError:  # a size that cannot be; the summary says so
            costs = []
        if not costs:
            return ""
        megabytes = math.ceil(max(cost.memory for cost in costs) / 1e7) * 10
        memory = f"{megabytes} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"
        return f"{in_words(sum(cost.seconds for cost in costs))}, {memory}"

    def _sizes(self) -> str:
        """What comes of what, or why it cannot."""
        orders = self.orders()
        try:
            for order in orders:
                order.check()
        except ValueError as reason:
            return str(reason)
        if not orders:
            return ""
        largest = max(orders, key=lambda order: math.prod(order.size))
        sizes = f"{_size(largest.photograph.size)} → {_size(largest.size)} pixels"
        return sizes if len(orders) == 1 else f"The largest: {sizes}"

    def _draw_job(self) -> None:
        unfinished, orders = self.unfinished, self.orders()
        ready = any(order not in unfinished for order in orders)
        what = "Enlarge" if len(orders) < 2 else f"Enlarge {len(orders)} photographs"
        self._job.label = f"{what} after this" if unfinished and ready else what
        self._job.ready, self._job.busy = ready, bool(unfinished)
        self._job.sentence, self._job.done = self.sentence, self.done

    def _draw_stage(self) -> None:
        """The result that is selected, or else what was chosen; and the list of results."""
        self._results.selected = self.selected
        self._results.items = [
            {"name": made.order.stem, "text": _size(made.order.size), "thumbnail": made.thumbnail}
            for made in self.results
        ]
        shown = self.result or (self.photographs[0] if self.photographs else None)
        if self._shown is shown and self._stage.children:
            return
        self._shown, old = shown, self._stage.children
        self._stage.children = [
            _comparison(shown)
            if isinstance(shown, Enlargement)
            else ipywidgets.HTML(_preview(shown))
        ]
        for widget in old:
            widget.close()


def _comparison(made: Enlargement) -> ipywidgets.DOMWidget:
    try:
        return CompareSlider([made.bicubic, made.sr], made.labels)
    except MemoryError:
        return ipywidgets.HTML(
            '<p class="srlib-preview">The comparison does not fit into memory; the download works.</p>'
        )


def _preview(photograph: Photograph | None) -> str:
    if photograph is None:
        return '<p class="srlib-preview">Choose a photograph to begin.</p>'
    alt = html.escape(f"The chosen photograph, {photograph.name}")
    return f'<div class="srlib-preview"><img src="{photograph.thumbnail}" alt="{alt}"><p>The result will be here.</p></div>'


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]} × {size[0]}"
