"""Read weights from a stranger's file: no code in it runs, and no size it claims is trusted."""

import hashlib
import json
import os
import re
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from srlib.errors import SRError
from srlib.files.whole import as_path, open_regular
from srlib.model.edsr import EDSRConfig
from srlib.zoo.layouts import Weights, prefixes

_DEEPEST = 8  # levels of mappings in a file that are searched for weights
# Averaged weights are the better ones, so they are preferred where a file has both.
_AVERAGED = re.compile(r"(?<![a-z])ema(?![a-z])|averag", re.IGNORECASE)


class WeightsError(SRError, ValueError):
    """A weights file cannot be used. The message is a sentence that says why."""


class _Inert:
    """Stands in for a NumPy value: accepts any arguments and does nothing."""

    def __init__(self, *args: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass


# Checkpoints hold NumPy values, such as the best PSNR so far. NumPy's own functions are not safe
# against crafted arguments, so their names are let through to a stand-in.
_NUMPY_NAMES = ["numpy.dtype", "numpy.ndarray"]
for _core in ("numpy.core", "numpy._core"):
    _NUMPY_NAMES += [f"{_core}.multiarray.scalar", f"{_core}.multiarray._reconstruct"]
_ALLOWED = [(_Inert, name) for name in _NUMPY_NAMES]
_allowed_lock = threading.Lock()  # PyTorch keeps one list of allowed names for all threads


@dataclass(frozen=True)
class StoredWeights:
    """The weights of one network as a file stores them.

    Attributes:
        path: The file.
        weights: float32 tensors by name, without the prefix of a module around the network.
        place: Where in the file they are, in words; "" if the file holds nothing else.
        config: The config in the file's metadata; None if there is none.
    """

    path: Path
    weights: Weights
    place: str
    config: EDSRConfig | None


def read_weights(path: str | os.PathLike) -> StoredWeights:
    """Read the weights of the network in a file, in float32, and its config.

    Args:
        path: A file that safetensors or torch.save wrote.

    Raises:
        WeightsError: The file is missing, damaged, wants to run code, or holds no network.
    """
    path = as_path(path)
    content, metadata = load_content(path)
    weights, place = _network_in(content, path)
    config = None
    for name, text in metadata.items():
        # A flipped bit may be in the entry's name too.
        if name == "edsr_config" or '"checksum"' in text:
            config = _config_in(text, weights, path)
    return StoredWeights(path, weights, place, config)


def _config_in(text: str, weights: Weights, path: Path) -> EDSRConfig:
    """Read the config in a file's metadata, and compare the checksum beside it."""
    try:
        fields = dict(json.loads(text))
        stored_checksum = fields.pop("checksum", None)
        config = EDSRConfig(**fields)
    except (ValueError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{path.name} has an unusable config in its metadata: {error}"
        ) from error
    if stored_checksum not in (None, checksum(config, weights)):
        raise WeightsError(f"{path.name} is damaged: its checksum does not fit. Fetch it again.")
    return config


def tensors_sha256(weights: Weights) -> str:
    """Hash names, shapes and float32 values, whichever file they are stored in."""
    digest = hashlib.sha256()
    for key in sorted(weights):
        value = weights[key].detach().float().cpu().contiguous()
        digest.update(f"{key} {tuple(value.shape)} ".encode())
        digest.update(value.numpy())
    return digest.hexdigest()


def checksum(config: EDSRConfig, weights: Weights) -> str:
    """Make the checksum that srlib's own files carry, of their config and tensors."""
    return hashlib.sha256(f"{config} {tensors_sha256(weights)}".encode()).hexdigest()


def load_content(path: Path) -> tuple[Any, dict[str, str]]:
    """Load the content and the metadata of a file. The first bytes tell the format, not the name.

    Raises:
        WeightsError: It is no regular file, is damaged, wants to run code, or is no file of PyTorch
            or safetensors.
    """
    complaint = f"{path.name} is not a weights file, or is damaged; fetch it again."
    try:
        with open_regular(path) as file:
            start = file.read(9)
            file.seek(0)
            if start[8:] == b"{":
                content = file.read()
                header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
                return safetensors.torch.load(content), header.get("__metadata__", {})
            if start.startswith(b"PK"):
                _check_archive(path)
            # A file and not its path, whose suffix torch.load would believe.
            with _allowed_lock, torch.serialization.safe_globals(_ALLOWED):
                return torch.load(file, map_location="cpu", weights_only=True), {}
    except (WeightsError, MemoryError):
        raise
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # damaged and hostile files raise all kinds
        if "can't allocate memory" in str(error):  # a RuntimeError of PyTorch's
            raise MemoryError(f"There is too little memory to read {path.name}.") from None
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        if isinstance(error, UnpicklingError) and wanted:
            complaint = (
                f"{path.name} wants to run {wanted[1]} when it is loaded, and srlib never runs "
                "code from a file; ask for one that holds tensors alone, best as safetensors."
            )
    # Not chained: PyTorch's message advises the reader to run the code in the file.
    raise WeightsError(complaint)


def _check_archive(path: Path) -> None:
    """Check a .pt file's records, since torch.load looks at neither checksums nor sizes."""
    with zipfile.ZipFile(path) as archive:
        records = archive.infolist()
        if sum(record.file_size for record in records) > path.stat().st_size:
            raise WeightsError(
                f"{path.name} is compressed, which torch.save never does, and was not unpacked."
            )
        has_checksums = any(record.CRC for record in records)  # they can be left out
        if has_checksums and (damaged := archive.testzip()):
            raise WeightsError(
                f"{path.name} is damaged: the checksum of {damaged} in it does not fit. "
                "Fetch it again."
            )


def _network_in(content: Any, path: Path) -> tuple[Weights, str]:
    """Choose the weights of one network, and say where in the file they were found."""
    networks = [
        (place, prefix, state_dict)
        for place, state_dict in _state_dicts(content)
        for prefix in prefixes(state_dict) or [None]
    ]
    if not networks:
        raise WeightsError(
            f"{path.name} holds something else than the weights of a network: named tensors."
        )
    place, prefix, state_dict = min(networks, key=_rank)
    prefix = prefix or ""
    tensors = {
        name.removeprefix(prefix): tensor
        for name, tensor in state_dict.items()
        if name.startswith(prefix)
    }
    left_out = len(state_dict) - len(tensors)
    words = [f"under {place!r}"] if place else []
    words += [f"names without {prefix!r}"] if prefix else []
    words += [f"{left_out} other tensors left out"] if left_out else []
    return _as_float(tensors, path), ", ".join(words)


def _state_dicts(content: Any) -> Iterator[tuple[str, Weights]]:
    """Find the mappings with the weights of a convolutional network, and their keys."""
    found = [((), content)]
    seen = set()  # a file may hold mappings with more ways through them than time
    for place, value in found:  # it grows meanwhile
        if not isinstance(value, Mapping) or id(value) in seen or len(place) > _DEEPEST:
            continue
        seen.add(id(value))
        tensors = {k: v for k, v in value.items() if isinstance(k, str) and isinstance(v, Tensor)}
        if any(tensor.ndim == 4 for tensor in tensors.values()):
            yield ".".join(place), tensors
        else:
            found += [((*place, str(key)), inner) for key, inner in value.items()]


def _rank(network: tuple[str, str | None, Weights]) -> tuple[bool, bool]:
    """Put an EDSR before other networks, and averaged weights before those of the last step."""
    place, prefix, _ = network
    return prefix is None, not _AVERAGED.search(f"{place} {prefix}")


def _as_float(tensors: Weights, path: Path) -> Weights:
    """Convert to float32, if the tensors are plain and no larger than the file."""
    for name, value in tensors.items():
        dense = value.layout == torch.strided and value.device.type == "cpu"
        if not dense or value.is_complex() or value.is_quantized:
            raise WeightsError(f"{path.name} holds something else than plain numbers in {name}.")
    # A tensor of any shape can be a view of one value, and grows when it is computed with.
    claimed = sum(value.numel() * value.element_size() for value in tensors.values())
    size = path.stat().st_size
    if claimed > size:
        raise WeightsError(f"{path.name} claims {claimed:,} bytes of weights and has {size:,}.")
    return {
        name: value.detach().to(torch.float32, copy=True).contiguous()
        for name, value in tensors.items()
    }
