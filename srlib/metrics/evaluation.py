"""Measure methods on a set, pair by pair, and go on after a kill."""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import psutil

from srlib.errors import SRError
from srlib.files.progress import Progress
from srlib.files.whole import lock, need_folder, write_whole, writing
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
    extra: Mapping[str, Metric] | None = None,
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
        extra: Further metrics by name, functions of SR, HR and LR.
        progress_file: Grows by a line of JSON per image and method. After a kill, the same call
            computes only what is missing. A pair with other pixels counts as missing; a method
            with other weights does not, so give it another name or another file.
        on_progress: Called with the number of images done and their total, None if that is unknown.

    Returns:
        A table of image, method, metric ("psnr" in dB, "ssim", or one of `extra`), value, seconds
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
    metrics |= extra or {}
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
    with _memory_readings() as memory:
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
    return {"values": values, "seconds": seconds, "peak_memory": round(max(memory), 1)}


@contextmanager
def _memory_readings() -> Iterator[list[float]]:
    """The main memory of this process, in MiB, read again and again during a `with` block."""
    process = psutil.Process()
    over = threading.Event()
    readings: list[float] = []

    def read() -> None:
        readings.append(process.memory_info().rss / 2**20)

    def watch() -> None:
        while not over.wait(_SAMPLING):
            read()

    watcher = threading.Thread(target=watch, daemon=True)
    read()
    watcher.start()
    try:
        yield readings
    finally:
        over.set()
        watcher.join()
        read()


@contextmanager
def _open_progress(path: str | os.PathLike | None, heading: dict) -> Iterator[_Progress]:
    """The records of a progress file, and a function that adds one.

    The file is a heading, then a line of JSON per image and method, each with a checksum. No other
    evaluation may use it meanwhile.
    """
    if path is None:
        yield {}, lambda record: None
        return
    path = Path(path).expanduser()
    if os.path.lexists(path) and not (path.is_file() and os.access(path, os.R_OK)):
        raise ProgressFileError(
            f"{path} is not a regular file that can be read: name another progress file."
        )
    need_folder(path.parent, ProgressFileError)
    path = path.resolve()
    busy = f"Another evaluation is using {path}: wait for its end, or name another file."
    with lock(path, ProgressFileError(busy)):
        records = _read_records(path, heading)

        def keep(record: dict) -> None:
            records[record["image"], record["pair"], record["method"]] = record
            lines = [json.dumps(heading), *map(_as_line, records.values()), ""]
            with writing(path, ProgressFileError, "earlier measurements are kept"):
                write_whole(path, "\n".join(lines).encode(), to_disk=True)

        yield records, keep


def _read_records(path: Path, heading: dict) -> dict[_Key, dict]:
    """Read the records; a damaged line is skipped with a warning."""
    if not path.exists() or not (content := path.read_bytes()):
        return {}
    first, *lines = content.removesuffix(b"\n").split(b"\n")
    begun_with = _parsed(first)
    if begun_with.keys() != heading.keys():
        raise ProgressFileError(f"{path} is not a progress file of evaluate: name another file.")
    if begun_with != heading:
        raise ProgressFileError(
            f"{path} was begun with {begun_with}, and now it is {heading}: name another file."
        )
    records = {}
    damaged = []
    for number, line in enumerate(lines, 2):
        record = _parsed(line)
        try:
            if record.pop("checksum") != _checksum(record):
                raise ValueError
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


def _as_line(record: dict) -> str:
    """A record as JSON, which has no number for an infinite PSNR: that is stored as text."""
    values = {name: v if math.isfinite(v) else str(v) for name, v in record["values"].items()}
    record = record | {"values": values}
    return json.dumps(record | {"checksum": _checksum(record)}, allow_nan=False)


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
