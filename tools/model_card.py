"""Measure the embedded weights and write the figures into srlib/zoo/weights/MODEL_CARD.md.

    python tools/model_card.py BENCHMARKS

BENCHMARKS holds <set>/X<scale>/{HR,LR} as made by MATLAB. Only the part of the card between its
<!-- figures --> marks is replaced.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np

from srlib.data import Pair, PairedImages
from srlib.images import imresize, jpeg_round_trip
from srlib.metrics import PROTOCOLS
from srlib.model import count_parameters
from srlib.upscaling import upscale
from srlib.zoo import load_pretrained
from srlib.zoo.checkpoints import WEIGHTS_DIR

CARD = WEIGHTS_DIR / "MODEL_CARD.md"
JPEG_QUALITIES = (30, 75, 90)
MARK = "<!-- figures -->"
SCALES = (2, 3, 4)
Upscaler = Callable[[np.ndarray], np.ndarray]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("benchmarks", type=Path)
    folder = parser.parse_args().benchmarks
    before, _, after = CARD.read_text().split(MARK)
    figures = [files(), clean(folder, "Set5"), clean(folder, "Set14"), saved_as_jpeg(folder)]
    CARD.write_text(f"{before}{MARK}\n\n" + "\n\n".join(figures) + f"\n\n{MARK}{after}")


def files() -> str:
    rows: list[list[str]] = []
    for path in sorted(WEIGHTS_DIR.glob("*.safetensors")):
        scale = path.stem[-1]
        parameters = (
            count_parameters(load_pretrained(path, int(scale))) if scale.isdigit() else 1_735_488
        )
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append([path.name, f"{parameters:,}", f"{path.stat().st_size:,}", f"`{sha256}`"])
    return "### Files\n\n" + table(["file", "parameters", "bytes", "SHA-256"], rows)


def clean(benchmarks: Path, name: str) -> str:
    """Tabulate PSNR / SSIM on clean LR images by every protocol."""
    rows = []
    for scale in SCALES:
        pairs = read_pairs(benchmarks, name, scale)
        for method, upscaler in upscalers(scale).items():
            answers = [upscaler(pair.lr) for pair in pairs]
            cells = [means(protocol, answers, pairs, scale) for protocol in PROTOCOLS]
            rows.append([f"x{scale}", method, *cells])
    title = f"### {name}: mean PSNR (dB) / SSIM"
    return f"{title}\n\n{table(['scale', 'method', *PROTOCOLS], rows)}"


def saved_as_jpeg(benchmarks: Path) -> str:
    """Tabulate PSNR on Set14 whose LR images were saved as JPEG."""
    rules = PROTOCOLS["benchmark-y"]
    rows = []
    for scale in SCALES:
        pairs = read_pairs(benchmarks, "Set14", scale)
        for method, upscaler in upscalers(scale).items():
            cells = []
            for quality in JPEG_QUALITIES:
                saved = [pair._replace(lr=jpeg_round_trip(pair.lr, quality)) for pair in pairs]
                scores = [rules.psnr(upscaler(lr), hr, scale=scale) for hr, lr, _ in saved]
                cells.append(f"{fmean(scores):.2f}")
            rows.append([f"x{scale}", method, *cells])
    heads = [f"JPEG {quality}" for quality in JPEG_QUALITIES]
    title = "### Set14, LR saved as JPEG: mean PSNR (dB), benchmark-y"
    return f"{title}\n\n{table(['scale', 'method', *heads], rows)}"


def read_pairs(benchmarks: Path, name: str, scale: int) -> list[Pair]:
    folder = benchmarks / name / f"X{scale}"
    return list(PairedImages(folder / "HR", folder / "LR", scale=scale))


def upscalers(scale: int) -> dict[str, Upscaler]:
    """Bicubic and the networks of this scale in the weights folder."""
    methods: dict[str, Upscaler] = {"bicubic": partial(imresize, scale=scale, border="replicate")}
    for path in sorted(WEIGHTS_DIR.glob(f"edsr_*_x{scale}.safetensors")):
        model = load_pretrained(path, scale)
        methods[path.stem] = partial(upscale, model=model)
    return methods


def means(protocol: str, answers: list, pairs: list, scale: int) -> str:
    rules = PROTOCOLS[protocol]
    compared = list(zip(answers, pairs, strict=True))
    psnr = fmean(rules.psnr(sr, pair.hr, scale=scale) for sr, pair in compared)
    ssim = fmean(rules.ssim(sr, pair.hr, scale=scale) for sr, pair in compared)
    return f"{psnr:.2f} / {ssim:.4f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]
    )


if __name__ == "__main__":
    main()
