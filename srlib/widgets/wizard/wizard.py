"""The Image Wizard: from a small photograph to a large one."""

from __future__ import annotations

import os
from collections.abc import Mapping

import ipywidgets
import numpy as np

from srlib.images.picture import eight_bit
from srlib.widgets.wizard.enlarge import MAX_RESULT_PIXELS, SUFFIXES, Enlargement, Order
from srlib.widgets.wizard.page import Page, zip_of
from srlib.widgets.wizard.photograph import Photograph, advice
from srlib.widgets.wizard.preview import Latest, check_on_itself, enlarge_patch
from srlib.widgets.wizard.scratch import Scratch
from srlib.widgets.wizard.stage import Stage
from srlib.widgets.wizard.visit import AUTO, MOST, Visit, in_words, refusal


class ImageWizard(Visit):
    """A page to drop photographs on, to see at once what a network makes of them, and to keep it.

    Without a browser the same steps are `open`, `choose`, `start` and `wait`. Jobs run one at a
    time in a thread of their own, so that a visitor can go on choosing, or cancel. Only networks
    that are on this machine are offered.

    Args:
        samples: The file of each sample photograph by its name; `start` takes the first one, unless
            another photograph is chosen.

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
        self._painted = False
        self._shape = 1.5  # width of the stage for each unit of its height
        self._center: tuple[float, float] | None = None  # of the patch; None where detail is
        self._pixels: tuple[Photograph, np.ndarray] | None = None  # those of the last patch
        self._kept: list[Order] = []  # downloaded
        self._finding = ""  # of the check on this photograph
        self._stage = Stage(self._on_target)
        actions = {
            "shown": self._on_shown,
            "sample": self._on_sample,
            "pick": self._on_pick,
            "remove": self._on_remove,
            "choose": self._on_choose,
            "start": self._on_start,
            "cancel": self.cancel,
            "invented": self._on_invented,
            "check": self._on_check,
        }
        offered = [{"name": s.name, "thumbnail": s.thumbnail} for s in self._samples]
        self._page = Page(self._on_file, self._make_file, actions, samples=offered, most=MOST)
        self._drawing = Latest(self._on_undrawable)
        self._checking = Latest(self._on_undrawable)
        self.view = ipywidgets.Box([self._stage.slider, self._page])
        self.view.add_class("srlib-wizard")
        self.take(self._samples[:1])

    def _repr_mimebundle_(self, **kwargs) -> dict:
        return self.view._repr_mimebundle_(**kwargs)

    # ---- the visitor's actions

    def start(self) -> None:
        self._page.landing = False
        self._finding = ""
        super().start()

    def open(self, *sources: str | os.PathLike) -> None:
        self._page.landing = False
        super().open(*sources)

    def _chosen(self) -> None:
        self._center = None
        self._finding = ""
        super()._chosen()

    def _on_shown(self, shape: float) -> None:
        """The page has been painted, or has changed its shape."""
        first = not self._painted
        self._painted = True
        self._shape = shape
        self.changed()
        if first:  # now there is time to measure how fast the networks are
            recipes = [*(order.recipe for order in self.orders()), *self.recipes.values()]
            configs = [config for recipe in recipes for config in recipe.configs.values()]
            self.speed.measure(configs, lambda: self.busy or self._drawing.busy, self.progressed)

    def _on_file(self, content: bytes, name: str, gesture: str) -> None:
        photograph = Photograph.open(content, name)
        together = self.photographs if gesture == self._gesture else []
        self._gesture = gesture
        self._page.landing = False
        self.take([*together, photograph])
        if photograph.note:
            self._page.add_problem(photograph.note)

    def _on_sample(self, index: int) -> None:
        self._page.clear_problems()
        self._page.landing = False
        self.take([self._samples[index]])

    def _on_pick(self, kind: str, index: int) -> None:
        if kind == "result":
            self._finding = ""
            self.show(index)
        else:
            self.look_at(index)

    def _on_remove(self) -> None:
        self._page.clear_problems()
        rest = [p for number, p in enumerate(self.photographs) if number != self.current]
        self._page.landing = not rest
        self.take(rest or self._samples[:1])

    def _on_choose(
        self,
        scale: int | None = None,
        longer_side: int | None = None,
        model: str | None = None,
        best: bool | None = None,
    ) -> None:
        scale = self.scale if scale is None else scale
        best = self.model.endswith("+") if best is None else best
        model = (model or self.model).removesuffix("+") + ("+" if best else "")
        if not self.offers(model, scale):
            model = AUTO + ("+" if best else "")
        side = None if scale else longer_side or self.longer_side
        self.choose(scale=scale, longer_side=side, model=model)

    def _on_start(self) -> None:
        try:
            self.start()
        except (ValueError, RuntimeError) as reason:
            self.sentence = str(reason)
            self.changed()

    def _on_target(self, center: tuple[float, float]) -> None:
        """The visitor wants to see another patch."""
        self._center = center
        self._draw_stage()

    def _on_invented(self, on: bool) -> None:
        self._page.invented = on
        self._draw_stage()

    def _on_check(self) -> None:
        order = self.result.order if self.result else self.order
        self._finding = "Checking …"
        self.progressed()

        def check() -> None:
            finding = check_on_itself(order, self._rgb(order.photograph))
            if self._finding:  # and nothing else has been chosen meanwhile
                self._finding = finding
                self.progressed()

        self._checking.put(check)

    def _make_file(
        self, what: str = "", kind: str = "PNG", metadata: bool = True
    ) -> tuple[str, Scratch]:
        """The name and the content of a download: of the result on show, or a zip of its batch."""
        if what == "all":
            name, content = "enlarged.zip", zip_of(self.batch, kind, metadata=metadata)
            self._kept += [made.order for made in self.batch]
        else:
            name = self.result.order.stem + SUFFIXES[kind]
            content = Scratch(self.result.encode(kind, metadata=metadata))
            self._kept.append(self.result.order)
        self.progressed()
        return name, content

    # ---- what the page shows

    def changed(self) -> None:
        with self._lock:
            self._draw_strip()
            self._draw_choices()
            self._draw_stage()
            self._draw_job()

    def progressed(self) -> None:
        with self._lock:
            self._draw_job()

    def _draw_strip(self) -> None:
        """The results of earlier choices, and the chosen photographs."""
        if self._page.landing:
            self._page.strip = []
            return
        orders = self.orders()
        earlier = [
            self._item(made.order, "made", number == self.selected, "result", number)
            for number, made in enumerate(self.results)
            if made.order not in orders
        ]
        chosen = [
            self._item(
                order,
                self._state(order),
                self.result.order == order if self.result else number == self.current,
                "photograph",
                number,
            )
            for number, order in enumerate(orders)
        ]
        self._page.strip = earlier + chosen

    def _item(self, order: Order, state: str, current: bool, kind: str, index: int) -> dict:
        return {
            "name": order.photograph.name,
            "text": f"{order.scale}×" if order.scale else f"{order.longer_side} px",
            "thumbnail": order.photograph.thumbnail,
            "state": state,
            "current": current,
            "pick": {"kind": kind, "index": index},
        }

    def _state(self, order: Order) -> str:
        unfinished = self.unfinished
        if order in unfinished:
            return "working" if order == unfinished[0] else "waiting"
        if any(made.order == order for made in self.results):
            return "made"
        return "failed" if order in self.failed else "new"

    def _draw_choices(self) -> None:
        page = self._page
        best = self.model.endswith("+")
        page.chosen = {
            "scale": self.scale,
            "longer_side": self.longer_side,
            "model": self.model.removesuffix("+"),
            "best": best,
        }
        page.scales = [
            {"value": scale, "text": f"{scale}×", "reason": refusal(self.orders(scale=scale))}
            for scale in self.scales
        ]
        page.networks = [{"name": AUTO, "title": "Auto: suits each photo"}] + [
            {"name": name, "title": f"{recipe.title} ({name})"}
            for name, recipe in self.recipes.items()
            if self.offers(name, self.scale) and recipe.passes == 1
        ]
        page.kind = self._kind()

    def _kind(self) -> dict:
        """The kind of picture that the network is for, and why."""
        order = self.order
        if order is None or self._page.landing:
            return {"title": "Auto", "reason": "Suits each photo"}
        title = order.recipe.title
        if not self.model.startswith(AUTO):
            return {"title": title, "reason": "Your choice"}
        fault = "" if refusal([order]) else advice(order.photograph, order.model_scale).fault
        return {
            "title": f"Auto: {title[0].lower()}{title[1:]}",
            "reason": f"{fault} found: cleaned up" if fault else "Nothing to clean up",
        }

    def _draw_job(self) -> None:
        page = self._page
        orders = self.orders()
        unfinished = self.unfinished
        made = [result.order for result in self.results]
        todo = [order for order in orders if order not in made and order not in unfinished]
        page.busy = bool(unfinished)
        page.done = self.done
        page.fraction = self.fraction
        page.together = len(self.batch) if self.result else 0
        page.unsaved = any(order not in self._kept for order in made)
        page.ready = bool(todo) and not refusal(orders)
        if self.result:
            page.action, page.label = "download", "Download"
        elif unfinished and not todo:
            page.action = "none"
        else:
            page.action = "enlarge"
            page.label = (
                "Enlarge next"
                if unfinished
                else f"Enlarge {len(todo)} photos"
                if len(todo) > 1
                else "Enlarge"
            )
        page.sentence = self._finding or self.sentence or self._outlook(orders)

    def _outlook(self, orders: list[Order]) -> str:
        """What would come out, or why it cannot."""
        if self._page.landing or not orders:
            return ""
        if reason := refusal(orders):
            return reason
        if self.result:
            return self.result.order.in_words
        refused = [offer["text"] for offer in self._page.scales if offer["reason"]]
        if refused:
            return (
                f"{self.order.in_words} {' and '.join(refused)} would make more than "
                f"{MAX_RESULT_PIXELS / 1e6:.0f} megapixels, the most that fits here."
            )
        height, width = self.order.size
        seconds = [self.speed.seconds(order) for order in orders]
        forecast = in_words(None if None in seconds else sum(seconds))
        if len(orders) > 1:
            return f"This is a preview. All {len(orders)} photos take {forecast}."
        return f"This is a preview. The whole: {width} × {height} pixels in {forecast}."

    # ---- the stage, drawn in a thread of its own

    def _draw_stage(self) -> None:
        """Show the selected result, or a preview of the photograph, or at first the bee."""
        if not self._painted:  # nobody looks
            return
        shown: Enlargement | Order | None = self.result or self.order
        if self._page.landing or shown is None:
            self._drawing.put(self._stage.show_demo)
        elif isinstance(shown, Enlargement):
            invented = self._page.invented
            self._drawing.put(lambda: self._show_result(shown, invented))
        elif not refusal([shown]):
            self._drawing.put(lambda: self._show_patch(shown))

    def _show_result(self, made: Enlargement, invented: bool) -> None:
        self._veil(made.order)
        self._stage.show_result(made, invented)

    def _show_patch(self, order: Order) -> None:
        place = (self._center, self._shape)
        if self._stage.shows(order, *place, self._page.invented):
            return
        self._veil(order)
        patch = enlarge_patch(order, self._rgb(order.photograph), *place)
        self._stage.show_patch(order, patch, *place, self._page.invented)

    def _veil(self, order: Order) -> None:
        """Hide another photograph on the stage by this one, until the stage shows it."""
        if not self._stage.is_about(order.photograph):
            version = self._stage.slider.version + 1
            self._page.veil = {"picture": order.photograph.thumbnail, "version": version}

    def _rgb(self, photograph: Photograph) -> np.ndarray:
        """The pixels of a photograph; those of the last one are kept."""
        pixels = self._pixels
        if pixels is None or pixels[0] != photograph:
            pixels = (photograph, eight_bit(photograph.read()).rgb)
            self._pixels = pixels
        return pixels[1]

    def _on_undrawable(self, error: Exception) -> None:
        if isinstance(error, MemoryError):
            reason = "The comparison does not fit into memory, but the download works."
        else:
            reason = f"This cannot be shown: {error}"
        self._page.veil = {}
        self._page.add_problem(reason)
