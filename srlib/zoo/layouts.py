"""The key layouts of EDSR found in practice, and how each becomes the official one."""

import re
from collections.abc import Iterable

import torch
from torch import Tensor

from srlib.model.edsr import EDSR, RGB_MEAN, EDSRConfig, config_from_state_dict

Weights = dict[str, Tensor]

PLAIN = {"dtype": torch.float32, "device": "cpu"}  # whatever the caller's defaults are
SHIFTS = ("sub_mean.weight", "sub_mean.bias", "add_mean.weight", "add_mean.bias")
_FIRST_CONVOLUTIONS = ("head.0.weight", "conv_first.weight")  # official, BasicSR
_BASICSR = {
    r"^conv_first\.": "head.0.",
    r"^body\.(\d+)\.conv1\.": r"body.\1.body.0.",
    r"^body\.(\d+)\.conv2\.": r"body.\1.body.2.",
    r"^upsample\.(\d)\.": r"tail.0.\1.",
    r"^conv_last\.": "tail.1.",
}


def prefixes(keys: Iterable[str]) -> list[str]:
    """List the prefixes under which an EDSR may be stored, such as "module." or ""."""
    pattern = "|".join(map(re.escape, _FIRST_CONVOLUTIONS))
    matches = (re.fullmatch(rf"((?:.+\.)?)(?:{pattern})", key) for key in keys)
    return [match[1] for match in matches if match]


def to_official(found: Weights, res_scale: float | None = None) -> tuple[str | None, Weights]:
    """Convert weights to the official key names, with biases and mean shift for RGB in [0, 255].

    Returns:
        The layout's name and the converted weights; None and `found` if the layout is unknown.
    """
    if "conv_first.weight" in found and "conv_after_body.weight" in found:
        return "BasicSR", _mean_shift(1) | _official_names(found)
    if "head.0.weight" not in found:
        return None, found
    bias = found.get("sub_mean.bias")
    unit_bias = -torch.tensor(RGB_MEAN, **PLAIN)
    if bias is not None and bias.shape == (3,) and torch.allclose(bias, unit_bias, atol=1e-3):
        return "EDSR-PyTorch, trained on RGB in [0, 1]", _with_biases_for_255(found)
    official = "EDSR-PyTorch (also torchSR and srlib)"
    plain = "super-image, no mean shift"  # its files store the official shift and do not use it
    readings = {
        official: found if bias is not None else _mean_shift(1) | found,
        plain: _with_biases_for_255(found) | _mean_shift(0),
    }
    errors = {layout: _colour_error(readings[layout], res_scale) for layout in readings}
    layout = min(errors, key=errors.get)
    if not errors[layout] < 2:  # neither is a trained network
        layout = plain if bias is None else official
    return layout, readings[layout]


def assemble(weights: Weights, config: EDSRConfig) -> EDSR:
    """Make an EDSR of these tensors, uncopied. RuntimeError if a name or shape is wrong."""
    with torch.device("meta"):  # no memory, and no random numbers
        model = EDSR(config)
    model.load_state_dict(weights, assign=True)
    return model.eval()


def _official_names(found: Weights) -> Weights:
    n_resblocks = sum(key.endswith(".conv1.weight") for key in found)
    rules = _BASICSR | {r"^conv_after_body\.": f"body.{n_resblocks}."}
    renamed = {}
    for key, value in found.items():
        for pattern, name in rules.items():
            key = re.sub(pattern, name, key)
        renamed[key] = value
    return renamed


def _mean_shift(size: float) -> Weights:
    """Make the tensors of both mean shifts; size 0 makes shifts that do nothing."""
    eye = torch.eye(3, **PLAIN).view(3, 3, 1, 1)
    mean = size * 255 * torch.tensor(RGB_MEAN, **PLAIN)
    return dict(zip(SHIFTS, (eye, -mean, eye.clone(), mean), strict=True))


def _with_biases_for_255(found: Weights) -> Weights:
    """Adapt a network for [0, 1]: convolutions and ReLUs scale with their input and biases."""
    return {key: value * 255 if key.endswith(".bias") else value for key, value in found.items()}


def _colour_error(weights: Weights, res_scale: float | None) -> float:
    """Measure how many levels of 255 flat colours are off; a trained network keeps them."""
    try:
        model = assemble(weights, config_from_state_dict(weights, res_scale=res_scale))
    except (ValueError, RuntimeError, IndexError, ZeroDivisionError):  # the passport says why
        return float("inf")
    colours = torch.tensor([[0.5, 0.5, 0.5], [0.9, 0.6, 0.3], [0.1, 0.25, 0.4]], **PLAIN)
    with torch.inference_mode():
        sr = model(colours.view(3, 3, 1, 1).expand(-1, -1, 16, 16))
    middle = sr.shape[-1] // 2
    return 255 * (sr[:, :, middle, middle] - colours).abs().mean().item()
