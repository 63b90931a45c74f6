"""One file from one mirror: transfers are resumed after a cut, and no wait is endless."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from urllib.parse import urljoin

import requests
from requests.exceptions import InvalidHeader, ProxyError, SSLError
from requests.utils import select_proxy
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from srlib.errors import SRError
from srlib.files.progress import Progress
from srlib.files.whole import hash_of, need_room, short_name, writing

_CHUNK = 1 << 18  # bytes
_USEFUL = 1 << 16  # bytes; a try that brings fewer counts as fruitless
_MOST_REDIRECTS = 10
_REDIRECT = (301, 302, 303, 307, 308)
_BUSY = (408, 429, 500, 502, 503, 504)  # a later answer may be another one
_PAGE = re.compile(
    rb"\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)


class DownloadError(SRError, OSError):
    """No mirror gave the file, or it cannot be kept here; the message says why and what to do."""


class Refused(Exception):
    """The mirror cannot give the file. The text continues a sentence that begins with its URL."""


class Interrupted(Exception):
    """The transfer stopped, and it may help to ask again.

    Attributes:
        pause: Seconds to wait, if the mirror said so.
    """

    def __init__(self, text: str, pause: float = 0.0):
        super().__init__(text)
        self.pause = pause


_BROKEN_OFF = "broke off each time; the bytes that came are kept"
_STOPPED = "stopped sending each time; the bytes that came are kept"
_WORDS = (  # the first class that fits
    (ProxyError, "the proxy cannot be reached or refuses"),
    (SSLError, "its certificate is not accepted"),
    (ReadTimeoutError, _STOPPED),
    (ProtocolError, _BROKEN_OFF),
    (requests.Timeout, "did not answer in time"),
    (requests.ConnectionError, "no connection"),
)


@dataclass(frozen=True)
class Patience:
    """How long to wait for a mirror, and how often to ask it again.

    Attributes:
        connect: Seconds until the connection must stand.
        stall: Seconds until the next piece must have come, and the longest "Retry-After" obeyed.
        retries: Fruitless tries in a row, after the first, until a mirror is given up. A mirror
            that never answered gets one at most.
        backoff: Seconds before the second try; each further pause is twice as long.
        least_rate: Bytes per second; a mirror that is slower over `stall` seconds has stalled.
        unsized: Bytes that are accepted of a file whose size neither caller nor mirror states.
    """

    connect: float = 10.0
    stall: float = 30.0
    retries: int = 5
    backoff: float = 1.0
    least_rate: float = 1000.0
    unsized: int = 10**9


PATIENCE = Patience()


@dataclass
class Part:
    """The file under way beside its target, and the judgement whether it is complete.

    Each process writes to a part of its own, so that no two can ever write to one file. An
    unfinished part of a call that ended is taken over, and, if this process has the lock of the
    target, also that of a process that died.
    """

    target: Path
    hashes: dict[str, str]  # in hex, by "sha256" or "md5"
    size: int | None  # bytes of the whole file, if known
    locked: bool

    def __post_init__(self):
        self.name = f"{short_name(self.target.name)}.{next(iter(self.hashes.values()))[:8]}"
        self.path = self.target.with_name(f"{self.name}.{os.urandom(4).hex()}.part")
        pattern = f"{glob.escape(self.name)}.{'*' if self.locked else ''}part"
        for left in self.path.parent.glob(pattern):
            if left.is_file() and not left.is_symlink() and os.access(left, os.W_OK):
                with contextlib.suppress(OSError):  # another process was quicker
                    os.replace(left, self.path)
        self.file = open(self.path, "ab", buffering=0)  # noqa: SIM115, closed by __exit__
        self.done = self.path.stat().st_size  # bytes so far

    def __enter__(self) -> Part:
        return self

    def __exit__(self, *_) -> None:
        self.file.close()
        with contextlib.suppress(FileNotFoundError):  # it has become the target
            if self.done:
                os.replace(self.path, self.path.with_name(f"{self.name}.part"))
            else:
                self.path.unlink()

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
    etag: str | None = None
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
                backoff = self.patience.backoff * 2 ** max(fruitless - 1, 0)
                time.sleep(min(max(error.pause, backoff), self.patience.stall))

    def _ask(self) -> None:
        """Send one request: append the missing bytes, or start over where the mirror insists."""
        part = self.part
        headers = {"Accept-Encoding": "identity"}
        if part.done:
            headers["Range"] = f"bytes={part.done}-"
            if self.etag:  # a file that has changed comes whole, and is not glued to the old part
                headers["If-Range"] = self.etag
        answer = _in_time(_answer(self.session, self.url, headers, self.patience), self.patience)
        with closing(answer):
            head = next(answer)
            self.has_answered = True
            start, total = _extent(head)
            if start not in (0, part.done):
                part.start_over()
                raise Interrupted("answered with another stretch of the file than asked for")
            etag = head.headers.get("ETag", "")
            # A weak one (W/"…") does not promise the same bytes.
            self.etag = etag if etag.startswith('"') else None
            self._receive(start, total, answer)

    def _receive(self, start: int, total: int | None, pieces: Iterator[bytes]) -> None:
        part = self.part
        piece = next(pieces, b"")
        if start == 0 and _PAGE.match(piece):  # noticed before anything is overwritten
            title = _TITLE.search(piece)
            words = " ".join(title[1].decode(errors="replace").split())[:80] if title else ""
            raise Refused(
                "sent a web page instead of the file" + (f" (“{words}”)" if words else "")
            )
        if part.size and total not in (None, part.size):
            raise Refused(f"offers a file of {total:,} bytes where {part.size:,} are expected")
        if start != part.done:
            part.start_over()
        total = part.size or total
        try:
            needed = (total or part.done) - part.done
            need_room(part.path.parent, needed, part.target.name, DownloadError)
        except DownloadError as error:  # the next mirror may offer another size
            raise Refused(str(error)) from error
        limit = total or self.patience.unsized
        while piece:
            part.append(piece)
            if part.done > limit:
                part.start_over()
                raise Refused(f"sends more than the {limit:,} bytes of the file")
            if self.on_progress:
                self.on_progress(part.done, total)
            piece = next(pieces, b"")
        if part.size and part.done < part.size:
            raise Interrupted(_BROKEN_OFF)
        if fault := part.fault():
            part.start_over()
            if start:  # perhaps the beginning came from another file
                raise Interrupted(fault)
            raise Refused(fault)


def _answer(
    session: requests.Session, url: str, headers: dict[str, str], patience: Patience
) -> Iterator[requests.Response | bytes]:
    """Yield the response of a mirror, to read its head, and then the bytes of its body.

    Redirects are followed here, since requests would read their bodies, which may have no end.
    """
    timeout = (patience.connect, patience.stall)
    location = ""
    for _ in range(_MOST_REDIRECTS + 1):
        settings: dict[str, Any] = {}
        try:
            url = urljoin(url, location)
            request = session.prepare_request(requests.Request("GET", url, headers=headers))
            settings = session.merge_environment_settings(request.url, {}, True, None, None)
            adapter = session.get_adapter(request.url)
            response = adapter.send(request, timeout=timeout, **settings)
        except InvalidHeader:
            raise
        except (ValueError, TypeError) as error:
            if proxy := select_proxy(url, settings.get("proxies")):
                shown = re.sub("//[^/]*@", "//", proxy)  # without a password
                raise Refused(f"the proxy {shown} of the environment cannot be used") from None
            start = f"redirects to {location[:200]!r}, which is" if location else "is"
            raise Refused(f"{start} no web address") from error
        with response:
            # headers arrive as Latin-1; addresses that are not ASCII are UTF-8
            location = response.headers.get("Location", "")
            location = location.encode("latin-1").decode("utf-8", "replace")
            if response.status_code not in _REDIRECT or not location:
                yield response
                # requests' own iterator collects a whole chunk, and loses it after a cut
                while piece := response.raw.read1(_CHUNK):
                    yield piece
                return
    raise Refused("redirects in circles")


def _extent(head: requests.Response) -> tuple[int, int | None]:
    """The first byte that an answer brings, and the size of the whole file if it is stated.

    Raises Refused or Interrupted for an answer that brings no bytes of the file.
    """
    status = head.status_code
    if status == 200:
        length = re.fullmatch(r"\d{1,18}", head.headers.get("Content-Length", ""))
        return 0, int(length[0]) if length else None
    if status == 206:
        extent = re.fullmatch(
            r"bytes (\d{1,18})-\d+/(?:(\d{1,18})|\*)", head.headers.get("Content-Range", "")
        )
        if not extent:
            raise Refused("answered with a part of the file without saying which")
        return int(extent[1]), int(extent[2]) if extent[2] else None
    if status == 416:  # the part is longer than the mirror's file
        return -1, None
    text = f"answered {status} {str(head.reason)[:80]}"
    if status in _BUSY:
        raise Interrupted(text, _retry_after(head.headers.get("Retry-After", "")))
    raise Refused(text)


def _retry_after(text: str) -> float:
    """The pause that a busy mirror asks for, in seconds or until a date; 0 if it is unreadable."""
    try:
        if text.strip().isdecimal():
            return float(text)
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError, OSError):
        return 0.0


def _in_time(items: Iterator, patience: Patience) -> Iterator:
    """Yield the items of a mirror's answer, and give up when they come too late or too slowly.

    They are read in a thread of their own. A time limit on the socket is not enough, since a mirror
    can send its headers or the lengths of its chunks letter by letter. Any exception in the thread
    is raised as Refused or Interrupted.
    """
    queue: Queue = Queue(8)
    given_up = threading.Event()

    def produce() -> None:
        try:
            for item in items:
                queue.put((item, None))
                if given_up.is_set():
                    return
            queue.put((None, None))
        except Exception as error:
            queue.put((None, error))
        finally:
            items.close()

    threading.Thread(target=produce, daemon=True).start()
    enough = patience.least_rate * patience.stall
    deadline = time.monotonic() + patience.connect + patience.stall
    received = 0
    head = None
    try:
        while True:
            try:
                item, error = queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                text = "did not answer in time" if head is None else _STOPPED
                raise Interrupted(text) from None
            if error:
                raise _failure(error)
            if item is None:
                return
            received += 0 if head is None else len(item)
            if head is None or received >= enough:
                deadline = time.monotonic() + patience.stall
                received = 0
            head = item if head is None else head
            yield item
    finally:
        given_up.set()
        while not queue.empty():  # the thread may be waiting for a place
            queue.get_nowait()


def _failure(error: Exception) -> Refused | Interrupted:
    """Put any exception of a mirror into words."""
    if isinstance(error, Refused | Interrupted):
        return error
    cause = error.args[0] if error.args else None
    if isinstance(cause, ProtocolError):  # requests wraps it in a ConnectionError
        error = cause
    for error_class, text in _WORDS:
        if isinstance(error, error_class):
            return Interrupted(text)
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return Refused(f"gave no answer that can be read ({reason})")
