"""Fine-tuning: a loop that can be read at one sitting, stops early, keeps the best, and resumes to the bit (notebook 04)."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from srlib.losses import SRLoss
from srlib.metrics import PROTOCOLS
from srlib.model import EDSR, TAIL_REACH, forward_interior
from srlib.patches import Pair, PairedPatches
from srlib.resize import imresize
from srlib.upscale import upscale
from srlib.zoo import load_pretrained, save_weights


class TrainingError(RuntimeError):
    """Training cannot go on; the message is a finished sentence."""


@dataclass(frozen=True)
class TrainConfig:
    """What a fine-tuning does.

    patch_size: HR pixels; the outer 2 LR pixels per side get no loss.  learning_rate: of Adam, after `warm_up_steps`, falling
    along half a cosine to zero at the last epoch.  patience: epochs without the validation loss falling by `min_delta` after
    which training stops.  pixel, perceptual, backbone, layers: see `SRLoss`.  protocol: of the validation PSNR.
    """

    patch_size: int = 96
    batch_size: int = 16
    steps_per_epoch: int = 200
    max_epochs: int = 30
    learning_rate: float = 1e-4
    warm_up_steps: int = 20
    max_grad_norm: float = 1.0
    patience: int = 3
    min_delta: float = 0.0
    pixel: float = 1.0
    perceptual: float = 0.0
    backbone: str = "auto"
    layers: dict[str, float] | None = None
    protocol: str = "rgb"
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """One line of the history; epoch 0 is the model as it came.  Losses in the units of the loss, psnr in dB on whole images."""

    epoch: int
    train_loss: float | None
    valid_loss: float
    valid_psnr: float
    seconds: float


@dataclass
class History:
    """What happened: one `Epoch` per epoch, the PSNR of bicubic on the same images, and why it ended."""

    bicubic_psnr: float
    epochs: list[Epoch] = field(default_factory=list)
    ended: str = ""  # "", while it runs; "early", no progress for `patience` epochs; "complete"

    @property
    def best(self) -> Epoch:
        return min(self.epochs, key=lambda e: e.valid_loss)

    @property
    def start(self) -> Epoch:
        return self.epochs[0]


def fine_tune(
    model: EDSR,
    train_pairs: Sequence[Pair],
    valid_pairs: Sequence[Pair],
    config: TrainConfig,
    *,
    run_dir: str | os.PathLike,
    resume: bool = False,
    device: str | torch.device = "cpu",
    on_event: Callable[[str, int, History], None] | None = None,
) -> tuple[EDSR, History]:
    """Train `model` on the pairs and return the best one, by validation loss, with the history.

    Bicubic and the starting weights are measured first.  run_dir gets best.safetensors, last.pt and history.json, each
    written whole or not at all.  resume: go on from last.pt, with the same result, to the bit on the CPU, as without the
    interruption.  on_event("step" | "epoch", steps done, history) may raise to stop; what was kept stays.
    Raises TrainingError if run_dir holds a run and `resume` is not asked for, if it was started with other settings, or if
    the loss is no longer finite.
    """
    run_dir = Path(run_dir)
    run_dir.mkdir(parents=True, exist_ok=True)
    scale, edge = model.config.scale, TAIL_REACH * model.config.scale
    patches = PairedPatches(train_pairs, scale=scale, patch_size=config.patch_size, seed=config.seed, device=device)
    watched = PairedPatches(valid_pairs, scale=scale, patch_size=config.patch_size, augment=False, device=device)
    model = model.to(device, memory_format=torch.channels_last)
    loss_of = SRLoss(config.pixel, config.perceptual, config.backbone, config.layers).to(device)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], config.learning_rate)

    def loss_on(lr, hr):
        return loss_of(forward_interior(model, lr), hr[:, :, edge:-edge, edge:-edge])

    def validate() -> tuple[float, float]:
        with torch.inference_mode():
            loss = np.mean([loss_on(*watched.batch(i, config.batch_size)).item() for i in range(2)])
        rules = PROTOCOLS[config.protocol]
        psnr = np.mean([rules.psnr(upscale(lr, model, device=device), hr, scale=scale) for hr, lr, _ in valid_pairs])
        return float(loss), float(psnr)

    history, first, spent = _resume(run_dir, config, model, optimizer) if resume else (None, 0, 0.0)
    if not resume and (run_dir / "last.pt").exists():
        raise TrainingError(f"{run_dir} already holds a run: pass resume=True to go on with it, or choose another run_dir.")
    started = time.monotonic() - spent
    if history is None:
        history = History(_bicubic_psnr(valid_pairs, config.protocol, scale))
        history.epochs.append(Epoch(0, None, *validate(), time.monotonic() - started))
        save_weights(model, run_dir / "best.safetensors")
    for epoch in range(first + 1, config.max_epochs + 1):
        if history.ended:
            break
        losses = []
        for step in range((epoch - 1) * config.steps_per_epoch, epoch * config.steps_per_epoch):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate_at(step, config)
            loss = loss_on(*patches.batch(step, config.batch_size))
            if not torch.isfinite(loss):
                lower = f"start again with a learning rate below {config.learning_rate:g}"
                raise TrainingError(f"The loss is {loss.item()} at step {step}; {lower}, in another run_dir.")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()
            losses.append(loss.item())
            if on_event:
                on_event("step", step + 1, history)
        history.epochs.append(Epoch(epoch, float(np.mean(losses)), *validate(), time.monotonic() - started))
        if history.best is history.epochs[-1]:
            save_weights(model, run_dir / "best.safetensors")
        history.ended = "early" if _stalled(history, config) else "complete" if epoch == config.max_epochs else ""
        _save_state(run_dir, config, model, optimizer, history)
        if on_event:
            on_event("epoch", epoch * config.steps_per_epoch, history)
    return load_pretrained(run_dir / "best.safetensors", scale, device=device), history


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then half a cosine down to zero at the last step of the last epoch."""
    steps = config.max_epochs * config.steps_per_epoch
    warm_up = min(1.0, (step + 1) / max(1, config.warm_up_steps))
    return config.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * step / steps))


def _stalled(history: History, config: TrainConfig) -> bool:
    """Whether the last `patience` epochs brought no validation loss lower, by more than min_delta, than the best before them."""
    losses = [e.valid_loss for e in history.epochs]
    return len(losses) > config.patience and min(losses[-config.patience :]) >= min(losses[: -config.patience]) - config.min_delta


def _bicubic_psnr(pairs: Sequence[Pair], protocol: str, scale: int) -> float:
    return float(np.mean([PROTOCOLS[protocol].psnr(imresize(lr, scale), hr, scale=scale) for hr, lr, _ in pairs]))


def _save_state(run_dir: Path, config: TrainConfig, model: EDSR, optimizer: torch.optim.Optimizer, history: History) -> None:
    state = {"config": asdict(config), "history": asdict(history)}
    state |= {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state, run_dir / "last.part")
    os.replace(run_dir / "last.part", run_dir / "last.pt")
    (run_dir / "history.part").write_text(json.dumps(asdict(history), indent=1))
    os.replace(run_dir / "history.part", run_dir / "history.json")


def _resume(
    run_dir: Path, config: TrainConfig, model: EDSR, optimizer: torch.optim.Optimizer
) -> tuple[History | None, int, float]:
    """(history, epochs done, seconds spent) of an interrupted run, loaded into model and optimizer; (None, 0, 0) if none is."""
    if not (run_dir / "last.pt").exists():
        return None, 0, 0.0
    state = torch.load(run_dir / "last.pt", map_location="cpu", weights_only=True)
    changed = [f"{k} {state['config'].get(k)} -> {v}" for k, v in asdict(config).items() if state["config"].get(k) != v]
    if changed:
        raise TrainingError(f"{run_dir} was started with other settings ({', '.join(changed)}); choose another run_dir.")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    stored = state["history"]
    history = History(stored["bicubic_psnr"], [Epoch(**e) for e in stored["epochs"]], stored["ended"])
    return history, history.epochs[-1].epoch, history.epochs[-1].seconds
