"""Training steps per second: `fine_tune`'s beside the step of EDSR-PyTorch's trainer, same network, batch and patch.

    python benchmarks/train.py [--rounds 3]

Writes benchmarks/train.md.  Both train EDSR-baseline on batches of the paper's size, 16 patches of 48 LR pixels, from the sample
photographs.  The peer's step is written here as its trainer does it: the network as it is written, torch's default memory
layout and Adam, L1 on the range 0 to 255, float32.  Ours is what `fine_tune` runs: the folded tail in three steps of four,
channels last, fused Adam, clipped gradients, and bfloat16 on a GPU that has it.  Cutting the patches is in ours and not in
the peer's.  The ways take turns; the first four steps of each warm up.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import statistics
import time
from pathlib import Path

import torch
from patches import cpu_name
from torch.nn.functional import l1_loss

from srlib.data import PairedImages, PairedPatches
from srlib.losses import SRLoss
from srlib.model import EDSR, EDSRConfig
from srlib.objective import Objective, takes_bfloat16
from srlib.train import TrainConfig, is_whole

ROOT = Path(__file__).resolve().parents[1]
BATCH, LR_PATCH, SCALES = 16, 48, (2, 4)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    per_round = 4 if device.type == "cpu" else 100  # a multiple of TrainConfig.whole_every
    rows = []
    for scale in SCALES:
        ways = {"EDSR-PyTorch's step": peer(scale, device), "fine_tune's step": ours(scale, device)}
        seconds = {name: [] for name in ways}
        for step in range(rounds * per_round):
            for name, take_step in ways.items():
                started = time.perf_counter()
                take_step(step)
                if device.type == "cuda":
                    torch.cuda.synchronize()
                if step >= 4:
                    seconds[name].append(time.perf_counter() - started)
        rates = {name: 1 / typical(times) for name, times in seconds.items()}
        base = rates["EDSR-PyTorch's step"]
        rows += [f"| x{scale} | {name} | {rate:.3g} | {rate / base:.2f} |" for name, rate in rates.items()]
    write(rows, device, rounds * per_round)


def typical(times: list[float]) -> float:
    """The median over groups of four neighbours, in which whole and folded steps are mixed as in training."""
    groups = [statistics.fmean(times[i : i + 4]) for i in range(0, len(times) - 3, 4)]
    return statistics.median(groups)


def batches(scale: int, device: torch.device) -> PairedPatches:
    pairs = PairedImages(ROOT / "data" / "sample" / "DIV2K_train_HR", None, scale=scale)
    return PairedPatches(pairs, scale=scale, patch_size=LR_PATCH * scale, device=device)


def peer(scale: int, device: torch.device):
    model = EDSR(EDSRConfig(scale)).to(device)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-4)
    lr, hr = (v.contiguous() for v in batches(scale, device).batch(0, BATCH))

    def step(number: int):
        optimizer.zero_grad()
        loss = l1_loss(255 * model(lr), 255 * hr)
        loss.backward()
        optimizer.step()
        loss.item()  # its trainer's log adds them up

    return step


def ours(scale: int, device: torch.device):
    config, patches = TrainConfig(), batches(scale, device)
    model = EDSR(EDSRConfig(scale)).to(device, memory_format=torch.channels_last)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, 1e-4, fused=True)
    objective = Objective(model, SRLoss(), bfloat16=takes_bfloat16(config, device))

    def step(number: int):
        lr, hr = patches.batch(number, BATCH)
        loss = objective(lr, hr, whole=is_whole(number, config))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, config.max_grad_norm)
        loss.item()
        optimizer.step()

    return step


def write(rows: list[str], device: torch.device, steps: int):
    threads = f"{cpu_name()}, {torch.get_num_threads()} threads of {os.cpu_count()} cores"
    machine = torch.cuda.get_device_name() if device.type == "cuda" else threads
    text = f"""# Training steps per second

`python benchmarks/train.py`, {datetime.date.today()}, {machine}, Python {platform.python_version()}, torch {torch.__version__}.

EDSR-baseline (16 blocks, 64 features), batch {BATCH}, LR patch {LR_PATCH}, {steps} steps each, in turns. The peer's step is
written after its trainer: torch's default layout and Adam, no folded tail; reading data is not in it. Ours cuts its patches too.

| scale | step | steps / s | times the peer |
| --- | --- | ---: | ---: |
{chr(10).join(rows)}
"""
    (ROOT / "benchmarks" / "train.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
