"""Measure the embedded weights and write the figures into srlib/weights/MODEL_CARD.md.

    python tools/model_card.py --benchmarks BENCHMARKS --training TRAINING

BENCHMARKS has <set>/X<scale>/{HR,LR} as MATLAB made them, TRAINING the x2, x3 and x4 folders of tools/train_bundled.py.  The
text of the card is kept; what stands between its <!-- figures --> marks is replaced.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import pandas as pd

from srlib.data import PairedImages
from srlib.metrics import PROTOCOLS
from srlib.model import count_parameters
from srlib.resize import imresize
from srlib.upscale import upscale
from srlib.zoo import WEIGHTS_DIR, load_pretrained

CARD = WEIGHTS_DIR / "MODEL_CARD.md"
MARK = "<!-- figures -->"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmarks", type=Path, required=True)
    parser.add_argument("--training", type=Path, required=True)
    args = parser.parse_args()
    before, _, after = CARD.read_text().split(MARK)
    figures = [files(), *(quality(args.benchmarks, name) for name in ("Set5", "Set14")), curves(args.training)]
    CARD.write_text(f"{before}{MARK}\n\n" + "\n\n".join(figures) + f"\n\n{MARK}{after}")


def files() -> str:
    rows = []
    for path in sorted(WEIGHTS_DIR.glob("*.safetensors")):
        scale = path.stem[-1]
        parameters = count_parameters(load_pretrained("edsr-lite", int(scale))) if scale.isdigit() else 1_735_488
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append([path.name, f"{parameters:,}", f"{path.stat().st_size:,}", f"`{sha256}`"])
    return "### Files\n\n" + table(["file", "parameters", "bytes", "SHA-256"], rows)


def quality(benchmarks: Path, name: str) -> str:
    """PSNR / SSIM of edsr-lite by every protocol, with bicubic's under the first one, the protocol of most papers."""
    rows = []
    for scale in (2, 3, 4):
        pairs = list(PairedImages(benchmarks / name / f"X{scale}" / "HR", benchmarks / name / f"X{scale}" / "LR", scale=scale))
        model = load_pretrained("edsr-lite", scale)
        answers = [upscale(lr, model) for _, lr, _ in pairs]
        bicubic = [imresize(lr, scale, border="replicate") for _, lr, _ in pairs]
        first = next(iter(PROTOCOLS))
        rows.append([f"x{scale}", means(first, bicubic, pairs, scale), *(means(p, answers, pairs, scale) for p in PROTOCOLS)])
    return f"### {name}: mean PSNR (dB) / SSIM\n\n" + table(["scale", "bicubic, benchmark-y", *PROTOCOLS], rows)


def means(protocol: str, answers: list, pairs: list, scale: int) -> str:
    rules, together = PROTOCOLS[protocol], list(zip(answers, pairs, strict=True))
    psnr = sum(rules.psnr(sr, pair.hr, scale=scale) for sr, pair in together) / len(pairs)
    ssim = sum(rules.ssim(sr, pair.hr, scale=scale) for sr, pair in together) / len(pairs)
    return f"{psnr:.2f} / {ssim:.4f}"


def curves(training: Path) -> str:
    parts = [
        "### Training curves",
        "Mean L1 loss of the last 1,000 steps, and RGB PSNR on 12 held-out photographs (border = scale).",
    ]
    for scale in (2, 3, 4):
        history = pd.read_csv(training / f"x{scale}" / "history.csv")
        rows = [[f"{r.step:,}", f"{r.loss:.5f}", f"{r.valid_psnr_rgb:.3f}"] for r in history.itertuples()]
        bicubic = f"bicubic: {history.bicubic_psnr_rgb.iloc[-1]:.3f}"
        parts += [f"x{scale}, {bicubic}", table(["step", "loss", "PSNR, dB"], rows)]
    return "\n\n".join(parts)


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])


if __name__ == "__main__":
    main()
