"""Training patches per second: from the memory map, from memory, and by decoding PNG files.

    python speed/patches.py [--rounds 5]

Writes speed/patches.md. All sources give patches of the sample photographs, on one thread, in
turn, for several rounds; the best round of each counts. Processor time is measured, so other work
of the machine matters little. All files are in the file cache of the system, so the speed of the
disk is not included.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from srlib.data import (
    Pair,
    PairedImages,
    PairedPatches,
    create_low_res_images_recursive,
    memory_map,
)

ROOT = Path(__file__).resolve().parents[1]
SCALE = 4
PATCH = 192
BATCH = 16


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    hr_dir = ROOT / "data" / "sample" / "DIV2K_train_HR"
    with tempfile.TemporaryDirectory() as place:
        create_low_res_images_recursive(hr_dir, Path(place, "LR"), SCALE)
        pairs = PairedImages(hr_dir, Path(place, "LR"), scale=SCALE)
        store, seconds_to_build = measured(
            lambda: memory_map(pairs, cache_dir=Path(place, "cache"))
        )
        mapped = PairedPatches(store, scale=SCALE, patch_size=PATCH)
        held = [Pair(np.array(hr), np.array(lr), name) for hr, lr, name in store]
        in_memory = PairedPatches(held, scale=SCALE, patch_size=PATCH)
        sources = {
            "decode both PNGs each time": (1, lambda step: decoded(pairs, step)),
            "memory map": (20, lambda step: mapped.batch(step, BATCH)),
            "all in memory": (20, lambda step: in_memory.batch(step, BATCH)),
        }
        rates = dict.fromkeys(sources, 0.0)
        for _ in range(rounds):
            for name, (steps, batch) in sources.items():
                _, seconds = measured(
                    lambda steps=steps, batch=batch: [batch(step) for step in range(steps)]
                )
                rates[name] = max(rates[name], steps * BATCH / seconds)
        pixels = np.mean([pair.hr.size / 3 for pair in store])
    write(rates, pixels, seconds_to_build, len(pairs), rounds)


def measured(work: Callable) -> tuple[object, float]:
    started = time.process_time()
    return work(), time.process_time() - started


def decoded(pairs: PairedImages, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch as a plain data set makes it: open both files, cut, turn, convert to float."""
    rng = np.random.default_rng([0, step])
    small = PATCH // SCALE
    made = []
    for index in rng.integers(len(pairs), size=BATCH):
        hr, lr = (np.asarray(Image.open(file)) for file in pairs.files[index])
        top = rng.integers(lr.shape[0] - small)
        left = rng.integers(lr.shape[1] - small)
        turn = rng.integers(4)
        for image, scale in ((lr, 1), (hr, SCALE)):
            patch = image[
                top * scale : (top + small) * scale, left * scale : (left + small) * scale
            ]
            made.append(
                torch.from_numpy(np.rot90(patch, turn).copy()).permute(2, 0, 1).float().div_(255)
            )
    return torch.stack(made[::2]), torch.stack(made[1::2])


def write(rates: dict[str, float], pixels: float, seconds_to_build: float, count: int, rounds: int):
    base = rates["decode both PNGs each time"]
    rows = [f"| {name} | {rate:,.0f} | {rate / base:.0f} |" for name, rate in rates.items()]
    machine = f"{cpu_name()} ({os.cpu_count()} cores, one thread used)"
    versions = f"numpy {np.__version__}, torch {torch.__version__}, Pillow {Image.__version__}"
    text = f"""# Patches per second

`python speed/patches.py`, {datetime.date.today()}, {machine}, Python {platform.python_version()},
{versions}.

Pairs of patches of {PATCH} HR pixels at x{SCALE}, batch {BATCH}, from {count} sample photographs
(PNG) of {pixels / 1e6:.2f} megapixels, per second of processor time; the best of {rounds} rounds.
Files are in the file cache of the system.

| Source | pairs of patches / s | times decoding |
| --- | ---: | ---: |
{chr(10).join(rows)}

Building the map took {seconds_to_build:.1f} s of processor time, once. A photograph of DIV2K has
2.8 megapixels: decoding one takes about {2.8e6 / pixels:.0f} times as long, and a patch from the
map takes the same time.
"""
    (ROOT / "speed" / "patches.md").write_text(text)
    print(text)


def cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
