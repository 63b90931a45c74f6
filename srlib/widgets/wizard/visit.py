"""One visit to the wizard: the photographs chosen, the choices made, the work and its results.  It knows of no page."""

from __future__ import annotations

import math
import os
import threading
import time
from typing import BinaryIO

from srlib.images.picture import Picture
from srlib.upscaling.enlarge import MAX_SCALE
from srlib.widgets.wizard.enlarge import Enlargement, Order, Recipe, enlarge, recipes
from srlib.widgets.wizard.jobs import Cancelled, Job, JobQueue, machine_slot
from srlib.widgets.wizard.photograph import Photograph

MOST = 24  # photographs at once, and results that are kept; the oldest makes room
_PAUSE = 0.2  # seconds between two sentences about progress


class Visit:
    """What the wizard knows and does.  `changed` is called after each change, from the caller's or the queue's thread."""

    def __init__(self):
        self.photographs: list[Photograph] = []
        self.results: list[Enlargement] = []
        self.selected = -1  # which result is shown; -1 for none
        self.recipes = recipes()
        self.scale = max(
            scale for recipe in self.recipes.values() for scale in recipe.configs
        )  # 0: to `longer_side`
        self.longer_side = 1000
        self.model = next(iter(self.recipes))
        self.sentence = ""
        self.done: float | None = None  # 0 to 1; None while nobody knows
        self._started: list[Job] = []
        self._queue = JobQueue(self._work, self._on_end)
        self._lock = threading.RLock()

    def changed(self) -> None:
        """To be overridden by what shows the visit."""

    def progressed(self) -> None:
        """The same, where nothing but `sentence` and `done` has changed, many times in a job."""

    def open(self, *sources: str | os.PathLike | BinaryIO) -> None:
        """Take photographs from files or binary streams.  Raises FileNotFoundError or ImageError, and keeps those it had."""
        self.take([Photograph.open(source) for source in sources])

    def take(self, photographs: list[Photograph]) -> None:
        """These instead of those that were there; at most MOST of them."""
        with self._lock:
            self.photographs, self.selected = photographs[:MOST], -1
            if photographs:
                longer = max(photographs[0].size)
                if not longer <= self.longer_side <= MAX_SCALE * longer:
                    self.longer_side = 2 * longer
            if not self.busy:
                self.sentence = ""
            self.changed()

    def choose(
        self, *, scale: int | None = None, longer_side: int | None = None, model: str | None = None
    ) -> None:
        """Set a factor, or a size in pixels, and the model.

        model: "edsr-lite", or "edsr-lite+" for the mean of its answers to the eight flips and turns of the picture, and so on.
        Raises ValueError for one that is not on this machine, naming those that are.
        """
        model = model or self.model
        scale = 0 if longer_side else scale or self.scale
        if not self.offers(model, scale):
            names = ", ".join(
                f"{recipe.name} x{s}"
                for recipe in self.recipes.values()
                for s in sorted(recipe.configs)
            )
            asked = f"{model} x{scale}" if scale else model
            raise ValueError(
                f"{asked} is not on this machine; there are {names}.  Notebook 02 fetches others."
            )
        with self._lock:
            self.model, self.scale, self.longer_side = model, scale, longer_side or self.longer_side
            self.changed()

    def offers(self, model: str, scale: int) -> bool:
        return model in self.recipes and scale in (0, *self.recipes[model].configs)

    def start(self) -> None:
        """Begin to enlarge, in the background, after what is being done already.

        Raises ValueError for nothing to do or too much, RuntimeError if all of it is being done or waits already.
        """
        orders = self.orders()
        if not orders:
            raise ValueError("Choose a photograph first.")
        for order in orders:
            order.check()
        with self._lock:
            before = self._started if self.busy else []
            jobs = [job for order in orders if (job := self._queue.put(order))]
            if not jobs:
                raise RuntimeError("The wizard is at work on this already; wait for it or cancel.")
            self._started = before + jobs
            self.changed()

    def cancel(self) -> None:
        """Stop at once what is being done, and forget what waits; `wait` then raises Cancelled."""
        self._queue.cancel()

    def wait(self, timeout: float | None = None) -> Enlargement:
        """The result, when it is there; of several, the last.

        Raises what ended a job otherwise, TimeoutError after `timeout` seconds for one photograph.
        """
        if not self._started:
            raise RuntimeError("Nothing was started.")
        return [job.future.result(timeout) for job in self._started][-1]

    def show(self, index: int) -> None:
        """Show the result of this number."""
        with self._lock:
            self.selected = index
            self.changed()

    @property
    def picture(self) -> Picture | None:
        """The first of the chosen photographs."""
        return self.photographs[0].read() if self.photographs else None

    @property
    def result(self) -> Enlargement | None:
        """The one that is shown."""
        return self.results[self.selected] if self.selected >= 0 else None

    @property
    def busy(self) -> bool:
        return bool(self._queue.unfinished)

    @property
    def unfinished(self) -> list[Order]:
        """What is being done, and what waits."""
        return [job.order for job in self._queue.unfinished]

    def orders(self, recipe: Recipe | None = None) -> list[Order]:
        """What `start` would do; by another recipe if one is given."""
        size = {"scale": self.scale} if self.scale else {"longer_side": self.longer_side}
        return [
            Order(photograph, recipe or self.recipes[self.model], **size)
            for photograph in self.photographs
        ]

    def _work(self, job: Job) -> Enlargement:
        """In the queue's thread."""
        began = said = 0.0

        def on_progress(done: float) -> None:
            nonlocal said
            job.check()
            now = time.monotonic()
            if done and now - said > _PAUSE:
                said = now
                self._say(job, f"{in_words((now - began) / done * (1 - done))} left", done)

        with machine_slot(
            job.check, lambda: self._say(job, "waiting for another picture on this machine …")
        ):
            began = time.monotonic()
            self._say(job, in_words(job.order.cost.seconds))
            return enlarge(job.order, on_progress)

    def _say(self, job: Job, what: str, done: float | None = None) -> None:
        with self._lock:
            place, total = self._started.index(job), len(self._started)
            several = f"{place + 1} of {total}: " if total > 1 else ""
            self.sentence = f"{several}{job.order.photograph.name}, {what}."
            self.done = None if done is None else (place + done) / total
            self.progressed()

    def _on_end(self, job: Job, result: Enlargement | None) -> None:
        """In the queue's thread, after each job."""
        with self._lock:
            if result is not None:
                self.results.append(result)
                if (
                    self.selected < 0 or job is self._started[0]
                ):  # of several, the first is shown; no later one takes its place
                    self.selected = len(self.results) - 1
                gone = max(0, len(self.results) - MOST)
                del self.results[:gone]
                self.selected = max(self.selected - gone, 0)
            if not self.busy:
                self.sentence, self.done = self._summary(), None
            self.changed()

    def _summary(self) -> str:
        """What came of the jobs that were started."""
        jobs = self._started
        failed = [
            job for job in jobs if job.error is not None and not isinstance(job.error, Cancelled)
        ]
        made = [job for job in jobs if job.error is None]
        sentences = [
            f"{job.order.photograph.name} did not work: {_because(job.error)}" for job in failed
        ]
        if len(made) + len(failed) < len(jobs):
            sentences.insert(
                0,
                f"Cancelled after {len(made)} of {len(jobs)} photographs."
                if made
                else "Cancelled.",
            )
        elif len(jobs) > 1:
            sentences.insert(0, f"Done: {len(made)} of {len(jobs)} photographs.")
        elif made:
            height, width = made[0].order.size
            sentences.insert(0, f"Done: {width} × {height} pixels.")
        return "  ".join(sentences)


def in_words(seconds: float) -> str:
    return (
        f"about {max(1, math.ceil(seconds))} s"
        if seconds < 90
        else f"about {round(seconds / 60)} min"
    )


def _because(error: BaseException) -> str:
    if isinstance(error, MemoryError) and not str(error):
        return "There is not enough memory for it; choose a smaller scale."
    return str(error) or type(error).__name__
