"""The numbers of the papers, and one model measured by all protocols beside its number (notebook 06)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from srlib.data.patches import Pair
from srlib.metrics.evaluation import Upscaler
from srlib.metrics.protocols import PROTOCOLS, Protocol

_PAPER = "Lim et al. 2017, as repeated in later papers"
_TORCHSR = "torchSR's measurement of the official weights"
_OFFICIAL = "the official repository, EDSR-PyTorch"


@dataclass(frozen=True)
class Published:
    """A cell of a published table: PSNR in dB and SSIM (None where it cannot be compared), by which protocol, and from where."""

    psnr: float
    ssim: float | None
    protocol: str
    source: str


# set, scale: bicubic, EDSR-baseline, EDSR, each PSNR and SSIM on Y
_ON_Y = {
    ("Set5", 2): (33.66, 0.9299, 37.98, 0.9604, 38.11, 0.9601),
    ("Set5", 3): (30.39, 0.8682, 34.37, 0.9270, 34.65, 0.9282),
    ("Set5", 4): (28.42, 0.8104, 32.09, 0.8936, 32.46, 0.8968),
    ("Set14", 2): (30.24, 0.8688, 33.57, 0.9174, 33.92, 0.9195),
    ("Set14", 3): (27.55, 0.7742, 30.28, 0.8414, 30.52, 0.8462),
    ("Set14", 4): (26.00, 0.7027, 28.58, 0.7804, 28.80, 0.7876),
    ("B100", 2): (29.56, 0.8431, 32.15, 0.8993, 32.32, 0.9013),
    ("B100", 3): (27.21, 0.7385, 29.08, 0.8051, 29.25, 0.8093),
    ("B100", 4): (25.96, 0.6675, 27.56, 0.7354, 27.71, 0.7420),
    ("Urban100", 2): (26.88, 0.8403, 31.98, 0.9271, 32.93, 0.9351),
    ("Urban100", 3): (24.46, 0.7349, 28.15, 0.8520, 28.80, 0.8653),
    ("Urban100", 4): (23.14, 0.6577, 26.03, 0.7842, 26.64, 0.8033),
}
# DIV2K's validation set in RGB, PSNR alone: the paper's SSIM there was computed across the channels, as a volume
_ON_DIV2K = {2: (31.01, 34.61, 35.03), 3: (28.22, 30.92, 31.26), 4: (26.66, 28.95, 29.25)}
_METHODS = ("bicubic", "edsr-baseline", "edsr")

# (method, set, scale): a cell, such as PUBLISHED["edsr-baseline", "Set5", 4]
PUBLISHED = {
    (method, set_name, scale): Published(*cells[2 * i : 2 * i + 2], "benchmark-y", _TORCHSR if i == 1 else _PAPER)
    for (set_name, scale), cells in _ON_Y.items() for i, method in enumerate(_METHODS)
} | {
    (method, "DIV2K", scale): Published(psnr, None, "div2k-rgb", _OFFICIAL)
    for scale, cells in _ON_DIV2K.items() for method, psnr in zip(_METHODS, cells, strict=True)
}  # fmt: skip


def protocol_sheet(
    upscaler: Upscaler, pairs: Iterable[Pair], *, scale: int, published: Published | None = None
) -> pd.DataFrame:
    """One model on one set by every protocol: colour, border, psnr, ssim, published, difference (dB) and why.

    published: the cell to hold the numbers against; without one, the difference is to "benchmark-y" on the same pictures.  why
    takes the difference apart, choice by choice, in dB that add up to it: each choice of the cell's protocol is exchanged for
    this one's and measured.  What is left by the same protocol is the share of the model, or of LR images made otherwise.
    """
    start = _nameless(PROTOCOLS[published.protocol if published else "benchmark-y"])
    steps = {name: _steps(start, _nameless(rules), scale) for name, rules in PROTOCOLS.items()}
    needed = {rules for way in steps.values() for _, rules in way} | {start}
    scores: dict = {}
    for hr, lr, _ in pairs:
        sr = upscaler(lr)
        for rules in needed:
            scores.setdefault(rules, []).append(rules.psnr(sr, hr, scale=scale))
        for name, rules in PROTOCOLS.items():
            scores.setdefault(name, []).append(rules.ssim(sr, hr, scale=scale))
    mean = {key: float(np.mean(values)) for key, values in scores.items()}
    before = published.psnr if published else mean[start]
    rows = {
        name: {
            "colour": "Y" if rules.luma else "RGB",
            "border": rules.border(scale),
            "psnr": mean[_nameless(rules)],
            "ssim": mean[name],
            "published": published.psnr if published else math.nan,
            "difference": mean[_nameless(rules)] - before,
            "why": _why(steps[name], start, mean, before if published else None),
        }
        for name, rules in PROTOCOLS.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("protocol")


def _nameless(rules: Protocol) -> Protocol:
    """What PSNR depends on, and nothing else."""
    return replace(rules, name="", window="gaussian")


def _steps(start: Protocol, goal: Protocol, scale: int) -> list[tuple[str, Protocol]]:
    """The choices in which two protocols differ, one after the other: what is exchanged, and the rules after that."""
    changes = {
        "RGB for Y" if start.luma else "Y for RGB": {"luma": goal.luma},
        "Y in integers" if goal.round_luma else "Y not rounded": {"round_luma": goal.round_luma},
        f"border {goal.border(scale)} for {start.border(scale)}": {
            "border_per_scale": goal.border_per_scale,
            "border_extra": goal.border_extra,
        },
    }
    way, rules = [], start
    for what, change in changes.items():
        if replace(rules, **change) != rules:
            rules = replace(rules, **change)
            way.append((what, rules))
    return way


def _why(
    way: list[tuple[str, Protocol]], start: Protocol, mean: dict, published: float | None
) -> str:
    parts = (
        []
        if published is None
        else [f"same protocol, model and LR images {mean[start] - published:+.2f}"]
    )
    last = mean[start]
    for what, rules in way:
        parts.append(f"{what} {mean[rules] - last:+.2f}")
        last = mean[rules]
    return "; ".join(parts) or "the one to compare with"
