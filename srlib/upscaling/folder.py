"""Upscaled folders: every picture of a folder, enlarged by one model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from srlib import __version__
from srlib.files.folder_job import FolderJob, FolderReport
from srlib.files.progress import Progress
from srlib.images.finder import list_pictures
from srlib.images.picture import RESULT_SUFFIXES, read_image, write_image
from srlib.model.edsr import EDSR
from srlib.upscaling.choice import checked_model
from srlib.upscaling.engines import Options
from srlib.upscaling.enlarge import check_scale, upscale
from srlib.zoo.reader import checksum


def upscale_folder(
    source_dir: str | os.PathLike,
    target_dir: str | os.PathLike,
    model: EDSR | None = None,
    *,
    scale: float | None = None,
    suffix: str = ".png",
    self_ensemble: bool = False,
    overwrite: bool = False,
    on_progress: Progress | None = None,
    **options,
) -> FolderReport:
    """Enlarge every picture under a folder by `upscale`, to the same place in another folder.

    A picture that fails, such as a cut one or one too large for the memory, is reported with the
    reason, and the others are made. A run that was killed can be started again. Files of the same
    recipe are kept; a file of another recipe is reported.

    Args:
        source_dir: The pictures, in folders of any depth.
        target_dir: The folder of the results.
        model: As for `upscale`; if None, the one that `choose_checkpoint` names for each.
        scale: The factor, as for `upscale`.
        suffix: The format of all results: .png or .tif, which keep everything, .jpg, .webp or
            .bmp.
        self_ensemble: Average eight answers, as for `upscale`.
        overwrite: Make all results again, and replace any files of their names.
        on_progress: Called after each picture; may raise to cancel.
        **options: As for `upscale`.

    Returns:
        The files written, skipped and failed.

    Raises:
        DataError: There are no pictures, the target cannot be written, or one folder lies in the
            other.
        ValueError: The scale or suffix is unknown.
        TypeError: The model is no EDSR.
    """
    check_scale(scale)
    Options(**options)  # a typo is told before the work
    if suffix not in RESULT_SUFFIXES:
        raise ValueError(f"suffix is one of {', '.join(RESULT_SUFFIXES)}, not {suffix!r}.")
    source_dir = Path(source_dir).expanduser()
    target_dir = Path(target_dir).expanduser()
    options |= {"scale": scale, "self_ensemble": self_ensemble}
    network = f"recommended by srlib {__version__}"
    if model is not None:
        network = checksum(checked_model(model).config, model.state_dict())
        scale = scale or model.config.scale
    steps = {"model": network, "scale": scale or 4, "self_ensemble": self_ensemble}
    job = _Upscaling(source_dir, target_dir, suffix, overwrite, model, options, steps)
    listing = list_pictures(source_dir)
    return job.run(listing.pictures, None, on_progress, listing.passed_over)


@dataclass(frozen=True)
class _Upscaling(FolderJob):
    """The enlarging of pictures by one model, or by the recommended ones."""

    model: EDSR | None
    options: dict
    steps: dict

    def recipe(self) -> dict:
        return self.steps

    def make(self, source: Path, name: str, result: Path) -> None:
        write_image(result, upscale(source, self.model, **self.options))

    def check(self, result: Path) -> None:
        read_image(result)
