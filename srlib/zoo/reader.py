"""Weights out of a file made by somebody else: no code in it is run, no size in it is believed, what is wrong gets a sentence."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import safe_open
from torch import Tensor

from srlib.model.edsr import EDSRConfig

# Where the network is in a file that holds more than one; averaged weights (EMA) come first, since they are the better ones.
_WRAPPERS = ("params_ema", "average", "ema", "params", "model", "state_dict", "model_state_dict")
_PREFIXES = ("module.", "_orig_mod.")  # left by DataParallel and torch.compile
# What often lies where a weights file should, by its first bytes.
_NO_WEIGHTS = {
    b"<": "is a web page, perhaps the login or error page of the site that has the file: fetch it again",
    b"version https://git-lfs": "is Git LFS's note of where the file is, not the file: `git lfs pull` brings that",
}


class WeightsError(ValueError):
    """A weights file cannot be used; the message is a finished sentence."""


def state_dict_in(path: Path) -> tuple[dict[str, Tensor], str | None, EDSRConfig | None]:
    """The state dict, as it is but float32, the key it lay under, and the config that the file states.  Raises WeightsError."""
    content, config = _content(path)
    wrapper = None
    if isinstance(content, Mapping) and not _is_state_dict(content):
        wrapper = next((key for key in _WRAPPERS if _is_state_dict(content.get(key))), None)
        content = content.get(wrapper)
    if not _is_state_dict(content):
        network = "the weights of one network, which are names and plain tensors with their values"
        raise WeightsError(f"{path.name} holds something else than {network}.")
    # a tensor of any shape can be a view of one value, and takes memory as soon as it is computed with
    claimed, size = (
        sum(value.numel() * value.element_size() for value in content.values()),
        path.stat().st_size,
    )
    if claimed > size:
        raise WeightsError(
            f"{path.name} claims {claimed:,} bytes of weights and has {size:,}: it is not what it pretends to be."
        )
    try:
        weights = {key: value.detach().float() for key, value in content.items()}
    except RuntimeError as error:
        raise WeightsError(
            f"{path.name} holds numbers of a kind that cannot be calculated with: {error}."
        ) from error
    while prefix := next((p for p in _PREFIXES if all(key.startswith(p) for key in weights)), None):
        weights = {key.removeprefix(prefix): value for key, value in weights.items()}
    return weights, wrapper, config


def _content(path: Path) -> tuple[object, EDSRConfig | None]:
    """What is in the file, and the config it states.  Its first bytes say what it is, not its name."""
    try:
        with open(path, "rb") as file:
            start = file.read(1024)
    except FileNotFoundError:
        raise WeightsError(f"There is no weights file {path}.") from None
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.") from error
    for beginning, what in _NO_WEIGHTS.items():
        if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(beginning):
            raise WeightsError(f"{path.name} {what}.")
    try:
        if start[8:9] == b"{":
            return _safetensors(path)
        if start.startswith(b"PK"):
            _check_archive(path)
        with open(path, "rb") as file:  # of a path torch.load believes the suffix
            return torch.load(file, map_location="cpu", weights_only=True), None
    except WeightsError:
        raise
    except (
        Exception
    ) as error:  # what a damaged or hostile file raises depends on where it is damaged
        complaint = _complaint(path.name, error)
    raise WeightsError(
        complaint
    )  # alone: PyTorch's own text tells the reader how to run the code in the file


def _safetensors(path: Path) -> tuple[dict[str, Tensor], EDSRConfig | None]:
    with safe_open(path, "pt") as file:
        stated = (file.metadata() or {}).get("edsr_config")
        content = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118, it is no dict
    if not stated:
        return content, None
    config = EDSRConfig(**json.loads(stated))
    return content, replace(config, res_scale=float(config.res_scale))


def _check_archive(path: Path) -> None:
    """torch.load looks neither at the checksums of a .pt nor at what its records grow to when they are unpacked."""
    with zipfile.ZipFile(path) as archive:
        records = archive.infolist()
        if any(record.filename.endswith("/constants.pkl") for record in records):
            raise WeightsError(
                f"{path.name} is a TorchScript program; save its module's state_dict() and load that."
            )
        if sum(record.file_size for record in records) > path.stat().st_size:
            raise WeightsError(
                f"{path.name} is compressed, as torch.save leaves no file, and is refused: it may grow without end."
            )
        if has_checksums(path) and (damaged := archive.testzip()):
            raise WeightsError(
                f"{path.name} is damaged: the checksum of {damaged} in it does not fit.  Fetch it again."
            )


def has_checksums(path: Path) -> bool:
    """torch.save's old format has none, and set_crc32_options(False) leaves them out of the new one."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(record.CRC for record in archive.infolist())


def _complaint(name: str, error: Exception) -> str:
    said = str(error)
    if isinstance(error, UnpicklingError) and (wanted := re.search(r"GLOBAL (\S+)", said)):
        advice = "srlib never runs code from a file; ask for one that holds tensors alone, best as safetensors."
        return f"{name} wants to run {wanted[1]} when it is loaded, and {advice}"
    if isinstance(error, UnpicklingError) or "weights_only" in said:
        said = "it holds no state dict as torch.save writes one"
    return (
        f"{name} is damaged or no weights file: {(said.splitlines() or [type(error).__name__])[0]}"
    )


def _is_state_dict(content) -> bool:
    """Names and plain tensors; whoever wants another kind of tensor (sparse, quantised, meta, complex) has no EDSR for us."""
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(
            isinstance(key, str) and isinstance(value, Tensor) and _is_plain(value)
            for key, value in content.items()
        )
    )


def _is_plain(value: Tensor) -> bool:
    return (
        value.layout == torch.strided
        and value.device.type == "cpu"
        and not (value.is_complex() or value.is_quantized)
    )
