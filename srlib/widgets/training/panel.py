"""Watching a training, pausing it, and ending it early (notebook 04)."""

from __future__ import annotations

import threading
import time
from copy import deepcopy
from pathlib import Path

import anywidget
import ipywidgets
import numpy as np
import traitlets

from srlib.model.edsr import EDSR
from srlib.training.objective import average_into
from srlib.data.patches import Pair
from srlib.training.loop import MAX_ROLLBACKS, StopTraining
from srlib.training.history import History
from srlib.training.config import TrainConfig
from srlib.upscaling.enlarge import upscale
from srlib.widgets.compare.slider import CompareSlider

_HERE = Path(__file__).parent
_REFRESH = 0.3  # seconds between two messages to the browser
_LIVE = ("running", "paused")
_POINTS = 400  # of the loss curve at most; of more steps, neighbours are averaged


class TrainingCurves(anywidget.AnyWidget):
    """Loss and PSNR as they come, with the lines to beat, a line on the pace, and the buttons."""

    _esm = _HERE / "panel.js"
    _css = _HERE / "panel.css"

    title = traitlets.Unicode("").tag(sync=True)
    losses = traitlets.List(help="[step, training loss], the mean of neighbours where there are many").tag(sync=True)
    epochs = traitlets.List(help="[step, validation loss, PSNR in dB]; the first is the model as it came").tag(sync=True)
    bicubic = traitlets.Float(None, allow_none=True, help="PSNR of bicubic on the same images").tag(sync=True)
    steps = traitlets.Int(help="In all").tag(sync=True)
    done = traitlets.Int(0, help="Steps").tag(sync=True)
    pace = traitlets.Unicode("", help="Steps per second").tag(sync=True)
    left = traitlets.Unicode("", help="The time left, shown while it runs").tag(sync=True)
    sentence = traitlets.Unicode("Waiting for the first measurement.", help="Read out when it changes").tag(sync=True)
    state = traitlets.Enum(["running", "paused", "ended", "gave up"], "running").tag(sync=True)


class TrainingPanel:
    """Shows a training as it goes: `fine_tune(model, …, on_event=panel)`, with the panel displayed in a cell before or above.

    After each epoch the crop is enlarged by the weights that are then measured, the moving average if there is one (begun anew
    after a resume), beside the model as it came; at the end, by those that are kept.  Pause holds the training, Stop ends it and
    keeps the best; both are heard while the cell runs, by JupyterLab 4.4 and newer.  Elsewhere, and without a browser, the
    training goes its way, and `pause`, `go_on` and `stop` may be called from another thread.  The panel may be used again.
    """

    def __init__(self, model: EDSR, crop: Pair, config: TrainConfig, *, title: str = ""):
        """model: the very one that is given to `fine_tune`.  crop: a small pair, of an image that is not trained on."""
        self._model, self._lr, self._config = model, crop.lr, config
        self._average = self._measured = model  # what fine_tune measures, as it becomes and as it was after the last epoch
        self._losses: list[tuple[int, float]] = []
        self._go, self._stop_asked = threading.Event(), False
        self._go.set()
        self._started, self._first, self._sent = 0.0, 0, 0.0  # when the first step would have begun, had there been no pauses
        self._kept: np.ndarray | None = None
        self._before = self._enlarged()
        self.curves = TrainingCurves(title=title, steps=config.max_epochs * config.steps_per_epoch)
        self.slider = CompareSlider([self._before, self._before], ["before", "now"])
        self.view = ipywidgets.VBox([self.curves, self.slider], layout={"overflow": "visible"})
        self.view.add_class("srlib-training-panel")
        actions = {"pause": self.pause, "go on": self.go_on, "stop": self.stop}
        self.curves.on_msg(lambda _, message, __: actions[message["type"]]())

    def _repr_mimebundle_(self, **kwargs) -> dict:
        return self.view._repr_mimebundle_(**kwargs)

    def pause(self) -> None:
        """Hold the training after the step that is being computed."""
        if self.curves.state == "running":
            self.curves.state = "paused"
            self._go.clear()

    def go_on(self) -> None:
        """End the pause."""
        if self.curves.state == "paused":
            self.curves.state = "running"
            self._go.set()

    def stop(self) -> None:
        """End the training after the step that is being computed; `fine_tune` then returns the best model so far."""
        if self.curves.state in _LIVE:
            self._stop_asked = True
            self._go.set()

    def __call__(self, event: str, step: int, history: History) -> None:
        """What `fine_tune` calls.  Raises StopTraining once Stop was pressed."""
        now = time.monotonic()
        if event == "start":
            self._stop_asked = self._stop_asked and not self._started  # a Stop that was meant for the training before is over
            self._started, self._first, self._average, self._kept = now, step, deepcopy(self._model), None
            if self.curves.state not in _LIVE:
                self._show(state="running")
        if event == "step":
            self._losses.append((step, history.running[-1]))
            # the same average that fine_tune makes of the weights, and without one, decay 0, the weights themselves
            average_into(self._average, self._model, step=step - 1 - self._first, decay=self._config.ema_decay)
        else:
            self._show_epoch(event, step, history)
        if event != "step" or now - self._sent > _REFRESH:
            self._sent = now
            pace, left = _pace(self.curves.steps - step, (step - self._first) / max(now - self._started, 1e-9))
            self._show(losses=_thinned(self._losses), done=step, pace=pace, left=left)
        if not self._go.is_set():
            self._go.wait()
            self._started += time.monotonic() - now
        stop, self._stop_asked = self._stop_asked, False
        if stop and self.curves.state in _LIVE:
            self._show_end("ended", "Stopped by hand", history)
            raise StopTraining

    def _show(self, **state) -> None:
        self.curves.set_state(state)
        # ipykernel 7 would send the buttons' messages to the shell that wrote last, which is busy with the training; without
        # this note of its they go where JupyterLab addresses them, to a subshell
        if self.curves.comm is not None:  # it is, once the widget is closed
            vars(self.curves.comm).pop("_reply_subshell_id", None)

    def _show_epoch(self, event: str, step: int, history: History) -> None:
        last, steps = history.epochs[-1], self._config.steps_per_epoch
        self._show(bicubic=history.bicubic_psnr, epochs=[[e.epoch * steps, e.valid_loss, e.valid_psnr] for e in history.epochs])
        if event == "rollback":
            self._average = deepcopy(self._measured)
        else:
            self._measured = deepcopy(self._average)
            self._show_crop(history)
        if event != "epoch":
            self._losses = [(done, loss) for done, loss in self._losses if done <= step]
        if history.ended:
            self._show_end("ended", "Stopped early" if history.ended == "early" else "Done", history)
        elif len(history.rollbacks) == MAX_ROLLBACKS:
            self._show_end("gave up", f"Gave up, as the loss exploded {MAX_ROLLBACKS} times", history)
        elif event == "rollback":
            self._show(sentence=f"The loss exploded: back to epoch {last.epoch}, and on with a lower learning rate.")
        else:
            when = f"Epoch {last.epoch}" if last.epoch else "As it came"
            self._show(sentence=f"{when}: {last.valid_psnr:.2f} dB on the validation images.")

    def _show_crop(self, history: History) -> None:
        now, last = self._enlarged(), history.epochs[-1]
        if history.best is last:
            self._kept = now
        if last is history.start:
            self._before = now
        self.slider.show([self._before, now], ["before", f"after epoch {last.epoch}" if last.epoch else "now"])

    def _show_end(self, state: str, how: str, history: History) -> None:
        if self._kept is not None:  # it is None if a run was resumed whose best epoch is an earlier one
            self.slider.show([self._before, self._kept], ["before", f"epoch {history.best.epoch}, kept"])
        self._show(state=state, sentence=f"{how}: epoch {history.best.epoch} is kept. {history.verdict()}")
        self._go.set()  # Pause may have been pressed during the last measurement

    def _enlarged(self) -> np.ndarray:
        return upscale(self._lr, self._measured, device=next(self._measured.parameters()).device)


def _pace(steps: int, per_second: float) -> tuple[str, str]:
    """How fast it goes, and how long so many more steps take, in words; nothing before the first step is done."""
    if not per_second:
        return "", ""
    left = steps / per_second
    left = f"{left:.0f} s" if left < 100 else f"{left / 60:.0f} min" if left < 6000 else f"{left / 3600:.1f} h"
    return f"{per_second:.3g} steps/s", f"at most {left} left"


def _thinned(losses: list[tuple[int, float]]) -> list[list[float]]:
    """The curve by no more than _POINTS points: each is the mean of as many neighbours."""
    groups = np.array_split(np.array(losses, dtype=float), min(len(losses), _POINTS)) if losses else []
    return [group.mean(axis=0).tolist() for group in groups]
