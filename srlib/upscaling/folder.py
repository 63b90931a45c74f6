"""Upscaled folders: every picture of a folder, enlarged by one model."""

import os
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Lock

from srlib import __version__
from srlib.errors import SRError
from srlib.files.folder_job import FolderJob, FolderReport
from srlib.files.progress import Progress
from srlib.files.whole import as_path
from srlib.images.finder import list_pictures
from srlib.images.picture import RESULT_SUFFIXES, read_image, write_image
from srlib.model.edsr import EDSR, checked_model, has_hooks, is_plain
from srlib.upscaling.choice import chosen_model, loaded
from srlib.upscaling.enlarge import check_scale, upscale
from srlib.upscaling.precision import Options
from srlib.zoo.checkpoints import save_weights
from srlib.zoo.reader import checksum


def upscale_folder(
    source_dir: str | os.PathLike,
    target_dir: str | os.PathLike,
    model: EDSR | None = None,
    *,
    scale: float | None = None,
    suffix: str = ".png",
    self_ensemble: bool = False,
    executor: Executor | None = None,
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
        executor: Makes the results on its workers, which see both folders under the same paths,
            such as Dask's `Client.get_executor()`. None computes one picture after the other here,
            since PyTorch uses all cores for one, and reads and writes others meanwhile. Processes
            on one machine should share the cores, and must not be forked from one that has used
            PyTorch:
            `ProcessPoolExecutor(2, get_context("spawn"), torch.set_num_threads, (cores // 2,))`.
        overwrite: Make all results again, and replace any files of their names.
        on_progress: Called after each picture; may raise to cancel.
        **options: As for `upscale`.

    Returns:
        The files written, skipped and failed.

    Raises:
        DataError: There are no pictures, the target cannot be written, or one folder lies in the
            other.
        ValueError: The scale, the suffix or an option has a wrong value, or workers would have to
            compute a network that is more than its weights.
        TypeError: The model is no EDSR, or an option is unknown.
    """
    check_scale(scale)
    chosen = Options(**options)  # finds a typo in any option before the work begins
    if executor and chosen.on_precision:
        raise ValueError("on_precision is not called from workers: leave out one of the two.")
    if suffix not in RESULT_SUFFIXES:
        raise ValueError(f"suffix is one of {', '.join(RESULT_SUFFIXES)}, not {suffix!r}.")
    source_dir = as_path(source_dir)
    target_dir = as_path(target_dir)
    options |= {"scale": scale, "self_ensemble": self_ensemble}
    network = f"recommended by srlib {__version__}"
    if model is not None:
        network = checksum(checked_model(model).config, model.state_dict())
        if executor and (has_hooks(model) or not is_plain(model)):
            raise ValueError(
                "Workers get the weights of a network only, and this one has hooks or a part that "
                "was replaced: leave out executor."
            )
        scale = scale or model.config.scale
    steps = {"model": network, "scale": scale or 4, "self_ensemble": self_ensemble}
    steps |= {"padding": chosen.padding, "precision": chosen.precision}
    stop = None if executor else Event()
    job = _Upscaling(source_dir, target_dir, suffix, overwrite, model, options, steps, stop)
    listing = list_pictures(source_dir)
    if executor:
        return job.run(listing.pictures, executor, on_progress, listing.passed_over)
    with ThreadPoolExecutor(2) as threads:
        return job.run(listing.pictures, threads, on_progress, listing.passed_over)


_one_at_a_time = Lock()  # for the network, in the threads of one process


@dataclass(frozen=True)
class _Upscaling(FolderJob):
    """The enlarging of pictures by one model, its weights file, or the recommended models.

    `stop` makes threads of this process give up; None if the workers are elsewhere.
    """

    model: EDSR | Path | None
    options: dict
    steps: dict
    stop: Event | None

    def recipe(self) -> dict:
        return self.steps

    def for_workers(self, scratch: Path) -> FolderJob:
        if self.stop or self.model is None:
            return self
        # A file travels better than a model, which executors would pickle for every picture.
        return replace(self, model=save_weights(self.model, scratch / "model.safetensors"))

    def cancel(self) -> None:
        if self.stop:
            self.stop.set()

    def make(self, source: Path, name: str, result: Path) -> None:
        picture = read_image(source)
        with _one_at_a_time:
            self._go_on()
            if self.model is None:
                model = chosen_model(picture, **self.options)
            else:
                model = loaded(self.model) if isinstance(self.model, Path) else self.model
            larger = upscale(picture, model, on_progress=self._go_on, **self.options)
        write_image(result, larger)

    def _go_on(self, *_: float) -> None:
        if self.stop and self.stop.is_set():
            raise SRError("The run was stopped.")
