"""Fine-tuning: a loop that can be read at one sitting, stops early, keeps the best, and resumes to the bit (notebook 04)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from srlib.training.state import BEST, LAST, claimed, load_state, save_state, write_batch, write_history, writing
from srlib.training.checks import TrainingError, check_pairs
from srlib.training.history import Epoch, History, RollBack
from srlib.training.losses import SSIM_WINDOW, SRLoss
from srlib.metrics import PROTOCOLS, Upscaler
from srlib.model.edsr import EDSR, TAIL_REACH
from srlib.training.objective import Objective, average_into, takes_bfloat16
from srlib.data.patches import Pair, PairedPatches
from srlib.training.config import TrainConfig, is_whole, learning_rate_at, transferred
from srlib.images.resize import imresize
from srlib.training.processes import Processes, near
from srlib.upscaling.enlarge import upscale
from srlib.zoo.checkpoints import load_pretrained, save_weights

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = [
    "Epoch", "History", "RollBack", "StopTraining", "TrainConfig", "TrainingError", "fine_tune", "is_whole", "learning_rate_at",
    "transferred",
]  # fmt: skip

OnEvent = Callable[[str, int, History], None]
EXPLODED = 20  # times the loss of the start, on patches of the same kind: no longer the loss of a picture
MEASURED = 32  # fixed patches that a loss is measured on, whatever the batch size
MAX_ROLLBACKS, LOWER = 3, 0.25  # after each roll-back the learning rate is so many times what it was


class StopTraining(Exception):
    """Raised by on_event to end a training; `fine_tune` then returns the best model so far."""


def fine_tune(
    model: EDSR,
    train_pairs: Sequence[Pair],
    valid_pairs: Sequence[Pair],
    config: TrainConfig,
    *,
    run_dir: str | os.PathLike,
    resume: bool = False,
    device: str | torch.device = "cpu",
    accelerator: Accelerator | None = None,
    on_event: OnEvent | None = None,
) -> tuple[EDSR, History]:
    """Train `model` on the pairs and return the best one, by validation loss, with the history.

    The pairs are checked, and bicubic and the starting weights measured, before the first step.  Parameters that require no
    gradient stay as they are: `model.body.requires_grad_(False)` freezes the body.  run_dir gets best.safetensors, last.pt,
    history.json and history.csv, each written whole or not at all.  resume: go on from last.pt, with the same result, to the
    bit on the CPU, as without the interruption.

    A step whose loss explodes or is not finite is undone: the state after the last epoch is taken again, with a quarter of the
    learning rate, the batch is kept as rolled_back_<step>.png, and the history names the images.

    accelerator: from Hugging Face Accelerate; its device and all its processes are used, each of which calls this function alike.
    on_event("start" | "step" | "epoch" | "rollback", steps done, history) may raise StopTraining to end here, or another
    exception to leave; what was kept stays, and can be resumed.  With several processes, in all of them at the same step.

    Raises TrainingError if the pairs do not fit, if run_dir holds a run and `resume` is not asked for, if that was started with
    other settings, pairs, trained parameters or another kind of model, if something cannot be written, or after three roll-backs;
    ValueError for settings that make no sense, such as a patch larger than an image.
    """
    run_dir, team = Path(run_dir), Processes(accelerator, device)
    for kind, pairs in (("training", train_pairs), ("validation", valid_pairs)):
        check_pairs(pairs, scale=model.config.scale, kind=kind)
    with claimed(run_dir) if team.first else nullcontext():
        begun = (run_dir / LAST).exists()
        if begun and not resume:
            raise TrainingError(f"{run_dir} already holds a run: pass resume=True to go on with it, or choose another run_dir.")
        run = _Run(model, train_pairs, valid_pairs, config, run_dir, team)
        history = _loop(run, run.resume() if begun else run.start(), on_event or (lambda event, steps_done, history: None))
        return load_pretrained(run_dir / BEST, model.config.scale, device=team.device), history


def _loop(run: _Run, history: History, on_event: OnEvent) -> History:
    """Epoch after epoch, until the last one, until nothing gets better, or until on_event stops it."""
    config = run.config
    with suppress(StopTraining):
        on_event("start", run.steps_done(history), history)
        while not history.ended:
            if len(history.rollbacks) == MAX_ROLLBACKS:
                raise TrainingError(_given_up(history, run.run_dir))
            entry = run.train_epoch(history, on_event)
            if isinstance(entry, RollBack):
                history = run.restore()
                history.rollbacks.append(entry)
            else:
                history.epochs.append(entry)
                history.running.clear()
                early = history.stalled(config.patience, config.min_delta)
                history.ended = "early" if early else "complete" if entry.epoch == config.max_epochs else ""
            run.save(history)
            on_event("rollback" if isinstance(entry, RollBack) else "epoch", run.steps_done(history), history)
    if not history.ended:
        history.ended = "stopped"
        if run.team.first:
            write_history(run.run_dir, history)  # to be read; last.pt does not know of it, so that a resume goes on
    return history


class _Run:
    """The parts of one fine-tuning, and what is done with them between two looks at the history."""

    def __init__(self, model, train_pairs, valid_pairs, config: TrainConfig, run_dir: Path, team: Processes):
        _check_settings(config, model.config.scale)
        of = {"scale": model.config.scale, "patch_size": config.patch_size, "device": team.device}
        self.config, self.run_dir, self.team, self.valid_pairs = config, run_dir, team, valid_pairs
        self.patches = PairedPatches(near(train_pairs, team.device), seed=config.seed, **of)
        self.watched = PairedPatches(near(valid_pairs, team.device), augment=False, **of)
        self.model = model.to(team.device, memory_format=torch.channels_last)
        self.judged = deepcopy(model) if config.ema_decay else model
        parts = {name: getattr(config, name) for name in ("pixel", "ssim", "perceptual", "backbone", "layers", "distance")}
        self.loss_of = SRLoss(**parts).to(team.device)
        objective = Objective(model, self.loss_of, bfloat16=takes_bfloat16(config, team.device))
        if config.compile:
            objective.compile()
        self.objective = team.prepare(objective)
        trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        if not trained:
            raise TrainingError("There is nothing to train: requires_grad_(True) thaws the parts of the model that shall learn.")
        self.trained = list(trained.values())
        self.optimizer = torch.optim.Adam(self.trained, config.learning_rate, fused=True)
        self.identity = {  # what, beside the config, a resume must find as it was
            "model": asdict(model.config),
            "trained parameters": ", ".join(trained),
            "perceptual backbone": self.loss_of.backbone or "none",
            "training pairs": self.patches.fingerprint,
            "validation pairs": self.watched.fingerprint,
        }
        self.started = time.monotonic()

    def train_epoch(self, history: History, on_event: OnEvent) -> Epoch | RollBack:
        """Train for one epoch and measure; a RollBack, with the model in ruins, if the loss explodes on the way."""
        config, epoch = self.config, len(history.epochs)
        start = history.start
        limit = EXPLODED * (start.train_loss or start.valid_loss)  # older runs have no first train_loss
        history.running.clear()
        for step in range((epoch - 1) * config.steps_per_epoch, epoch * config.steps_per_epoch):
            rate = learning_rate_at(step, config) * LOWER ** len(history.rollbacks)
            self.optimizer.param_groups[0]["lr"] = rate
            lr, hr = self.team.share(self.patches.batch(step, config.batch_size))
            loss = self.objective(lr, hr, whole=is_whole(step, config))
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(self.trained, config.max_grad_norm or np.inf)
            mean_loss = self.team.mean(loss.item())
            if not (mean_loss < limit and torch.isfinite(norm)):
                if self.team.first:
                    write_batch(self.run_dir / f"rolled_back_{step}.png", lr, hr)
                return RollBack(step, mean_loss, rate, self.patches.names(step, config.batch_size))
            self.optimizer.step()
            if config.ema_decay:
                average_into(self.judged, self.model, step=step, decay=config.ema_decay)
            history.running.append(mean_loss)
            on_event("step", step + 1, history)
        measured = self._measure(epoch, float(np.mean(history.running)))
        return measured if measured.valid_loss < EXPLODED * start.valid_loss else RollBack(step, measured.valid_loss, rate)

    def start(self) -> History:
        """The lines to beat, before anything is trained: bicubic and the model as it came."""
        bicubic = self._quality(partial(imresize, scale=self.model.config.scale))
        start = self._measure(0, self._loss_on(self.patches))
        if not np.isfinite(start.valid_loss):
            raise TrainingError(f"The model's loss is {start.valid_loss} before the first step: its weights are damaged.")
        history = History(*bicubic, self.loss_of.backbone, self.config.protocol, epochs=[start])
        self.save(history)
        return history

    def _measure(self, epoch: int, train_loss: float) -> Epoch:
        quality = self._quality(partial(upscale, model=self.judged, device=self.team.device))
        return Epoch(epoch, train_loss, self._loss_on(self.watched), *quality, time.monotonic() - self.started)

    @torch.inference_mode()
    def _loss_on(self, patches: PairedPatches) -> float:
        """The loss on the first MEASURED patches, always the same ones; by as many at once as in training."""
        parts = zip(*(images.split(self.config.batch_size) for images in patches.batch(0, MEASURED)), strict=True)
        return sum(self.loss_of(self.judged(lr), hr).item() * len(lr) for lr, hr in parts) / MEASURED

    def _quality(self, upscaler: Upscaler) -> list[float]:
        """PSNR and SSIM, the mean over the validation images; each process takes its share of them."""
        rules, of = PROTOCOLS[self.config.protocol], {"scale": self.model.config.scale}
        total = np.zeros(2)
        for index in range(self.team.rank, len(self.valid_pairs), self.team.count):
            hr, lr, _ = self.valid_pairs[index]
            sr = upscaler(lr)
            total += rules.psnr(sr, hr, **of), rules.ssim(sr, hr, **of)
        return [value / len(self.valid_pairs) for value in self.team.sum(total)]

    def save(self, history: History) -> None:
        if self.team.first:
            average = {"average": self.judged.state_dict()} if self.config.ema_decay else {}
            parts = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
            save_state(self.run_dir, self.config, history, identity=self.identity, **parts, **average)
        self._publish(history)

    def resume(self) -> History:
        """`restore`, and write again what follows from last.pt: a kill or a full disk may have come in between."""
        history = self.restore()
        self._publish(history)
        return history

    def _publish(self, history: History) -> None:
        """Write the weights, if they are the best so far, and the history.  Always after last.pt, which then knows of them."""
        if self.team.first:
            if history.best is history.epochs[-1]:
                with writing(self.run_dir / BEST):
                    save_weights(self.judged, self.run_dir / BEST)
            write_history(self.run_dir, history)
        self.team.wait()

    def restore(self) -> History:
        state = load_state(self.run_dir, self.config, identity=self.identity, device=self.team.device)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.config.ema_decay:
            self.judged.load_state_dict(state["average"])
        self.started = time.monotonic() - state["history"].epochs[-1].seconds
        return state["history"]

    def steps_done(self, history: History) -> int:
        return history.epochs[-1].epoch * self.config.steps_per_epoch


def _check_settings(config: TrainConfig, scale: int) -> None:
    """Raise ValueError for what `TrainConfig` cannot see by itself."""
    if config.protocol not in PROTOCOLS:
        raise ValueError(f"The protocol is {', '.join(PROTOCOLS)}, not {config.protocol!r}.")
    least = 2 * TAIL_REACH * scale + (SSIM_WINDOW if config.ssim else 1)  # HR pixels; the outer ones get no loss
    if config.patch_size < least:
        raise ValueError(f"patch_size counts HR pixels, and at x{scale} {least} are the least, not {config.patch_size}.")


def _given_up(history: History, run_dir: Path) -> str:
    tried = ", ".join(f"{r.learning_rate:.2g} at step {r.step} (loss {r.loss:.3g})" for r in history.rollbacks)
    return (
        f"The loss exploded {len(history.rollbacks)} times, with learning rates {tried}.  The best weights, of epoch "
        f"{history.best.epoch}, are in {run_dir / BEST}; look at the batches in rolled_back_*.png, "
        "and start again with a lower learning_rate in another run_dir."
    )
