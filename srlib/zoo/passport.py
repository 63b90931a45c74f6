"""The passport of a weights file: whose layout it has, which EDSR it holds, and how it becomes one of ours (notebook 02)."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from srlib.files.download import sha256_of
from srlib.model.edsr import EDSR, EDSRConfig, config_from_state_dict
from srlib.zoo.layouts import SHIFTS, Weights, enough_values, foreign_sentence, some, to_official
from srlib.zoo.reader import state_dict_in


@dataclass(frozen=True)
class Passport:
    """What a weights file is.

    layout: whose key names it has, or None if they are nobody's that srlib knows.  config: the EDSR in it, if one is.
    res_scale_from: how its res_scale is known, since weights do not show it.  parameters: without the 24 values of the mean
    shifts.  sha256: of the file's bytes.  tensors_sha256: of the network as srlib would load it, the same for the same weights
    in another layout or another pickle.  problems: what would not load, as sentences; none, if `load_pretrained` takes it.
    """

    file: str
    layout: str | None
    config: EDSRConfig | None
    res_scale_from: str
    parameters: int
    sha256: str
    tensors_sha256: str
    problems: tuple[str, ...] = ()

    @property
    def loads(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        rows = [("layout", self.layout or "unknown")]
        if c := self.config:
            rows.append(
                (
                    "network",
                    f"EDSR x{c.scale}, {c.n_resblocks} blocks, {c.n_feats} features, res_scale {c.res_scale:g}",
                )
            )
            rows.append(("res_scale", self.res_scale_from))
        rows += [
            ("parameters", f"{self.parameters:,}"),
            ("sha256", self.sha256),
            ("tensors", self.tensors_sha256),
        ]
        rows += [("would not load", problem) for problem in self.problems] or [
            ("loads", "yes, strictly")
        ]
        return "\n".join([self.file, *(f"  {name:<14}  {text}" for name, text in rows)])


def inspect_checkpoint(path: str | os.PathLike) -> Passport:
    """The passport of a weights file (.safetensors, or what torch.save wrote).  No code in the file is run.

    Raises WeightsError if the file is missing, damaged, wants to run code, or holds no network's weights.
    """
    return open_checkpoint(path)[0]


def open_checkpoint(
    path: str | os.PathLike, *, known: EDSRConfig | None = None, res_scale: float | None = None
) -> tuple[Passport, Weights]:
    """The passport and the weights under the official key names, float32, scaled for srlib's EDSR.  Raises as the former.

    known: what the file is known to hold, in the official layout, say by its hash; it is then checked and not guessed.
    res_scale: goes before what the file says and what would be assumed.
    """
    path = Path(path)
    found, wrapper, stored = state_dict_in(path)
    if (stored := known or stored) and res_scale is not None:
        stored = replace(stored, res_scale=res_scale)
    beside = _super_image_config(path, found)
    named = re.fullmatch(
        r"pytorch_model(_\dx)?\.(pt|bin)", path.name
    )  # as super-image names its files
    super_image = bool(beside or named)
    layout, weights = (
        ("srlib", found)
        if stored
        else to_official(found, super_image=super_image, res_scale=res_scale)
    )
    res_scale, source = (
        (res_scale, "given") if res_scale is not None else _res_scale(stored, beside, weights)
    )
    try:
        config = config_from_state_dict(weights, res_scale=res_scale)
        problems = _differences(weights, config)
        if stored and stored != config:
            problems.append(f"It should be {stored}, and its weights are those of {config}.")
    except (ValueError, IndexError, ZeroDivisionError) as error:
        layout, config, problems = None, None, [str(error)]
    if problems and (foreign := foreign_sentence(found)):
        layout, config, problems = None, None, [foreign]
    if damaged := [key for key, value in weights.items() if not value.isfinite().all()]:
        problems.append(f"Not finite: {some(damaged)}; this training has diverged.")
    if layout and wrapper:
        layout += f", from {wrapper!r} of a checkpoint with more in it"
    trained = sum(value.numel() for key, value in weights.items() if key not in SHIFTS)
    return Passport(
        path.name, layout, config, source, trained, sha256_of(path), _hash(weights), tuple(problems)
    ), weights


def read_weights(path: str | os.PathLike) -> tuple[Weights, EDSRConfig | None]:
    """The state dict in a file, as it is but float32, and the config the file states, if it does.  Raises WeightsError."""
    weights, _, config = state_dict_in(Path(path))
    return weights, config


def _super_image_config(path: Path, found: Weights) -> dict | None:
    """super-image keeps its hyper-parameters in config.json beside the weights; None, unless they are those of this file."""
    try:
        config = json.loads(path.with_name("config.json").read_text())
        same = config["model_type"] == "EDSR" and config["n_feats"] == len(found["head.0.weight"])
        return config if same and isinstance(config["res_scale"], (int, float)) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _res_scale(
    stored: EDSRConfig | None, beside: dict | None, weights: Weights
) -> tuple[float | None, str]:
    if stored:
        return stored.res_scale, "read from the file's metadata"
    if beside:
        return float(beside["res_scale"]), "read from config.json beside the file"
    assumed = "assumed, since weights do not show it: "
    head = weights.get("head.0.weight")
    if head is not None and len(head.shape) and len(head) >= 256:
        return None, assumed + "the authors trained 256 features with 0.1, and they diverge without"
    return None, assumed + "the authors trained fewer than 256 features with 1"


def _differences(weights: Weights, config: EDSRConfig) -> list[str]:
    """Sentences on every key that strict loading would stumble over."""
    if not enough_values(weights, config):
        return [
            f"It has the names of {config}, and only {sum(v.numel() for v in weights.values()):,} values."
        ]
    expected = {key: tuple(value.shape) for key, value in EDSR(config).state_dict().items()}
    shapes = {key: tuple(value.shape) for key, value in weights.items()}
    changed = [
        f"{k} is {shapes[k]} instead of {v}" for k, v in expected.items() if shapes.get(k, v) != v
    ]
    missing = [key for key in expected if key not in shapes]
    surplus = [key for key in shapes if key not in expected]
    sentences = (
        (missing, "Missing: {}."),
        (surplus, "An EDSR has no {}."),
        (changed, "Wrong shapes: {}."),
    )
    return [sentence.format(some(items)) for items, sentence in sentences if items]


def _hash(weights: Weights) -> str:
    digest = hashlib.sha256()
    for key in sorted(weights):
        digest.update(f"{key} {tuple(weights[key].shape)} ".encode())
        digest.update(weights[key].contiguous().numpy())
    return digest.hexdigest()
