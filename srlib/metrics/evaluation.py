"""Measure methods on a set, pair by pair, and go on after a kill."""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from srlib.errors import SRError
from srlib.files.whole import as_path, need_folder, open_regular, writing
from srlib.metrics.protocols import PROTOCOLS, Protocol

if TYPE_CHECKING:
    from srlib.data import Pair

Upscaler = Callable[[np.ndarray], np.ndarray]  # LR to SR, uint8
Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]  # of SR, HR and LR, uint8


class ProgressFileError(SRError, ValueError):
    """The progress file cannot be read or written, or is some other file."""


def evaluate(
    upscalers: Mapping[str, Upscaler],
    pairs: Iterable[Pair],
    *,
    scale: int,
    protocol: str | Protocol,
    extra: Mapping[str, Metric] | None = None,
    progress_file: str | os.PathLike | None = None,
) -> pd.DataFrame:
    """Run every upscaler on every pair and measure the results.

    Pairs are read one by one and not kept, so a set may be larger than memory.

    Args:
        upscalers: By method, functions from LR to SR, uint8.
        pairs: The set: `Pair`s of HR, LR and a name.
        scale: The scale of the set.
        protocol: A name in PROTOCOLS, or a `Protocol` of your own.
        extra: Further metrics by name, functions of SR, HR and LR.
        progress_file: Grows by a line per image and method. After a kill, the same call computes
            only what is missing. Other pixels, another scale and another protocol count as missing;
            other weights of a method do not, so give it another name or another file.

    Returns:
        A table of image, method, metric ("psnr" in dB, "ssim", or one of `extra`), value and
        seconds (of the upscaler on this image).

    Raises:
        ValueError: The protocol is unknown, two pairs have one name, or an image cannot be
            measured, as one that is too small for the border.
        ProgressFileError: The progress file cannot be read or written, or is some other file.

    Example:
        >>> hr = np.arange(768).reshape(16, 16, 3).astype(np.uint8)
        >>> nearest = {"nearest": lambda lr: lr.repeat(2, 0).repeat(2, 1)}
        >>> table = evaluate(nearest, [(hr, hr[::2, ::2], "a")], scale=2, protocol="rgb")
        >>> list(table["metric"])
        ['psnr', 'ssim']
    """
    rules = protocol if isinstance(protocol, Protocol) else PROTOCOLS.get(protocol)
    if rules is None:
        raise ValueError(f"protocol is one of {', '.join(PROTOCOLS)}, not {protocol!r}.")
    metrics = {
        "psnr": lambda sr, hr, lr: rules.psnr(sr, hr, scale=scale),
        "ssim": lambda sr, hr, lr: rules.ssim(sr, hr, scale=scale),
    }
    metrics |= extra or {}
    path = as_path(progress_file) if progress_file else None
    known = _read_records(path) if path else {}
    names = set()
    rows = []
    for pair in pairs:
        name = pair[2]
        if name in names:
            raise ValueError(f"Two pairs are called {name}: give each picture a name of its own.")
        names.add(name)
        task = _digest(pair, [asdict(rules), scale, *metrics]) if path else ""
        for method, upscaler in upscalers.items():
            record = known.get((task, method))
            if record is None:
                record = {"task": task, "image": name, "method": method}
                record |= _measure(method, upscaler, pair, metrics)
                if path:
                    _append_record(path, record)
            seconds = record["seconds"]
            rows += [(name, method, *item, seconds) for item in record["values"].items()]
    return pd.DataFrame(rows, columns=["image", "method", "metric", "value", "seconds"])


def _measure(
    method: str, upscaler: Upscaler, pair: Pair, metrics: Mapping[str, Metric]
) -> dict[str, Any]:
    """The values of an upscaler on a pair, with its time."""
    hr, lr, name = pair
    start = time.perf_counter()
    sr = upscaler(lr)
    seconds = time.perf_counter() - start
    try:
        values = {metric: float(measure(sr, hr, lr)) for metric, measure in metrics.items()}
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}, as {method} makes it: {error}") from error
    return {"values": values, "seconds": seconds}


def _read_records(path: Path) -> dict[tuple[str, str], dict]:
    """The records of a progress file by task and method; a damaged line is skipped with a warning.

    Each line is a checksum and an object of JSON. It begins with its line feed, so that one which
    was cut short by a kill or a full disk does not spoil the next.
    """
    need_folder(path.parent, ProgressFileError)
    try:
        with open_regular(path) as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ProgressFileError(
            f"{path} cannot be read ({error.strerror}): name another progress file."
        ) from error
    records = {}
    damaged = []
    for number, line in enumerate(lines, 1):
        checksum, _, text = line.partition(b" ")
        if checksum == _checksum(text):
            record = json.loads(text)
            records[record["task"], record["method"]] = record
        elif line:
            damaged.append(str(number))
    if damaged and not records:
        raise ProgressFileError(f"{path} is not a progress file of evaluate: name another file.")
    if damaged:
        warnings.warn(
            f"{path}: line {', '.join(damaged)} is damaged and was skipped; a picture "
            "without a record is measured again.",
            stacklevel=3,
        )
    return records


def _append_record(path: Path, record: dict) -> None:
    text = json.dumps(record).encode()
    with (
        writing(path, ProgressFileError, "earlier measurements are kept"),
        open(path, "ab") as file,
    ):
        file.write(b"\n" + _checksum(text) + b" " + text)
        file.flush()
        os.fsync(file.fileno())  # against a power failure


def _checksum(text: bytes) -> bytes:
    return b"%08x" % zlib.crc32(text)


def _digest(pair: Pair, settings: list) -> str:
    """A fingerprint of the settings and of the pixels of both images."""
    digest = hashlib.blake2b(json.dumps(settings, default=np.generic.item).encode(), digest_size=8)
    for image in pair[:2]:
        digest.update(repr(image.shape).encode())
        digest.update(np.ascontiguousarray(image))
    return digest.hexdigest()
