"""The checkpoints by name: which exist, where they come from, and how they are loaded (notebook 02)."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from srlib.download import DownloadError, fetch
from srlib.model import EDSR, SCALES, EDSRConfig, config_from_state_dict

WEIGHTS_DIR = Path(str(files("srlib") / "weights"))
OFFICIAL = "https://cv.snu.ac.kr/research/EDSR/models/"
TORCHSR = "https://github.com/Coloquinte/torchSR/releases/download/v1.0.3/"


class WeightsError(ValueError):
    """A weights file cannot be used; the message is a finished sentence."""


@dataclass(frozen=True)
class Checkpoint:
    """A set of EDSR weights: embedded in srlib, or fetched from `urls` and accepted only with this SHA-256."""

    name: str
    config: EDSRConfig
    file: str
    title: str
    urls: tuple[str, ...] = ()
    sha256: str | None = None

    @property
    def scale(self) -> int:
        return self.config.scale

    @property
    def embedded(self) -> bool:
        return not self.urls

    @property
    def path(self) -> Path:
        """Where the file is, or will be: srlib/weights, or torch.hub's cache (TORCH_HOME moves it)."""
        return (WEIGHTS_DIR if self.embedded else Path(torch.hub.get_dir()) / "checkpoints") / self.file

    def on_disk(self) -> bool:
        return self.path.exists()


def _official(name: str, config: EDSRConfig, title: str, mirror: str, sha256: str) -> Checkpoint:
    file = f"{name.replace('-', '_')}_x{config.scale}-{sha256[:8]}.pt"
    return Checkpoint(name, config, file, title, (OFFICIAL + file, f"{TORCHSR}{mirror}_x{config.scale}.pt"), sha256)


_LITE = "small and quick, ships with the course"
_BASELINE = "EDSR-baseline of the paper"
_LARGE = "the large EDSR of the paper, slow"
_BASELINE_SHA256 = {
    2: "1bc9523228fdc3b0a5ddb0d7062001e22b31bbb398ae09cfdefb97e8ee06e171",
    3: "abf2a44e7a137228efa42a4264a23e12603168d43ac7596b1adef40c649b9240",
    4: "6b446fab734f4de74448d2fd1f3f990f5bae726e49dc7eff2ae9cefe444a1723",
}
_LARGE_SHA256 = {
    2: "0edfb8a3772c94485c939f81a8aeefe02cccdfbf45243c6d22b39c29eb7d46de",
    3: "ea3ef2c6449845ac3bda7290480af76a53e5006beff60bf89c84ca62f986eeca",
    4: "4f62e9ef1a4ec6a7d3da4ed837116cec641e4e1566f98187151d813e83a0c1c8",
}
CHECKPOINTS = tuple(
    checkpoint
    for scale in SCALES
    for checkpoint in (
        Checkpoint("edsr-lite", EDSRConfig(scale, 8, 32), f"edsr_lite_x{scale}.safetensors", _LITE),
        _official("edsr-baseline", EDSRConfig(scale), _BASELINE, "edsr64", _BASELINE_SHA256[scale]),
        _official("edsr", EDSRConfig(scale, 32, 256, 0.1), _LARGE, "edsr", _LARGE_SHA256[scale]),
    )
)


def available(scale: int | None = None) -> list[Checkpoint]:
    """All checkpoints, or those of one scale, smallest first."""
    return [c for c in CHECKPOINTS if scale in (None, c.scale)]


def find(name: str, scale: int) -> Checkpoint:
    """The checkpoint of this name and scale.  Raises WeightsError, naming those there are."""
    for checkpoint in CHECKPOINTS:
        if (checkpoint.name, checkpoint.scale) == (name, scale):
            return checkpoint
    names = ", ".join(dict.fromkeys(c.name for c in CHECKPOINTS))
    raise WeightsError(f"There is no model {name!r} for scale {scale}; there are {names}, each for x2, x3 and x4.")


def load_pretrained(
    name: str | os.PathLike = "edsr-baseline",
    scale: int = 4,
    *,
    device: str | torch.device = "cpu",
    on_progress: Callable[[int, int | None], None] | None = None,
) -> EDSR:
    """A trained EDSR in eval mode, by name or from a weights file (.safetensors, or an official .pt).

    An official checkpoint is fetched at the first use and then stays in torch.hub's cache.  Loading is strict and never runs
    code from a file.  Raises WeightsError for an unknown name, another architecture, another scale or a damaged file,
    DownloadError, with the offline alternative, where a file cannot be fetched.
    """
    if Path(name).suffix in (".safetensors", ".pt", ".pth"):
        path, config = Path(name), None
    else:
        checkpoint = find(str(name), scale)
        path, config = _on_disk(checkpoint, on_progress), checkpoint.config
    weights, stored = read_weights(path)
    try:
        config = config or stored or config_from_state_dict(weights)
        model = EDSR(config)
        model.load_state_dict(weights)
    except (ValueError, RuntimeError) as error:
        raise WeightsError(f"{path.name} is not an EDSR that srlib can load.  {str(error).splitlines()[0]}") from error
    if config.scale != scale:
        raise WeightsError(f"{path.name} enlarges by {config.scale}, and scale {scale} was asked for.")
    return model.to(device).eval()


def _on_disk(checkpoint: Checkpoint, on_progress) -> Path:
    if checkpoint.embedded:
        return checkpoint.path
    try:
        return fetch(checkpoint.urls, checkpoint.path, sha256=checkpoint.sha256, on_progress=on_progress)
    except DownloadError as error:
        hint = f'Without a network the embedded model works: load_pretrained("edsr-lite", {checkpoint.scale}).'
        raise DownloadError(f"{error}\n{hint}") from error


def read_weights(path: str | os.PathLike) -> tuple[dict[str, Tensor], EDSRConfig | None]:
    """The state dict of a file, and the config it states, if it does.  Raises WeightsError if it is missing or unreadable."""
    path = Path(path)
    if not path.exists():
        raise WeightsError(f"There is no weights file {path}.")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                stored = (file.metadata() or {}).get("edsr_config")
                weights = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118, it is no dict
                return weights, stored and EDSRConfig(**json.loads(stored))
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise WeightsError(f"{path.name} is damaged or no weights file: {str(error).splitlines()[0]}") from error
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise WeightsError(f"{path.name} holds something else than the weights of one network.")
    return weights, None


def save_weights(model: EDSR, path: str | os.PathLike) -> Path:
    """Write a model as safetensors with its config, atomically, for `load_pretrained(path)`."""
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    weights = {name: value.detach().contiguous().cpu() for name, value in model.state_dict().items()}
    try:
        part.write_bytes(save(weights, {"format": "pt", "edsr_config": json.dumps(asdict(model.config))}))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path
