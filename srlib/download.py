"""Fetching one file: several mirrors, resume, a hash that decides, and nothing half-made under the final name (notebook 02)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import requests

_CHUNK = 1 << 20
_TIMEOUT = (10, 30)  # seconds to connect, and between two pieces

Progress = Callable[[int, int | None], None]


class DownloadError(OSError):
    """No mirror gave the file; the message says what each of them answered."""


def fetch(
    urls: Sequence[str],
    target: str | os.PathLike,
    *,
    sha256: str,
    on_progress: Progress | None = None,
) -> Path:
    """The file with this SHA-256 at `target`, from the first mirror that has it; nothing is fetched if it is there.

    A cut transfer goes on where it stopped at the next call.  Proxies are taken from the environment.
    on_progress(bytes so far, bytes in all or None).  Raises DownloadError, listing every mirror's answer.
    """
    target = Path(target)
    if target.exists() and sha256_of(target) == sha256:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{sha256[:8]}.part")
    answers = []
    for url in urls:
        try:
            _transfer(url, part, on_progress)
        except requests.RequestException as error:
            answers.append(f"{url}: {_reason(error)}")
            continue
        got = sha256_of(part)
        if got == sha256:
            os.replace(part, target)
            return target
        part.unlink()
        answers.append(f"{url}: gave another file (SHA-256 {got[:8]}…, expected {sha256[:8]}…)")
    raise DownloadError("\n  ".join([f"{target.name} could not be fetched:", *answers]))


def _transfer(url: str, part: Path, on_progress: Progress | None) -> None:
    """Append what is missing to `part`; start over where the server does not do ranges."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(url, stream=True, timeout=_TIMEOUT, headers=headers) as answer:
        if answer.status_code == 416:  # all of it was there already: the hash will tell
            return
        answer.raise_for_status()
        resumed = answer.status_code == 206
        have = have if resumed else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with open(part, "ab" if resumed else "wb") as file:
            for piece in answer.iter_content(_CHUNK):
                file.write(piece)
                have += len(piece)
                if on_progress:
                    on_progress(have, total)


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.HTTPError):
        return f"answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "did not answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__


def sha256_of(path: str | os.PathLike) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
