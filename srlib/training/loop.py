"""The training loop: it stops early, keeps the best weights, and resumes bit for bit."""

from __future__ import annotations

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
from srlib.model.edsr import EDSR, TAIL_REACH, checked_model, is_plain
from srlib.training.checks import TrainingError
from srlib.training.checks import check_pairs as compare_pairs
from srlib.training.config import TrainConfig, learning_rate_at
from srlib.training.history import Epoch, History, RollBack
from srlib.training.losses import SSIM_WINDOW, SRLoss
from srlib.training.muon import make_optimizers
from srlib.training.objective import average_into, batch_loss, choose_precision
from srlib.training.state import RunFolder
from srlib.upscaling.enlarge import upscale
from srlib.zoo.checkpoints import load_pretrained

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
    quarter of the learning rate.

    Args:
        model: The network to train. It is changed. Parameters with `requires_grad=False` stay.
        train_pairs: The pairs to train on.
        valid_pairs: The pairs to validate on; take other photographs.
        config: The settings.
        run_dir: Folder for best.safetensors, last.pt and history.csv, each written whole or not at
            all. A run that begins keeps the best.safetensors of another one under another name.
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
    scale = checked_model(model).config.scale
    least = 2 * TAIL_REACH * scale + (SSIM_WINDOW if config.ssim else 1)
    if config.patch_size < least:
        raise ValueError(
            f"patch_size counts HR pixels and must be at least {least} at x{scale}, "
            f"not {config.patch_size}."
        )
    if not is_plain(model):
        raise ValueError(
            "A part of the model was replaced, and best.safetensors holds a plain EDSR only: undo "
            "the change."
        )
    folder = RunFolder(run_dir)
    chosen_device = best_device(device)
    if check_pairs:
        compare_pairs(train_pairs, scale=scale, kind="training")
        compare_pairs(valid_pairs, scale=scale, kind="validation")
    # Whatever no_grad or autocast the caller is in. A cache would keep the first step's weights,
    # since the body's own autocast lies within this one.
    plain = torch.autocast(chosen_device.type, enabled=False, cache_enabled=False)
    with folder.claim(), torch.inference_mode(False), torch.enable_grad(), plain:
        begun = folder.last.exists()
        if begun and not resume:
            raise TrainingError(
                f"{folder.path} already holds a run: pass resume=True to go on with it, or choose "
                "another run_dir."
            )
        run = _Run(model, train_pairs, valid_pairs, config, folder, chosen_device)
        history = run.resume() if begun else run.start()
        history = _train(run, history, on_event or (lambda event, steps_done, history: None))
        return load_pretrained(folder.best, scale, device=chosen_device), history


def _train(run: _Run, history: History, on_event: OnEvent) -> History:
    """Train epoch after epoch until the last one, an early stop, or StopTraining."""
    config = run.config
    with suppress(StopTraining):
        on_event("start", run.steps_done(history), history)
        while not history.ended:
            if len(history.rollbacks) == MAX_ROLLBACKS:
                last = history.rollbacks[-1]
                raise TrainingError(
                    f"The loss exploded {MAX_ROLLBACKS} times, at last at step {last.step} with "
                    f"learning rate {last.learning_rate:.2g}: start again with a lower "
                    f"learning_rate in another run_dir. The best weights, of epoch "
                    f"{history.best.epoch}, are in {run.folder.best}."
                )
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
        history.ended = "stopped"  # not in last.pt, so that a resume goes on
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
        names = ("pixel", "perceptual", "backbone", "layers", "ssim")
        self.loss = SRLoss(**{name: getattr(config, name) for name in names}).to(device)
        self.model = model.to(device, memory_format=torch.channels_last)
        self.validated = deepcopy(model) if config.ema_decay else model
        self.trained = {name: w for name, w in model.named_parameters() if w.requires_grad}
        if not self.trained:
            raise TrainingError("The model is frozen: call requires_grad_(True) on a part of it.")
        self.optimizers = make_optimizers(model, config)
        self.settings = asdict(config) | {  # a resume must find the same
            "backbone": self.loss.backbone,
            "model": asdict(model.config),
            "trained parameters": ", ".join(self.trained),
            "training pairs": self.patches.fingerprint,
            "validation pairs": self.valid_patches.fingerprint,
        }
        self.started = time.monotonic()

    def start(self) -> History:
        """Measure bicubic and the untrained model, and save that as epoch 0."""
        bicubic = self._psnr(partial(imresize, scale=self.model.config.scale))
        exact = np.flatnonzero(np.isinf(bicubic)).tolist()
        if len(exact) == len(bicubic):
            raise TrainingError("Bicubic restores all validation images: take photographs.")
        start = self._measure(0, self._loss_on(self.patches), exact)
        if not np.isfinite(start.train_loss):
            raise TrainingError(f"The loss begins at {start.train_loss}: load undamaged weights.")
        precision = choose_precision(self.model, self.config, self.device)
        history = History(_mean(bicubic, exact), [start], precision=precision, exact=exact)
        self.folder.keep_other_weights()
        self.save(history)
        return history

    def resume(self) -> History:
        """Restore the last epoch, and rewrite the files, of which a kill may have left old ones."""
        history = self.restore()
        self.started = time.monotonic() - history.epochs[-1].seconds
        self._publish(history)
        if not self.folder.best.exists():
            raise TrainingError(
                f"{self.folder.best} is missing, with the best weights of this run: put it back, "
                "or choose another run_dir."
            )
        return history

    def train_epoch(self, history: History, on_event: OnEvent) -> Epoch | RollBack:
        """Train for one epoch and validate. After a RollBack the model must be restored."""
        config = self.config
        epoch = len(history.epochs)
        steps = range((epoch - 1) * config.steps_per_epoch, epoch * config.steps_per_epoch)
        start = history.start
        loss_of = torch.compile(batch_loss) if config.compile else batch_loss
        bfloat16 = history.precision == "bfloat16"
        history.running.clear()
        for step in steps:
            rate = learning_rate_at(step, config) * SLOWER ** len(history.rollbacks)
            lr, hr = self.patches.batch(step, config.batch_size)
            loss = loss_of(self.model, self.loss, lr, hr, bfloat16=bfloat16)
            for optimizer in self.optimizers:
                optimizer.param_groups[0]["lr"] = rate
                optimizer.zero_grad(set_to_none=True)
            loss.backward()
            longest = config.max_grad_norm or np.inf
            norm = torch.nn.utils.clip_grad_norm_(self.trained.values(), longest)
            value = loss.item()
            if not (value < EXPLODED * start.train_loss and torch.isfinite(norm)):
                return RollBack(step, value, rate)
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
        total = 0.0
        lr, hr = (images.split(self.config.batch_size) for images in patches.batch(0, MEASURED))
        for batch in zip(lr, hr, strict=True):
            total += batch_loss(self.validated, self.loss, *batch).item() * len(batch[0])
        return total / MEASURED

    def _psnr(self, upscaler: Upscaler) -> np.ndarray:
        """PSNR of each validation image in RGB, (N,)."""
        psnr = partial(PROTOCOLS["rgb"].psnr, scale=self.model.config.scale)
        return np.array([psnr(upscaler(lr), hr) for hr, lr, _ in self.valid_pairs])

    def save(self, history: History) -> None:
        """Write the state, then the files that follow from it."""
        parts = {
            "model": self.model.state_dict(),
            "optimizer": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        if self.config.ema_decay:
            parts["average"] = self.validated.state_dict()
        self.folder.save_state(self.settings, history, **parts)
        self._publish(history)

    def _publish(self, history: History) -> None:
        """Write the weights, if they are the best so far, and the history."""
        if history.best is history.epochs[-1]:
            self.folder.write_best(self.validated)
        self.folder.write_history(history)

    def restore(self) -> History:
        """Load the state after the last epoch."""
        state = self.folder.load_state(self.settings)
        self.model.load_state_dict(state["model"])
        for optimizer, stored in zip(self.optimizers, state["optimizer"], strict=True):
            optimizer.load_state_dict(stored)
        if self.config.ema_decay:
            self.validated.load_state_dict(state["average"])
        return state["history"]

    def steps_done(self, history: History) -> int:
        return history.epochs[-1].epoch * self.config.steps_per_epoch


def _mean(psnr: np.ndarray, exact: list[int]) -> float:
    """Mean PSNR, without the exact images and others of infinite PSNR."""
    judged = np.delete(psnr, exact)
    return float(judged[np.isfinite(judged)].mean())
