"""Making the LR images of a folder: all cores, restartable, the same bytes however often it is interrupted (notebook 01)."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil
from PIL import Image
from threadpoolctl import threadpool_limits

from srlib.images.degrade import METHODS, Degradation
from srlib.images.finder import DataError, find_images
from srlib.images.picture import read_image, write_image

_SCRATCH = ".making-"  # folders of this prefix, in the target folder, hold what is half made
_DAY = 24 * 3600  # seconds


@dataclass(frozen=True)
class LowResReport:
    """What happened to each file: paths relative to the target folder; failed maps a source path to the reason."""

    written: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{len(self.written)} written, {len(self.skipped)} already there, {len(self.failed)} failed"


def create_low_res_images_recursive(
    source_dir: str | os.PathLike,
    target_dir: str | os.PathLike,
    scale: int = 4,
    *,
    method: str | Degradation = "matlab",
    seed: int = 0,
    executor: Executor | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> LowResReport:
    """Make the LR image of every picture under `source_dir`, as a PNG at the same place under `target_dir`.

    Each HR image is cropped to a multiple of `scale` and shrunk by `method`: "matlab" (antialiased bicubic, what every
    published number rests on), "pillow" (its bicubic, which differs in one value of six), or a Degradation of the same
    scale, whose noise then depends on `seed` and on the picture's path.  Depth and gray are kept, alpha is left out.  A
    file that cannot be read is reported with its reason and the rest goes on.  What is already there is left alone unless
    `overwrite`; if it is of another size, that is reported too.

    executor: any concurrent.futures one, whose workers see both folders under the same paths: a ProcessPoolExecutor, or Dask's
    `Client.get_executor()` for several machines, where a lost worker's pictures are made by another.  If None, all
    cores, by threads.  on_progress(done, total) is called after each file.

    Killed at any moment and started again, it ends with the same files, byte for byte, and nothing else: pictures appear
    whole under their names, and what a killed run left half made is taken away by the next one.  Several runs may share a target.

    Raises DataError for an empty source, ValueError for an unknown scale or method or a Degradation of another scale.
    """
    degradation = _degradation(method, scale)
    source_dir, target_dir = Path(source_dir), Path(target_dir)
    if source_dir.resolve() == target_dir.resolve():
        raise DataError(
            f"Source and target are the same folder, {source_dir}: its pictures would be overwritten."
        )
    names = find_images(source_dir)
    same_target = Counter(name.with_suffix(".png") for name in names)
    report = LowResReport()
    unique = []
    for name in names:
        if same_target[name.with_suffix(".png")] > 1:
            report.failed[str(name)] = (
                "Another picture in the same folder has this name with another suffix; rename one."
            )
        else:
            unique.append(name)
    # Asked once, here: a worker may have to make a picture twice, if its first answer was lost, and should then say "written".
    keep = [not overwrite and (target_dir / name.with_suffix(".png")).exists() for name in unique]
    with scratch_folder(target_dir) as scratch, _workers(executor) as workers:
        job = _Job(source_dir, target_dir, scratch, degradation, seed, os.getpid())
        for done, (name, state, reason) in enumerate(
            workers.map(job, unique, keep), 1 + len(report.failed)
        ):
            if state == "failed":
                report.failed[str(name)] = reason
            else:
                getattr(report, state).append(str(name.with_suffix(".png")))
            if on_progress:
                on_progress(done, len(names))
    return report


def _degradation(method: str | Degradation, scale: int) -> Degradation:
    if scale not in (2, 3, 4, 8):
        raise ValueError(f"The scale of a data set is 2, 3, 4 or 8, not {scale}.")
    if isinstance(method, Degradation):
        if method.scale != scale:
            raise ValueError(
                f"The degradation is for scale {method.scale}, and scale {scale} is asked for; use one of them."
            )
        return method
    if method not in METHODS:
        raise ValueError(
            f"method is one of {', '.join(METHODS)}, or a Degradation, not {method!r}."
        )
    return Degradation(scale, method)


@contextmanager
def _workers(executor: Executor | None) -> Iterator[Executor]:
    """The caller's executor, left open; or threads of our own, with BLAS kept from starting as many again in each."""
    if executor:
        yield executor
        return
    own = ThreadPoolExecutor(os.cpu_count())
    with threadpool_limits(1, user_api="blas"):
        try:
            yield own
        finally:
            own.shutdown(cancel_futures=True)


@contextmanager
def scratch_folder(target_dir: Path) -> Iterator[Path]:
    """A folder for half-made files, on the target's disk so that a finished one only has to be renamed.

    Its name says which process it belongs to, and those of dead processes are removed first.  (Not a lock: worker processes
    that were forked would go on holding it after their parent was killed.)
    """
    target_dir.mkdir(parents=True, exist_ok=True)
    for left in target_dir.glob(f"{_SCRATCH}*"):
        if not _may_live(left):
            shutil.rmtree(left, ignore_errors=True)
    owner = f"{socket.gethostname()}~{os.getpid()}~{psutil.Process().create_time():.0f}~"
    scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH + owner, dir=target_dir))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _may_live(scratch: Path) -> bool:
    """Whether the run that owns this folder may still be at work; of one on another machine only its age is known."""
    try:
        host, pid, created, _ = scratch.name.removeprefix(_SCRATCH).rsplit("~", 3)
        if host != socket.gethostname():
            return time.time() - scratch.stat().st_mtime < _DAY
        return (
            abs(psutil.Process(int(pid)).create_time() - int(created)) < 2
        )  # else the number was given to another process
    except (ValueError, FileNotFoundError, psutil.NoSuchProcess):
        return False


@dataclass(frozen=True)
class _Job:
    """The making of one LR image; it travels to the workers."""

    source_dir: Path
    target_dir: Path
    scratch: Path
    degradation: Degradation
    seed: int
    coordinator: int  # process id

    def __call__(self, name: Path, keep: bool) -> tuple[Path, str, str]:
        """(name, "written" | "skipped" | "failed", reason).  keep: a file was there before this run and is to stay."""
        if os.getpid() != self.coordinator:
            _one_blas_thread()
        try:
            return name, *self._make(name, keep)
        except (OSError, ValueError, TypeError) as error:  # ImageError among them
            return name, "failed", str(error)

    def _make(self, name: Path, keep: bool) -> tuple[str, str]:
        target = self.target_dir / name.with_suffix(".png")
        hr = read_image(self.source_dir / name).array
        if keep:
            height, width = (n // self.degradation.scale for n in hr.shape[:2])
            with Image.open(target) as there:
                if there.size == (width, height):
                    return "skipped", ""
                found = f"{there.width} x {there.height} pixels"
                return (
                    "failed",
                    f"{target} exists with {found}; use another folder or overwrite=True.",
                )
        lr = self.degradation(hr, self.seed, name=name.with_suffix("").as_posix())
        half_made = write_image(self.scratch / f".{os.getpid()}-{os.urandom(8).hex()}.png", lr)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(half_made, target)
        return "written", ""


@cache
def _one_blas_thread() -> None:
    """Once in each worker process: there are as many of them as cores, so BLAS needs no threads of its own."""
    threadpool_limits(1, user_api="blas")
