"""Upscaled folders: every picture of a folder, enlarged by one model."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from safetensors.torch import save

from srlib.files.folder_job import FolderJob, FolderReport
from srlib.files.progress import Progress
from srlib.images.finder import list_pictures
from srlib.images.picture import read_image, write_image
from srlib.model.edsr import EDSR
from srlib.upscaling.enlarge import check_scale, chosen_model, upscale
from srlib.zoo.checkpoints import load_pretrained, save_weights

_FORMATS = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def upscale_folder(
    source_dir: str | os.PathLike,
    target_dir: str | os.PathLike,
    model: EDSR | None = None,
    *,
    scale: float | None = None,
    suffix: str = ".png",
    tile: int | str = "auto",
    self_ensemble: bool = False,
    device: str = "auto",
    executor: Executor | None = None,
    overwrite: bool = False,
    on_progress: Progress | None = None,
) -> FolderReport:
    """Enlarge every picture under a folder by `upscale`, to the same place in another folder.

    A picture that fails, such as a cut one or one too large for the memory, is reported with the
    reason, and the others are made. A run that was killed can be started again. Files of the same
    recipe are kept, and cut ones made again; a file of another recipe is reported.

    Args:
        source_dir: The pictures, in folders of any depth.
        target_dir: The folder of the results.
        model: The network, as for `upscale`.
        scale: The factor, as for `upscale`.
        suffix: The format of all results: .png or .tif, which keep everything, .jpg, .webp or
            .bmp.
        tile: The side of a tile, as for `upscale`.
        self_ensemble: Average eight answers, as for `upscale`.
        device: As for `upscale`.
        executor: Makes the results on its workers, which see both folders under the same paths,
            such as Dask's `Client.get_executor()`; each worker process reads the model once. None
            makes one after the other, since PyTorch uses all cores for one. Processes on one
            machine should share the cores, and must not be forked from one that has used PyTorch:
            `ProcessPoolExecutor(2, get_context("spawn"), torch.set_num_threads, (cores // 2,))`.
        overwrite: Make all results again, and replace any files of their names.
        on_progress: Called after each picture; may raise to cancel.

    Returns:
        The files written, skipped and failed.

    Raises:
        DataError: There are no pictures, the target cannot be written, or one folder lies in the
            other.
        ValueError: The scale or suffix is unknown.
        TypeError: The model or scale is of another type.
    """
    check_scale(scale)
    model = chosen_model(model, scale)
    if suffix not in _FORMATS:
        raise ValueError(f"suffix is one of {', '.join(_FORMATS)}, not {suffix!r}.")
    source_dir = Path(source_dir).expanduser()
    target_dir = Path(target_dir).expanduser()
    options = {"scale": scale, "tile": tile, "self_ensemble": self_ensemble, "device": device}
    steps = {
        "model": _fingerprint(model),
        "scale": scale or model.config.scale,
        "self_ensemble": self_ensemble,
    }
    job = _Upscaling(source_dir, target_dir, suffix, overwrite, model, options, steps)
    listing = list_pictures(source_dir).needed()
    return job.run(listing.pictures, executor, on_progress, listing.passed_over)


@dataclass(frozen=True)
class _Upscaling(FolderJob):
    """The enlarging of pictures by one model, or by its weights file on the way to a worker."""

    model: EDSR | Path
    options: dict
    steps: dict

    def recipe(self) -> dict:
        return self.steps

    def for_workers(self, scratch: Path) -> FolderJob:
        # A file travels better than a model, which executors would pickle for every picture.
        return replace(self, model=save_weights(self.model, scratch / "model.safetensors"))

    def make(self, source: Path, name: str, result: Path) -> None:
        model = self.model if isinstance(self.model, EDSR) else _loaded(self.model)
        write_image(result, upscale(source, model, **self.options))

    def check(self, result: Path) -> None:
        read_image(result)


def _fingerprint(model: EDSR) -> str:
    """A short text that changes with the network and its weights."""
    weights = {
        name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()
    }
    digest = hashlib.sha256(save(weights)).hexdigest()
    return f"{type(model).__name__} {asdict(model.config)} {digest[:16]}"


@lru_cache(maxsize=1)
def _loaded(path: Path) -> EDSR:
    """Once in each worker process and run: a path in a scratch folder never comes back."""
    return load_pretrained(path)
