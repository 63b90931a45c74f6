"""EDSR-baseline on a CPU, beside EDSR-PyTorch, super-image, torchSR and BasicSR: the same weights, the same picture, in one run.

    python speed/upscale.py [--peers FOLDER] [--rounds 3] [--quick]

Writes speed/upscale.md.  FOLDER holds the peers, each measured if it is there, from its own network's source:

    git clone https://github.com/sanghyun-son/EDSR-PyTorch
    pip install --no-deps --target torchsr torchsr==1.0.4
    pip install --no-deps --target super-image super-image==0.2.0
    pip download --no-deps --no-binary :all: basicsr==1.4.2 && tar xf basicsr-1.4.2.tar.gz && mv basicsr-1.4.2 BasicSR

All take turns, several rounds, and the best of each counts, so that other work of the machine falls on all alike.  Memory
is the most that a process of its own needs beyond what it holds after looking at a small picture (Linux only).
"""

from __future__ import annotations

import argparse
import ast
import datetime
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
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from low_res import best_times
from patches import cpu_name
from safetensors.torch import load_file, save_file
from torch import Tensor

from srlib.images.picture import Picture, read_image
from srlib.images.tensors import to_array, to_tensor
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.upscaling import engines
from srlib.upscaling.enlarge import super_resolve
from srlib.upscaling.strips import upscale_to_tiff

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 510
HEIGHT = 339
SCALE = 4  # a photograph of DIV2K, four times smaller
Upscaler = Callable[[np.ndarray], np.ndarray]  # uint8 (H, W, 3) to uint8 (4 H, 4 W, 3)


def classes_of(file: Path, names: set[str], given: dict) -> dict:
    """The named classes and functions of a peer's file, without its imports, which ask for all of the package."""
    nodes = [
        node for node in ast.parse(file.read_text()).body if getattr(node, "name", "") in names
    ]
    for node in nodes:
        node.decorator_list = []  # a registry's
    namespace = {
        "torch": torch,
        "nn": torch.nn,
        "math": __import__("math"),
        "Optional": None,
        "Union": None,
    } | given
    exec(compile(ast.Module(nodes, []), str(file), "exec"), namespace)
    return namespace


def edsr_pytorch(folder: Path, weights: dict) -> Callable[[Tensor], Tensor]:
    source = folder / "EDSR-PyTorch/src/model"
    common = classes_of(
        source / "common.py", {"default_conv", "MeanShift", "ResBlock", "Upsampler"}, {}
    )
    peer = classes_of(
        source / "edsr.py", {"EDSR"}, {"common": SimpleNamespace(**common), "url": {}}
    )["EDSR"]
    options = {
        "n_resblocks": 16,
        "n_feats": 64,
        "scale": [4],
        "rgb_range": 255,
        "n_colors": 3,
        "res_scale": 1,
    }
    model = peer(SimpleNamespace(**options)).eval()
    model.load_state_dict(weights)
    return lambda lr: model(lr * 255) / 255


def torchsr(folder: Path, weights: dict) -> Callable[[Tensor], Tensor]:
    names = {"default_conv", "MeanShift", "ResBlock", "Upsampler", "EDSR"}
    peer = classes_of(folder / "torchsr/torchsr/models/edsr.py", names, {"url": {}})["EDSR"]
    model = peer(16, 64, 4, 1.0).eval()
    model.load_state_dict(weights)
    return model


def super_image(folder: Path, weights: dict) -> Callable[[Tensor], Tensor]:
    """It has layers for the mean shift and does not use them; to run the same weights we do."""
    source = folder / "super-image/super_image"
    mean = {"DIV2K_RGB_MEAN": (0.4488, 0.4371, 0.4040), "DIV2K_RGB_STD": (1, 1, 1)}
    parts = classes_of(
        source / "modeling_utils.py", {"default_conv", "MeanShift", "Upsampler"}, mean
    )
    parts["PreTrainedModel"] = type(
        "Base", (torch.nn.Module,), {"__init__": lambda self, *_: torch.nn.Module.__init__(self)}
    )
    parts |= {"EdsrConfig": None}
    peer = classes_of(source / "models/edsr/modeling_edsr.py", {"ResBlock", "EdsrModel"}, parts)[
        "EdsrModel"
    ]
    options = {
        "n_resblocks": 16,
        "n_feats": 64,
        "n_colors": 3,
        "scale": 4,
        "rgb_range": 255,
        "res_scale": 1,
    }
    options |= {
        "rgb_mean": mean["DIV2K_RGB_MEAN"],
        "rgb_std": mean["DIV2K_RGB_STD"],
        "no_upsampling": False,
    }
    model = peer(SimpleNamespace(**options)).eval()
    model.load_state_dict(weights)
    return lambda lr: model.add_mean(model(model.sub_mean(lr * 255))) / 255


def basicsr(folder: Path, weights: dict) -> Callable[[Tensor], Tensor]:
    source = folder / "BasicSR/basicsr/archs"
    parts = classes_of(
        source / "arch_util.py",
        {"make_layer", "ResidualBlockNoBN", "Upsample", "default_init_weights"},
        {},
    )
    peer = classes_of(source / "edsr_arch.py", {"EDSR"}, parts)["EDSR"]
    model = peer(3, 3, 64, 16, 4, 1, 255.0).eval()
    renamed = {}
    for name, value in weights.items():
        if not name.startswith(("sub_mean", "add_mean")):
            for ours, theirs in BASICSR_NAMES:
                name = name.replace(ours, theirs)
            renamed[name] = value
    model.load_state_dict(renamed)
    return model


BASICSR_NAMES = (
    ("head.0", "conv_first"), ("body.16.", "conv_after_body."), (".body.0.", ".conv1."), (".body.2.", ".conv2."),
    ("tail.0", "upsample"), ("tail.1", "conv_last"),
)  # fmt: skip
PEERS = {
    "EDSR-PyTorch": edsr_pytorch,
    "super-image": super_image,
    "torchSR": torchsr,
    "BasicSR": basicsr,
}
OPENVINO = "srlib, OpenVINO (srlib[fast])"
OURS = {"srlib, PyTorch (default)": False} | (
    {OPENVINO: True} if find_spec("openvino") else {}
)  # name -> whether compiled


def upscaler(name: str, peers: Path | None, weights: dict) -> Upscaler:
    if name in OURS:
        model = network(weights)

        def ours(rgb: np.ndarray) -> np.ndarray:
            engines._WORTH_COMPILING = 0 if OURS[name] else float("inf")
            return super_resolve(rgb, model)

        return ours
    peer = PEERS[name](peers, weights)

    def theirs(rgb: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return to_array(peer(to_tensor(rgb)[None])[0])

    return theirs


def network(weights: dict) -> EDSR:
    model = EDSR(EDSRConfig(SCALE)).eval()
    model.load_state_dict(weights)
    return model


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


def costs(
    job: str, name: str, peers: Path | None, weights_file: Path, height: int, width: int
) -> tuple[float, float]:
    """Seconds and MB of a job, "in memory" or "by strips", in a process of its own."""
    arguments = [
        sys.executable,
        __file__,
        "--costs-of",
        job,
        name,
        "--size",
        str(height),
        str(width),
        "--weights",
        str(weights_file),
    ]
    done = subprocess.run(
        arguments + (["--peers", str(peers)] if peers else []),
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def print_costs(
    job: str, name: str, peers: Path | None, weights_file: Path, height: int, width: int
) -> None:
    def status(line: str) -> float:
        return next(
            int(row.split()[1]) / 1024
            for row in Path("/proc/self/status").read_text().splitlines()
            if line in row
        )

    weights = load_file(weights_file)
    run = upscaler(name, peers, weights)
    run(photograph(48, 48))
    if job == "by strips":  # upscaler has chosen the route by now
        run = partial(
            upscale_to_tiff,
            target=weights_file.with_suffix(".tif"),
            model=network(weights),
            overwrite=True,
        )
    rgb = photograph(height, width)
    source = Picture(rgb) if job == "by strips" else rgb
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts here
    before = status("VmRSS")
    started = time.perf_counter()
    run(source)
    print(time.perf_counter() - started, status("VmHWM") - before)


def beside_peers(
    names: list[str], peers: Path | None, weights: dict, file: Path, rounds: int
) -> list[str]:
    rgb = photograph(HEIGHT, WIDTH)
    times = best_times(
        {name: partial(upscaler(name, peers, weights), rgb) for name in names}, rounds
    )
    fastest = min((times[name] for name in PEERS if name in times), default=float("nan"))
    lines = [
        "| | seconds | times the fastest peer's speed | MB | largest difference before rounding, grey levels |",
        "|---|---|---|---|---|",
    ]
    model = network(weights)
    with torch.inference_mode():
        lr = to_tensor(rgb)[None]
        written = model(lr)
        for name, seconds in times.items():
            if name in OURS:
                engines._WORTH_COMPILING = 0 if OURS[name] else float("inf")
                answer = engines.network_for(model, "cpu", pixels=HEIGHT * WIDTH)(lr)
            else:
                answer = PEERS[name](peers, weights)(lr)
            difference = (answer - written).abs().max().item() * 255
            _, memory = costs("in memory", name, peers, file, HEIGHT, WIDTH)
            lines.append(
                f"| {name} | {seconds:.2f} | {fastest / seconds:.2f} | {memory:.0f} | {difference:.4f} |"
            )
    return lines


def by_size(weights: dict, file: Path, rounds: int, quick: bool) -> list[str]:
    lines = [
        "| LR pixels | " + " | ".join(f"{name}: seconds, MB" for name in OURS) + " |",
        "|---|" + "---|" * len(OURS),
    ]
    for width, height in [(255, 170), (510, 339)] + ([] if quick else [(1020, 678), (2040, 1356)]):
        rgb = photograph(height, width)
        jobs = {name: partial(upscaler(name, None, weights), rgb) for name in OURS}
        times = best_times(jobs, rounds if width < 1000 else 1)
        memory = {name: costs("in memory", name, None, file, height, width)[1] for name in OURS}
        cells = [f"{times[name]:.2f}, {memory[name]:.0f}" for name in OURS]
        lines.append(f"| {width} x {height} | {' | '.join(cells)} |")
    return lines


def by_tile(weights: dict, rounds: int) -> list[str]:
    """The cost of the halo: PyTorch, the photograph whole and in tiles."""
    engines._WORTH_COMPILING = float("inf")
    rgb = photograph(HEIGHT, WIDTH)
    model = network(weights)
    sides = {"whole": WIDTH} | {f"tiles of {side}": side for side in (256, 128, 64)}
    times = best_times(
        {name: partial(super_resolve, rgb, model, tile=side) for name, side in sides.items()},
        rounds,
    )
    lines = ["| | seconds | times as long as whole |", "|---|---|---|"]
    return lines + [
        f"| {name} | {seconds:.2f} | {seconds / times['whole']:.2f} |"
        for name, seconds in times.items()
    ]


def by_strips(file: Path) -> list[str]:
    lines = ["| | seconds | MB beyond the photograph itself |", "|---|---|---|"]
    for name in OURS:
        seconds, megabytes = costs("by strips", name, None, file, 4000, 6000)
        lines.append(f"| {name} | {seconds:.0f} | {megabytes:.0f} |")
    return lines


def equality(weights: dict) -> list[str]:
    """Against the network as it is written, untiled and unfolded, in 64 bits, for every route and with tiles."""
    rgb = photograph(150, 200)
    lines = ["| route | tile | uint8 values that differ |", "|---|---|---|"]
    model = network(weights)
    lr = to_tensor(photograph(150, 200))[None]
    with torch.inference_mode():
        exact = to_array(deepcopy(model).double()(lr.double())[0])
        differ = np.count_nonzero(to_array(model(lr)[0]) != exact)
    lines.append(f"| as it is written, in 32 bits | whole | {differ} of {exact.size:,} |")
    for name, compiled in OURS.items():
        engines._WORTH_COMPILING = 0 if compiled else float("inf")
        for tile in (512, 64):
            differ = np.count_nonzero(super_resolve(rgb, model, tile=tile) != exact)
            lines.append(f"| {name} | {tile} | {differ} of {exact.size:,} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small pictures only")
    parser.add_argument("--costs-of", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.costs_of:
        return print_costs(*options.costs_of, options.peers, options.weights, *options.size)
    weights = strong_weights()
    folders = (
        {name: options.peers / name.replace("torchSR", "torchsr") for name in PEERS}
        if options.peers
        else {}
    )
    there = [name for name in PEERS if name in folders and folders[name].exists()]
    packages = ["torch", "numpy", "pillow"] + ["openvino"] * (OPENVINO in OURS)
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    versions = f"Python {platform.python_version()}, {versions}, {torch.get_num_threads()} threads"
    load = f", load {os.getloadavg()[0]:.1f} when it began" if hasattr(os, "getloadavg") else ""
    lines = [
        "# Enlarging",
        "",
        f"{datetime.date.today()}; {cpu_name()}, {os.cpu_count()} cores{load}; {versions}.",
        "",
    ]
    lines += [
        f"{name} is not here and was not measured.\n"
        for name in [*PEERS, OPENVINO]
        if name not in [*there, *OURS]
    ]
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "weights.safetensors"
        save_file(weights, file)
        lines += [f"## EDSR-baseline x4, {WIDTH} x {HEIGHT} pixels, from uint8 to uint8", ""]
        lines += [*beside_peers([*there, *OURS], options.peers, weights, file, options.rounds), ""]
        lines += ["## By size", "", *by_size(weights, file, options.rounds, options.quick), ""]
        lines += [
            f"## Whole and in tiles, {WIDTH} x {HEIGHT} pixels",
            "",
            *by_tile(weights, options.rounds),
            "",
        ]
        if not options.quick:
            lines += [
                "## A photograph of 6000 x 4000 pixels at x4, by strips into a TIFF",
                "",
                *by_strips(file),
                "",
            ]
        lines += ["## Equal to the network as it is written", "", *equality(weights)]
    text = "\n".join(lines) + "\n"
    (ROOT / "speed" / "upscale.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
