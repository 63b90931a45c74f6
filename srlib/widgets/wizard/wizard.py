"""The Image Wizard: from a small photograph to a large one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

import ipywidgets
import numpy as np

from srlib.images.picture import eight_bit
from srlib.upscaling.enlarge import MAX_SCALE
from srlib.widgets.duration import duration_text
from srlib.widgets.wizard.enlarge import MAX_RESULT_PIXELS, Order
from srlib.widgets.wizard.jobs import Job, JobQueue, machine_slot
from srlib.widgets.wizard.page import Page, zip_of
from srlib.widgets.wizard.photograph import Photograph, advice
from srlib.widgets.wizard.preview import (
    ALL,
    Patch,
    check_on_itself,
    enlarge_patch,
    uncertainty,
)
from srlib.widgets.wizard.scratch import Scratch
from srlib.widgets.wizard.stage import Map, Stage, Subject, area
from srlib.widgets.wizard.visit import AUTO, MOST, Visit, refusal

_INVENTED = "Bright: what was added to ordinary enlargement. Black: nothing was."
_UNSURE = (
    "Enlarged eight times, turned and mirrored. Bright: the eight differ, mostly at edges. "
    "Black: they agree, even if all are wrong."
)

_TITLES = {  # the kind of picture that a network is good for
    "edsr-lite": "Clean photo",
    "edsr-lite-photo": "Web photo",
    "edsr-baseline-srlib": "Clean photo, finer",
    "edsr-baseline": "Clean photo, finer",
    "edsr": "Clean photo, finest",
}
_FAULTS = {
    "Noise": "Specks of random brightness and colour, as in photos taken in the dark",
    "Compression marks": "JPEG and WebP store a photo in small squares. Strong compression makes "
    "their edges visible, and ripples beside lines. The course calls them JPEG blocks.",
}


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
        >>> wizard.choice.scale
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
        self._finding = ""  # about the photograph, by a question of the visitor's
        self._unsure: tuple | None = None  # the subject of the last uncertainty map, and the map
        self._stage = Stage(self._on_target)
        actions = {
            "shown": self._on_shown,
            "sample": self._on_sample,
            "pick": self._on_pick,
            "remove": self._on_remove,
            "choose": self._on_choose,
            "start": self._on_start,
            "cancel": self.cancel,
            "map": self._on_map,
            "check": self._on_check,
        }
        offered = [{"name": s.name, "thumbnail": s.thumbnail} for s in self._samples]
        self._page = Page(self._on_file, self._make_file, actions, samples=offered, most=MOST)
        self._wanted: object = None  # drawn last, or being drawn
        self._drawing = JobQueue(lambda job: job.order(job), self._on_drawn)
        self._answering = JobQueue(self._answer, self._on_answer)
        self.view = ipywidgets.Box([self._stage.slider, self._page])
        self.view.add_class("srlib-wizard")
        self._land()

    def _repr_mimebundle_(self, **kwargs) -> dict:
        return self.view._repr_mimebundle_(**kwargs)

    # ---- the visitor's actions

    def start(self) -> None:
        self._page.landing = False
        self._forget()
        super().start()

    def take(self, photographs: Sequence[Photograph], *, together: bool = False) -> None:
        if self._page.landing:
            self._choices.clear()  # the sample there was nobody's choice
        self._page.landing = False
        super().take(photographs, together=together)

    def _land(self) -> None:
        """The page as it is at first: nothing is chosen, and the first sample waits."""
        if self._samples:
            self.take(self._samples[:1])
        self._page.landing = True
        self.changed()

    def _chosen(self) -> None:
        self._center = None
        self._forget()
        super()._chosen()

    def _forget(self) -> None:
        """Drop the last question, and the answer to it."""
        self._answering.cancel()
        self._page.asking = False
        self._finding = ""

    def _on_shown(self, shape: float) -> None:
        """The page has been painted, or has changed its shape."""
        self._painted = True
        self._shape = shape
        self.changed()

    def _on_file(self, content: bytes, name: str, gesture: str) -> None:
        photograph = Photograph.open(content, name)
        self.take([photograph], together=gesture == self._gesture)
        self._gesture = gesture

    def _on_sample(self, index: int) -> None:
        self._page.clear_problems()
        self.take([self._samples[index]])

    def _on_pick(self, index: int) -> None:
        self._page.clear_problems()
        if index < len(self.photographs):
            self.look_at(index)

    def _on_remove(self) -> None:
        self._page.clear_problems()
        if self.photographs:
            self.remove()
        if not self.photographs:
            self._land()

    def _on_choose(
        self,
        scale: int | None = None,
        longer_side: int | None = None,
        model: str | None = None,
        best: bool | None = None,
    ) -> None:
        choice = self.choice
        scale = choice.scale if scale is None else scale
        model = model or choice.model
        if not self.offers(model, scale):
            model = AUTO
        side = None if scale else longer_side or choice.longer_side
        self.choose(scale=scale, longer_side=side, model=model, best=best)

    def _on_start(self) -> None:
        try:
            self.start()
        except (ValueError, RuntimeError) as reason:
            self.sentence = str(reason)
            self.changed()

    def _on_target(self, center: tuple[float, float]) -> None:
        """The visitor wants to see another patch."""
        self._forget()
        self._center = center
        self.changed()

    def _on_map(self, kind: str) -> None:
        """Show a map, or none; that of uncertainty is computed first."""
        self._forget()
        if kind == "unsure":
            self._ask("Enlarging this part eight times", self._look_where_unsure)
            return
        self._page.map = kind
        self._finding = _INVENTED if kind else ""
        self.changed()

    def _look_where_unsure(self, say: Callable[[float], None]) -> str:
        subject = self._stage.subject
        order, _ = subject
        if order is None:
            raise ValueError("choose a photograph first.")
        part = self._stage.in_view(self._shape)
        with machine_slot(lambda: say(0), lambda: None):
            looked_at, drawn = uncertainty(order, self._rgb(order.photograph), part, say)
        self._unsure = (subject, (looked_at, drawn))
        self._page.map = "unsure"
        all_of_it = area(looked_at) > 0.99 * area(self._stage.slider.part)
        return _UNSURE if all_of_it else f"{_UNSURE} Grey was not looked at."

    def _on_check(self) -> None:
        order = self.result.order if self.result else self.order
        self._ask("Testing", lambda _: check_on_itself(order, self._rgb(order.photograph)))

    def _ask(self, doing: str, answer: Callable[[Callable[[float], None]], str]) -> None:
        """Answer a question in the background; another choice cancels it.

        Args:
            doing: What is done meanwhile.
            answer: Returns the answer; may call its argument with the fraction done.
        """
        self._page.asking = True
        self._finding = f"{doing} …"
        self.progressed()
        self._answering.put((doing, answer))

    def _answer(self, question: Job) -> str:
        """In the thread of the questions."""
        doing, answer = question.order

        def say(fraction: float) -> None:
            question.check()
            self._finding = f"{doing}: {fraction:.0%} …"
            self.progressed()

        return answer(say)

    def _on_answer(self, question: Job) -> None:
        with self._lock:
            if question.is_cancelled:
                return
            self._forget()
            if question.error:
                self._on_undrawable(question.error)
            else:
                self._finding = question.result
            self.changed()

    def _make_file(
        self, what: str = "", kind: str = "PNG", metadata: bool = True
    ) -> tuple[str, Scratch]:
        """The name and the content of a download: of the result on show, or a zip of its batch."""
        if self.result is None:  # the page may be behind: another photograph has been chosen
            raise ValueError("this choice has no result yet; press Enlarge.")
        if what == "all":
            name = "enlarged.zip"
            content = zip_of(self.batch, kind, metadata=metadata)
            self._kept += [made.order for made in self.batch]
        else:
            name, content = self.result.file(kind, metadata=metadata)
            self._kept.append(self.result.order)
        self._finding = f"{name} goes to your downloads."
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
        """The photographs, each with the order that its choice makes."""
        if self._page.landing:
            self._page.strip = []
            return
        orders = [self.order_for(photograph) for photograph in self.photographs]
        self._page.strip = [
            {
                "name": order.photograph.name,
                "text": f"{order.scale}×" if order.scale else f"{order.longer_side} px",
                "thumbnail": order.photograph.thumbnail,
                "state": self._state(order),
                "current": number == self.current,
            }
            for number, order in enumerate(orders)
        ]

    def _state(self, order: Order) -> str:
        unfinished = self.unfinished
        if order in unfinished:
            return "working" if order == unfinished[0] else "waiting"
        if any(made.order == order for made in self.results):
            return "made"
        return "failed" if order in self.failed else "new"

    def _draw_choices(self) -> None:
        page = self._page
        choice = self.choice
        order = self.order
        longer = max(order.photograph.size) if order else 1
        page.chosen = {
            "scale": choice.scale,
            "longer_side": max(order.size) if order and choice.scale else choice.longer_side,
            "model": choice.model,
            "best": choice.best,
            "lengths": [longer, MAX_SCALE * longer],
        }
        page.scales = [self._scale(scale) for scale in self.scales]
        page.networks = [{"name": AUTO, "title": "Auto: chosen for each photo"}] + [
            {"name": name, "title": f"{_TITLES.get(name, name)} ({name})"}
            for name in self.networks
            if self.offers(name, choice.scale)
        ]
        page.kind = self._kind()

    def _scale(self, scale: int) -> dict:
        """The offer of a factor."""
        orders = self.orders(scale=scale)
        made = self.order is not None and any(
            result.order == self.order_for(self.order.photograph, scale) for result in self.results
        )
        reason = refusal(orders)
        refused = bool(reason)
        if not refused and any(order.is_streamed for order in orders):
            reason = "Too large to be shown here: saved as a TIFF"
        offer = {"value": scale, "text": f"{scale}×", "refused": refused, "reason": reason}
        return offer | {"made": made and not self._page.landing}

    def _kind(self) -> dict:
        """The kind of picture that the network is for, and why."""
        order = self.order
        if order is None or self._page.landing:
            return {"title": "Auto", "reason": "Chosen for each photo"}
        title = _TITLES.get(order.model, order.model)
        if self.choice.model != AUTO:
            return {"title": title, "reason": "Your choice"}
        fault = advice(order.photograph, self.choice.scale or 4).fault
        done = "removed" if self.result else "will be removed"
        return {
            "title": f"Auto: {title[0].lower()}{title[1:]}",
            "reason": f"{fault} {done}" if fault else "Nothing to clean up",
            "explanation": _FAULTS.get(fault, ""),
        }

    def _draw_job(self) -> None:
        page = self._page
        orders = self.orders()
        unfinished = self.unfinished
        made = [result.order for result in self.results]
        todo = [order for order in orders if order not in made and order not in unfinished]
        page.busy = bool(unfinished)
        page.made = bool(self.result)
        page.done = self.done
        page.fraction = self.fraction
        page.together = len(self.batch)
        page.unsaved = any(order not in self._kept for order in made)
        page.ready = bool(todo) and not refusal(orders)
        if self.result:
            page.label = "Download"
        elif unfinished:
            page.label = "Enlarge next"
        else:
            page.label = f"Enlarge {len(todo)} photos" if len(todo) > 1 else "Enlarge"
        page.sentence = self._finding or self.sentence or self._outlook(orders)

    def _outlook(self, orders: list[Order]) -> str:
        """What would come out, or why it cannot."""
        if self._page.landing or not orders:
            return ""
        if reason := refusal(orders):
            return reason
        if self.result:
            return self.result.order.in_words
        forecast = f"about {duration_text(sum(order.seconds for order in orders))}"
        height, width = self.order.size
        most = f"{MAX_RESULT_PIXELS / 1e6:.0f} megapixels"
        if any(order.is_streamed for order in orders):
            return (
                f"{self.order.in_words} More than {most} are not shown here: they are saved as a "
                f"TIFF, without the camera’s notes, in {forecast}."
            )
        larger = [offer["text"] for offer in self._page.scales if offer["reason"]]
        if larger:
            return (
                f"{self.order.in_words} From {larger[0]} on it has more than {most}: "
                "too large to show, but not to save."
            )
        if self._painted and self._stage.subject[0] != self.order:
            return "The preview is coming …"
        if len(orders) > 1:
            return f"This is a preview. All {len(orders)} photos take {forecast}."
        return f"This is a preview. All of it, {width} × {height} pixels, takes {forecast}."

    # ---- the stage, drawn in a thread of its own

    def _draw_stage(self) -> None:
        """Show the selected result, or a preview of the photograph, or at first the bee."""
        if not self._painted:  # nobody looks
            return
        made = self.result
        order = made.order if made else self.order
        if self._page.landing or order is None:
            self._put_drawing("demo", lambda _: self._stage.show_demo())
            return
        center = self._center
        shape = self._shape
        if made and not order.is_streamed:
            self._draw((order, ""), lambda: Patch(ALL, made.bicubic, made.sr))
        elif not refusal([order]):
            self._draw(
                (order, (center, shape)),
                lambda: enlarge_patch(order, self._rgb(order.photograph), center, shape),
            )

    def _map_of(self, subject: Subject) -> Map:
        """The chosen map; uncertainty is known of one subject only."""
        if self._page.map == "unsure":
            if self._unsure[0] == subject:
                return self._unsure[1]
            self._page.map = "invented"
        return self._page.map

    def _draw(self, subject: Subject, make: Callable[[], Patch]) -> None:
        """Draw in the thread of the stage, and until then hide another photograph there."""
        kind = self._map_of(subject)
        photograph = subject[0].photograph

        def draw(job: Job) -> None:
            def make_if_wanted() -> Patch:
                patch = make()
                job.check()
                return patch

            self._hide_others(photograph)
            self._stage.show(subject, make_if_wanted, kind)
            self.progressed()

        self._put_drawing((subject, kind), draw)
        self._hide_others(photograph)

    def _hide_others(self, photograph: Photograph) -> None:
        """Lay a photograph over the stage while that shows another one, and no other one."""
        before, _ = self._stage.subject
        if before is None or before.photograph != photograph:
            version = self._stage.slider.version + 1
            self._page.veil = {"picture": photograph.thumbnail, "version": version}
        elif self._page.veil.get("picture") != photograph.thumbnail:
            self._page.veil = {}

    def _put_drawing(self, wanted: object, draw: Callable[[Job], None]) -> None:
        """Draw soon, in place of anything else that is being drawn or waits for it."""
        if wanted != self._wanted or not self._drawing.unfinished:
            self._wanted = wanted
            self._drawing.cancel()
            self._drawing.put(draw)

    def _on_drawn(self, drawing: Job) -> None:
        if drawing.error and not drawing.is_cancelled:
            self._on_undrawable(drawing.error)

    def _rgb(self, photograph: Photograph) -> np.ndarray:
        """The pixels of a photograph; those of the last one are kept."""
        pixels = self._pixels
        if pixels is None or pixels[0] != photograph:
            pixels = (photograph, eight_bit(photograph.read()).rgb)
            self._pixels = pixels
        return pixels[1]

    def _on_undrawable(self, error: BaseException) -> None:
        if isinstance(error, MemoryError):
            reason = "The comparison does not fit into memory, but the download works."
        else:
            reason = f"This cannot be shown: {error}"
        self._page.veil = {}
        self._page.add_problem(reason)
