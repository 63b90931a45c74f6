"""Every method on every picture of a set: a tidy table that streams, runs in parallel and survives a kill (notebook 06)."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from srlib.data.patches import Pair
from srlib.metrics.protocols import PROTOCOLS

Upscaler = Callable[[np.ndarray], np.ndarray]  # LR to SR, uint8
Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]  # of SR, HR and LR, uint8
_SAMPLING = 0.005  # seconds between two looks at the memory
_AHEAD = 2 * (
    os.cpu_count() or 1
)  # pairs that wait for a worker: enough to keep it busy, few enough to fit in memory


def evaluate(
    upscalers: Mapping[str, Upscaler],
    pairs: Iterable[Pair],
    *,
    scale: int,
    protocol: str,
    more: Mapping[str, Metric] | None = None,
    executor: Executor | None = None,
    progress_file: str | os.PathLike | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """Run every upscaler on every pair: a tidy table of image, method, metric, value, seconds and peak_memory.

    metric is "psnr" (dB) or "ssim" by the protocol, or one of `more`; seconds is the upscaler's time for that image, and
    peak_memory the most main memory, in MiB, that the process held meanwhile, all else in it included.  Pairs are read as they
    are needed, pictures are not kept.  on_progress(images done).

    executor: any concurrent.futures one.  For processes the upscalers must be picklable: `partial(upscale, model=model)`, not a
    lambda.  progress_file: a file that grows by a JSON line for each image and method.  Killed at any moment and started again
    with it, only what is missing is computed; a pair with other pixels counts as missing, a method with other weights does not,
    so give that another name or another file.

    Raises ValueError if two pairs have one name, or if the file is of another protocol, scale or list of metrics.
    """
    job = _Job(PROTOCOLS[protocol].name, scale, dict(more or {}))
    heading = {"protocol": protocol, "scale": scale, "metrics": ["psnr", "ssim", *job.more]}
    order, records = [], {}
    with _Ledger(Path(progress_file), heading) if progress_file else nullcontext() as ledger:

        def tasks() -> Iterator[tuple[Pair, dict[str, Upscaler]]]:
            for pair in pairs:
                if pair.name in order:
                    raise ValueError(
                        f"Two pairs are called {pair.name}: give each picture of a set a name of its own."
                    )
                order.append(pair.name)
                known = ledger.known(pair) if ledger else {}
                records.update(
                    ((pair.name, method), known[method]) for method in upscalers if method in known
                )
                yield (
                    pair,
                    {
                        method: upscaler
                        for method, upscaler in upscalers.items()
                        if method not in known
                    },
                )

        for done, (pair_digest, answers) in enumerate(_in_order(job, tasks(), executor), 1):
            for record in answers:
                records[record["image"], record["method"]] = record
                if ledger:
                    ledger.write(record | {"pair": pair_digest})
            if on_progress:
                on_progress(done)
    rows = [
        (image, method, metric, value, records[image, method]["seconds"], records[image, method]["peak_memory"])
        for image in order for method in upscalers for metric, value in records[image, method]["values"].items()
    ]  # fmt: skip
    return pd.DataFrame(
        rows, columns=["image", "method", "metric", "value", "seconds", "peak_memory"]
    )


@dataclass(frozen=True)
class _Job:
    """The measuring of one pair; it travels to the workers."""

    protocol: str
    scale: int
    more: dict[str, Metric]

    def __call__(self, task: tuple[Pair, dict[str, Upscaler]]) -> tuple[str, list[dict]]:
        (hr, lr, name), upscalers = task
        rules, records = PROTOCOLS[self.protocol], []
        for method, upscaler in upscalers.items():
            with _PeakMemory() as memory:
                start = time.perf_counter()
                sr = upscaler(lr)
                seconds = time.perf_counter() - start
            values = {
                "psnr": rules.psnr(sr, hr, scale=self.scale),
                "ssim": rules.ssim(sr, hr, scale=self.scale),
            }
            values |= {metric: float(measure(sr, hr, lr)) for metric, measure in self.more.items()}
            records.append(
                {
                    "image": name,
                    "method": method,
                    "values": values,
                    "seconds": seconds,
                    "peak_memory": memory.most,
                }
            )
        return _digest(task[0]), records


def _in_order(job: _Job, tasks: Iterator, executor: Executor | None) -> Iterator:
    """job(task) for each task, in order; with an executor a few tasks ahead, so that a large set is never all in memory."""
    if executor is None:
        yield from map(job, tasks)
        return
    ahead: deque = deque()
    try:
        for task in tasks:
            ahead.append(executor.submit(job, task))
            if len(ahead) > _AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        for future in ahead:
            future.cancel()


class _PeakMemory:
    """The most main memory that this process holds, looked at every few milliseconds; afterwards in `most`, MiB."""

    def __enter__(self) -> _PeakMemory:
        self._process, self._over, self.most = psutil.Process(), threading.Event(), 0.0
        self._look()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def _look(self) -> None:
        self.most = max(self.most, round(self._process.memory_info().rss / 2**20, 1))

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLING):
            self._look()

    def __exit__(self, *_) -> None:
        self._over.set()
        self._watcher.join()
        self._look()


def _digest(pair: Pair) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for image in (pair.hr, pair.lr):
        digest.update(repr(image.shape).encode())
        digest.update(np.ascontiguousarray(image))
    return digest.hexdigest()


class _Ledger:
    """What is done, in a file: a heading and then a line of JSON for each image and method, on the disk as soon as it is known.

    A line is complete or, after a kill, the last and cut short; that one is taken away.
    """

    def __init__(self, path: Path, heading: dict):
        whole, _, torn = (path.read_bytes() if path.exists() else b"").rpartition(b"\n")
        self._records: dict[tuple[str, str], dict[str, dict]] = {}
        if whole:
            try:
                found, *records = map(json.loads, whole.split(b"\n"))
                for record in records:
                    self._records.setdefault((record["image"], record["pair"]), {})[
                        record["method"]
                    ] = record
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(
                    f"{path} is no progress file of evaluate: name another one."
                ) from error
            if found != heading:
                raise ValueError(
                    f"{path} was begun with {found}, and now it is {heading}: name another file, or remove it."
                )
        elif torn and not json.dumps(heading).encode().startswith(torn):
            raise ValueError(f"{path} is no progress file of evaluate: name another one.")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._file.truncate(len(whole) + 1 if whole else 0)
        if not whole:
            self.write(heading)

    def __enter__(self) -> _Ledger:
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def known(self, pair: Pair) -> dict[str, dict]:
        """The records of this very pair, by method."""
        return self._records.get((pair.name, _digest(pair)), {})

    def write(self, record: dict) -> None:
        self._file.write(json.dumps(record).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
