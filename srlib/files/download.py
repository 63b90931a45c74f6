"""Fetching one file: several mirrors, resume, a hash that decides, and nothing half-made under the final name (notebook 02)."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import requests
from filelock import FileLock

from srlib.files.transfer import (
    PATIENCE,
    DownloadError,
    Mirror,
    Part,
    Patience,
    Progress,
    Refused,
    obey_busy_servers,
    reason,
)

_UNITS = ((1e9, "GB"), (1e6, "MB"))


def fetch(
    urls: Sequence[str],
    target: str | os.PathLike,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    size: int | None = None,
    on_progress: Progress | None = None,
    describe: Callable[[Path], str] | None = None,
    patience: Patience = PATIENCE,
) -> Path:
    """The file with this hash at `target`, from the first mirror that has it; nothing is fetched if it is there.

    urls: mirrors, tried in order; each is accepted only if the bytes have every hash given (sha256 or md5 or both, in hex) and
    the size in bytes, where it is known.  A cut or stalled transfer goes on where it stopped, in this call and at the next
    one, from a file beside the target; another process that wants the same file waits.  Redirects are followed, and proxies
    are taken from the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY).  on_progress(bytes so far, bytes in all or None) goes back
    where a mirror makes us start over.  describe(path) says what a file with another hash seems to be, before it is thrown
    away; that joins the mirror's answer.  Raises DownloadError, with every mirror's answer or the reason why the file cannot be
    kept here; ValueError without a hash.
    """
    given = {name: value.lower() for name, value in (("sha256", sha256), ("md5", md5)) if value}
    if not given:
        raise ValueError("fetch accepts a file by its hash only: give sha256 or md5.")
    target = Path(target)
    if _is_there(target, given):
        return target
    _make_usable(target.parent)
    answers = []
    with lock(target), requests.Session() as session:
        if _is_there(target, given):  # another process has fetched it meanwhile
            return target
        obey_busy_servers(session, patience)
        with Part(target, given, size, describe) as part:
            for url in urls:
                try:
                    Mirror(session, url, part, patience, on_progress).fetch()
                except (Refused, requests.RequestException) as error:
                    answers.append(f"{url}: {reason(error)}")
                    continue
                part.becomes(target)
                return target
    raise DownloadError("\n  ".join([f"{target.name} could not be fetched:", *answers]))


def sha256_of(path: str | os.PathLike) -> str:
    return _hash_of(path, "sha256")


def progress_text(done: int, total: int | None, rate: float = 0.0) -> str:
    """Bytes, and bytes per second, as "1.2 of 3.5 GB, 11.0 MB/s, 3 min 29 s left"; what is not known is left out."""
    unit, name = next(
        ((unit, name) for unit, name in _UNITS if max(done, total or 0) >= unit), (1e3, "kB")
    )
    words = [
        f"{done / unit:.1f} of {total / unit:.1f} {name}" if total else f"{done / unit:.1f} {name}"
    ]
    if rate > 0:
        words.append(f"{rate / 1e6:.1f} MB/s")
        if total and done < total:
            words.append(f"{_duration(round((total - done) / rate))} left")
    return ", ".join(words)


def _duration(seconds: int) -> str:
    if seconds >= 3600:
        return f"{seconds // 3600} h {seconds // 60 % 60} min"
    return f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"


class Meter:
    """Makes text of what on_progress is told: meter(done, total) -> progress_text, with the rate of the last `window` seconds.

    What was there before the first call does not count as fetched.  clock() gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, window: float = 10.0):
        self.clock, self.window = clock, window
        self.seen: deque[tuple[float, int]] = deque()

    def __call__(self, done: int, total: int | None) -> str:
        now = self.clock()
        if self.seen and done < self.seen[-1][1]:  # started over
            self.seen.clear()
        self.seen.append((now, done))
        while len(self.seen) > 2 and now - self.seen[1][0] >= self.window:
            self.seen.popleft()
        then, before = self.seen[0]
        return progress_text(done, total, (done - before) / (now - then) if now > then else 0.0)


def lock(target: Path) -> FileLock:
    """Two processes must not write the same part.  The lock lives with the temporary files: it stays behind, empty."""
    name = hashlib.sha256(f"{Path.home()} {target.resolve()}".encode()).hexdigest()[:16]
    return FileLock(Path(tempfile.gettempdir()) / f"srlib-{name}.lock")


def _make_usable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        where = f"Nothing can be written to {folder} ({error.strerror})"
        raise DownloadError(
            f"{where}: make it a folder that you may write to, or choose another one."
        ) from error


def _is_there(target: Path, given: dict[str, str]) -> bool:
    try:
        return all(_hash_of(target, name) == value for name, value in given.items())
    except OSError:  # none, or none that can be read
        return False


def _hash_of(path: str | os.PathLike, name: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(name, usedforsecurity=False)
        ).hexdigest()
