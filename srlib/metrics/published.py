"""The numbers of the papers, and one model measured by all protocols beside its number."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from srlib.metrics.evaluation import Upscaler
from srlib.metrics.protocols import PROTOCOLS, ImageTooSmallError, Protocol

if TYPE_CHECKING:
    from srlib.data import Pair

_PAPER = "Lim et al. 2017, as repeated in later papers"
_TORCHSR = "torchSR's measurement of the official weights"
_OFFICIAL = "the official repository, EDSR-PyTorch"


@dataclass(frozen=True)
class Published:
    """A cell of a published table.

    Attributes:
        psnr: In dB.
        ssim: None where it cannot be compared.
        protocol: A name in PROTOCOLS.
        source: Where the numbers come from.
    """

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
# DIV2K's validation set in RGB. PSNR alone: the paper computed SSIM across the channels.
_ON_DIV2K = {2: (31.01, 34.61, 35.03), 3: (28.22, 30.92, 31.26), 4: (26.66, 28.95, 29.25)}
_METHODS = ("bicubic", "edsr-baseline", "edsr")


def _published() -> dict[tuple[str, str, int], Published]:
    cells = {}
    for (set_name, scale), row in _ON_Y.items():
        for method, psnr, ssim in zip(_METHODS, row[::2], row[1::2], strict=True):
            source = _TORCHSR if method == "edsr-baseline" else _PAPER
            cells[method, set_name, scale] = Published(psnr, ssim, "benchmark-y", source)
    for scale, row in _ON_DIV2K.items():
        for method, psnr in zip(_METHODS, row, strict=True):
            cells[method, "DIV2K", scale] = Published(psnr, None, "div2k-rgb", _OFFICIAL)
    return cells


# By method, set and scale, such as PUBLISHED["edsr-baseline", "Set5", 4].
PUBLISHED = _published()


def protocol_sheet(
    upscaler: Upscaler, pairs: Iterable[Pair], *, scale: int, published: Published | None = None
) -> pd.DataFrame:
    """Measure one model on one set by every protocol.

    Args:
        upscaler: LR to SR, uint8.
        pairs: Of the set; they are read one by one.
        scale: The scale of the model.
        published: The cell to compare with. Without one, the difference is to "benchmark-y" on the
            same pictures.

    Returns:
        One row per protocol: colour, border, psnr, ssim, published, difference (dB) and why. The
        last takes the difference apart in dB that add up to it: each choice of the cell's protocol
        is exchanged for this one's and measured. The rest, by the same protocol, is the share of
        the model, or of LR images made otherwise.
    """
    start = _psnr_rules(PROTOCOLS[published.protocol if published else "benchmark-y"])
    steps = {name: _steps(start, _psnr_rules(rules), scale) for name, rules in PROTOCOLS.items()}
    needed = {start} | {rules for row in steps.values() for rules in row.values()}
    scores: dict = {}
    for hr, lr, _ in pairs:
        sr = upscaler(lr)
        for rules in needed:
            scores.setdefault(rules, []).append(rules.psnr(sr, hr, scale=scale))
        for name, rules in PROTOCOLS.items():
            with suppress(ImageTooSmallError):
                scores.setdefault(name, []).append(rules.ssim(sr, hr, scale=scale))
    # A picture that is restored exactly has an infinite PSNR, and is left out.
    mean = {
        key: float(pd.Series(values)[np.isfinite(values)].mean()) for key, values in scores.items()
    }
    rows = {}
    for name, rules in PROTOCOLS.items():
        psnr = mean[_psnr_rules(rules)]
        reasons = []
        if published:
            reasons.append(
                f"same protocol, model and LR images {mean[start] - published.psnr:+.2f}"
            )
        before = mean[start]
        for change, changed_rules in steps[name].items():
            reasons.append(f"{change} {mean[changed_rules] - before:+.2f}")
            before = mean[changed_rules]
        rows[name] = {
            "colour": "Y" if rules.luma else "RGB",
            "border": rules.border(scale),
            "psnr": psnr,
            "ssim": mean[name],
            "published": published.psnr if published else math.nan,
            "difference": psnr - (published.psnr if published else mean[start]),
            "why": "; ".join(reasons) or "the one to compare with",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("protocol")


def _psnr_rules(rules: Protocol) -> Protocol:
    """The protocol reduced to the rules that PSNR depends on."""
    return replace(rules, name="", window="gaussian")


def _steps(start: Protocol, goal: Protocol, scale: int) -> dict[str, Protocol]:
    """The choices in which two protocols differ, and the rules once each has been exchanged."""
    border = {"border_per_scale": goal.border_per_scale, "border_extra": goal.border_extra}
    changes = {
        "RGB for Y" if start.luma else "Y for RGB": {"luma": goal.luma},
        "Y in integers" if goal.round_luma else "Y not rounded": {"round_luma": goal.round_luma},
        f"border {goal.border(scale)} for {start.border(scale)}": border,
    }
    steps = {}
    rules = start
    for name, change in changes.items():
        if replace(rules, **change) != rules:
            rules = replace(rules, **change)
            steps[name] = rules
    return steps
