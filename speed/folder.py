"""A folder of photographs, enlarged by `upscale_folder`, beside reading, enlarging and writing one after the other.

    python speed/folder.py [--photographs 20] [--rounds 3]

Writes speed/folder.md. Both ways take turns, and the best round of each counts.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import tempfile
from functools import partial
from pathlib import Path

import torch
from low_res import best_times
from patches import cpu_name

from srlib.images import imresize, read_image, write_image
from srlib.upscaling import upscale, upscale_folder
from srlib.zoo import load_pretrained

SAMPLES = Path(__file__).resolve().parents[1] / "data/sample/DIV2K_valid_HR"
SCALE = 2


def make_photographs(folder: Path, count: int) -> None:
    samples = sorted(SAMPLES.glob("*.png"))
    small = [imresize(read_image(path).rgb, 1 / SCALE) for path in samples]
    for number in range(count):
        write_image(folder / f"{number:02}.png", small[number % len(small)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    models = {name: load_pretrained(name, SCALE) for name in ("edsr-lite", "edsr-baseline-srlib")}
    lines = [
        "# A folder",
        "",
        f"{datetime.date.today()}; {cpu_name()}, {os.cpu_count()} cores, torch "
        f"{torch.__version__}, {torch.get_num_threads()} threads; {options.photographs} "
        f"photographs, x{SCALE}, PNG to PNG.",
        "",
        "| | one after the other, s | folder, s | times as fast |",
        "|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "small")
        target = Path(scratch, "large")
        source.mkdir()
        make_photographs(source, options.photographs)

        def one_by_one(model) -> None:
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            for path in sorted(source.iterdir()):
                write_image(target / path.name, upscale(read_image(path), model))

        def together(model) -> None:
            shutil.rmtree(target, ignore_errors=True)
            upscale_folder(source, target, model)

        for name, model in models.items():
            jobs = {"slow": partial(one_by_one, model), "fast": partial(together, model)}
            times = best_times(jobs, options.rounds)
            slow = times["slow"]
            fast = times["fast"]
            lines.append(f"| {name} | {slow:.1f} | {fast:.1f} | {slow / fast:.2f} |")
    text = "\n".join(lines) + "\n"
    Path(__file__).with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
