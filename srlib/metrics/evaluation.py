"""Measure methods on a set, pair by pair, and go on after a kill."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import psutil
from filelock import FileLock, Timeout

from srlib.errors import SRError
from srlib.files.progress import Progress
from srlib.files.whole import need_folder, short_name
from srlib.metrics.protocols import PROTOCOLS, ImageTooSmallError, Protocol, find_protocol

if TYPE_CHECKING:
    from srlib.data import Pair

_Key = tuple[str, str, str]  # image, its pixels, method
_Progress = tuple[dict[_Key, dict], Callable[[dict], None]]
Upscaler = Callable[[np.ndarray], np.ndarray]  # LR to SR, uint8
Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]  # of SR, HR and LR, uint8
_SAMPLING = 0.005  # seconds between two readings of the memory


class ProgressFileError(SRError, ValueError):
    """The progress file cannot be written, is in use, belongs to other settings, or is none."""


def evaluate(
    upscalers: Mapping[str, Upscaler],
    pairs: Iterable[Pair],
    *,
    scale: int,
    protocol: str | Protocol,
    more: Mapping[str, Metric] | None = None,
    progress_file: str | os.PathLike | None = None,
    on_progress: Progress | None = None,
) -> pd.DataFrame:
    """Run every upscaler on every pair and measure the results.

    Pairs are read one by one and not kept, so a set may be larger than memory.

    Args:
        upscalers: By method, functions from LR to SR, uint8.
        pairs: The set: `Pair`s of HR, LR and a name.
        scale: The scale of the set.
        protocol: A name in PROTOCOLS, or a `Protocol` of your own.
        more: Further metrics by name, functions of SR, HR and LR.
        progress_file: Grows by a line of JSON per image and method. After a kill, the same call
            computes only what is missing. A pair with other pixels counts as missing; a method
            with other weights does not, so give it another name or another file.
        on_progress: Called with the number of images done and their total, None if that is unknown.

    Returns:
        A table of image, method, metric ("psnr" in dB, "ssim", or one of `more`), value, seconds
        (of the upscaler on this image) and peak_memory (MiB, the most that the whole process held
        meanwhile). An image that is too small for a metric has no row for it, and a warning names
        it.

    Raises:
        ValueError: The protocol is unknown, or two pairs have one name.
        ProgressFileError: The progress file belongs to other settings, is some other file, or
            another evaluation is using it.

    Example:
        >>> hr = np.arange(768).reshape(16, 16, 3).astype(np.uint8)
        >>> nearest = {"nearest": lambda lr: lr.repeat(2, 0).repeat(2, 1)}
        >>> table = evaluate(nearest, [(hr, hr[::2, ::2], "a")], scale=2, protocol="rgb")
        >>> list(table["metric"])
        ['psnr', 'ssim']
    """
    rules = find_protocol(protocol)
    metrics = {
        "psnr": lambda sr, hr, lr: rules.psnr(sr, hr, scale=scale),
        "ssim": lambda sr, hr, lr: rules.ssim(sr, hr, scale=scale),
    }
    metrics |= more or {}
    heading = {
        "protocol": rules.name if rules in PROTOCOLS.values() else asdict(rules),
        "scale": scale,
        "metrics": list(metrics),
    }
    total = len(pairs) if isinstance(pairs, Sized) else None
    rows = []
    measured: dict[str, set[str]] = {}  # metrics by image
    with _open_progress(progress_file, heading) as (known, keep):
        for done, pair in enumerate(pairs, 1):
            name = pair[2]
            if name in measured:
                raise ValueError(
                    f"Two pairs are called {name}: give each picture a name of its own."
                )
            measured[name] = set()
            pixels = _digest(pair) if progress_file else ""
            for method, upscaler in upscalers.items():
                record = known.get((name, pixels, method))
                if record is None:
                    record = {"image": name, "pair": pixels, "method": method}
                    record |= _measure(method, upscaler, pair, metrics)
                    keep(record)
                cost = (record["seconds"], record["peak_memory"])
                rows += [(name, method, *item, *cost) for item in record["values"].items()]
                measured[name] |= set(record["values"])
            if on_progress:
                on_progress(done, total)
    for metric in metrics:
        small = [name for name, found in measured.items() if upscalers and metric not in found]
        if small:
            names = ", ".join(small)
            warnings.warn(f"Too small for {metric}, and left out: {names}.", stacklevel=2)
    columns = ["image", "method", "metric", "value", "seconds", "peak_memory"]
    return pd.DataFrame(rows, columns=columns)


def _measure(
    method: str, upscaler: Upscaler, pair: Pair, metrics: Mapping[str, Metric]
) -> dict[str, Any]:
    """The values of an upscaler on a pair, with its time and memory."""
    hr, lr, name = pair
    with _PeakMemory() as memory:
        start = time.perf_counter()
        sr = upscaler(lr)
        seconds = time.perf_counter() - start
    values = {}
    for metric, measure in metrics.items():
        try:
            values[metric] = float(measure(sr, hr, lr))
        except ImageTooSmallError:
            continue
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name}, as {method} makes it: {error}") from error
    return {"values": values, "seconds": seconds, "peak_memory": memory.peak}


class _PeakMemory:
    """Watches the main memory of this process; `peak` is the most it held, in MiB."""

    def __enter__(self) -> _PeakMemory:
        self.peak = 0.0
        self._process = psutil.Process()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._look()
        self._watcher.start()
        return self

    def _look(self) -> None:
        self.peak = max(self.peak, round(self._process.memory_info().rss / 2**20, 1))

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLING):
            self._look()

    def __exit__(self, *_) -> None:
        self._over.set()
        self._watcher.join()
        self._look()


@contextmanager
def _open_progress(path: str | os.PathLike | None, heading: dict) -> Iterator[_Progress]:
    """The records of a progress file, and a function that appends one.

    The file is a heading, then a line of JSON per image and method, each with a checksum. No other
    evaluation may use it meanwhile.
    """
    if path is None:
        yield {}, lambda record: None
        return
    path = Path(path).expanduser()
    if path.exists() and not path.is_file():
        raise ProgressFileError(f"{path} is not a regular file: name another progress file.")
    need_folder(path.parent, ProgressFileError)
    lock = FileLock(path.with_name(f".{short_name(path.name)}.lock"))
    with ExitStack() as stack:
        try:
            lock.acquire(timeout=0)
            stack.callback(lock.release)
            file = stack.enter_context(path.open("a+b", buffering=0))
        except Timeout:
            raise ProgressFileError(
                f"Another evaluation is using {path}: wait for its end, or name another file."
            ) from None
        except OSError as error:
            raise ProgressFileError(
                f"{path} cannot be written ({error.strerror}): name another progress file."
            ) from error
        append = partial(_append, file, path)
        yield _read_records(file, path, heading, append), partial(_append_record, append)


def _read_records(
    file: FileIO, path: Path, heading: dict, append: Callable[[dict], None]
) -> dict[_Key, dict]:
    """Read the records, skip damaged lines with a warning, and drop a line cut short by a kill."""
    file.seek(0)
    whole, newline, torn = file.read().rpartition(b"\n")
    if not newline and json.dumps(heading).encode().startswith(torn):
        file.truncate(0)
        append(heading)
        return {}
    first, *lines = whole.split(b"\n")
    begun_with = _parsed(first)
    if begun_with.keys() != heading.keys():
        raise ProgressFileError(f"{path} is not a progress file of evaluate: name another file.")
    if begun_with != heading:
        raise ProgressFileError(
            f"{path} was begun with {begun_with}, and now it is {heading}: name another file."
        )
    file.truncate(len(whole) + 1)
    records = {}
    damaged = []
    for number, line in enumerate(lines, 2):
        record = _parsed(line)
        if record.pop("checksum", None) != _checksum(record):
            damaged.append(str(number))
            continue
        try:
            record["values"] = {name: float(value) for name, value in record["values"].items()}
            record |= {name: float(record[name]) for name in ("seconds", "peak_memory")}
            records[record["image"], record["pair"], record["method"]] = record
        except (ValueError, TypeError, KeyError, AttributeError):
            damaged.append(str(number))
    if damaged:
        warnings.warn(
            f"{path}: line {', '.join(damaged)} is damaged and was skipped; a picture "
            "without a record is measured again.",
            stacklevel=5,
        )
    return records


def _append_record(append: Callable[[dict], None], record: dict) -> None:
    """Append a record; JSON has no number for an infinite PSNR, so that is stored as text."""
    values = {name: v if math.isfinite(v) else str(v) for name, v in record["values"].items()}
    record = record | {"values": values}
    append(record | {"checksum": _checksum(record)})


def _append(file: FileIO, path: Path, entry: dict) -> None:
    """Append a line; it is on the disk when this returns."""
    line = json.dumps(entry, allow_nan=False).encode() + b"\n"
    try:
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())
    except OSError as error:
        raise ProgressFileError(
            f"{path} cannot be written ({error.strerror}): make room on its disk and call again; "
            "what was measured before is kept."
        ) from error


def _parsed(line: bytes) -> dict:
    """The object in a line of JSON; an empty one if there is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _checksum(record: dict) -> int:
    """A number that changes with every value in a record, so that a flipped bit is found."""
    return zlib.crc32(json.dumps(record, sort_keys=True).encode())


def _digest(pair: Pair) -> str:
    """A fingerprint of the pixels of both images."""
    digest = hashlib.blake2b(digest_size=8)
    for image in pair[:2]:
        digest.update(repr(image.shape).encode())
        digest.update(np.ascontiguousarray(image))
    return digest.hexdigest()
