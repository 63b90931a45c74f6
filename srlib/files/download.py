"""Downloads from several mirrors, with resumed transfers and a hash that decides."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import requests

from srlib.files.progress import Progress
from srlib.files.transfer import PATIENCE, DownloadError, Mirror, Part, Patience, Refused
from srlib.files.whole import hash_of, lock, need_folder, need_room, short_name


def fetch(
    urls: Sequence[str],
    target: str | os.PathLike,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    size: int | None = None,
    on_progress: Progress | None = None,
    patience: Patience = PATIENCE,
) -> Path:
    """Fetch a file from the first mirror that has it, unless it is there already.

    The file gets its name once the bytes on the disk match every hash given. A cut or stalled
    transfer is resumed, in this call and by the next one, from a file beside the target; on a disk
    without locks only in this call.
    Another process that wants the same file waits. Redirects are followed, and proxies are taken
    from the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY).

    Args:
        urls: The mirrors, tried in order.
        target: Where the file will be. A file that is there with another hash is kept beside it.
        sha256: The file's SHA-256 in hex.
        md5: The file's MD5 in hex.
        size: Bytes of the file, if known; a mirror with a file of another size is given up.
        on_progress: Called with the bytes so far and in all. The number of bytes falls when a
            transfer has to start over.
        patience: How long to wait, and how often to ask again.

    Returns:
        The target.

    Raises:
        DownloadError: No mirror gave the file, with the answer of each; or the file cannot be
            kept here.
        ValueError: No hash is given.
    """
    hashes = {name: value.lower() for name, value in (("sha256", sha256), ("md5", md5)) if value}
    if not hashes:
        raise ValueError("fetch accepts a file by its hash only: give sha256 or md5.")
    target = Path(target)
    if _is_there(target, hashes):
        return target
    need_folder(target.parent, DownloadError)
    answers = [f"{target.name} could not be fetched:"]
    with lock(target) as locked, requests.Session() as session:
        if _is_there(target, hashes):  # another process has fetched it meanwhile
            return target
        with Part(target, hashes, size, locked=locked) as part:
            if size:
                need_room(target.parent, size - part.done, target.name, DownloadError)
            for url in urls:
                try:
                    if part.done == 0 or part.fault():
                        Mirror(session, url, part, patience, on_progress).fetch()
                except Refused as error:
                    answers.append(f"{url}: {error}")
                    continue
                if target.exists() and not _is_there(target, hashes):
                    other = f"{short_name(target.name)}.{hash_of(target)[:8]}.other"
                    os.replace(target, target.with_name(other))
                part.becomes_target()
                return target
    raise DownloadError("\n  ".join(answers))


def sha256_of(path: str | os.PathLike) -> str:
    """The SHA-256 of a regular file in hex."""
    return hash_of(path, "sha256")


def _is_there(target: Path, hashes: dict[str, str]) -> bool:
    try:
        return all(hash_of(target, name) == value for name, value in hashes.items())
    except OSError:  # no file, or none that can be read
        return False
