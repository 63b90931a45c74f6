"""A set of pairs decoded once, into files that are mapped into memory (notebook 01)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image

from srlib.data.pairs import PairedImages
from srlib.data.patches import PixelStore, flat_pixels
from srlib.images.finder import DataError
from srlib.images.picture import read_image

_FORMAT = 1  # of the files; with another number older ones are made again

Progress = Callable[[int, int], None]


def memory_map(
    pairs: PairedImages,
    *,
    cache_dir: str | os.PathLike | None = None,
    on_progress: Progress | None = None,
) -> PixelStore:
    """All pairs decoded, as uint8 files mapped into memory: made at the first call, and opened in no time by the next ones.

    They lie under `cache_dir`; without one in .srlib_cache beside `hr_dir`, or in the system's temporary folder if nothing can
    be written there.  They are made anew when a picture is added, removed or changed (by name, size and time of change), and
    the old ones removed; each scale, lr_dir and make_lr (by its repr) has its own.  A second process that asks at the same time
    waits for the first; what an interrupted call leaves is never taken for whole.  They take 3 bytes for each HR and LR pixel,
    9 GB for the 800 pictures of DIV2K at x4, and may be deleted at any time when nobody reads them.

    on_progress(done, total) is called after each pair.  Raises DataError if the disk is too small, nothing can be written or a
    pair does not fit, ImageError for a picture that cannot be read, ValueError for one with 16 bits or a make_lr without name.
    """
    if " at 0x" in repr(pairs.make_lr):
        raise ValueError(
            f"{pairs.make_lr!r} has no name by which a later run could know it again: make it an object whose repr says all it "
            "does, such as a frozen dataclass with a __call__."
        )
    places = (
        [Path(cache_dir)]
        if cache_dir
        else [pairs.hr_dir.absolute().parent / ".srlib_cache", _temporary_place()]
    )
    folders = [place / _folder_name(pairs, place) for place in places]
    state = _state(pairs)
    for folder in folders:
        if store := _open(folder / state):
            return store
    folder = next(filter(_can_write, folders), None)
    if folder is None:
        raise DataError(
            f"Nothing can be written to {' or '.join(map(str, places))}: pass a cache_dir that can be written to."
        )
    with FileLock(folder / "lock"):
        if store := _open(folder / state):  # another process made it while this one waited
            return store
        for old in filter(Path.is_dir, folder.iterdir()):
            shutil.rmtree(old, ignore_errors=True)
        part = folder / "part"
        part.mkdir()
        try:
            _write(pairs, part, on_progress)
            if _state(pairs) != state:
                raise DataError(
                    f"Pictures of {pairs.hr_dir} were changed while they were read: call again when that is over."
                )
            os.replace(part, folder / state)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return PixelStore.open(folder / state)


def _temporary_place() -> Path:
    user = (
        os.getuid() if hasattr(os, "getuid") else "user"
    )  # Windows has a temporary folder for each user
    return Path(tempfile.gettempdir(), f"srlib_cache_{user}")


def _folder_name(pairs: PairedImages, place: Path) -> str:
    """A folder for each set.  Paths count from the cache, so that data and cache can be moved together."""
    made_from = _seen_from(place, pairs.lr_dir) if pairs.lr_dir else repr(pairs.make_lr)
    key = _hash([_seen_from(place, pairs.hr_dir), made_from])
    return f"{pairs.hr_dir.absolute().name}-x{pairs.scale}-{key[:8]}"


def _seen_from(place: Path, folder: Path) -> str:
    try:
        return os.path.relpath(folder, place)
    except ValueError:  # another drive of Windows
        return os.path.abspath(folder)


def _state(pairs: PairedImages) -> str:
    """A name that changes with the pictures."""
    files = [file for pair in pairs.files for file in pair if file]
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return _hash([_FORMAT, pairs.scale, pairs.names, stats])[:16]


def _hash(content: list) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _open(folder: Path) -> PixelStore | None:
    with contextlib.suppress(OSError, ValueError):  # not there, or not whole
        return PixelStore.open(folder)
    return None


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n")
    except OSError:
        return False
    return True


def _write(pairs: PairedImages, folder: Path, on_progress: Progress | None):
    """hr.bin, lr.bin and index.json, pair by pair on all cores: no more pairs in memory than there are cores.

    Files are written, not mapped, since a full disk is an error for a write and the end of the process for a map.
    """
    counts = np.array([_count_lr_pixels(file, pairs.scale) for file, _ in pairs.files])
    starts, total = np.cumsum(counts) - counts, int(counts.sum())
    bytes_of = {"hr": 3 * total * pairs.scale**2, "lr": 3 * total}
    need, free = sum(bytes_of.values()), shutil.disk_usage(folder).free
    if need > free:
        what = f"The decoded pictures of {pairs.hr_dir} take {need / 1e9:.1f} GB"
        raise DataError(
            f"{what}, and {folder.parents[1]} has {free / 1e9:.1f} GB free: make room, or pass another cache_dir."
        )
    for kind, size in bytes_of.items():
        with open(folder / f"{kind}.bin", "wb") as file:
            file.truncate(size)

    def write_pair(index: int) -> tuple[int, int]:
        hr, lr, name = pairs[index]
        if lr.shape[0] * lr.shape[1] != counts[index]:
            raise DataError(
                f"{name} has another size than its file says: it was changed meanwhile, or save it anew."
            )
        for kind, image, start in (
            ("hr", hr, starts[index] * pairs.scale**2),
            ("lr", lr, starts[index]),
        ):
            with open(folder / f"{kind}.bin", "r+b") as file:
                file.seek(3 * int(start))
                file.write(np.ascontiguousarray(flat_pixels(image, name)))
        return lr.shape[:2]

    sizes = []
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        for size in pool.map(write_pair, range(len(pairs))):
            sizes.append(size)
            if on_progress:
                on_progress(len(sizes), len(pairs))
    finally:
        pool.shutdown(cancel_futures=True)
    heights, widths = np.array(sizes).T.tolist()
    index = {
        "scale": pairs.scale,
        "names": pairs.names,
        "heights": heights,
        "widths": widths,
        "starts": starts.tolist(),
    }
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    for file in folder.iterdir():
        with open(file, "r+b") as written:
            os.fsync(written.fileno())


def _count_lr_pixels(hr_file: Path, scale: int) -> int:
    """How many LR pixels a picture has, by its header alone; turning it upright does not change that."""
    try:
        with Image.open(hr_file) as image:
            return (image.width // scale) * (image.height // scale)
    except (OSError, Image.DecompressionBombError):
        height, width = read_image(hr_file).size  # which says what is wrong with it
        return (height // scale) * (width // scale)
