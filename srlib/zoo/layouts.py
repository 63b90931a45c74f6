"""Whose weights are these?  The key layouts of EDSR met in the wild, and their way into the official one (notebook 02)."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from srlib.model.edsr import EDSR, RGB_MEAN, SCALES, EDSRConfig, config_from_state_dict, count_macs

Weights = dict[str, Tensor]

SHIFTS = tuple(
    f"{shift}.{part}" for shift in ("sub_mean", "add_mean") for part in ("weight", "bias")
)
_BASICSR = {
    r"conv_first\.": "head.0.",
    r"body\.(\d+)\.conv1\.": r"body.\1.body.0.",
    r"body\.(\d+)\.conv2\.": r"body.\1.body.2.",
    r"upsample\.(\d)\.": r"tail.0.\1.",
    r"conv_last\.": "tail.1.",
}
# The keys that only this architecture has, most telling first.
_FOREIGN = {
    r"^pre_process\.": "MDSR, one body for three scales",
    r"\.conv_du\.|\.rcab\.": "RCAN, which has channel attention",
    r"relative_position_index_SA|overlap_attn": "HAT, a transformer",
    r"relative_position_bias_table": "SwinIR, a transformer",
    r"\.rdb\d\.conv\d|\.RDB\d\.conv\d": "ESRGAN's generator (RRDB)",
    r"^RDBs\.": "RDN, which has dense blocks",
    r"\.running_mean$": "SRResNet or another network with batch norm",
    r"^upconv\d\.": "SRResNet without batch norm (BasicSR's MSRResNet)",
    r"^tail\.0\.4\.": "EDSR for x8",
    r"^body\.0\.weight$": "Real-ESRGAN's compact network",
    r"^(features\.\d+|conv\d_\d)\.|^classifier\.": "VGG or another image classifier",
}


def to_official(
    found: Weights, *, super_image: bool = False, res_scale: float | None = None
) -> tuple[str | None, Weights]:
    """The layout, and the weights as our EDSR takes them: official names, and biases and mean shift for RGB in [0, 255].

    super_image: it is known that they are super-image's.  res_scale: theirs, where it is known.  A layout of None: the names are
    nobody's, the weights as they came.
    """
    if "conv_first.weight" in found and "conv_after_body.weight" in found:
        return "BasicSR", _shifted(_renamed(found))
    if "head.0.weight" not in found:
        return None, found
    official, plain = "EDSR-PyTorch (also torchSR and srlib)", "super-image, no mean shift"
    bias = found.get("sub_mean.bias")
    if (
        bias is not None
        and bias.shape == (3,)
        and torch.allclose(bias, -torch.tensor(RGB_MEAN), atol=1e-3)
    ):
        return "EDSR-PyTorch, trained on RGB in [0, 1]", _biases_for_255(found)
    readings = {official: found if bias is not None else _shifted(found), plain: _plain(found)}
    layout = (
        plain
        if super_image
        else _reading(readings, res_scale) or (plain if bias is None else official)
    )
    return layout, readings[layout]


def _renamed(found: Weights) -> Weights:
    """BasicSR's key names to the official ones."""
    blocks = {int(m[1]) for key in found if (m := re.match(r"body\.(\d+)\.conv1\.", key))}
    rules = _BASICSR | {r"conv_after_body\.": f"body.{len(blocks)}."}
    renamed = {}
    for key, value in found.items():
        rule = next((rule for rule in rules if re.match(rule, key)), None)
        renamed[re.sub(rule, rules[rule], key, count=1) if rule else key] = value
    return renamed


def _mean_shift(size: float) -> Weights:
    eye, mean = torch.eye(3).view(3, 3, 1, 1), size * 255 * torch.tensor(RGB_MEAN)
    return dict(zip(SHIFTS, (eye, -mean, eye.clone(), mean), strict=True))


def _shifted(found: Weights) -> Weights:
    return _mean_shift(1) | found


def _plain(found: Weights) -> Weights:
    """Trained on [0, 1] without mean shift.  super-image's files carry the official shift all the same, and do not use it."""
    return _biases_for_255(found) | _mean_shift(0)


def _biases_for_255(found: Weights) -> Weights:
    """To 255 times the input, convolutions and ReLUs give 255 times the answer if their biases are 255 times as large."""
    return {key: value * 255 if key.endswith(".bias") else value for key, value in found.items()}


def _reading(readings: dict[str, Weights], res_scale: float | None) -> str | None:
    """Which reading of one file enlarges flat colours to themselves, as trained networks do; None if none does."""
    colours = torch.tensor([[0.5, 0.5, 0.5], [0.9, 0.6, 0.3], [0.1, 0.25, 0.4]])
    errors = {}
    for layout, weights in readings.items():
        try:
            config = config_from_state_dict(weights, res_scale=res_scale)
            if not enough_values(weights, config):
                return None
            model = EDSR(config)
            model.load_state_dict(weights)
        except (
            ValueError,
            RuntimeError,
            IndexError,
            ZeroDivisionError,
        ):  # the caller says what is wrong with them
            return None
        with torch.inference_mode():
            sr = model(colours.view(3, 3, 1, 1).expand(-1, -1, 16, 16))
        middle = sr.shape[-1] // 2
        errors[layout] = 255 * (sr[:, :, middle, middle] - colours).abs().mean().item()
    best = min(errors, key=errors.get)
    return best if errors[best] < 2 else None


def enough_values(weights: Weights, config: EDSRConfig) -> bool:
    """Whether there are nearly as many as an EDSR of this config has: a false file could else ask for all the memory there is."""
    return count_macs(config, 1, 1) < 8 * sum(
        value.numel() for value in weights.values()
    )  # a true one has under 4 each


def foreign_sentence(found: Weights) -> str:
    """What another architecture seems to be, and what it lacks, in a sentence; "" if no key tells."""
    names = (
        name for pattern, name in _FOREIGN.items() if any(re.search(pattern, key) for key in found)
    )
    if not (name := next(names, None)):
        return ""
    needed = (
        "head.0.weight",
        "body.0.body.0.weight",
        "body.0.body.2.weight",
        "tail.0.0.weight",
        "tail.1.weight",
    )
    missing = some([key for key in needed if key not in found])
    lacks = (
        f"for an EDSR it lacks {missing}"
        if missing
        else f"srlib has EDSR for x{', x'.join(map(str, SCALES))} only"
    )
    return f"It seems to be {name}; {lacks}."


def some(items: list[str]) -> str:
    return ", ".join(items[:4]) + (f" and {len(items) - 4} more" if len(items) > 4 else "")
