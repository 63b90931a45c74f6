"""One visit to the wizard: photographs, choices, work and results, without a page."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from srlib.images.picture import Picture
from srlib.upscaling.enlarge import MAX_SCALE
from srlib.widgets.duration import duration_text
from srlib.widgets.wizard.enlarge import Enlargement, Order, enlarge, networks
from srlib.widgets.wizard.jobs import Cancelled, Job, JobQueue, machine_slot
from srlib.widgets.wizard.photograph import Photograph, advice

AUTO = "auto"  # the network that suits each photograph
MOST = 24  # photographs at once, and results that are kept
_PAUSE = 0.2  # seconds between two sentences about progress


@dataclass
class Choice:
    """What a visitor wants of the photographs that were chosen together.

    Attributes:
        scale: The factor; 0 to enlarge to `longer_side`.
        longer_side: Pixels of the result's longer side.
        model: The name of a network; or "auto" for the one that suits each photograph.
        best: Whether by self-ensemble.
        wanted_scale: The factor that was chosen, where `scale` is smaller so that it fits.
    """

    scale: int
    longer_side: int
    model: str
    best: bool
    wanted_scale: int


class Visit:
    """The state of a visit, and everything a visitor can do.

    Attributes:
        photographs: The photographs of the visit, the latest last; of more than MOST the oldest is
            dropped. Those that were chosen together are enlarged together.
        current: The number of the photograph that is shown.
        results: The results of the visit, the latest last; of more than MOST the oldest is dropped.
        failed: Orders that could not be carried out.
        networks: The networks on this machine: the scales of each name.
        choice: What is wanted of the photograph that is shown, or while there is none, of the next.
        sentence: The state of the work in words.
        done: The fraction of the work done, 0 to 1; None while unknown.
        fraction: The same of the running job alone.
    """

    def __init__(self):
        self.current = 0
        self.failed: list[Order] = []
        self.results: list[Enlargement] = []
        self.networks = networks()
        largest = self.scales[-1]
        self.choice = Choice(largest, 1000, AUTO, best=False, wanted_scale=largest)
        self.sentence = ""
        self.done: float | None = None
        self.fraction: float | None = None
        # Photographs that were chosen together share one choice.
        self._choices: dict[Photograph, Choice] = {}
        self._started: list[Job] = []
        self._batch = 0
        self._queue = JobQueue(self._work, self._on_end)
        self._lock = threading.RLock()

    def changed(self) -> None:
        """Called after every change, from any thread; a page overrides it."""

    def progressed(self) -> None:
        """Called where only `sentence` and `done` have changed, many times per job."""

    def open(self, *sources: str | os.PathLike) -> None:
        """Choose photographs from files; on failure the previous ones stay.

        Raises:
            FileNotFoundError: If a file does not exist.
            ImageError: If a file cannot be decoded, or is too large.
            ValueError: If no file is named.
        """
        if not sources:
            raise ValueError("Choose at least one photograph.")
        self.take([Photograph.open(source) for source in sources])

    def take(self, photographs: Sequence[Photograph], *, together: bool = False) -> None:
        """Add photographs, and look at the first of those that belong together.

        The factor becomes the largest one that fits, up to the one chosen last.

        Args:
            photographs: One or more.
            together: Whether they belong to those that were taken last.
        """
        with self._lock:
            latest = list(self._choices.values())[-1:]
            choice = latest[0] if together and latest else replace(self.choice)
            for photograph in photographs:
                self._choices.pop(photograph, None)  # it moves to the end
                self._choices[photograph] = choice
            for oldest in self.photographs[:-MOST]:
                del self._choices[oldest]
            self.choice = choice
            self.current = self.photographs.index(self.group[0])
            longer = max(self.photographs[self.current].size)
            if not longer <= choice.longer_side <= MAX_SCALE * longer:
                choice.longer_side = 2 * longer
            if choice.wanted_scale:
                fitting = [s for s in self.scales if s <= choice.wanted_scale and self.fits(s)]
                choice.scale = fitting[-1] if fitting else choice.wanted_scale
            self._chosen()

    def remove(self) -> None:
        """Remove the photograph that is shown."""
        with self._lock:
            del self._choices[self.photographs[self.current]]
            if self._choices:
                self.look_at(min(self.current, len(self._choices) - 1))
            else:
                self.current = 0
                self._chosen()

    @property
    def photographs(self) -> list[Photograph]:
        """The photographs of the visit, the latest last."""
        return list(self._choices)

    @property
    def group(self) -> list[Photograph]:
        """The photographs that were chosen together with the one that is shown."""
        return [p for p, choice in self._choices.items() if choice is self.choice]

    def choose(
        self,
        *,
        scale: int | None = None,
        longer_side: int | None = None,
        model: str | None = None,
        best: bool | None = None,
    ) -> None:
        """Choose a factor, or a size in pixels, and the network; what is None stays as it is.

        Args:
            scale: The factor.
            longer_side: Pixels of the result's longer side, instead of a factor.
            model: "edsr-lite" and so on; "auto" for the one that suits each photograph.
            best: Whether by self-ensemble, which takes eight times as long.

        Raises:
            ValueError: If the network is not on this machine at this scale.
        """
        model = model or self.choice.model
        scale = 0 if longer_side else scale or self.choice.scale
        if not self.offers(model, scale):
            asked = f"{model} x{scale}" if scale else model
            there = ", ".join(f"{name} x{s}" for name in self.networks for s in self.networks[name])
            raise ValueError(
                f"{asked} is not on this machine; there are {there}. Lesson 02 downloads others."
            )
        with self._lock:
            self.choice.model = model
            self.choice.best = self.choice.best if best is None else best
            self.choice.scale = scale
            self.choice.wanted_scale = scale
            self.choice.longer_side = longer_side or self.choice.longer_side
            self._chosen()

    def look_at(self, index: int) -> None:
        """Show the photograph of this number, with the choice that was made for it."""
        with self._lock:
            self.current = index
            self.choice = self._choices[self.photographs[index]]
            self._chosen()

    def _chosen(self) -> None:
        """After a new choice."""
        if not self.busy:
            self.sentence = ""
        self.changed()

    @property
    def order(self) -> Order | None:
        """The order for the photograph that is shown."""
        return self.order_for(self.photographs[self.current]) if self._choices else None

    @property
    def scales(self) -> list[int]:
        """The factors that any network on this machine offers, smallest first."""
        return sorted({scale for scales in self.networks.values() for scale in scales})

    def offers(self, model: str, scale: int) -> bool:
        """Whether a network is on this machine at a scale; 0 stands for a size in pixels."""
        scales = self.scales if model == AUTO else self.networks.get(model)
        return bool(scales) and scale in (0, *scales)

    def fits(self, scale: int) -> bool:
        """Whether all chosen photographs can be enlarged by a factor in memory here."""
        orders = self.orders(scale=scale)
        return not refusal(orders) and not any(order.is_streamed for order in orders)

    def start(self) -> None:
        """Start to enlarge in the background, after the work that is running.

        A result that is there already is shown instead of computed again.

        Raises:
            ValueError: If no photograph is chosen, or a result would be too large.
            RuntimeError: If all of it is running or waiting already.
        """
        orders = self.orders()
        if not orders:
            raise ValueError("Choose a photograph first.")
        if reason := refusal(orders):
            raise ValueError(reason)
        with self._lock:
            made = [result.order for result in self.results]
            todo = [order for order in orders if order not in made]
            if not self.busy:
                self._started = []
                self._batch += 1
            jobs = [job for order in todo if (job := self._queue.put(order))]
            self._started += jobs
            self.failed = [order for order in self.failed if order not in todo]
            if todo and not jobs:
                raise RuntimeError("This is being enlarged already; wait for it, or cancel.")
            if not todo:
                self.sentence = "Enlarged already: here it is."
            self.changed()

    def cancel(self) -> None:
        """Stop the running job and drop those that wait; `wait` then raises Cancelled."""
        self._queue.cancel()

    def wait(self, timeout: float | None = None) -> Enlargement:
        """Wait for the result; of several, the last.

        Args:
            timeout: Seconds for each photograph.

        Raises:
            Cancelled: If the job was cancelled, and likewise any other error that ended it.
            TimeoutError: If a photograph took longer.
        """
        if not self._started and self.result is None:
            raise RuntimeError("Nothing was started.")
        results = [job.wait(timeout) for job in self._started]
        return results[-1] if results else self.result

    @property
    def picture(self) -> Picture | None:
        """The photograph that is shown."""
        return self.photographs[self.current].read() if self._choices else None

    @property
    def result(self) -> Enlargement | None:
        """The result that is shown: that of the present choice."""
        return next((made for made in self.results if made.order == self.order), None)

    @property
    def batch(self) -> list[Enlargement]:
        """The results that were started together with the one that is shown."""
        return [made for made in self.results if self.result and made.batch == self.result.batch]

    @property
    def busy(self) -> bool:
        """Whether any job is running or waiting."""
        return bool(self._queue.unfinished)

    @property
    def unfinished(self) -> list[Order]:
        """The running order, and those that wait."""
        return [job.order for job in self._queue.unfinished]

    def orders(self, *, scale: int | None = None) -> list[Order]:
        """The orders that `start` would give, by default for the chosen factor."""
        return [self.order_for(photograph, scale) for photograph in self.group]

    def order_for(self, photograph: Photograph, scale: int | None = None) -> Order:
        """The order that the choice for a photograph makes, by default for its chosen factor."""
        choice = self._choices[photograph]
        if scale is not None:
            choice = replace(choice, scale=scale)
        factor = choice.scale or choice.longer_side / max(photograph.size)
        model = choice.model
        if model == AUTO:
            model = self._suitable(photograph, choice, factor)
        size = {"scale": choice.scale} if choice.scale else {"longer_side": choice.longer_side}
        model_scale = _reaching(factor, self.networks[model])
        return Order(photograph, model, model_scale, choice.best, **size)

    def _suitable(self, photograph: Photograph, choice: Choice, factor: float) -> str:
        """The network that suits, or any other one if that is not on this machine."""
        model_scale = _reaching(factor, self.scales)
        name = advice(photograph, model_scale, self_ensemble=choice.best).checkpoint
        names = (name, *self.networks)
        return next(name for name in names if self.offers(name, choice.scale))

    def _work(self, job: Job) -> Enlargement:
        """In the queue's thread."""
        shown_at = 0.0

        def on_progress(fraction: float) -> None:
            nonlocal shown_at
            job.check()
            now = time.monotonic()
            if fraction >= 1:
                self._say(job, "saving", 1.0)
            elif now - shown_at > _PAUSE:
                shown_at = now
                left = duration_text((now - began) / fraction * (1 - fraction))
                self._say(job, f"about {left} left", fraction)

        def on_wait() -> None:
            self._say(job, "waiting for its turn")

        with machine_slot(job.check, on_wait):
            began = time.monotonic()
            self._say(job, f"about {duration_text(job.order.seconds)}")
            return enlarge(job.order, on_progress, batch=self._batch)

    def _say(self, job: Job, state: str, fraction: float | None = None) -> None:
        with self._lock:
            place = self._started.index(job)
            total = len(self._started)
            counted = f"{place + 1} of {total}: " if total > 1 else ""
            self.sentence = f"{counted}{job.order.photograph.name}, {state} …"
            self.done = None if fraction is None else (place + fraction) / total
            self.fraction = fraction
            self.progressed()

    def _on_end(self, job: Job) -> None:
        """In the queue's thread, after each job."""
        with self._lock:
            if job.result is not None:
                self.results = [*self.results, job.result][-MOST:]
            elif not isinstance(job.error, Cancelled):
                self.failed.append(job.order)
            self.fraction = None
            if not self.busy:
                self.sentence = _summary(self._started)
                self.done = None
            self.changed()


def _reaching(factor: float, scales: Sequence[int]) -> int:
    """The smallest scale that is enough for a factor, or else the largest."""
    return next((scale for scale in scales if scale >= factor), scales[-1])


def refusal(orders: Sequence[Order]) -> str:
    """Why these orders cannot be carried out here, or ""."""
    try:
        for order in orders:
            order.check()
    except ValueError as reason:
        return str(reason)
    return ""


def _summary(jobs: Sequence[Job]) -> str:
    """How the jobs ended."""
    made = [job for job in jobs if job.error is None]
    failed = [job for job in jobs if job.error and not isinstance(job.error, Cancelled)]
    sentences = []
    if len(made) + len(failed) < len(jobs):
        after = f" after {len(made)} of {len(jobs)} photographs" if made else ""
        sentences.append(f"Cancelled{after}.")
    elif len(jobs) > 1:
        sentences.append(f"Done: {len(made)} of {len(jobs)} photographs.")
    elif made:
        sentences.append(f"Done. {made[0].order.in_words}")
    for job in failed:
        reason = str(job.error) or type(job.error).__name__
        if isinstance(job.error, MemoryError):
            reason = "There is not enough memory. Choose a smaller size."
        sentences.append(f"{job.order.photograph.name} could not be enlarged: {reason}")
    return " ".join(sentences)
