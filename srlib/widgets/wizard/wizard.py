"""The Image Wizard: from a small photograph to a large one."""

from __future__ import annotations

import html
import math
import os
from collections.abc import Mapping

import ipywidgets

from srlib.widgets.compare.slider import CompareSlider
from srlib.widgets.wizard.enlarge import MAX_RESULT_PIXELS, Enlargement, Recipe
from srlib.widgets.wizard.page import Form, Results
from srlib.widgets.wizard.photograph import Photograph
from srlib.widgets.wizard.visit import MOST, Visit, in_words, refusal

PRIVACY = "Your photographs stay on the computer that runs this, and are deleted when you leave."
MORE_NETWORKS = "Lesson 02 downloads more networks."


class ImageWizard(Visit):
    """A page to choose photographs, a size and a network; to compare the result, and download it.

    Without a browser the same steps are `open`, `choose`, `start` and `wait`. Jobs run one at a
    time in a thread of their own, so that a visitor can go on choosing, or cancel. Only networks
    that are on this machine are offered.

    Args:
        samples: The file of each sample photograph by its name; the first is chosen at the start.

    Attributes:
        view: The ipywidgets box on the page.

    Example:
        >>> wizard = ImageWizard()
        >>> wizard.choose(scale=2, model="edsr-lite")
        >>> wizard.scale
        2
    """

    def __init__(self, samples: Mapping[str, str | os.PathLike] | None = None):
        super().__init__()
        self._samples = [Photograph.open(path, name) for name, path in (samples or {}).items()]
        self._gesture = ""  # the one that the chosen photographs came with
        actions = {
            "sample": self._on_sample,
            "remove": self._on_remove,
            "choose": self._on_choose,
            "start": self._on_start,
            "cancel": self.cancel,
            "shown": self._on_shown,
        }
        offered = [{"name": s.name, "thumbnail": s.thumbnail} for s in self._samples]
        self._form = Form(
            self._on_file, actions, samples=offered, most=MOST, note=MORE_NETWORKS, privacy=PRIVACY
        )
        self._results = Results(lambda: self.results, lambda: self.batch, self.show)
        self._staged: Enlargement | Photograph | None = None
        self._stage = ipywidgets.VBox()
        self._form.add_class("srlib-column")
        stage = ipywidgets.VBox([self._stage, self._results])
        stage.add_class("srlib-stage")
        self.view = ipywidgets.Box([self._form, stage])
        self.view.add_class("srlib-wizard")
        self._measured = False
        self.take(self._samples[:1])

    def _repr_mimebundle_(self, **kwargs) -> dict:
        return self.view._repr_mimebundle_(**kwargs)

    # ---- the visitor's actions

    def _on_shown(self) -> None:
        """The page has been painted: now there is time to measure how fast the networks are."""
        if not self._measured:
            self._measured = True
            models = [self.model, *self.recipes]
            configs = [self.recipes[model].configs.values() for model in models]
            every = [config for several in configs for config in several]
            self.speed.measure(every, lambda: self.busy, self.changed)

    def _on_file(self, content: bytes, name: str, gesture: str) -> None:
        photograph = Photograph.open(content, name)
        together = self.photographs if gesture == self._gesture else []
        self._gesture = gesture
        self.take([*together, photograph])
        if photograph.note:
            self._form.add_problem(photograph.note)

    def _on_sample(self, index: int) -> None:
        self._form.clear_problems()
        self.take([self._samples[index]])

    def _on_remove(self, index: int) -> None:
        self._form.clear_problems()
        self.take(self.photographs[:index] + self.photographs[index + 1 :])

    def _on_choose(
        self, scale: int | None = None, longer_side: int | None = None, model: str | None = None
    ) -> None:
        scale = self.scale if scale is None else scale
        model = model or self.model
        if not self.offers(model, scale):
            model = next(name for name in self.recipes if self.offers(name, scale))
        side = None if scale else longer_side or self.longer_side
        self.choose(scale=scale, longer_side=side, model=model)

    def _on_start(self) -> None:
        try:
            self.start()
        except (ValueError, RuntimeError) as reason:
            self.sentence = str(reason)
            self.changed()

    # ---- what the page shows

    def changed(self) -> None:
        with self._lock:
            self._draw_photographs()
            self._draw_choices()
            self._draw_stage()
            self._draw_job()  # last, so that a visitor who reads "Done" finds the result in place

    def progressed(self) -> None:
        with self._lock:
            self._draw_job()

    def _draw_photographs(self) -> None:
        chosen = self.photographs
        is_sample = len(chosen) == 1 and chosen[0] in self._samples
        self._form.sample = self._samples.index(chosen[0]) if is_sample else -1
        self._form.photographs = [
            {"name": photograph.name, "text": _size(photograph.size), **_thumbnail(photograph)}
            for photograph in ([] if is_sample else chosen)
        ]

    def _draw_choices(self) -> None:
        form = self._form
        form.chosen = {
            "scale": self.scale,
            "longer_side": self.longer_side,
            "model": self.model,
        }
        form.scales = [
            {"value": scale, "text": f"{scale}×", "reason": refusal(self.orders(scale=scale))}
            for scale in self.scales
        ] + [{"value": 0, "text": "To a size", "reason": ""}]
        form.limits = _limits([offer["text"] for offer in form.scales if offer["reason"]])
        form.models = [
            {"name": name, "title": recipe.title, "cost": self._cost(recipe)}
            for name, recipe in self.recipes.items()
            if self.offers(name, self.scale)
        ]
        form.summary = refusal(self.orders()) or self._sizes()

    def _cost(self, recipe: Recipe) -> str:
        """The time that the chosen photographs would take by a recipe."""
        orders = self.orders(recipe=recipe)
        if not orders or refusal(orders):
            return ""
        seconds = [self.speed.seconds(order) for order in orders]
        return in_words(None if None in seconds else sum(seconds))

    def _sizes(self) -> str:
        orders = self.orders()
        if not orders:
            return ""
        largest = max(orders, key=lambda order: math.prod(order.size))
        sizes = f"{_size(largest.photograph.size)} → {_size(largest.size)} pixels"
        return sizes if len(orders) == 1 else f"The largest: {sizes}"

    def _draw_job(self) -> None:
        unfinished = self.unfinished
        orders = self.orders()
        waiting = any(order not in unfinished for order in orders)
        label = "Enlarge" if len(orders) < 2 else f"Enlarge {len(orders)} photographs"
        self._form.label = f"{label} after this" if unfinished and waiting else label
        self._form.ready = waiting and not refusal(orders)
        self._form.busy = bool(unfinished)
        self._form.sentence = self.sentence
        self._form.done = self.done

    def _draw_stage(self) -> None:
        """Show the selected result, or else the first photograph; and list the results."""
        self._results.items = [
            {
                "name": made.order.stem,
                "title": made.order.photograph.name,
                "text": f"{made.order.recipe.name}, {_size(made.order.size)}",
                **_thumbnail(made),
            }
            for made in self.results
        ]
        self._results.selected = self.selected
        self._form.shown = self.result.order.stem if self.result else ""
        self._results.together = len(self.batch)
        shown = self.result or (self.photographs[0] if self.photographs else None)
        if self._staged is shown and self._stage.children:
            return
        self._staged = shown
        previous = self._stage.children
        if isinstance(shown, Enlargement):
            self._stage.children = [_comparison(shown)]
        else:
            self._stage.children = [ipywidgets.HTML(_preview(shown))]
        for widget in previous:
            widget.close()


def _limits(refused: list[str]) -> str:
    """Why some factors are not offered."""
    if not refused:
        return ""
    limit = f"{MAX_RESULT_PIXELS / 1e6:.0f} megapixels"
    return (
        f"{' and '.join(refused)} would make more than {limit}, the most that this page can hold. "
        "Crop the photograph, or use upscale_to_tiff of the course, which has no such limit."
    )


def _comparison(made: Enlargement) -> ipywidgets.DOMWidget:
    try:
        return CompareSlider([made.bicubic, made.sr], made.labels, at_detail=True)
    except MemoryError:
        return ipywidgets.HTML(
            '<p class="srlib-preview">The comparison does not fit into memory, '
            "but the download works.</p>"
        )


def _preview(photograph: Photograph | None) -> str:
    if photograph is None:
        return '<p class="srlib-preview">Choose a photograph to begin.</p>'
    alt = html.escape(f"The chosen photograph, {photograph.name}")
    return (
        f'<div class="srlib-preview"><img src="{photograph.thumbnail}" alt="{alt}">'
        "<p>The result will appear here.</p></div>"
    )


def _thumbnail(source: Photograph | Enlargement) -> dict[str, str]:
    return {"thumbnail": source.thumbnail}


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]} × {size[0]}"
