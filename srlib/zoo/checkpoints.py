"""The checkpoints by name: which there are, where they come from, and how to load and save them."""

import json
import os
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save

from srlib.files.download import DownloadError, fetch
from srlib.files.progress import Progress
from srlib.files.whole import as_path, write_whole
from srlib.model.device import best_device
from srlib.model.edsr import EDSR, SCALES, EDSRConfig, checked_model, is_plain
from srlib.zoo.passport import open_checkpoint
from srlib.zoo.reader import WeightsError, checksum

WEIGHTS_DIR = Path(__file__).parent / "weights"
_OFFICIAL_URL = "https://cv.snu.ac.kr/research/EDSR/models/"
_TORCHSR_URL = "https://github.com/Coloquinte/torchSR/releases/download/v1.0.3/"


@dataclass(frozen=True)
class Checkpoint:
    """A set of EDSR weights, embedded in srlib or to be downloaded.

    Attributes:
        name: The name for `load_pretrained`.
        config: The network it is for.
        file: Name of the file.
        title: A few words on what it is good for.
        urls: Where the file is, mirrors included; empty for an embedded one.
        sha256: Hash that a downloaded file must have.
        size: Bytes of the file to download.
    """

    name: str
    config: EDSRConfig
    file: str
    title: str
    urls: tuple[str, ...] = ()
    sha256: str | None = None
    size: int | None = None

    @property
    def scale(self) -> int:
        return self.config.scale

    @property
    def embedded(self) -> bool:
        return not self.urls

    @property
    def path(self) -> Path:
        """Where the file is or will be: in srlib, or in torch.hub's cache (see TORCH_HOME)."""
        folder = WEIGHTS_DIR if self.embedded else Path(torch.hub.get_dir()) / "checkpoints"
        return folder / self.file

    def on_disk(self) -> bool:
        return os.path.exists(self.path)  # no error where a folder may not be entered


def _embedded(name: str, config: EDSRConfig, title: str) -> list[Checkpoint]:
    """Weights in srlib, one file for each scale."""
    stem = name.removesuffix("-srlib").replace("-", "_")
    return [
        Checkpoint(name, replace(config, scale=scale), f"{stem}_x{scale}.safetensors", title)
        for scale in SCALES
    ]


def _official(
    name: str, config: EDSRConfig, title: str, mirrored: str, files: dict[int, tuple[str, int]]
) -> list[Checkpoint]:
    """Weights of the paper's authors, with their name on the mirror, SHA-256 and bytes by scale."""
    checkpoints = []
    for scale, (sha256, size) in files.items():
        file = f"{name.replace('-', '_')}_x{scale}-{sha256[:8]}.pt"
        urls = (_OFFICIAL_URL + file, f"{_TORCHSR_URL}{mirrored}_x{scale}.pt")
        config = replace(config, scale=scale)
        checkpoints.append(Checkpoint(name, config, file, title, urls, sha256, size))
    return checkpoints


_LITE = EDSRConfig(n_resblocks=8, n_feats=32)
_LARGE = EDSRConfig(n_resblocks=32, n_feats=256, res_scale=0.1)
_BY_NAME = [
    *_embedded("edsr-lite", _LITE, "small and quick, for clean pictures"),
    *_embedded("edsr-lite-photo", _LITE, "small and quick, for JPEGs from phones and the web"),
    *_embedded(
        "edsr-baseline-srlib",
        EDSRConfig(),
        "EDSR-baseline as srlib trained it, for clean pictures",
    ),
    *_official(
        "edsr-baseline",
        EDSRConfig(),
        "EDSR-baseline of the paper",
        "edsr64",
        {
            2: ("1bc9523228fdc3b0a5ddb0d7062001e22b31bbb398ae09cfdefb97e8ee06e171", 5_490_680),
            3: ("abf2a44e7a137228efa42a4264a23e12603168d43ac7596b1adef40c649b9240", 6_229_240),
            4: ("6b446fab734f4de74448d2fd1f3f990f5bae726e49dc7eff2ae9cefe444a1723", 6_081_831),
        },
    ),
    *_official(
        "edsr",
        _LARGE,
        "the large EDSR of the paper, slow",
        "edsr",
        {
            2: ("0edfb8a3772c94485c939f81a8aeefe02cccdfbf45243c6d22b39c29eb7d46de", 162_939_971),
            3: ("ea3ef2c6449845ac3bda7290480af76a53e5006beff60bf89c84ca62f986eeca", 174_741_571),
            4: ("4f62e9ef1a4ec6a7d3da4ed837116cec641e4e1566f98187151d813e83a0c1c8", 172_381_555),
        },
    ),
]
CHECKPOINTS = tuple(sorted(_BY_NAME, key=lambda checkpoint: checkpoint.scale))


def available(scale: int | None = None) -> list[Checkpoint]:
    """List all checkpoints, or those of one scale, smallest first."""
    return [checkpoint for checkpoint in CHECKPOINTS if scale in (None, checkpoint.scale)]


def find(name: str, scale: int) -> Checkpoint:
    """Look up the checkpoint of this name and scale. Raises WeightsError if there is none."""
    for checkpoint in CHECKPOINTS:
        if (checkpoint.name, checkpoint.scale) == (name, scale):
            return checkpoint
    names = dict.fromkeys(checkpoint.name for checkpoint in CHECKPOINTS)
    missing = f"{name!r} for scale {scale}" if name in names else f"{name!r}"
    raise WeightsError(
        f"There is no model {missing}; there are {', '.join(names)}, each for x2, x3 and x4. "
        "For a weights file, give its path."
    )


def load_pretrained(
    name: str | os.PathLike = "edsr-baseline",
    scale: int | None = None,
    *,
    res_scale: float | None = None,
    device: str | torch.device = "cpu",
    on_progress: Progress | None = None,
) -> EDSR:
    """Load a trained EDSR, by name or from a weights file.

    A file may have any layout that `inspect_checkpoint` knows: the model computes the same as in
    the program that trained it. Loading is strict and runs no code from a file. An official
    checkpoint is downloaded at the first use and kept in torch.hub's cache.

    Args:
        name: A name in `CHECKPOINTS`, or the path of a weights file.
        scale: 2, 3 or 4. If None, 4 for a name, and the file's own for a file.
        res_scale: Overrides the residual scale that the file states or srlib assumes.
        device: Where to put the model, "auto" for the best device. `upscale` and `fine_tune` move
            it themselves.
        on_progress: Called with the bytes downloaded and the bytes in all.

    Returns:
        The network in eval mode.

    Raises:
        WeightsError: The name is unknown, or the file is damaged, holds another architecture or
            is made for another scale.
        DownloadError: The file cannot be downloaded; the message names the offline alternative.

    Example:
        >>> load_pretrained("edsr-lite", 2).config
        EDSRConfig(scale=2, n_resblocks=8, n_feats=32, res_scale=1.0)
    """
    if _is_path(name):
        path = Path(name)
        known = None
    else:
        checkpoint = find(str(name), 4 if scale is None else scale)
        path = checkpoint.path if checkpoint.embedded else _download(checkpoint, on_progress)
        known = checkpoint.config
    passport, model = open_checkpoint(path, known=known, res_scale=res_scale)
    if model is None:
        problems = " ".join(passport.problems)
        raise WeightsError(f"{passport.file} is not an EDSR that srlib can load. {problems}")
    if scale not in (None, model.config.scale):
        raise WeightsError(
            f"{passport.file} enlarges by {model.config.scale}, and scale {scale} was asked for."
        )
    return model.to(best_device(device))


def save_weights(model: EDSR, path: str | os.PathLike) -> Path:
    """Write a model as safetensors, with its config and a checksum, for `load_pretrained(path)`.

    The file appears whole or not at all. Returns the path.

    Raises:
        WeightsError: A part of the model was replaced, which the file could not hold.
    """
    if not is_plain(checked_model(model)):
        raise WeightsError(
            f"{path} was not written: a part of the network was replaced, and a weights file holds "
            "a plain EDSR only. Save it by torch.save(model, path), or undo the change."
        )
    weights = {
        name: value.detach().contiguous().cpu() for name, value in model.state_dict().items()
    }
    stated = asdict(model.config) | {"checksum": checksum(model.config, weights)}
    # One entry only: safetensors writes several in random order.
    content = save(weights, {"edsr_config": json.dumps(stated)})
    return write_whole(as_path(path), content, to_disk=True)


def _is_path(name: str | os.PathLike) -> bool:
    """Tell a path from a name: a bare word is a path only if a file has it and no checkpoint."""
    if isinstance(name, os.PathLike) or not re.fullmatch(r"[\w-]*", name):
        return True
    return name not in {checkpoint.name for checkpoint in CHECKPOINTS} and os.path.exists(name)


def _download(checkpoint: Checkpoint, on_progress: Progress | None) -> Path:
    try:
        return fetch(
            checkpoint.urls,
            checkpoint.path,
            sha256=checkpoint.sha256,
            size=checkpoint.size,
            on_progress=on_progress,
        )
    except DownloadError as error:
        lines = [str(error)]
        if checkpoint.path.exists():
            lines.append(
                f"{checkpoint.path} is another file than the official one, by its hash. "
                "To use it all the same, load it by this path."
            )
        if error.__cause__:  # the folder is at fault, not the mirrors
            lines.append("The environment variable TORCH_HOME sets where PyTorch keeps downloads.")
        lines.append(
            "Without a network the embedded model works: "
            f'load_pretrained("edsr-lite", {checkpoint.scale}).'
        )
        raise DownloadError("\n".join(lines)) from error
