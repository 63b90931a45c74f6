"""A set of pairs decoded once, into files that are mapped into memory."""

import contextlib
import glob
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from srlib.data.pairs import Pair, PairedImages, rgb_pixels
from srlib.errors import DataError
from srlib.files.progress import Progress
from srlib.files.whole import lock, need_folder, scratch_folder, writing
from srlib.images.picture import ImageError


class StoredPairs(list[Pair]):
    """Pairs whose pixels are mapped from files; gray images have three equal channels."""

    @property
    def names(self) -> list[str]:
        """The names of the pairs."""
        return [pair.name for pair in self]


def memory_map(
    pairs: PairedImages,
    *,
    cache_dir: str | os.PathLike,
    on_progress: Progress | None = None,
) -> StoredPairs:
    """Decode all pairs into memory-mapped files, or open the files that an earlier call made.

    The files are made again when an image is added or removed, or when its size or modification
    time changes. Each scale, `lr_dir` and `make_lr` has files of its own. A second process that
    needs the same files waits for the first. They take 3 bytes per HR and LR pixel, 7 GB for the
    800 images of DIV2K at x4, and may be deleted when nothing uses them.

    Args:
        pairs: The pairs to decode.
        cache_dir: Where the files go.
        on_progress: Called as on_progress(done, total) after each pair.

    Returns:
        A list of the pairs, for `PairedPatches` and `fine_tune`.

    Raises:
        DataError: The disk is too small or not writable, a pair does not fit, or no image can be
            read. A pair that cannot be read is left out with a warning.
        ValueError: An image has 16 bits, or the repr of `make_lr` does not identify it.
    """
    if " at 0x" in repr(pairs.make_lr):
        raise ValueError(
            f"A later run cannot recognise {pairs.make_lr!r}: use an object whose repr identifies "
            "it, such as a frozen dataclass with a __call__ method."
        )
    folder = Path(cache_dir) / _state(pairs)
    need_folder(folder.parent, DataError)
    with lock(folder):  # another process may be making the files
        stored = _open(folder)
        if not stored:
            _make(pairs, folder, on_progress)
            stored = _open(folder)
    for index in sorted(map(pairs.names.index, set(pairs.names) - set(stored.names))):
        try:
            pairs[index]
        except ImageError as error:
            warnings.warn(f"{pairs.files[index][0]} is left out: {error}", stacklevel=2)
    return stored


def _state(pairs: PairedImages) -> str:
    """A name for each set, which ends in a part that changes when the images do."""
    folders = [os.path.abspath(folder) for folder in (pairs.hr_dir, pairs.lr_dir) if folder]
    files = [file for pair in pairs.files for file in pair if file]
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    made_from = _hash([folders, repr(pairs.make_lr)])
    state = _hash([pairs.names, stats])
    return f"{pairs.hr_dir.absolute().name}-x{pairs.scale}-{made_from[:8]}-{state[:16]}"


def _hash(content: list) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _open(folder: Path) -> StoredPairs | None:
    """Map the files that `_make` wrote; None if they are missing, incomplete or damaged."""
    with contextlib.suppress(Exception):
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        hr = np.memmap(folder / "hr.bin", np.uint8, "r").reshape(-1, 3)
        lr = np.memmap(folder / "lr.bin", np.uint8, "r").reshape(-1, 3)
        area = index["scale"] ** 2  # HR pixels per LR pixel
        stored = StoredPairs()
        start = 0
        for name, height, width in index["lr"]:
            end = start + height * width
            large = hr[start * area : end * area].reshape(height * index["scale"], -1, 3)
            stored.append(Pair(large, lr[start:end].reshape(height, width, 3), name))
            start = end
        return stored
    return None


def _make(pairs: PairedImages, target: Path, on_progress: Progress | None) -> None:
    """Decode the pairs into the folder `target`, which replaces those of earlier states.

    The files are written, not mapped: a full disk is an error for a write, and kills the process
    for a map.
    """
    name_of_set = target.name.rpartition("-")[0]
    for outdated in target.parent.glob(f"{glob.escape(name_of_set)}-*/"):
        shutil.rmtree(outdated, ignore_errors=True)
    with scratch_folder(target.parent) as scratch:
        folder = scratch / target.name
        folder.mkdir()
        _write(pairs, folder, on_progress)
        with contextlib.suppress(OSError):  # a process that the lock did not stop was quicker
            os.rename(folder, target)


def _write(pairs: PairedImages, folder: Path, on_progress: Progress | None) -> None:
    """Write hr.bin, lr.bin and index.json."""
    written = []  # name, height and width of LR images
    with (
        writing(folder.parents[1], DataError, "another cache_dir will do"),
        open(folder / "hr.bin", "wb") as hr_file,
        open(folder / "lr.bin", "wb") as lr_file,
    ):
        for done, pair in enumerate(_decode_on_all_cores(pairs), 1):
            if pair:
                hr_file.write(np.ascontiguousarray(rgb_pixels(pair.hr, pair.name)))
                lr_file.write(np.ascontiguousarray(rgb_pixels(pair.lr, pair.name)))
                written.append((pair.name, *pair.lr.shape[:2]))
            if on_progress:
                on_progress(done, len(pairs))
        for file in (hr_file, lr_file):  # before the folder gets its final name
            file.flush()
            os.fsync(file.fileno())
    if not written:
        raise DataError(f"No image in {pairs.hr_dir} can be read: check_dataset says why.")
    index = json.dumps({"scale": pairs.scale, "lr": written})
    (folder / "index.json").write_text(index, encoding="utf-8")


def _decode_on_all_cores(pairs: PairedImages) -> Iterator[Pair | None]:
    """The pairs in their order, a few at a time, so that few are in memory; None if damaged."""

    def decode(index: int) -> Pair | None:
        with contextlib.suppress(ImageError):
            return pairs[index]

    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        for first in range(0, len(pairs), 2 * cores):
            yield from pool.map(decode, range(first, min(first + 2 * cores, len(pairs))))
