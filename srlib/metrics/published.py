"""The numbers of the papers, and one model measured by all protocols beside its number."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from srlib.metrics.evaluation import Upscaler
from srlib.metrics.protocols import PROTOCOLS, Protocol

if TYPE_CHECKING:
    from srlib.data import Pair


@dataclass(frozen=True)
class Published:
    """A cell of a published table."""

    psnr: float  # dB
    ssim: float  # NaN on DIV2K, where the paper computed it across the channels
    protocol: str  # a name in PROTOCOLS
    source: str


_TABLE = pd.read_csv(Path(__file__).with_name("published.csv"))
# By method, set and scale, such as PUBLISHED["edsr-baseline", "Set5", 4].
PUBLISHED = {row[:3]: Published(*row[3:]) for row in _TABLE.itertuples(index=False)}


def protocol_sheet(
    upscaler: Upscaler, pairs: Iterable[Pair], *, scale: int, published: Published | None = None
) -> pd.DataFrame:
    """Measure one model on one set by every protocol.

    Args:
        upscaler: LR to SR, uint8.
        pairs: The pairs of the set, which are read one by one.
        scale: The scale of the model.
        published: The cell to compare with. Without one, the difference is to "benchmark-y" on the
            same pictures.

    Returns:
        One row per protocol: colour, border, psnr, ssim, published, difference (dB) and why. The
        last splits the difference into parts in dB that add up to it: each rule of the cell's
        protocol is exchanged for this one's, and the change measured. The rest, by the same
        protocol, comes from the model, or from LR images made in another way.
    """
    start = _psnr_rules(PROTOCOLS[published.protocol if published else "benchmark-y"])
    steps = {name: _steps(start, _psnr_rules(rules), scale) for name, rules in PROTOCOLS.items()}
    needed = {start, *(rules for row in steps.values() for rules in row.values())}
    scores = []
    for hr, lr, _ in pairs:
        sr = upscaler(lr)
        psnrs = {rules: rules.psnr(sr, hr, scale=scale) for rules in needed}
        ssims = {name: rules.ssim(sr, hr, scale=scale) for name, rules in PROTOCOLS.items()}
        scores.append(psnrs | ssims)
    if not scores:
        raise ValueError("There are no pairs to measure.")
    # A picture that is restored exactly has an infinite PSNR, and is left out.
    mean = pd.DataFrame(scores).replace(math.inf, math.nan).mean()
    reference = published.psnr if published else mean[start]
    rows = {}
    for name, rules in PROTOCOLS.items():
        before = mean[start]
        reasons = []
        if published:
            reasons.append(f"same protocol, model and LR images {before - reference:+.2f}")
        for change, changed_rules in steps[name].items():
            reasons.append(f"{change} {mean[changed_rules] - before:+.2f}")
            before = mean[changed_rules]
        rows[name] = {
            "colour": "Y" if rules.luma else "RGB",
            "border": rules.border(scale),
            "psnr": before,
            "ssim": mean[name],
            "published": published.psnr if published else math.nan,
            "difference": before - reference,
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
