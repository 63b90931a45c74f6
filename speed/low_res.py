"""Time the making of LR images beside other tools: decode, resize and encode alone, then whole folders.

    python speed/low_res.py [--basicsr path/to/basicsr/utils/matlab_functions.py] [--images 8] [--rounds 5]

Writes speed/low_res.md. BasicSR and OpenCV are measured where they are installed. All take turns for several rounds, and the
best time of each counts, so that other load on the machine falls on all alike. BLAS and torch use one thread.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import io
import os
import platform
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from threadpoolctl import threadpool_limits

from srlib.data.lr_folders import create_low_res_images_recursive
from srlib.images.picture import encode, from_array, read_image
from srlib.images.resize import imresize

ROOT = Path(__file__).resolve().parents[1]
SIZE = (2040, 1356)  # of a typical image of DIV2K
SCALE = 4


def make_folder(folder: Path, count: int) -> None:
    """Tile sample photographs to DIV2K's size: enlarged ones would be smooth and decode faster than real ones."""
    folder.mkdir()
    sources = sorted((ROOT / "data" / "sample" / "DIV2K_train_HR").glob("*.png"))
    for number in range(count):
        with Image.open(sources[number % len(sources)]) as photo:
            pixels = np.tile(photo.convert("RGB"), (4, 4, 1))[: SIZE[1], : SIZE[0]]
        Image.fromarray(pixels).save(folder / f"{number:04d}.png")


def resizers(basicsr: Path | None) -> dict[str, Callable[[np.ndarray], object]]:
    """Map names to resizers of a uint8 (H, W, 3) array; BasicSR's is also timed from tensor to tensor, as it works inside."""
    small = (SIZE[0] // SCALE, SIZE[1] // SCALE)
    found = {
        "srlib imresize (MATLAB, exact)": partial(imresize, scale=1 / SCALE),
        "Pillow BICUBIC": lambda hr: np.asarray(
            Image.fromarray(hr).resize(small, Image.Resampling.BICUBIC)
        ),
    }
    if importlib.util.find_spec("cv2"):
        import cv2

        cv2.setNumThreads(1)
        found["OpenCV INTER_CUBIC (no antialias)"] = lambda hr: cv2.resize(
            hr, small, interpolation=cv2.INTER_CUBIC
        )
        found["OpenCV INTER_AREA"] = lambda hr: cv2.resize(hr, small, interpolation=cv2.INTER_AREA)
    if basicsr:
        spec = importlib.util.spec_from_file_location("matlab_functions", basicsr)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)

        def from_array_to_array(hr: np.ndarray) -> np.ndarray:
            lr = module.imresize(hr.astype(np.float32) / 255, 1 / SCALE)
            return (lr.clip(0, 1) * 255).round().astype(np.uint8)

        tensor = torch.rand(3, SIZE[1], SIZE[0])
        found["BasicSR imresize (array to array)"] = from_array_to_array
        found["BasicSR imresize (tensor alone)"] = lambda hr: module.imresize(tensor, 1 / SCALE)
    return found


def best_times(jobs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of the fastest of several rounds, in which the jobs take turns."""
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def parts(folder: Path, basicsr: Path | None, rounds: int) -> list[str]:
    stored = (folder / "0000.png").read_bytes()
    hr = read_image(io.BytesIO(stored)).rgb
    lr = from_array(imresize(hr, 1 / SCALE))
    jobs = {
        "decode the HR PNG": lambda: read_image(io.BytesIO(stored)),
        "encode the LR PNG": lambda: encode(lr),
    }
    jobs |= {name: partial(resize, hr) for name, resize in resizers(basicsr).items()}
    times = best_times(jobs, rounds)
    ours = times["srlib imresize (MATLAB, exact)"]
    lines = ["| one image, one core | ms | times srlib's resize |", "|---|---|---|"]
    return lines + [
        f"| {name} | {1000 * seconds:.1f} | {seconds / ours:.2f} |"
        for name, seconds in times.items()
    ]


def folders(folder: Path, scratch: Path, count: int, rounds: int) -> list[str]:
    cores = [1, 2] if os.cpu_count() <= 2 else [1, 2, os.cpu_count()]
    spawn = get_context("spawn")
    executors: dict[str, Executor] = {f"threads, {n}": ThreadPoolExecutor(n) for n in cores}
    executors |= {f"processes, {n}": ProcessPoolExecutor(n, mp_context=spawn) for n in cores}
    jobs = {
        name: partial(
            create_low_res_images_recursive,
            folder,
            scratch / name,
            SCALE,
            executor=executor,
            overwrite=True,
        )
        for name, executor in executors.items()
    }
    best_times(jobs, 1)  # starts the processes
    times = best_times(jobs, rounds)
    for executor in executors.values():
        executor.shutdown()
    lines = ["| folder, workers | images per second | times one worker |", "|---|---|---|"]
    for name, seconds in times.items():
        one = times[name.split(",")[0] + ", 1"]
        lines.append(f"| {name} | {count / seconds:.2f} | {one / seconds:.2f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--basicsr", type=Path, help="BasicSR's basicsr/utils/matlab_functions.py")
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    threadpool_limits(1)
    torch.set_num_threads(1)
    machine = (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    )
    if hasattr(os, "getloadavg"):
        machine += f", load {os.getloadavg()[0]:.1f} when it began"
    versions = (
        f"Python {platform.python_version()}, numpy {np.__version__}, Pillow {Image.__version__}"
    )
    lines = [
        "# Making LR images",
        "",
        f"{datetime.date.today()}; {machine}; {versions}.",
        f"{SIZE[0]} x {SIZE[1]} pixels, x{SCALE}, best of {options.rounds} rounds; made by `python speed/low_res.py`.",
        "",
    ]
    for name, there in {
        "BasicSR": options.basicsr,
        "OpenCV": importlib.util.find_spec("cv2"),
    }.items():
        if not there:
            lines += [f"{name} is not here and was not measured.", ""]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "HR"
        make_folder(folder, options.images)
        lines += [*parts(folder, options.basicsr, options.rounds), ""]
        lines += folders(folder, Path(scratch), options.images, options.rounds)
    text = "\n".join(lines) + "\n"
    (ROOT / "speed" / "low_res.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
