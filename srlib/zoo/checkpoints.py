"""The checkpoints by name: which exist, where they come from, and how they are loaded (notebook 02)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import save

from srlib.files.download import fetch
from srlib.files.transfer import DownloadError
from srlib.files.whole import write_whole
from srlib.model.edsr import EDSR, SCALES, EDSRConfig
from srlib.zoo.passport import inspect_checkpoint, open_checkpoint
from srlib.zoo.reader import WeightsError, has_checksums

WEIGHTS_DIR = Path(str(files("srlib.zoo") / "weights"))
OFFICIAL = "https://cv.snu.ac.kr/research/EDSR/models/"
TORCHSR = "https://github.com/Coloquinte/torchSR/releases/download/v1.0.3/"


@dataclass(frozen=True)
class Checkpoint:
    """A set of EDSR weights: embedded in srlib, or fetched from `urls` and accepted only with this SHA-256.

    size: bytes of the file to fetch; 0 for an embedded one.
    """

    name: str
    config: EDSRConfig
    file: str
    title: str
    urls: tuple[str, ...] = ()
    sha256: str | None = None
    size: int = 0

    @property
    def scale(self) -> int:
        return self.config.scale

    @property
    def embedded(self) -> bool:
        return not self.urls

    @property
    def path(self) -> Path:
        """Where the file is, or will be: srlib/zoo/weights, or torch.hub's cache (TORCH_HOME moves it)."""
        return (
            WEIGHTS_DIR if self.embedded else Path(torch.hub.get_dir()) / "checkpoints"
        ) / self.file

    def on_disk(self) -> bool:
        return self.path.exists()


def _official(
    name: str, config: EDSRConfig, title: str, mirror: str, sha256: str, size: int
) -> Checkpoint:
    file = f"{name.replace('-', '_')}_x{config.scale}-{sha256[:8]}.pt"
    return Checkpoint(
        name,
        config,
        file,
        title,
        (OFFICIAL + file, f"{TORCHSR}{mirror}_x{config.scale}.pt"),
        sha256,
        size,
    )


_LITE = "small and quick, ships with the course"
_PHOTO = (
    "the same, for pictures from phones and the web: made to take JPEG's blocks for what they are"
)
_BASELINE = "EDSR-baseline of the paper"
_LARGE = "the large EDSR of the paper, slow"
_BASELINE_FILES = {  # by scale: SHA-256, bytes
    2: ("1bc9523228fdc3b0a5ddb0d7062001e22b31bbb398ae09cfdefb97e8ee06e171", 5_490_680),
    3: ("abf2a44e7a137228efa42a4264a23e12603168d43ac7596b1adef40c649b9240", 6_229_240),
    4: ("6b446fab734f4de74448d2fd1f3f990f5bae726e49dc7eff2ae9cefe444a1723", 6_081_831),
}
_LARGE_FILES = {
    2: ("0edfb8a3772c94485c939f81a8aeefe02cccdfbf45243c6d22b39c29eb7d46de", 162_939_971),
    3: ("ea3ef2c6449845ac3bda7290480af76a53e5006beff60bf89c84ca62f986eeca", 174_741_571),
    4: ("4f62e9ef1a4ec6a7d3da4ed837116cec641e4e1566f98187151d813e83a0c1c8", 172_381_555),
}
CHECKPOINTS = tuple(
    checkpoint
    for scale in SCALES
    for checkpoint in (
        Checkpoint("edsr-lite", EDSRConfig(scale, 8, 32), f"edsr_lite_x{scale}.safetensors", _LITE),
        Checkpoint(
            "edsr-lite-photo",
            EDSRConfig(scale, 8, 32),
            f"edsr_lite_photo_x{scale}.safetensors",
            _PHOTO,
        ),
        _official("edsr-baseline", EDSRConfig(scale), _BASELINE, "edsr64", *_BASELINE_FILES[scale]),
        _official("edsr", EDSRConfig(scale, 32, 256, 0.1), _LARGE, "edsr", *_LARGE_FILES[scale]),
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
    raise WeightsError(
        f"There is no model {name!r} for scale {scale}; there are {names}, each for x2, x3 and x4."
    )


def load_pretrained(
    name: str | os.PathLike = "edsr-baseline",
    scale: int | None = None,
    *,
    res_scale: float | None = None,
    device: str | torch.device = "cpu",
    on_progress: Callable[[int, int | None], None] | None = None,
) -> EDSR:
    """A trained EDSR in eval mode, by name or from a weights file in any layout that `inspect_checkpoint` knows.

    A name with a suffix is a file (.safetensors, .pt, .pth, …); what it holds is converted, so that the model computes what the
    network did at home.  An official checkpoint is fetched at the first use and then stays in torch.hub's cache.  Loading is
    strict and never runs code from a file.  scale: of a named model, 4 if None; of a file, whatever it has if None.  res_scale:
    for a network trained with another one than its passport says.  Raises WeightsError for an unknown name, another architecture,
    another scale or a damaged file, DownloadError, with the offline alternative, where a file cannot be fetched.
    """
    if isinstance(name, os.PathLike) or Path(name).suffix:
        path, config = Path(name), None
    else:
        checkpoint = find(str(name), 4 if scale is None else scale)
        path, config = _on_disk(checkpoint, on_progress), checkpoint.config
    passport, weights = open_checkpoint(path, known=config, res_scale=res_scale)
    if not passport.loads:
        raise WeightsError(
            f"{path.name} is not an EDSR that srlib can load.  {' '.join(passport.problems)}"
        )
    if scale not in (None, passport.config.scale):
        raise WeightsError(
            f"{path.name} enlarges by {passport.config.scale}, and scale {scale} was asked for."
        )
    model = EDSR(passport.config)
    model.load_state_dict(weights)
    return model.to(device).eval()


def _on_disk(checkpoint: Checkpoint, on_progress) -> Path:
    if checkpoint.embedded:
        return checkpoint.path
    describe = partial(_described, checkpoint)
    try:
        return fetch(
            checkpoint.urls,
            checkpoint.path,
            sha256=checkpoint.sha256,
            on_progress=on_progress,
            describe=describe,
        )
    except DownloadError as error:
        lines = [str(error)]
        if checkpoint.path.exists():
            lines.append(
                f"{checkpoint.path} is {describe(checkpoint.path)}.  To use it all the same, load it by this path."
            )
        if error.__cause__:  # not the mirrors are to blame but the folder
            lines.append(
                "The environment variable TORCH_HOME says where PyTorch keeps what it fetches."
            )
        hint = f'Without a network the embedded model works: load_pretrained("edsr-lite", {checkpoint.scale}).'
        raise DownloadError("\n".join([*lines, hint])) from error


def _described(checkpoint: Checkpoint, path: Path) -> str:
    """What a file with another hash is: damaged, another network, or perhaps the same weights in another pickle."""
    try:
        passport = inspect_checkpoint(path)
    except WeightsError:
        return "a damaged file, or no weights file"
    if passport.config != checkpoint.config:
        return f"another network than {checkpoint.name} x{checkpoint.scale}"
    if not passport.loads:
        return "a damaged file of the right shape"
    if has_checksums(path):  # and inspect_checkpoint has looked at them
        return "an EDSR of the right shape, undamaged by its own checksums, perhaps the same weights in another pickle"
    if path.stat().st_size == checkpoint.size:
        return "a damaged file: as long as the true one, and other bytes"
    return "an EDSR of the right shape in a format without checksums: the same weights in another pickle, or damaged"


def save_weights(model: EDSR, path: str | os.PathLike) -> Path:
    """Write a model as safetensors with its config, atomically, for `load_pretrained(path)`."""
    weights = {
        name: value.detach().contiguous().cpu() for name, value in model.state_dict().items()
    }
    content = save(weights, {"format": "pt", "edsr_config": json.dumps(asdict(model.config))})
    return write_whole(Path(path), content, to_disk=True)
