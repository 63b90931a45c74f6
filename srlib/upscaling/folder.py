"""Enlarging every picture of a folder: mirrored, restartable, by as many workers as there are (notebook 05)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from srlib.data.lr_folders import LowResReport, scratch_folder
from srlib.images.finder import DataError, find_images
from srlib.images.picture import MAX_PIXELS, RESULT_SUFFIXES, ImageError, read_image, write_image
from srlib.model.edsr import EDSR
from srlib.upscaling.enlarge import check_scale, chosen_model, large_size, upscale
from srlib.zoo.checkpoints import load_pretrained, save_weights


def upscale_folder(
    source_dir: str | os.PathLike,
    target_dir: str | os.PathLike,
    model: EDSR | None = None,
    *,
    scale: float | None = None,
    suffix: str = ".png",
    tile: int | str = "auto",
    self_ensemble: bool = False,
    adjust_to_lr: bool = False,
    device: str = "auto",
    executor: Executor | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> LowResReport:
    """Enlarge every picture under `source_dir` by `upscale`, to the same place under `target_dir`.

    model, scale, tile, self_ensemble, adjust_to_lr, device: as for `upscale`.  suffix: the format of all results; PNG and TIFF
    keep everything, and GIF, with its 256 colours, is none.  A picture that fails, be it cut short, too large for the memory
    or struck by an error of the network's, is reported with the reason and the rest goes on.  "skipped" is decided by name and
    size alone, whatever model and options made it: what is there, can be read to its end and has the right size is left alone
    unless `overwrite`; a damaged one is made again, one of another size is reported.  Killed at any moment and started again,
    the run ends with the same files and nothing else: pictures appear whole under their names.

    executor: any concurrent.futures one, whose workers see both folders under the same paths, such as Dask's
    `Client.get_executor()`; each worker process reads the model once.  If None, one picture after the other in this process,
    since torch uses all cores for one.  Processes on one machine should share them out, and must not be forked from one that
    has used torch: `ProcessPoolExecutor(2, get_context("spawn"), torch.set_num_threads, (cores // 2,))`.
    on_progress(done, total) is called after each file, and may raise to cancel.

    Raises DataError for an empty source or a target inside it, ValueError for a scale or suffix that is none, TypeError
    for a model or scale that is something else.
    """
    source_dir, target_dir = Path(source_dir), Path(target_dir)
    check_scale(scale)
    model = chosen_model(model, scale)
    if suffix not in (formats := RESULT_SUFFIXES):
        raise ValueError(f"suffix is one of {', '.join(formats)}, not {suffix!r}.")
    if target_dir.resolve().is_relative_to(source_dir.resolve()):
        raise DataError(
            f"The target {target_dir} lies in the source {source_dir}: the next run would enlarge its pictures too."
        )
    names = find_images(source_dir)
    same_target = Counter(name.with_suffix(suffix) for name in names)
    report = LowResReport()
    unique = [name for name in names if same_target[name.with_suffix(suffix)] == 1]
    for name in names:
        if same_target[name.with_suffix(suffix)] > 1:
            report.failed[str(name)] = (
                "Another picture in the same folder has this name with another suffix; rename one."
            )
    # Asked once, here: a worker may have to make a picture twice, if its first answer was lost, and should then say "written".
    keep = [not overwrite and (target_dir / name.with_suffix(suffix)).exists() for name in unique]
    options = {
        "scale": scale,
        "tile": tile,
        "self_ensemble": self_ensemble,
        "adjust_to_lr": adjust_to_lr,
        "device": device,
    }
    with scratch_folder(target_dir) as scratch:
        # A file travels better than a model, which executors would pickle for every picture.
        passed = save_weights(model, scratch / "model.safetensors") if executor else model
        job = _Job(source_dir, target_dir, scratch, suffix, passed, model.config.scale, options)
        states = (
            executor.map(job, unique, keep)
            if executor
            else (job(*each) for each in zip(unique, keep, strict=True))
        )
        with closing(states):  # cancels what has not begun, if on_progress raises
            for done, (name, state, reason) in enumerate(states, 1 + len(report.failed)):
                if state == "failed":
                    report.failed[str(name)] = reason
                else:
                    getattr(report, state).append(str(name.with_suffix(suffix)))
                if on_progress:
                    on_progress(done, len(names))
    return report


@dataclass(frozen=True)
class _Job:
    """The enlarging of one picture; it travels to the workers."""

    source_dir: Path
    target_dir: Path
    scratch: Path
    suffix: str
    model: EDSR | Path  # a weights file for workers
    model_scale: int
    options: dict

    def __call__(self, name: Path, keep: bool) -> tuple[Path, str, str]:
        """(name, "written" | "skipped" | "failed", reason).  keep: a file was there before this run and is to stay."""
        try:
            return name, *self._make(name, keep)
        except (
            OSError,
            ValueError,
            MemoryError,
        ) as error:  # ImageError among them: finished sentences
            return name, "failed", str(error)
        except Exception as error:  # a driver's, a network's: one picture's bad luck must not cost the other thousand
            return name, "failed", f"{type(error).__name__}: {error}"

    def _make(self, name: Path, keep: bool) -> tuple[str, str]:
        target = self.target_dir / name.with_suffix(self.suffix)
        lr = read_image(self.source_dir / name)
        expected = large_size(lr.size, self.model_scale, self.options["scale"])
        there = _whole_size(target, expected) if keep else None
        if there == expected:
            return "skipped", ""
        if there:
            found = f"{there[1]} x {there[0]} pixels"
            return "failed", f"{target} exists with {found}; use another folder or overwrite=True."
        model = (
            self.model if isinstance(self.model, EDSR) else _loaded(self.model, self.model_scale)
        )
        larger = upscale(lr, model, **self.options)
        half_made = write_image(
            self.scratch / f"{os.getpid()}-{os.urandom(8).hex()}{self.suffix}", larger
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(half_made, target)
        return "written", ""


def _whole_size(path: Path, expected: tuple[int, int]) -> tuple[int, int] | None:
    """(height, width) of a picture that can be read to its end, or None."""
    if expected[0] * expected[1] > MAX_PIXELS:
        return expected  # srlib reads none so large; it was renamed into place, so it is whole
    try:
        return read_image(path).size
    except ImageError:
        return None


@lru_cache(maxsize=1)
def _loaded(path: Path, scale: int) -> EDSR:
    """Once in each worker process and run: the path, in a scratch folder, is never the same again."""
    return load_pretrained(path, scale)
