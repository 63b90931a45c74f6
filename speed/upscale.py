"""EDSR-baseline on a CPU beside five other packages: the same weights, the same picture, one run.

    python speed/upscale.py [--peers FOLDER] [--rounds 3] [--quick] [--page FILE]

Writes speed/upscale.md, or FILE for one more machine. FOLDER holds the peers, each measured if it is there, from its own network's source:

    git clone https://github.com/sanghyun-son/EDSR-PyTorch
    pip install --no-deps --target torchSR torchsr==1.0.4
    pip install --no-deps --target super-image super-image==0.2.0
    pip download --no-deps --no-binary :all: basicsr==1.4.2 && tar xf basicsr-1.4.2.tar.gz && mv basicsr-1.4.2 BasicSR
    pip install --no-deps --target OpenCV opencv-python-headless

OpenCV's dnn_superres reads only TensorFlow's files; its engine, cv2.dnn, is measured on the ONNX file of `export_onnx`.

All take turns, several rounds, and the best of each counts, so that other work of the machine falls on all alike. Memory
is the most that a process of its own needs beyond what it holds after looking at a small picture (Linux only).
"""

from __future__ import annotations

import argparse
import ast
import datetime
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from low_res import best_times
from patches import cpu_name
from safetensors.torch import load_file, save_file
from torch import Tensor

from srlib.images import Picture, read_image, to_array, to_tensor
from srlib.model import EDSR, EDSRConfig, count_macs, receptive_field
from srlib.upscaling import super_resolve, upscale_to_tiff
from srlib.zoo import export_onnx, load_pretrained

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 510
HEIGHT = 339
SCALE = 4  # a photograph of DIV2K, four times smaller
MEAN = (0.4488, 0.4371, 0.4040)
CEILING_SIDE = 2048  # of the matrices whose product tells what the machine can do
Upscaler = Callable[[np.ndarray], np.ndarray]  # uint8 (H, W, 3) to uint8 (4 H, 4 W, 3)
Network = Callable[[Tensor], Tensor]

# Our ways, with their options.
OURS = {
    "srlib": {},
    "srlib in float32": {"precision": "float32"},
}
BASICSR_NAMES = {
    "head.0": "conv_first",
    "body.16.": "conv_after_body.",
    ".body.0.": ".conv1.",
    ".body.2.": ".conv2.",
    "tail.0": "upsample",
    "tail.1": "conv_last",
}


def classes_of(file: Path, names: str, **given) -> dict:
    """The named classes and functions of a peer's file, without its imports, which ask for all of the package."""
    nodes = [
        node
        for node in ast.parse(file.read_text()).body
        if getattr(node, "name", "") in names.split()
    ]
    for node in nodes:
        node.decorator_list = []  # a registry's
    namespace = {"torch": torch, "nn": torch.nn, "math": math, "Optional": None, "Union": None}
    namespace |= given
    exec(compile(ast.Module(nodes, []), str(file), "exec"), namespace)
    return namespace


def loaded(model: torch.nn.Module, weights: dict) -> torch.nn.Module:
    model.load_state_dict(weights)
    return model.eval()


SHAPE = SimpleNamespace(n_resblocks=16, n_feats=64, n_colors=3, rgb_range=255, res_scale=1)


def edsr_pytorch(folder: Path, weights: dict) -> Network:
    source = folder / "src/model"
    common = classes_of(source / "common.py", "default_conv MeanShift ResBlock Upsampler")
    peer = classes_of(source / "edsr.py", "EDSR", common=SimpleNamespace(**common), url={})["EDSR"]
    model = loaded(peer(SimpleNamespace(**vars(SHAPE), scale=[SCALE])), weights)
    return lambda lr: model(lr * 255) / 255


def torchsr(folder: Path, weights: dict) -> Network:
    names = "default_conv MeanShift ResBlock Upsampler EDSR"
    peer = classes_of(folder / "torchsr/models/edsr.py", names, url={})["EDSR"]
    return loaded(peer(16, 64, SCALE, 1.0), weights)


def super_image(folder: Path, weights: dict) -> Network:
    """It has layers for the mean shift and does not use them; to run the same weights we do."""

    class Base(torch.nn.Module):
        def __init__(self, *_):
            super().__init__()

    source = folder / "super_image"
    means = {"DIV2K_RGB_MEAN": MEAN, "DIV2K_RGB_STD": (1, 1, 1)}
    names = "default_conv MeanShift Upsampler"
    parts = classes_of(source / "modeling_utils.py", names, **means)
    parts |= {"PreTrainedModel": Base, "EdsrConfig": None}
    file = source / "models/edsr/modeling_edsr.py"
    peer = classes_of(file, "ResBlock EdsrModel", **parts)["EdsrModel"]
    means = {"rgb_mean": MEAN, "rgb_std": (1, 1, 1), "no_upsampling": False}
    model = loaded(peer(SimpleNamespace(**vars(SHAPE), **means, scale=SCALE)), weights)
    return lambda lr: model.add_mean(model(model.sub_mean(lr * 255))) / 255


def basicsr(folder: Path, weights: dict) -> Network:
    source = folder / "basicsr/archs"
    names = "make_layer ResidualBlockNoBN Upsample default_init_weights"
    parts = classes_of(source / "arch_util.py", names)
    peer = classes_of(source / "edsr_arch.py", "EDSR", **parts)["EDSR"]
    renamed = {}
    for name, value in weights.items():
        if not name.startswith(("sub_mean", "add_mean")):
            for ours, theirs in BASICSR_NAMES.items():
                name = name.replace(ours, theirs)
            renamed[name] = value
    return loaded(peer(3, 3, 64, 16, SCALE, 1, 255.0), renamed)


def opencv(folder: Path, weights: dict) -> Network:
    sys.path.append(str(folder))
    import cv2

    with tempfile.TemporaryDirectory() as scratch:
        file = export_onnx(network(weights), Path(scratch, "network.onnx"))
        net = cv2.dnn.readNetFromONNX(str(file))

    def compute(lr: Tensor) -> Tensor:
        net.setInput(lr.contiguous().numpy())
        return torch.from_numpy(net.forward())

    return compute


PEERS = {
    "EDSR-PyTorch": edsr_pytorch,
    "super-image": super_image,
    "torchSR": torchsr,
    "BasicSR": basicsr,
    "OpenCV": opencv,
}


def upscaler(name: str, peers: Path | None, weights: dict) -> Upscaler:
    if name in OURS:
        return partial(super_resolve, model=network(weights), device="cpu", **OURS[name])
    peer = PEERS[name](peers / name, weights)

    def theirs(rgb: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return to_array(peer(to_tensor(rgb)[None])[0])

    return theirs


def network(weights: dict) -> EDSR:
    return loaded(EDSR(EDSRConfig(SCALE)), weights)


def strong_weights() -> dict:
    """Random weights of EDSR-baseline x4 whose answer varies by 60 grey levels: speed does not depend on them, equality does."""
    torch.manual_seed(0)
    model = EDSR(EDSRConfig(SCALE)).eval()
    with torch.inference_mode():
        model.tail[1].weight.mul_(60 / 255 / model(to_tensor(photograph(64, 64))[None]).std())
    return {name: value.contiguous().clone() for name, value in model.state_dict().items()}


def photograph(height: int, width: int) -> np.ndarray:
    hr = read_image(sorted((ROOT / "data/sample/DIV2K_valid_HR").glob("*.png"))[0]).rgb
    repeats = (-(-height // len(hr)), -(-width // hr.shape[1]), 1)
    return np.tile(hr, repeats)[:height, :width]


def ceiling(dtype: torch.dtype, rounds: int) -> float:
    """Billions of multiply-accumulates a second in the product of two large matrices."""
    a, b = torch.rand(2, CEILING_SIDE, CEILING_SIDE).to(dtype)
    times = best_times({"product": lambda: a @ b}, rounds + 1)
    return CEILING_SIDE**3 / times["product"] / 1e9


def costs(job: str, name: str, peers: Path | None, file: Path, size: tuple) -> tuple[float, float]:
    """Seconds and MB of a job, "in memory" or "by strips", in a process of its own."""
    command = [sys.executable, __file__, "--costs-of", job, name, "--weights", str(file)]
    command += ["--size", *map(str, size)] + (["--peers", str(peers)] if peers else [])
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def print_costs(job: str, name: str, peers: Path | None, file: Path, size: tuple) -> None:
    def status(line: str) -> float:
        rows = Path("/proc/self/status").read_text().splitlines()
        return next(int(row.split()[1]) / 1024 for row in rows if line in row)

    weights = load_file(file)
    run = upscaler(name, peers, weights)
    run(photograph(48, 48))
    source = photograph(*size)
    if job == "by strips":
        source = Picture(source)
        target = file.with_suffix(".tif")
        options = {"target": target, "model": network(weights), "overwrite": True} | OURS[name]
        run = partial(upscale_to_tiff, **options)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts here
    before = status("VmRSS")
    started = time.perf_counter()
    run(source)
    print(time.perf_counter() - started, status("VmHWM") - before)


def precision_of(name: str, rgb: np.ndarray, weights: dict) -> str:
    """How our ways compute; the others do it in float32."""
    precisions = []
    if name in OURS:
        upscaler(name, None, weights)(rgb, on_precision=precisions.append)
    return precisions[0] if precisions else "float32"


def beside_peers(names: list, peers: Path | None, weights: dict, file: Path, options) -> list[str]:
    size = (HEIGHT // 4, WIDTH // 4) if options.quick else (HEIGHT, WIDTH)
    rgb = photograph(*size)
    jobs = {name: partial(upscaler(name, peers, weights), rgb) for name in names}
    times = best_times(jobs, options.rounds)
    fastest = min((times[name] for name in PEERS if name in times), default=float("nan"))
    most = {
        precision: ceiling(getattr(torch, precision), options.rounds)
        for precision in ("float32", "bfloat16")
    }
    with torch.inference_mode():
        written = to_array(network(weights)(to_tensor(rgb)[None])[0])
    edge = SCALE * receptive_field(EDSRConfig(SCALE))
    inside = (slice(edge, -edge), slice(edge, -edge))
    macs = count_macs(EDSRConfig(SCALE), *size)
    lines = [
        f"{size[1]} x {size[0]} pixels, from uint8 to uint8. The product of two matrices of {CEILING_SIDE} x "
        f"{CEILING_SIDE} reaches {most['float32']:.0f} billion multiply-accumulates a second here in float32, "
        f"{most['bfloat16']:.0f} in bfloat16. The share is that of the network as written, in the precision of "
        "its body; srlib's folded tail does a third less, so it may pass 100%. Differences are counted where no way sees the border.",
        "",
        "| | seconds | times the fastest peer's speed | share of the product's speed | MB | largest difference, levels |",
        "|---|---|---|---|---|---|",
    ]
    for name, seconds in times.items():
        precision = precision_of(name, rgb, weights)
        difference = np.abs(jobs[name]().astype(int) - written)[inside].max()
        _, memory = costs("in memory", name, peers, file, size)
        share = macs / seconds / 1e9 / most[precision]
        lines.append(
            f"| {name}{f' ({precision})' if name in OURS else ''} | {seconds:.2f} | "
            f"{fastest / seconds:.2f} | {share:.0%} | {memory:.0f} | {difference} |"
        )
    return lines


def by_size(weights: dict, file: Path, options) -> list[str]:
    lines = [
        "| LR pixels | " + " | ".join(f"{name}: seconds, MB" for name in OURS) + " |",
        "|---|" + "---|" * len(OURS),
    ]
    sizes = [(42, 64)] if options.quick else [(170, 255), (339, 510), (678, 1020)]
    for size in sizes:
        rgb = photograph(*size)
        jobs = {name: partial(upscaler(name, None, weights), rgb) for name in OURS}
        times = best_times(jobs, options.rounds if size[0] < 600 else 1)
        cells = [
            f"{times[name]:.2f}, {costs('in memory', name, None, file, size)[1]:.0f}"
            for name in OURS
        ]
        lines.append(f"| {size[1]} x {size[0]} | {' | '.join(cells)} |")
    return lines


def by_tile(weights: dict, options) -> list[str]:
    """The cost of the halo in float32: the photograph whole and in tiles."""
    size = (HEIGHT // 4, WIDTH // 4) if options.quick else (HEIGHT, WIDTH)
    enlarge = upscaler("srlib in float32", None, weights)
    sides = {"whole": WIDTH} | {f"tiles of {side}": side for side in (256, 128, 64)}
    jobs = {name: partial(enlarge, photograph(*size), tile=side) for name, side in sides.items()}
    times = best_times(jobs, options.rounds)
    lines = ["| | seconds | times as long as whole |", "|---|---|---|"]
    return lines + [
        f"| {name} | {seconds:.2f} | {seconds / times['whole']:.2f} |"
        for name, seconds in times.items()
    ]


def by_strips(file: Path) -> list[str]:
    lines = ["| | seconds | MB beyond the photograph itself |", "|---|---|---|"]
    name = next(iter(OURS))
    seconds, megabytes = costs("by strips", name, None, file, (2000, 3000))
    return [*lines, f"| {name} | {seconds:.0f} | {megabytes:.0f} |"]


def equality(weights: dict) -> list[str]:
    """Against the network as it is written, untiled and unfolded, in 64 bits, inside the border."""
    rgb = photograph(150, 200)
    lr = to_tensor(rgb)[None]
    model = network(weights)
    edge = SCALE * receptive_field(model.config)
    inside = (slice(edge, -edge), slice(edge, -edge))
    with torch.inference_mode():
        exact = to_array(deepcopy(model).double()(lr.double())[0])[inside]
        answers = {("as it is written, in 32 bits", "whole"): to_array(model(lr)[0])}
    for name, ways in OURS.items():
        for tile in (512, 64):
            ways = ways | {"precision": "float32", "device": "cpu"}
            answers[f"{name}, in 32 bits", tile] = super_resolve(rgb, model, tile=tile, **ways)
    lines = ["| way | tile | uint8 values that differ |", "|---|---|---|"]
    for (name, tile), answer in answers.items():
        differ = np.count_nonzero(answer[inside] != exact)
        lines.append(f"| {name} | {tile} | {differ} of {exact.size:,} |")
    return lines


def machine() -> str:
    packages = ["torch", "numpy", "pillow"]
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    load = f", load {os.getloadavg()[0]:.1f} when it began" if hasattr(os, "getloadavg") else ""
    return (
        f"{datetime.date.today()}; {cpu_name()}, {os.cpu_count()} cores{load}; "
        f"Python {platform.python_version()}, {versions}, {torch.get_num_threads()} threads."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small pictures only; no page")
    parser.add_argument("--page", type=Path, default=ROOT / "speed" / "upscale.md")
    parser.add_argument("--costs-of", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    peers = options.peers
    if options.costs_of:
        return print_costs(*options.costs_of, peers, options.weights, options.size)
    weights = load_pretrained("edsr-baseline-srlib", SCALE).state_dict()
    there = [name for name in PEERS if peers and (peers / name).exists()]
    lines = ["# Enlarging", "", machine(), ""]
    for name in PEERS:
        if name not in there:
            lines += [f"{name} is not here and was not measured.", ""]
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "weights.safetensors"
        save_file(weights, file)
        rows = beside_peers([*there, *OURS], peers, weights, file, options)
        parts = {
            "EDSR-baseline x4 beside others": rows,
            "By size": by_size(weights, file, options),
            "Whole and in tiles, in float32": by_tile(weights, options),
        }
        if not options.quick:
            title = "A photograph of 3000 x 2000 pixels at x4, by strips into a TIFF"
            parts[title] = by_strips(file)
        parts["Equal to the network as it is written"] = equality(strong_weights())
    for title, rows in parts.items():
        lines += [f"## {title}", "", *rows, ""]
    text = "\n".join(lines[:-1]) + "\n"
    if not options.quick:
        options.page.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
