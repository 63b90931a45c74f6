"""A panel that shows a training as it runs, pauses it, and ends it early."""

from __future__ import annotations

import threading
import time
from copy import deepcopy
from pathlib import Path

import anywidget
import ipywidgets
import numpy as np
import traitlets

from srlib.data.pairs import Pair
from srlib.model.edsr import EDSR
from srlib.training.config import TrainConfig
from srlib.training.history import History
from srlib.training.loop import MAX_ROLLBACKS, StopTraining
from srlib.training.objective import average_into
from srlib.upscaling.enlarge import upscale
from srlib.widgets.compare.slider import CompareSlider
from srlib.widgets.duration import duration_text
from srlib.widgets.javascript import javascript

_REFRESH = 0.3  # seconds between two messages to the browser
_LIVE = ("running", "paused")
_POINTS = 400  # of the loss curve at most; longer curves show means of neighbours


class TrainingCurves(anywidget.AnyWidget):
    """Loss and PSNR with the baselines, a line about the pace, and the two buttons."""

    _esm = javascript("training/panel.js")
    _css = Path(__file__).with_name("panel.css")

    title = traitlets.Unicode("", help="The name of the run").tag(sync=True)
    losses = traitlets.List(help="[step, training loss]").tag(sync=True)
    epochs = traitlets.List(
        help="[step, validation loss, PSNR in dB]; the first is the model before training"
    ).tag(sync=True)
    bicubic = traitlets.Float(
        None, allow_none=True, help="PSNR of bicubic on the same images, in dB"
    ).tag(sync=True)
    steps = traitlets.Int(help="Number of steps in total").tag(sync=True)
    done = traitlets.Int(0, help="Number of steps done").tag(sync=True)
    pace = traitlets.Unicode("", help="Steps per second").tag(sync=True)
    left = traitlets.Unicode("", help="The time left, shown while running").tag(sync=True)
    sentence = traitlets.Unicode(
        "Waiting for the first measurement.", help="Read out by screen readers when it changes"
    ).tag(sync=True)
    state = traitlets.Enum(["running", "paused", "ended", "gave up"], "running").tag(sync=True)


class TrainingPanel:
    """Shows a training as it runs: `fine_tune(model, ..., on_event=panel)`.

    Display the panel in a cell before the training, or above it. After each epoch it enlarges a
    crop with the weights that were just measured (the moving average if there is one, started
    anew after a resume) beside the result before training; at the end, with the weights that are
    kept. "Pause" holds the training; "Stop" ends it and keeps the best weights. Both work while
    the cell runs, in JupyterLab 4.4 and newer. Elsewhere, or without a browser, the training runs
    as usual, and `pause`, `go_on` and `stop` can be called from another thread.
    One panel can serve several trainings in turn.

    Args:
        model: The same object that is passed to `fine_tune`.
        crop: A small pair, of an image that is not in the training set.
        config: The configuration that is passed to `fine_tune`.
        title: The name of the run.

    Attributes:
        curves: The TrainingCurves.
        slider: The CompareSlider with the crop before training and now.
        view: The box with both, for a layout of your own.
    """

    def __init__(self, model: EDSR, crop: Pair, config: TrainConfig, *, title: str = ""):
        self._model = model
        self._lr = crop.lr
        self._config = config
        # fine_tune measures the average of the weights: as it grows, and as at the last epoch
        self._average = model
        self._measured = model
        self._losses: list[tuple[int, float]] = []
        self._go = threading.Event()
        self._go.set()
        self._stop_asked = False
        self._started = 0.0  # when the first step would have begun without the pauses
        self._first_step = 0
        self._last_sent = 0.0
        self._kept: np.ndarray | None = None
        self._before = self._enlarged()
        self.curves = TrainingCurves(title=title, steps=config.max_epochs * config.steps_per_epoch)
        # ipykernel 7.4 would send a click to the shell that wrote last, which is busy training.
        # This way it goes where JupyterLab addresses it: to a subshell.
        if hasattr(self.curves.comm, "_reply_subshell_for"):
            self.curves.comm._reply_subshell_for = lambda _, addressed: addressed
        self.slider = CompareSlider([self._before, self._before], ["before", "now"])
        self.view = ipywidgets.VBox([self.curves, self.slider], layout={"overflow": "visible"})
        self.view.add_class("srlib-training-panel")
        actions = {"pause": self.pause, "go on": self.go_on, "stop": self.stop}
        self.curves.on_msg(lambda _, message, __: actions[message["type"]]())

    def _repr_mimebundle_(self, **kwargs) -> dict:
        return self.view._repr_mimebundle_(**kwargs)

    def pause(self) -> None:
        """Hold the training after the current step."""
        if self.curves.state == "running":
            self.curves.state = "paused"
            self._go.clear()

    def go_on(self) -> None:
        """Continue after a pause."""
        if self.curves.state == "paused":
            self.curves.state = "running"
            self._go.set()

    def stop(self) -> None:
        """End the training after the current step; `fine_tune` then returns the best model."""
        if self.curves.state in _LIVE:
            self._stop_asked = True
            self._go.set()

    def __call__(self, event: str, step: int, history: History) -> None:
        """Receive an event from `fine_tune`.

        Raises:
            StopTraining: Once "Stop" was pressed.
        """
        now = time.monotonic()
        if event == "start":
            self._start(step, now)
        if event == "step":
            self._losses.append((step, history.running[-1]))
            # The same average of the weights as in fine_tune; the weights themselves at decay 0.
            average_into(
                self._average,
                self._model,
                step=step - 1 - self._first_step,
                decay=self._config.ema_decay,
            )
        else:
            self._show_epoch(event, step, history)
        if event != "step" or now - self._last_sent > _REFRESH:
            self._last_sent = now
            self._show_progress(step, max(now - self._started, 1e-9))
        if not self._go.is_set():
            self._go.wait()
            self._started += time.monotonic() - now
        stop_asked = self._stop_asked
        self._stop_asked = False
        if stop_asked and self.curves.state in _LIVE:
            self._show_end("ended", "Stopped by hand", history)
            raise StopTraining

    def _start(self, step: int, now: float) -> None:
        if self._started:
            self._stop_asked = False  # it was meant for the training before
        self._started = now
        self._first_step = step
        self._average = deepcopy(self._model)
        self._kept = None
        if self.curves.state not in _LIVE:
            self.curves.state = "running"

    def _show(self, **state) -> None:
        self.curves.set_state(state)

    def _show_progress(self, step: int, seconds: float) -> None:
        rate = (step - self._first_step) / seconds
        pace = ""
        left = ""
        if rate:
            pace = f"{rate:.3g} steps/s"
            left = f"at most {duration_text((self.curves.steps - step) / rate)} left"
        self._show(losses=_thinned(self._losses), done=step, pace=pace, left=left)

    def _show_epoch(self, event: str, step: int, history: History) -> None:
        last = history.epochs[-1]
        steps = self._config.steps_per_epoch
        epochs = [[e.epoch * steps, e.valid_loss, e.valid_psnr] for e in history.epochs]
        self._show(bicubic=history.bicubic_psnr, epochs=epochs)
        if event == "rollback":
            self._average = deepcopy(self._measured)
        else:
            self._measured = deepcopy(self._average)
            self._show_crop(history)
        if event != "epoch":
            self._losses = [(done, loss) for done, loss in self._losses if done <= step]
        if history.ended:
            how = "Stopped early" if history.ended == "early" else "Done"
            self._show_end("ended", how, history)
        elif len(history.rollbacks) == MAX_ROLLBACKS:
            how = f"Gave up because the loss exploded {MAX_ROLLBACKS} times"
            self._show_end("gave up", how, history)
        elif event == "rollback":
            self._show(
                sentence=f"The loss exploded. Back to epoch {last.epoch}, "
                "from there with a lower learning rate."
            )
        else:
            when = f"Epoch {last.epoch}" if last.epoch else "Before training"
            self._show(sentence=f"{when}: {last.valid_psnr:.2f} dB on the validation images.")

    def _show_crop(self, history: History) -> None:
        now = self._enlarged()
        last = history.epochs[-1]
        if history.best is last:
            self._kept = now
        if last is history.start:
            self._before = now
        label = f"after epoch {last.epoch}" if last.epoch else "now"
        self.slider.show([self._before, now], ["before", label])

    def _show_end(self, state: str, how: str, history: History) -> None:
        best = history.best.epoch
        if self._kept is not None:  # None if the best epoch was before a resume
            self.slider.show([self._before, self._kept], ["before", f"epoch {best}, kept"])
        self._show(state=state, sentence=f"{how}: epoch {best} is kept. {history.verdict()}")
        self._go.set()  # "Pause" may have been pressed during the last measurement

    def _enlarged(self) -> np.ndarray:
        return upscale(self._lr, self._measured, device=next(self._measured.parameters()).device)


def _thinned(losses: list[tuple[int, float]]) -> list[list[float]]:
    """The curve in at most _POINTS points, each the mean of equally many neighbours."""
    if not losses:
        return []
    groups = np.array_split(np.array(losses, dtype=float), min(len(losses), _POINTS))
    return [group.mean(axis=0).tolist() for group in groups]
