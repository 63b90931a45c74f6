"""Training steps per second: `fine_tune`'s beside the step of EDSR-PyTorch's trainer, same network, batch and patch.

    python speed/train.py [--rounds 3]

Writes speed/train.md.  Both train EDSR-baseline on batches of the paper's size, 16 patches of 48 LR pixels, from the sample
photographs.  Ours is `srlib.training.fine_tune` itself with its default settings, timed from outside, from one of its "step" events
to the next: cutting the patches is in it.  The peer's step is written here as its trainer does it: the network as it is written,
torch's default memory layout and Adam, L1 on the range 0 to 255, float32; reading data is not in it.  The two take turns, step by
step; the first four steps of each warm up.
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
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.training.config import TrainConfig
from srlib.training.loop import StopTraining, fine_tune

ROOT = Path(__file__).resolve().parents[1]
BATCH, LR_PATCH, SCALES = 16, 48, (2, 4)
PEER, OURS = "EDSR-PyTorch's step", "fine_tune's step"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    steps = rounds * (4 if device.type == "cpu" else 100)  # a multiple of TrainConfig.whole_every
    rows = []
    for scale in SCALES:
        rates = {name: 1 / typical(times[4:]) for name, times in race(scale, steps, device).items()}
        rows += [
            f"| x{scale} | {name} | {rate:.3g} | {rate / rates[PEER]:.2f} |"
            for name, rate in rates.items()
        ]
    write(rows, device, steps)


def race(scale: int, steps: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of each step: `fine_tune` trains, and after each of its steps the peer takes one."""
    pairs = list(PairedImages(ROOT / "data" / "sample" / "DIV2K_train_HR", None, scale=scale))
    patches = PairedPatches(pairs, scale=scale, patch_size=LR_PATCH * scale, device=device)
    peer_step = peer(
        EDSR(EDSRConfig(scale)).to(device), *(v.contiguous() for v in patches.batch(0, BATCH))
    )
    config = TrainConfig(
        patch_size=LR_PATCH * scale, batch_size=BATCH, steps_per_epoch=steps, max_epochs=1
    )
    seconds, started = {PEER: [], OURS: []}, 0.0

    def on_event(event: str, step: int, history) -> None:
        nonlocal started
        if event == "step":
            seconds[OURS].append(now(device) - started)
            started = now(device)
            peer_step()
            seconds[PEER].append(now(device) - started)
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
    return seconds


def now(device: torch.device) -> float:
    """The time at which all work so far is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def typical(times: list[float]) -> float:
    """The median over groups of four neighbours, in which whole and folded steps are mixed as in training."""
    groups = [statistics.fmean(times[i : i + 4]) for i in range(0, len(times) - 3, 4)]
    return statistics.median(groups)


def peer(model: EDSR, lr: torch.Tensor, hr: torch.Tensor) -> Callable[[], None]:
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss = l1_loss(255 * model(lr), 255 * hr)
        loss.backward()
        optimizer.step()
        loss.item()  # its trainer's log adds them up

    return step


def write(rows: list[str], device: torch.device, steps: int):
    threads = f"{cpu_name()}, {torch.get_num_threads()} threads of {os.cpu_count()} cores"
    machine = torch.cuda.get_device_name() if device.type == "cuda" else threads
    text = f"""# Training steps per second

`python speed/train.py`, {datetime.date.today()}, {machine}, Python {platform.python_version()}, torch {torch.__version__}.

EDSR-baseline (16 blocks, 64 features), batch {BATCH}, LR patch {LR_PATCH}, {steps} steps each, in turns. Ours is
`srlib.training.fine_tune` itself, from one step to the next, patches cut and all. The peer's is written here after its trainer:
torch's default layout and Adam, no folded tail; reading data is not in it.

| scale | step | steps / s | times the peer |
| --- | --- | ---: | ---: |
{chr(10).join(rows)}
"""
    (ROOT / "benchmarks" / "train.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
