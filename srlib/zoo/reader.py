"""Read weights from a stranger's file: no code in it runs, and no size it claims is trusted."""

from __future__ import annotations

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
from srlib.files.whole import open_regular
from srlib.model.edsr import EDSRConfig
from srlib.zoo.layouts import Weights, prefixes, shortened

_DEEPEST = 8  # levels of mappings in a file that are searched for weights
SUFFIXES = {".safetensors", ".pt", ".pth", ".ckpt", ".bin"}
# Averaged weights are the better ones, so they are preferred where a file has both.
_AVERAGED = re.compile(r"(?<![a-z])ema(?![a-z])|averag", re.IGNORECASE)
# Files that often lie where a weights file should, by their first bytes.
_NO_WEIGHTS = {
    b"<": "is a web page, perhaps the login or error page of a site: fetch the file again",
    b"version https://git-lfs": "is only a Git LFS pointer: `git lfs pull` brings the file",
}


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


def read_weights(path: str | os.PathLike) -> tuple[Weights, EDSRConfig | None]:
    """Read a weights file's state dict in float32, and its config or None.

    Raises:
        WeightsError: The file is missing, damaged, wants to run code, or holds no network.
    """
    stored = read_file(path)
    return stored.weights, stored.config


def read_file(path: str | os.PathLike) -> StoredWeights:
    """Read the weights of the network in a file. Raises WeightsError as `read_weights` does."""
    path = Path(os.path.expanduser(path))
    try:
        path = _file_at(path)
        content, metadata = load_content(path)
    except WeightsError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise WeightsError(f"There is no weights file {path}.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(f"{path} cannot be read: {reason}.") from error
    weights, place = _network_in(content, path)
    config = None
    # A flipped bit may be in the entry's name too.
    signed = (text for text in metadata.values() if '"checksum"' in text)
    if stated := metadata.get("edsr_config") or next(signed, None):
        try:
            fields = dict(json.loads(stated))
            stored_checksum = fields.pop("checksum", None)
            config = EDSRConfig(**fields)
        except (ValueError, TypeError, RecursionError) as error:
            raise WeightsError(
                f"{path.name} has an unusable config in its metadata: {error}"
            ) from error
        if stored_checksum not in (None, checksum(config, weights)):
            raise WeightsError(
                f"{path.name} is damaged: its checksum does not fit. Fetch it again."
            )
    return StoredWeights(path, weights, place, config)


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


def _file_at(path: Path) -> Path:
    """Return the file itself, or the one weights file of a folder."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
        files = [file for file in files if file.stem == "best"] or files
        if len(files) != 1:
            names = shortened([file.name for file in files]) or "none"
            raise WeightsError(f"{path} is a folder, whose weights files are: {names}. Name one.")
        return files[0]
    return path


def load_content(path: Path) -> tuple[Any, dict[str, str]]:
    """Load the content and the metadata of a file. The first bytes tell the format, not the name.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
        WeightsError: It is damaged, wants to run code, or is no file of PyTorch or safetensors.
    """
    with open_regular(path) as file:
        start = file.read(1024)
        file.seek(0)
        for beginning, sentence in _NO_WEIGHTS.items():
            if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(beginning):
                raise WeightsError(f"{path.name} {sentence}.")
        try:
            if start[8:9] == b"{":
                return _safetensors(path)
            if start.startswith(b"PK"):
                _check_archive(path)
            # A file and not its path, whose suffix torch.load would believe.
            with _allowed_lock, torch.serialization.safe_globals(_ALLOWED):
                return torch.load(file, map_location="cpu", weights_only=True), {}
        except WeightsError:
            raise
        except Exception as error:  # damaged and hostile files raise all kinds
            complaint = _complaint(path.name, error)
    # Not chained: PyTorch's message advises the reader to run the code in the file.
    raise WeightsError(complaint)


def _safetensors(path: Path) -> tuple[Weights, dict[str, str]]:
    content = path.read_bytes()  # safe_open takes no path that is not UTF-8
    weights = safetensors.torch.load(content)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return weights, header.get("__metadata__", {})


def _check_archive(path: Path) -> None:
    """Check a .pt file's records, since torch.load looks at neither checksums nor sizes."""
    with zipfile.ZipFile(path) as archive:
        records = archive.infolist()
        if any(record.filename.endswith("/constants.pkl") for record in records):
            raise WeightsError(
                f"{path.name} is a TorchScript program; save its module's state_dict() instead."
            )
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


def _complaint(name: str, error: Exception) -> str:
    message = str(error)
    if isinstance(error, UnpicklingError) and (wanted := re.search(r"GLOBAL (\S+)", message)):
        return (
            f"{name} wants to run {wanted[1]} when it is loaded, and srlib never runs code from a "
            "file; ask for one that holds tensors alone, best as safetensors."
        )
    if isinstance(error, UnpicklingError) or "weights_only" in message:
        message = "it holds no state dict as torch.save writes one"
    reason = (message.splitlines() or [type(error).__name__])[0]
    return f"{name} is damaged or no weights file: {reason}"


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
    seen = set()
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
    try:
        # Copied, since safetensors maps the file, which may be overwritten while the model lives.
        return {
            name: value.detach().to(torch.float32, copy=True).contiguous()
            for name, value in tensors.items()
        }
    except RuntimeError as error:
        raise WeightsError(f"{path.name} holds numbers of an unusable kind: {error}.") from error
