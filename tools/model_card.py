"""Measure the embedded weights and write the figures into srlib/zoo/weights/MODEL_CARD.md.

    python tools/model_card.py --benchmarks BENCHMARKS --training TRAINING

BENCHMARKS holds <set>/X<scale>/{HR,LR} as made by MATLAB. TRAINING holds the folders x2, x3, x4,
x2photo, x3photo and x4photo that tools/train_bundled.py writes. Only the part of the card between
its <!-- figures --> marks is replaced.
"""

from __future__ import annotations

import argparse
import hashlib
from functools import partial
from pathlib import Path
from statistics import fmean

import pandas as pd

from srlib.data import PairedImages
from srlib.images.degrade import jpeg_round_trip
from srlib.images.resize import imresize
from srlib.metrics import PROTOCOLS
from srlib.model.cost import count_parameters
from srlib.upscaling.enlarge import upscale
from srlib.zoo.checkpoints import WEIGHTS_DIR, load_pretrained

CARD = WEIGHTS_DIR / "MODEL_CARD.md"
JPEG_QUALITY = 75
MARK = "<!-- figures -->"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--benchmarks", type=Path, required=True)
    parser.add_argument("--training", type=Path, required=True)
    args = parser.parse_args()
    before, _, after = CARD.read_text().split(MARK)
    figures = [
        files(),
        *(quality(args.benchmarks, name) for name in ("Set5", "Set14")),
        photo(args.benchmarks),
        curves(args.training),
    ]
    CARD.write_text(f"{before}{MARK}\n\n" + "\n\n".join(figures) + f"\n\n{MARK}{after}")


def files() -> str:
    rows = []
    for path in sorted(WEIGHTS_DIR.glob("*.safetensors")):
        scale = path.stem[-1]
        parameters = (
            count_parameters(load_pretrained(path, int(scale))) if scale.isdigit() else 1_735_488
        )
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append([path.name, f"{parameters:,}", f"{path.stat().st_size:,}", f"`{sha256}`"])
    return "### Files\n\n" + table(["file", "parameters", "bytes", "SHA-256"], rows)


def quality(benchmarks: Path, name: str) -> str:
    """Tabulate PSNR / SSIM of edsr-lite by every protocol, and of bicubic by the first one."""
    rows = []
    for scale in (2, 3, 4):
        pairs = list(
            PairedImages(
                benchmarks / name / f"X{scale}" / "HR",
                benchmarks / name / f"X{scale}" / "LR",
                scale=scale,
            )
        )
        model = load_pretrained("edsr-lite", scale)
        answers = [upscale(lr, model) for _, lr, _ in pairs]
        bicubic = [imresize(lr, scale, border="replicate") for _, lr, _ in pairs]
        first = next(iter(PROTOCOLS))
        rows.append(
            [
                f"x{scale}",
                means(first, bicubic, pairs, scale),
                *(means(p, answers, pairs, scale) for p in PROTOCOLS),
            ]
        )
    return f"### {name}: mean PSNR (dB) / SSIM\n\n" + table(
        ["scale", "bicubic, benchmark-y", *PROTOCOLS], rows
    )


def photo(benchmarks: Path) -> str:
    """Tabulate PSNR of bicubic, edsr-lite and edsr-lite-photo on JPEGs and on clean LR."""
    rules = PROTOCOLS["benchmark-y"]
    rows = []
    for scale in (2, 3, 4):
        clean = list(
            PairedImages(
                benchmarks / "Set14" / f"X{scale}" / "HR",
                benchmarks / "Set14" / f"X{scale}" / "LR",
                scale=scale,
            )
        )
        saved = [pair._replace(lr=jpeg_round_trip(pair.lr, JPEG_QUALITY)) for pair in clean]
        models = [load_pretrained(name, scale) for name in ("edsr-lite", "edsr-lite-photo")]
        upscalers = [
            lambda lr, scale=scale: imresize(lr, scale),
            *(partial(upscale, model=model) for model in models),
        ]
        scores = [
            fmean(rules.psnr(upscaler(pair.lr), pair.hr, scale=scale) for pair in pairs)
            for pairs in (saved, clean)
            for upscaler in upscalers
        ]
        rows.append([f"x{scale}", *(f"{score:.2f}" for score in scores)])
    names = [
        f"{name}, {kind}"
        for kind in ("JPEG", "clean")
        for name in ("bicubic", "edsr-lite", "edsr-lite-photo")
    ]
    title = f"### Set14, LR saved as JPEG of quality {JPEG_QUALITY} and clean"
    return f"{title}: mean PSNR (dB), benchmark-y\n\n{table(['scale', *names], rows)}"


def means(protocol: str, answers: list, pairs: list, scale: int) -> str:
    rules = PROTOCOLS[protocol]
    compared = list(zip(answers, pairs, strict=True))
    psnr = fmean(rules.psnr(sr, pair.hr, scale=scale) for sr, pair in compared)
    ssim = fmean(rules.ssim(sr, pair.hr, scale=scale) for sr, pair in compared)
    return f"{psnr:.2f} / {ssim:.4f}"


def curves(training: Path) -> str:
    parts = [
        "### Training curves",
        "Mean L1 loss of the last 1,000 steps, and RGB PSNR on 12 held-out photographs "
        "(border = scale).",
    ]
    for run in ("x2", "x3", "x4", "x2photo", "x3photo", "x4photo"):
        history = pd.read_csv(training / run / "history.csv")
        rows = [
            [f"{r.step:,}", f"{r.loss:.5f}", f"{r.valid_psnr_rgb:.3f}"]
            for r in history.itertuples()
        ]
        bicubic = f"bicubic: {history.bicubic_psnr_rgb.iloc[-1]:.3f}"
        parts += [
            f"{run.replace('photo', ', photo')}, {bicubic}",
            table(["step", "loss", "PSNR, dB"], rows),
        ]
    return "\n\n".join(parts)


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]
    )


if __name__ == "__main__":
    main()
