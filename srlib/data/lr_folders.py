"""LR folders: the LR image of every picture of a folder, by the same method, scale and seed."""

import os
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from threadpoolctl import threadpool_limits

from srlib.files.folder_job import FolderJob, FolderReport
from srlib.files.progress import Progress
from srlib.files.whole import as_path
from srlib.images.degrade import Degradation
from srlib.images.finder import list_pictures
from srlib.images.picture import read_image, write_image


def create_low_res_images_recursive(
    source_dir: str | os.PathLike,
    target_dir: str | os.PathLike,
    scale: int = 4,
    *,
    method: str | Degradation = "matlab",
    seed: int = 0,
    executor: Executor | None = None,
    overwrite: bool = False,
    on_progress: Progress | None = None,
) -> FolderReport:
    """Make the LR image of every picture under a folder, as a PNG at the same place in another.

    Each HR image is cropped to a multiple of `scale` and shrunk. Depth and gray are kept, alpha is
    left out. A picture that cannot be read is reported with the reason, and the others are made.

    A run that was killed can be started again: it ends with the same files, byte for byte. Files
    of the same recipe are kept; a file of another recipe is reported. Several runs may share a
    target.

    Args:
        source_dir: The HR images, in folders of any depth.
        target_dir: The folder of the LR images.
        scale: How many times smaller, a whole number.
        method: "matlab" (antialiased bicubic, on which all published numbers rest), "pillow" (its
            bicubic, which differs in one value of six), or a `Degradation` of this scale.
        seed: Chooses the noise of a `Degradation`, together with the picture's path.
        executor: Makes the images on its workers, which see both folders under the same paths: a
            ProcessPoolExecutor, or Dask's `Client.get_executor()` for several machines. None
            uses all cores of this one.
        overwrite: Make all images again, and replace any files of their names.
        on_progress: Called after each picture; may raise to cancel.

    Returns:
        The files written, skipped and failed.

    Raises:
        DataError: There are no pictures, the target cannot be written, or one folder lies in the
            other.
        ValueError: The scale or method is unknown, or the degradation has another scale.

    Example:
        >>> import numpy as np, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     hr = Path(folder, "HR")
        ...     hr.mkdir()
        ...     photo = write_image(hr / "photo.png", np.zeros((90, 120, 3), np.uint8))
        ...     print(create_low_res_images_recursive(hr, Path(folder, "LR"), scale=4))
        1 written, 0 already there, 0 failed
    """
    degradation = method if isinstance(method, Degradation) else Degradation(scale, method)
    if degradation.scale != scale:
        raise ValueError(
            f"The degradation is for scale {degradation.scale}, and scale {scale} is asked for; "
            "use one of them."
        )
    source_dir = as_path(source_dir)
    target_dir = as_path(target_dir)
    job = _LowRes(source_dir, target_dir, ".png", overwrite, degradation, seed)
    listing = list_pictures(source_dir)
    if executor:
        return job.run(listing.pictures, executor, on_progress, listing.passed_over)
    # The threads share the cores, so BLAS must not start as many again in each.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as threads:
        return job.run(listing.pictures, threads, on_progress, listing.passed_over)


@dataclass(frozen=True)
class _LowRes(FolderJob):
    """The making of LR images."""

    degradation: Degradation
    seed: int
    coordinator: int = field(default_factory=os.getpid)  # the process that runs the job

    def recipe(self) -> dict:
        # Without noise the seed makes no difference.
        return asdict(self.degradation) | {
            "degradation": type(self.degradation).__name__,
            "seed": self.seed if self.degradation.noise else None,
        }

    def make(self, source: Path, name: str, result: Path) -> None:
        if os.getpid() != self.coordinator:
            _one_blas_thread()
        write_image(result, self.degradation(read_image(source).array, self.seed, name=name))


@cache
def _one_blas_thread() -> None:
    """Once in each worker process: there are as many of them as cores."""
    threadpool_limits(1, user_api="blas")
