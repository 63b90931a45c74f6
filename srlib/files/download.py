"""Downloads from several mirrors, with resumed transfers and a hash that decides."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from requests.exceptions import ProxyError, SSLError

from srlib.errors import SRError
from srlib.files.progress import Progress
from srlib.files.whole import hash_of, lock, need_folder, need_room, short_name, writing

_CHUNK = 1 << 18  # bytes
_USEFUL = 1 << 16  # bytes; a try that brings fewer counts as fruitless
_BUSY = (408, 429, 500, 502, 503, 504)  # a later answer may be another one
_BROKEN_OFF = "broke off or stalled each time; the bytes that came are kept"
_WORDS = (  # the first class that fits
    (ProxyError, "the proxy cannot be reached or refuses"),
    (SSLError, "its certificate is not accepted"),
    (requests.Timeout, "did not answer in time"),
    (requests.TooManyRedirects, "redirects in circles"),
    (requests.ConnectionError, "no connection"),
)


class DownloadError(SRError, OSError):
    """No mirror gave the file, or it cannot be kept here; the message says why and what to do."""


class Refused(Exception):
    """The mirror cannot give the file. The text continues a sentence that begins with its URL."""


class Interrupted(Exception):
    """The transfer stopped, and it may help to ask again."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a mirror, and how often to ask it again.

    Attributes:
        connect: Seconds within which the connection must be made.
        stall: Seconds within which the next piece must come.
        retries: Fruitless tries in a row, after the first, until a mirror is given up. A mirror
            that never answered gets one at most.
        backoff: Seconds before the second try; each further pause is twice as long.
    """

    connect: float = 10.0
    stall: float = 30.0
    retries: int = 5
    backoff: float = 1.0


PATIENCE = Patience()


class Part:
    """The file under way beside its target, and the judgement whether it is complete.

    A part that an earlier call left goes on. Where the target could not be locked, the part is of
    this call alone, so that no two processes write to one file.

    Attributes:
        size: Bytes of the whole file, if known.
        done: Bytes so far.
    """

    def __init__(self, target: Path, hashes: dict[str, str], size: int | None, *, locked: bool):
        self.target = target
        self.hashes = hashes  # in hex, by "sha256" or "md5"
        self.size = size
        self.locked = locked
        start_of_hash = next(iter(hashes.values()))[:8]
        own = "" if locked else f".{os.urandom(4).hex()}"
        self.path = target.with_name(f"{short_name(target.name)}.{start_of_hash}{own}.part")
        self.file = open(self.path, "ab", buffering=0)  # noqa: SIM115, closed by __exit__
        self.done = self.path.stat().st_size

    def __enter__(self) -> Part:
        return self

    def __exit__(self, *_) -> None:
        self.file.close()
        if not (self.done and self.locked):
            self.path.unlink(missing_ok=True)

    def append(self, piece: bytes) -> None:
        """Write the next bytes. Raises DownloadError if that is not possible."""
        rest = memoryview(piece)
        with writing(self.target, DownloadError, "the bytes that came are kept"):
            while rest:
                written = self.file.write(rest)
                self.done += written
                rest = rest[written:]

    def start_over(self) -> None:
        """Discard the bytes that came."""
        self.file.truncate(0)
        self.done = 0

    def fault(self) -> str | None:
        """The reason why the bytes on the disk are not the whole file; None if they are."""
        if self.size and self.done != self.size:
            return f"gave {self.done:,} bytes, expected {self.size:,}"
        for algorithm, right in self.hashes.items():
            found = hash_of(self.path, algorithm)
            if found != right:
                label = {"sha256": "SHA-256", "md5": "MD5"}[algorithm]
                return f"gave another file ({label} {found[:8]}…, expected {right[:8]}…)"
        return None

    def becomes_target(self) -> None:
        """Give the finished file its name."""
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.path, self.target)


@dataclass
class Mirror:
    """One address, asked for the missing bytes until the part is complete or patience runs out."""

    session: requests.Session
    url: str
    part: Part
    patience: Patience
    on_progress: Progress | None
    has_answered: bool = False

    def fetch(self) -> None:
        """Complete the part, or raise Refused."""
        fruitless = 0
        furthest = self.part.done
        while True:
            try:
                return self._ask()
            except Interrupted as error:
                if self.part.fault() is None:  # only the stated length was wrong
                    return None
                # Bytes that came once before and were discarded count as no progress.
                fruitless = 0 if self.part.done - furthest >= _USEFUL else fruitless + 1
                furthest = max(furthest, self.part.done)
                retries = self.patience.retries
                if fruitless > (retries if self.has_answered else min(1, retries)):
                    raise Refused(str(error)) from error
                time.sleep(self.patience.backoff * 2 ** max(fruitless - 1, 0))

    def _ask(self) -> None:
        """Send one request: append the missing bytes, or start over where the mirror insists."""
        part = self.part
        with self._answer() as answer:
            start, total = self._extent(answer)
            if part.size and total not in (None, part.size):
                raise Refused(f"offers a file of {total:,} bytes where {part.size:,} are expected")
            if start == 0:
                part.start_over()
            while piece := _next_piece(answer):
                part.append(piece)
                if part.size and part.done > part.size:
                    part.start_over()
                    raise Refused(f"sends more than the {part.size:,} bytes of the file")
                if self.on_progress:
                    self.on_progress(part.done, part.size or total)
        if part.size and part.done < part.size:
            raise Interrupted(_BROKEN_OFF)
        if fault := part.fault():
            part.start_over()
            if start:  # perhaps the beginning came from another file
                raise Interrupted(fault)
            raise Refused(fault)

    def _answer(self) -> requests.Response:
        # A connection that is kept for the next request may be dropped by the mirror meanwhile.
        headers = {"Accept-Encoding": "identity", "Connection": "close"}
        if self.part.done:
            headers["Range"] = f"bytes={self.part.done}-"
        timeout = (self.patience.connect, self.patience.stall)
        try:
            answer = self.session.get(self.url, headers=headers, stream=True, timeout=timeout)
        except Exception as error:  # the next mirror may do better, whatever it is
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            words = (text for kind, text in _WORDS if isinstance(error, kind))
            text = next(words, f"gave no answer that can be read ({reason})")
            raise Interrupted(text) from error
        self.has_answered = True
        return answer

    def _extent(self, answer: requests.Response) -> tuple[int, int | None]:
        """The first byte that an answer brings, and the size of the whole file if it is stated.

        Raises Refused or Interrupted for an answer that does not go on with the file.
        """
        status = answer.status_code
        if status == 200:
            if answer.headers.get("Content-Type", "").startswith("text/html"):
                raise Refused("sent a web page instead of the file")
            return 0, _number(answer.headers.get("Content-Length", ""))
        if status in (206, 416):
            extent = answer.headers.get("Content-Range", "")
            if status == 206 and self.part.done and extent.startswith(f"bytes {self.part.done}-"):
                return self.part.done, _number(extent.rpartition("/")[2])
            self.part.start_over()
            raise Interrupted("answered with another part of the file than asked for")
        text = f"answered {status} {str(answer.reason)[:80]}"
        if status in _BUSY:
            raise Interrupted(text)
        raise Refused(text)


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None


def _next_piece(answer: requests.Response) -> bytes:
    try:
        # requests' own iterator collects a whole chunk, and loses it after a cut
        return answer.raw.read1(_CHUNK)
    except Exception as error:
        raise Interrupted(_BROKEN_OFF) from error


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
