"""The training loop: it stops early, keeps the best weights, and resumes bit for bit."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict
from functools import partial

import numpy as np
import torch

from srlib.data.pairs import Pair
from srlib.data.patches import PairedPatches
from srlib.images.resize import imresize
from srlib.metrics.evaluation import Upscaler
from srlib.metrics.protocols import PROTOCOLS
from srlib.model.device import best_device
from srlib.model.edsr import EDSR, TAIL_REACH
from srlib.training.checks import TrainingError
from srlib.training.checks import check_pairs as compare_pairs
from srlib.training.config import TrainConfig, learning_rate_at
from srlib.training.history import Epoch, History, RollBack
from srlib.training.losses import SSIM_WINDOW, SRLoss
from srlib.training.muon import make_optimizers
from srlib.training.objective import Objective, average_into, choose_precision
from srlib.training.state import RunFolder
from srlib.upscaling.enlarge import upscale
from srlib.zoo.checkpoints import load_pretrained
from srlib.zoo.reader import tensors_sha256

OnEvent = Callable[[str, int, History], None]
EXPLODED = 20  # times the loss of the start: no longer the loss of a picture
MEASURED = 32  # fixed patches on which a loss is measured, whatever the batch size
MAX_ROLLBACKS = 3
SLOWER = 0.25  # factor of the learning rate after each roll-back


class StopTraining(Exception):
    """Raise it in `on_event` to end a training; `fine_tune` returns the best model so far."""


def fine_tune(
    model: EDSR,
    train_pairs: Sequence[Pair],
    valid_pairs: Sequence[Pair],
    config: TrainConfig,
    *,
    run_dir: str | os.PathLike,
    resume: bool = False,
    device: str | torch.device = "auto",
    on_event: OnEvent | None = None,
    check_pairs: bool = True,
) -> tuple[EDSR, History]:
    """Train a model and return the best one, by validation loss, with the history.

    Bicubic and the model are measured before the first step. After each epoch the state is saved.
    A run that was killed can be resumed, and ends with the same weights, bit for bit on a CPU. A
    step whose loss explodes is undone: training goes back to the last epoch and continues with a
    quarter of the learning rate, and the batch is kept as rolled_back_<step>.png.

    Args:
        model: The network to train. It is changed. Parameters with `requires_grad=False` stay.
        train_pairs: The pairs to train on.
        valid_pairs: The pairs to validate on; take other photographs.
        config: The settings.
        run_dir: Folder for best.safetensors, last.pt, history.json and history.csv, each written
            whole or not at all. A best.safetensors of another training is kept under another name.
        resume: Continue the run in run_dir, if there is one.
        device: A device, or "auto" for the first of CUDA, MPS and the CPU that is there.
        on_event: Called with "start", "step", "epoch" or "rollback", the number of finished steps
            and the history. It may raise StopTraining to end the training, or any other exception
            to leave it; both can be resumed.
        check_pairs: Check before the first step that LR shows what HR shows. False skips it.

    Returns:
        The model with the best weights, in eval mode, and the history.

    Raises:
        TrainingError: If the pairs do not fit together, run_dir holds another run, a file cannot
            be read or written, or the loss explodes three times.
        ValueError: If a setting does not fit the model or the images.

    Example:
        >>> import tempfile
        >>> from srlib.images import imresize
        >>> from srlib.model import EDSRConfig
        >>> hr = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
        >>> pairs = [Pair(hr, imresize(hr, 1 / 2), "noise")]
        >>> config = TrainConfig(patch_size=24, batch_size=2, steps_per_epoch=2, max_epochs=1)
        >>> with tempfile.TemporaryDirectory() as run_dir:
        ...     model, history = fine_tune(
        ...         EDSR(EDSRConfig(2, 1, 8)), pairs, pairs, config, run_dir=run_dir
        ...     )
        >>> history.ended
        'complete'
    """
    if not isinstance(config, TrainConfig):
        kind = type(config).__name__
        raise ValueError(f"config must be a TrainConfig, not a {kind}: TrainConfig(**settings).")
    if config.patch_size < (least := _least_patch_size(config, model.config.scale)):
        raise ValueError(
            f"patch_size counts HR pixels and must be at least {least} at x{model.config.scale}, "
            f"not {config.patch_size}."
        )
    if not any(weight.requires_grad for weight in model.parameters()):
        raise TrainingError(
            "All parameters of the model are frozen: call requires_grad_(True) on the parts to "
            "train."
        )
    folder = RunFolder(run_dir)
    chosen_device = best_device(device)
    if check_pairs:
        compare_pairs(train_pairs, scale=model.config.scale, kind="training")
        compare_pairs(valid_pairs, scale=model.config.scale, kind="validation")
    with folder.claim():
        begun = folder.last.exists()
        if begun and not resume:
            raise TrainingError(
                f"{folder.path} already holds a run: pass resume=True to go on with it, or choose "
                "another run_dir."
            )
        run = _Run(model, train_pairs, valid_pairs, config, folder, chosen_device)
        history = run.resume() if begun else run.start()
        history = _train(run, history, on_event or (lambda event, steps_done, history: None))
        return load_pretrained(folder.best, model.config.scale, device=chosen_device), history


def _train(run: _Run, history: History, on_event: OnEvent) -> History:
    """Train epoch after epoch until the last one, an early stop, or StopTraining."""
    config = run.config
    with suppress(StopTraining):
        on_event("start", run.steps_done(history), history)
        while not history.ended:
            if len(history.rollbacks) == MAX_ROLLBACKS:
                raise TrainingError(_gave_up(history, run.folder))
            entry = run.train_epoch(history, on_event)
            if isinstance(entry, RollBack):
                event = "rollback"
                history = run.restore()
                history.rollbacks.append(entry)
            else:
                event = "epoch"
                history.epochs.append(entry)
                history.running.clear()
                if history.stalled(config.patience, config.min_delta):
                    history.ended = "early"
                elif entry.epoch == config.max_epochs:
                    history.ended = "complete"
            run.save(history)
            on_event(event, run.steps_done(history), history)
    if not history.ended:
        history.ended = "stopped"
        run.folder.write_history(history)  # not last.pt, so that a resume goes on
    return history


class _Run:
    """One training: the network, its optimisers, the patches, and the folder."""

    def __init__(
        self,
        model: EDSR,
        train_pairs: Sequence[Pair],
        valid_pairs: Sequence[Pair],
        config: TrainConfig,
        folder: RunFolder,
        device: torch.device,
    ):
        self.config = config
        self.folder = folder
        self.device = device
        size = {"scale": model.config.scale, "patch_size": config.patch_size}
        cut = partial(PairedPatches, **size, device=device)
        self.patches = cut(train_pairs, seed=config.seed)
        self.valid_patches = cut(valid_pairs, augment=False)
        self.valid_pairs = valid_pairs
        names = ("pixel", "perceptual", "backbone", "layers", "distance", "ssim")
        loss = SRLoss(**{name: getattr(config, name) for name in names}).to(device)
        self.model = model.to(device, memory_format=torch.channels_last)
        self.validated = deepcopy(model) if config.ema_decay else model
        self.objective = Objective(model, loss)
        self.trained = {name: w for name, w in model.named_parameters() if w.requires_grad}
        self.optimizers = make_optimizers(model, config)
        self.identity = {  # a resume must find the same, besides the same config
            "model": asdict(model.config),
            "trained parameters": ", ".join(self.trained),
            "perceptual backbone": loss.backbone or "none",
            "training pairs": self.patches.fingerprint,
            "validation pairs": self.valid_patches.fingerprint,
        }
        self.best_hashes: list[str] = []  # of all best weights so far
        self.started = time.monotonic()

    def start(self) -> History:
        """Measure bicubic and the untrained model, and save that as epoch 0."""
        config = self.config
        batch = self.patches.batch(0, config.batch_size)
        precision = choose_precision(self.objective, batch, config)
        self._prepare(precision)
        bicubic = self._psnr(partial(imresize, scale=self.model.config.scale))
        exact = np.flatnonzero(np.isinf(bicubic)).tolist()
        if len(exact) == len(bicubic):
            raise TrainingError(
                "Bicubic restores all validation images exactly, which leaves nothing to gain: "
                "take photographs."
            )
        start = self._measure(0, self._loss_on(self.patches), exact)
        if not math.isfinite(start.valid_loss):
            raise TrainingError(
                f"The loss is {start.valid_loss} before the first step: the model's weights are "
                "damaged."
            )
        psnr = _mean(bicubic, exact)
        history = History(psnr, epochs=[start], precision=precision, exact=exact)
        self.save(history)
        return history

    def resume(self) -> History:
        """Restore the last epoch, and rewrite the files, of which a kill may have left old ones."""
        history = self.restore()
        self._prepare(history.precision)
        self._publish(history)
        return history

    def _prepare(self, precision: str) -> None:
        self.objective.bfloat16 = precision == "bfloat16"
        if self.config.compile:
            self.objective.compile()

    def train_epoch(self, history: History, on_event: OnEvent) -> Epoch | RollBack:
        """Train for one epoch and validate. After a RollBack the model must be restored."""
        config = self.config
        epoch = len(history.epochs)
        steps = range((epoch - 1) * config.steps_per_epoch, epoch * config.steps_per_epoch)
        start = history.start
        history.running.clear()
        for step in steps:
            rate = learning_rate_at(step, config) * SLOWER ** len(history.rollbacks)
            lr, hr = self.patches.batch(step, config.batch_size)
            loss = self.objective(lr, hr)
            for optimizer in self.optimizers:
                optimizer.param_groups[0]["lr"] = rate
                optimizer.zero_grad(set_to_none=True)
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(
                self.trained.values(), config.max_grad_norm or math.inf
            )
            value = loss.item()
            if not (value < EXPLODED * start.train_loss and torch.isfinite(norm)):
                self.folder.write_batch(f"rolled_back_{step}.png", lr, hr)
                return RollBack(step, value, rate, self.patches.names(step, config.batch_size))
            for optimizer in self.optimizers:
                optimizer.step()
            if config.ema_decay:
                average_into(self.validated, self.model, step=step, decay=config.ema_decay)
            history.running.append(value)
            on_event("step", step + 1, history)
        measured = self._measure(epoch, float(np.mean(history.running)), history.exact)
        if measured.valid_loss < EXPLODED * start.valid_loss:
            return measured
        return RollBack(steps[-1], measured.valid_loss, rate)

    def _measure(self, epoch: int, train_loss: float, exact: list[int]) -> Epoch:
        psnr = self._psnr(partial(upscale, model=self.validated, device=self.device))
        seconds = time.monotonic() - self.started
        valid_loss = self._loss_on(self.valid_patches)
        return Epoch(epoch, train_loss, valid_loss, _mean(psnr, exact), seconds)

    @torch.inference_mode()
    def _loss_on(self, patches: PairedPatches) -> float:
        """The loss on MEASURED patches, the same ones each time, in batches as in training."""
        objective = Objective(self.validated, self.objective.loss)
        lr, hr = (images.split(self.config.batch_size) for images in patches.batch(0, MEASURED))
        losses = [objective(*batch).item() * len(batch[0]) for batch in zip(lr, hr, strict=True)]
        return sum(losses) / MEASURED

    def _psnr(self, upscaler: Upscaler) -> np.ndarray:
        """PSNR of each validation image, (N,)."""
        psnr = partial(PROTOCOLS[self.config.protocol].psnr, scale=self.model.config.scale)
        return np.array([psnr(upscaler(lr), hr) for hr, lr, _ in self.valid_pairs])

    def save(self, history: History) -> None:
        """Write the state, then the files that follow from it."""
        if history.best is history.epochs[-1]:
            self.best_hashes.append(tensors_sha256(self.validated.state_dict()))
        parts = {
            "model": self.model.state_dict(),
            "optimizer": [optimizer.state_dict() for optimizer in self.optimizers],
            "best_hashes": self.best_hashes,
        }
        if self.config.ema_decay:
            parts["average"] = self.validated.state_dict()
        self.folder.save_state(self.config, history, identity=self.identity, **parts)
        self._publish(history)

    def _publish(self, history: History) -> None:
        """Write the weights, if they are the best so far, and the history."""
        if history.best is history.epochs[-1]:
            self.folder.write_best(self.validated, self.best_hashes)
        self.folder.write_history(history)

    def restore(self) -> History:
        """Load the state after the last epoch."""
        state = self.folder.load_state(self.config, identity=self.identity)
        self.model.load_state_dict(state["model"])
        for optimizer, stored in zip(self.optimizers, state["optimizer"], strict=True):
            optimizer.load_state_dict(stored)
        if self.config.ema_decay:
            self.validated.load_state_dict(state["average"])
        self.best_hashes = state["best_hashes"]
        self.started = time.monotonic() - state["history"].epochs[-1].seconds
        return state["history"]

    def steps_done(self, history: History) -> int:
        return history.epochs[-1].epoch * self.config.steps_per_epoch


def _mean(psnr: np.ndarray, exact: list[int]) -> float:
    """Mean PSNR, without the exact images and others of infinite PSNR."""
    judged = np.delete(psnr, exact)
    return float(judged[np.isfinite(judged)].mean())


def _least_patch_size(config: TrainConfig, scale: int) -> int:
    """The HR pixels that the loss needs, besides those that the network's reach takes away."""
    return 2 * TAIL_REACH * scale + (SSIM_WINDOW if config.ssim else 1)


def _gave_up(history: History, folder: RunFolder) -> str:
    attempts = ", ".join(
        f"{rollback.learning_rate:.2g} at step {rollback.step} (loss {rollback.loss:.3g})"
        for rollback in history.rollbacks
    )
    return (
        f"The loss exploded {len(history.rollbacks)} times, with learning rates {attempts}. Look "
        f"at the batches in rolled_back_*.png, then start again with a lower learning_rate in "
        f"another run_dir. The best weights, of epoch {history.best.epoch}, are in {folder.best}."
    )
