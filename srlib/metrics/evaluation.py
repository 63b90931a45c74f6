"""Measure methods on a set: streaming, in parallel, and going on after a kill."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
import time
import warnings
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager, suppress
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

Upscaler = Callable[[np.ndarray], np.ndarray]  # LR to SR, uint8
Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]  # of SR, HR and LR, uint8
_METRICS = ("psnr", "ssim")  # as the methods of Protocol are called
_SAMPLING = 0.005  # seconds between two looks at the memory
_AHEAD = 2 * (os.cpu_count() or 1)  # pairs that wait for a worker; few enough to fit in memory


class ProgressFileError(SRError, ValueError):
    """The progress file cannot be written, is in use, belongs to other settings, or is none."""


def evaluate(
    upscalers: Mapping[str, Upscaler],
    pairs: Iterable[Pair],
    *,
    scale: int,
    protocol: str | Protocol,
    more: Mapping[str, Metric] | None = None,
    executor: Executor | None = None,
    progress_file: str | os.PathLike | None = None,
    on_progress: Progress | None = None,
) -> pd.DataFrame:
    """Run every upscaler on every pair and measure the results.

    Pairs are read one by one as they are needed and not kept, so a set may be larger than memory.

    Args:
        upscalers: By method, functions from LR to SR, uint8.
        pairs: The set: `Pair`s of HR, LR and a name.
        scale: The scale of the set.
        protocol: A name in PROTOCOLS, or a `Protocol` of your own.
        more: Further metrics, functions of SR, HR and LR, by name.
        executor: From concurrent.futures, or one like it. For processes the upscalers must be
            picklable: `partial(upscale, model=model)`, not a lambda.
        progress_file: Grows by a line of JSON per image and method. After a kill, the same call
            computes only what is missing. A pair with other pixels counts as missing; a method
            with other weights does not, so give it another name or another file.
        on_progress: Called with the number of images done and their total, None if that is unknown.

    Returns:
        A table of image, method, metric ("psnr" in dB, "ssim", or one of `more`), value, seconds
        (of the upscaler on this image) and peak_memory (MiB, the most that the process held
        meanwhile, everything included). An image that is too small for a metric has no row for it,
        and a warning names it.

    Raises:
        ValueError: The protocol is unknown, or two pairs have one name.
        ProgressFileError: The progress file belongs to other settings, is something else, or
            another evaluation is using it.

    Example:
        >>> hr = np.arange(768).reshape(16, 16, 3).astype(np.uint8)
        >>> nearest = {"nearest": lambda lr: lr.repeat(2, 0).repeat(2, 1)}
        >>> table = evaluate(nearest, [(hr, hr[::2, ::2], "a")], scale=2, protocol="rgb")
        >>> list(table["metric"])
        ['psnr', 'ssim']
    """
    rules = find_protocol(protocol)
    known_name = PROTOCOLS.get(rules.name) == rules
    heading = {"protocol": rules.name if known_name else asdict(rules), "scale": scale}
    more = dict(more or {})
    metrics = [*_METRICS, *more]
    total = len(pairs) if isinstance(pairs, Sized) else None
    records: dict[str, dict[str, dict]] = {}  # by image and method
    with _ledger(progress_file, heading | {"metrics": metrics}) as ledger:

        def tasks() -> Iterator[tuple[Pair, dict[str, Upscaler]]]:
            for pair in pairs:
                name = pair[2]
                if name in records:
                    raise ValueError(
                        f"Two pairs are called {name}: give each picture a name of its own."
                    )
                records[name] = ledger.known(pair)
                missing = [method for method in upscalers if method not in records[name]]
                yield pair, {method: upscalers[method] for method in missing}

        measure = partial(_measure, rules, scale, more)
        for done, new_records in enumerate(_in_order(measure, tasks(), executor), 1):
            for record in new_records:
                records[record["image"]][record["method"]] = record
                ledger.write(record)
            if on_progress:
                on_progress(done, total)
    rows = [
        (image, method, metric, value, record["seconds"], record["peak_memory"])
        for image, by_method in records.items()
        for method, record in ((method, by_method[method]) for method in upscalers)
        for metric, value in record["values"].items()
    ]
    columns = ["image", "method", "metric", "value", "seconds", "peak_memory"]
    table = pd.DataFrame(rows, columns=columns)
    for metric in metrics:
        measured = set(table["image"][table["metric"] == metric])
        if small := [image for image in records if upscalers and image not in measured]:
            names = ", ".join(small)
            warnings.warn(f"Too small for {metric}, and left out: {names}.", stacklevel=2)
    return table


def _measure(
    rules: Protocol, scale: int, more: dict[str, Metric], task: tuple[Pair, dict[str, Upscaler]]
) -> list[dict[str, Any]]:
    """The records of some upscalers on a pair."""
    (hr, lr, name), upscalers = task
    records = []
    for method, upscaler in upscalers.items():
        with _PeakMemory() as memory:
            start = time.perf_counter()
            sr = upscaler(lr)
            seconds = time.perf_counter() - start
        values = {}
        for metric in _METRICS:
            try:
                values[metric] = getattr(rules, metric)(sr, hr, scale=scale)
            except ImageTooSmallError:
                continue
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name}, as {method} makes it: {error}") from error
        for metric, measure in more.items():
            with suppress(ImageTooSmallError):
                values[metric] = float(measure(sr, hr, lr))
        record = {"image": name, "method": method, "values": values}
        records.append(record | {"seconds": seconds, "peak_memory": memory.peak})
    return records


def _in_order(
    measure: Callable, tasks: Iterator, executor: Executor | None
) -> Iterator[list[dict]]:
    """The records of each task in order, with a few tasks ahead if there is an executor."""
    if executor is None:
        yield from map(measure, tasks)
        return
    ahead: deque = deque()
    try:
        for task in tasks:
            ahead.append(executor.submit(measure, task))
            if len(ahead) > _AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        for future in ahead:
            future.cancel()


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
def _ledger(path: str | os.PathLike | None, heading: dict) -> Iterator[_Ledger]:
    """The ledger of a progress file, which no other evaluation may use meanwhile."""
    if path is None:
        yield _Ledger(None, None)
        return
    path = Path(path).expanduser()
    if path.exists() and not path.is_file():
        raise ProgressFileError(f"{path} is no regular file: name another progress file.")
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
        ledger = _Ledger(path, file)
        ledger.read(heading)
        yield ledger


class _Ledger:
    """The records of a progress file: a heading, and then a line of JSON per image and method.

    A line reaches the disk as soon as it is known. Values that JSON has no number for, such as the
    infinite PSNR of equal pictures, are stored as text.
    """

    def __init__(self, path: Path | None, file: FileIO | None):
        self._path = path
        self._file = file
        self._records: dict[tuple[str, str], dict[str, dict]] = {}  # by image and pixels
        self._digests: dict[str, str] = {}

    def read(self, heading: dict) -> None:
        """Read the records, skip damaged lines with a warning, and drop a line cut by a kill."""
        self._file.seek(0)
        whole, newline, torn = self._file.read().rpartition(b"\n")
        if not newline and json.dumps(heading).encode().startswith(torn):
            self._file.truncate(0)
            self._append(heading)
            return
        first, *lines = whole.split(b"\n")
        begun_with = _parsed(first)
        if begun_with.keys() != heading.keys():
            raise ProgressFileError(
                f"{self._path} is no progress file of evaluate: name another one."
            )
        if begun_with != heading:
            raise ProgressFileError(
                f"{self._path} was begun with {begun_with}, and now it is {heading}: name another "
                "file."
            )
        self._file.truncate(len(whole) + 1)
        damaged = [str(number) for number, line in enumerate(lines, 2) if not self._keep(line)]
        if damaged:
            warnings.warn(
                f"{self._path}: line {', '.join(damaged)} is damaged and was skipped; a picture "
                "without a record is measured again.",
                stacklevel=5,
            )

    def _keep(self, line: bytes) -> bool:
        """Keep the record in a line; False if it is damaged."""
        record = _parsed(line)
        if record.pop("checksum", None) != _checksum(record):
            return False
        try:
            record["values"] = {name: float(value) for name, value in record["values"].items()}
            record |= {name: float(record[name]) for name in ("seconds", "peak_memory")}
            known = self._records.setdefault((record["image"], record["pair"]), {})
            known[record["method"]] = record
        except (ValueError, TypeError, KeyError, AttributeError):
            return False
        return True

    def known(self, pair: Pair) -> dict[str, dict]:
        """The records of this very pair by method."""
        if self._file is None:
            return {}
        self._digests[pair[2]] = _digest(pair)
        return dict(self._records.get((pair[2], self._digests[pair[2]]), {}))

    def write(self, record: dict) -> None:
        """Append a record, if there is a file."""
        if self._file is None:
            return
        values = {
            metric: value if np.isfinite(value) else str(value)
            for metric, value in record["values"].items()
        }
        record = record | {"values": values, "pair": self._digests[record["image"]]}
        self._append(record | {"checksum": _checksum(record)})

    def _append(self, entry: dict) -> None:
        line = json.dumps(entry, allow_nan=False).encode() + b"\n"
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ProgressFileError(
                f"{self._path} cannot be written ({error.strerror}): make room on its disk and "
                "call again; what was measured before is kept."
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
