"""Measure training steps per second: `fine_tune` beside the step of EDSR-PyTorch's trainer.

    python speed/train.py [--steps 12] [--long 1500]

Writes speed/train.md. Both train EDSR-baseline on batches of the paper's size, 16 patches of 48 LR
pixels, from the sample photographs. Ours is `srlib.training.fine_tune` itself, once with its body
in float32 and once in bfloat16, timed from one of its "step" events to the next, so that cutting
the patches is included. The peer's step is written here after its trainer: the network as written,
torch's default memory layout and Adam, L1 on the range 0 to 255, float32. Reading data is not
included there. The two take turns, step by step; the first two steps of each are not counted.

Then edsr-lite x2 is trained from random weights for --long steps in both precisions, with equal
seeds and batches, to see what bfloat16 costs.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from patches import cpu_name
from torch.nn.functional import l1_loss

from srlib.data import PairedImages, PairedPatches
from srlib.model import EDSR, EDSRConfig
from srlib.training import StopTraining, TrainConfig, fine_tune

ROOT = Path(__file__).resolve().parents[1]
BATCH = 16
LR_PATCH = 48
SCALES = (2, 4)
WARM_UP = 2
PEER = "EDSR-PyTorch's step"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--long", type=int, default=1500)
    args = parser.parse_args()
    steps = args.steps
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = []
    for scale in SCALES:
        seconds = {PEER: []}
        for precision in ("float32", "bfloat16"):
            race(scale, steps, device, precision, seconds)
        rates = {name: 1 / statistics.median(times) for name, times in seconds.items()}
        rows += [
            f"| x{scale} | {name} | {rate:.3g} | {rate / rates[PEER]:.2f} |"
            for name, rate in rates.items()
        ]
    write(rows, device, steps, long_runs(args.long, device))


def race(
    scale: int, steps: int, device: torch.device, precision: str, seconds: dict[str, list[float]]
) -> None:
    """Collect the seconds of each step: after each step of `fine_tune` the peer takes one."""
    pairs = list(PairedImages(ROOT / "data" / "sample" / "DIV2K_train_HR", None, scale=scale))
    patches = PairedPatches(pairs, scale=scale, patch_size=LR_PATCH * scale, device=device)
    lr, hr = patches.batch(0, BATCH)
    peer_step = peer(EDSR(EDSRConfig(scale)).to(device), lr.contiguous(), hr.contiguous())
    config = TrainConfig(
        patch_size=LR_PATCH * scale,
        batch_size=BATCH,
        steps_per_epoch=steps,
        max_epochs=1,
        precision=precision,
    )
    ours = seconds[f"fine_tune's step, {precision}"] = []
    peers = seconds[PEER]
    started = 0.0

    def on_event(event: str, step: int, history) -> None:
        nonlocal started
        if event == "step":
            finished = now(device)
            peer_step()
            if step > WARM_UP:
                ours.append(finished - started)
                peers.append(now(device) - finished)
        if step == steps:
            raise StopTraining
        started = now(device)

    with tempfile.TemporaryDirectory() as run_dir:
        fine_tune(
            EDSR(EDSRConfig(scale)),
            pairs,
            pairs[:1],
            config,
            run_dir=run_dir,
            device=device,
            on_event=on_event,
        )


def long_runs(steps: int, device: torch.device) -> list[str]:
    """Train a small network in both precisions, and measure both in float32."""
    data = ROOT / "data" / "sample"
    train = list(PairedImages(data / "DIV2K_train_HR", None, scale=2))
    valid = list(PairedImages(data / "DIV2K_valid_HR", None, scale=2))
    each = max(1, steps // 5)
    rows = []
    for precision in ("float32", "bfloat16"):
        config = TrainConfig(
            patch_size=64,
            steps_per_epoch=each,
            max_epochs=5,
            learning_rate=5e-4,
            warm_up_steps=each // 3,
            max_grad_norm=0.05,
            patience=5,
            ema_decay=0.99,
            precision=precision,
        )
        torch.manual_seed(config.seed)
        with tempfile.TemporaryDirectory() as run_dir:
            options = {"run_dir": run_dir, "device": device}
            _, history = fine_tune(EDSR(EDSRConfig(2, 8, 32)), train, valid, config, **options)
        values = " | ".join(f"{epoch.valid_psnr:.2f}" for epoch in history.epochs[1:])
        rows.append(f"| {precision} | {values} |")
    header = " | ".join(f"{each * epoch:,}" for epoch in range(1, 6))
    return [f"| step | {header} |", "| --- |" + " ---: |" * 5, *rows]


def now(device: torch.device) -> float:
    """The time at which all work so far is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def peer(model: EDSR, lr: torch.Tensor, hr: torch.Tensor) -> Callable[[], None]:
    """Make the peer's step, on a fixed batch."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss = l1_loss(255 * model(lr), 255 * hr)
        loss.backward()
        optimizer.step()
        loss.item()  # its trainer's log adds them up

    return step


def write(rows: list[str], device: torch.device, steps: int, long: list[str]) -> None:
    threads = f"{cpu_name()}, {torch.get_num_threads()} threads of {os.cpu_count()} cores"
    machine = torch.cuda.get_device_name() if device.type == "cuda" else threads
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    text = f"""# Training steps per second

`python speed/train.py`, {datetime.date.today()}, {machine}, {versions}.

EDSR-baseline (16 blocks, 64 features), batch {BATCH}, LR patch {LR_PATCH}, {steps} steps each, in
turns; medians. Ours is `srlib.training.fine_tune` itself, from one step to the next, patches cut
and all. The peer's is written here after its trainer: torch's default layout and Adam, no folded
tail; reading data is not included.

| scale | step | steps / s | times the peer |
| --- | --- | ---: | ---: |
{chr(10).join(rows)}

## What bfloat16 costs

edsr-lite (8 blocks, 32 features) x2 from random weights on the sample photographs, with equal seeds
and batches: RGB PSNR in dB of the moving average on the validation samples, computed in float32.

{chr(10).join(long)}
"""
    (ROOT / "speed" / "train.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
