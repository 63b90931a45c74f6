"""One file from one mirror: resume after a cut, and a judgement of what the server says; srlib.download asks several."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ProtocolError, ReadTimeoutError
from urllib3.util.retry import Retry

_CHUNK = 1 << 18
_WORTH_A_TRY = 1 << 16  # bytes; less is next to nothing
_HASHES = {"sha256": "SHA-256", "md5": "MD5"}
_BUSY = (408, 429, 500, 502, 503, 504)  # answers that may be another one soon
_PAGE = re.compile(
    rb"\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)

Progress = Callable[[int, int | None], None]


class DownloadError(OSError):
    """No mirror gave the file, or it cannot be kept here; the message says what each answered and what to do."""


class Refused(Exception):
    """This mirror will not give the file; the text ends the sentence that its address begins."""


class _Cut(requests.ConnectionError):
    """The answer ended early, and said nothing of its length."""


_PASSING = (requests.ConnectionError, requests.Timeout)


@dataclass(frozen=True)
class Patience:
    """How long to wait for a mirror, in seconds, and how often to go on after a cut.

    connect: to be connected.  stall: between two pieces, and the longest "Retry-After" that is obeyed.  retries: tries in a row
    that bring next to nothing until a mirror is given up; one that never answered gets one.  backoff: the first pause
    between two tries; each further one is twice as long.
    """

    connect: float = 10.0
    stall: float = 30.0
    retries: int = 5
    backoff: float = 1.0


PATIENCE = Patience()


def need_room(folder: Path, needed: int, what: str) -> None:
    """Raises DownloadError if the disk of `folder` has fewer than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        missing = f"{what} needs {needed / 1e6:,.1f} MB and the disk of {folder} has {free / 1e6:,.1f} MB free"
        raise DownloadError(
            f"{missing}: make room there or choose another folder, then call again."
        )


class Part:
    """The file under way beside its target, and the hashes of what is in it."""

    def __init__(
        self,
        target: Path,
        given: dict[str, str],
        size: int | None,
        describe: Callable[[Path], str] | None = None,
    ):
        self.given, self.size, self.describe = given, size, describe
        self.path = target.with_name(f"{target.name}.{next(iter(given.values()))[:8]}.part")
        self.file = open(self.path, "a+b", buffering=0)  # noqa: SIM115, closed by __exit__
        self.file.seek(0)
        self._count_from(0)
        while piece := self.file.read(_CHUNK):
            self._count(piece)

    def __enter__(self) -> Part:
        return self

    def __exit__(self, *_) -> None:
        self.file.close()
        if self.done == 0:
            self.path.unlink(missing_ok=True)

    def _count_from(self, done: int) -> None:
        self.done, self.hashes = (
            done,
            {name: hashlib.new(name, usedforsecurity=False) for name in self.given},
        )

    def _count(self, piece: bytes) -> None:
        self.done += len(piece)
        for digest in self.hashes.values():
            digest.update(piece)

    def start_over(self) -> None:
        self.file.truncate(0)
        self._count_from(0)

    def append(self, piece: bytes) -> None:
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[self.file.write(rest) :]
        except OSError as error:
            what = f"{self.path} cannot be written ({error.strerror})"
            raise DownloadError(
                f"{what}: make room on its disk and call again; what is there is kept."
            ) from error
        self._count(piece)

    @property
    def complete(self) -> bool:
        return self.wrong_hash() is None

    def wrong_hash(self) -> tuple[str, str, str] | None:
        """The first hash that is not as given: its name, what it is, what it should be."""
        found = ((name, self.hashes[name].hexdigest(), value) for name, value in self.given.items())
        return next(((name, got, value) for name, got, value in found if got != value), None)

    def becomes(self, target: Path) -> None:
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.path, target)


class Mirror:
    """One address, asked until `part` is complete or it has no more chances."""

    def __init__(
        self,
        session: requests.Session,
        url: str,
        part: Part,
        patience: Patience,
        on_progress: Progress | None,
    ):
        self.session, self.url, self.part, self.patience, self.on_progress = (
            session,
            url,
            part,
            patience,
            on_progress,
        )
        self.etag = None
        self.has_answered = False
        self.may_start_over = True

    def fetch(self) -> None:
        fruitless, furthest = 0, self.part.done
        while not self.part.complete:
            try:
                self._transfer()
            except _PASSING:
                if self.part.complete:  # only the length was wrong
                    return
                fruitless = 0 if self.part.done - furthest >= _WORTH_A_TRY else fruitless + 1
                furthest = max(furthest, self.part.done)
                if fruitless > (
                    self.patience.retries if self.has_answered else min(1, self.patience.retries)
                ):
                    raise
                time.sleep(self.patience.backoff * 2 ** max(fruitless - 1, 0))

    def _transfer(self) -> None:
        """One request: append what is missing, or start over where the server makes us."""
        part = self.part
        headers = {"Accept-Encoding": "identity"}
        if part.done:
            headers["Range"] = f"bytes={part.done}-"
            if self.etag:  # a file that has changed comes whole, and is not glued to what we have
                headers["If-Range"] = self.etag
        timeout = (self.patience.connect, self.patience.stall)
        with self.session.get(self.url, stream=True, timeout=timeout, headers=headers) as answer:
            self.has_answered = True
            if answer.status_code == 416 and part.done:  # we have more than there is
                part.start_over()
                return
            answer.raise_for_status()
            start, total = _extent(answer)
            pieces = _pieces(answer)
            piece = next(pieces, b"")
            self._judge(start, total, piece)
            if start != part.done:
                part.start_over()
                if start:  # another stretch than the one asked for
                    return
            etag = answer.headers.get("ETag", "")
            self.etag = (
                etag if etag.startswith('"') else None
            )  # a weak one (W/"…") does not promise the same bytes
            total = total or part.size
            need_room(part.path.parent, (total or part.done) - part.done, part.path.name)
            while piece:
                part.append(piece)
                if part.size and part.done > part.size:
                    part.start_over()
                    raise Refused(f"sends more than the {part.size:,} bytes of the file")
                if self.on_progress:
                    self.on_progress(part.done, total)
                piece = next(pieces, b"")
        self._conclude(resumed=start > 0)

    def _judge(self, start: int, total: int | None, piece: bytes) -> None:
        """Before anything is overwritten: is this the file?"""
        if start == 0 and _PAGE.match(piece):
            title = _TITLE.search(piece)
            said = " ".join(title[1].decode(errors="replace").split()) if title else ""
            raise Refused(f"sent a web page instead of the file{said and f' (“{said[:80]}”)'}")
        if self.part.size and total not in (None, self.part.size):
            raise Refused(f"offers a file of {total:,} bytes where {self.part.size:,} are expected")

    def _conclude(self, *, resumed: bool) -> None:
        """The answer is at its end: is the file?"""
        part, wrong = self.part, self.part.wrong_hash()
        if wrong is None:
            return
        if part.size and part.done < part.size:
            raise _Cut
        name, got, value = wrong
        what = part.describe(part.path) if part.describe else ""
        part.start_over()
        if resumed and self.may_start_over:  # perhaps the beginning came from another file
            self.may_start_over = False
            return
        raise Refused(
            f"gave another file ({_HASHES[name]} {got[:8]}…, expected {value[:8]}…){what and f': {what}'}"
        )


def _extent(answer: requests.Response) -> tuple[int, int | None]:
    """The first byte of this answer within the file, and the length of the whole file, if it says."""
    if answer.status_code == 206:
        said = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if not said:
            raise Refused("answered with a part of the file without saying which")
        return int(said[1]), None if said[2] == "*" else int(said[2])
    length = answer.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    """The bytes as they come: requests' own iterator collects a whole piece first, and loses it when the connection breaks."""
    try:
        while piece := answer.raw.read1(_CHUNK):
            yield piece
    except (ProtocolError, ReadTimeoutError) as error:
        raise requests.ConnectionError(error) from error


def obey_busy_servers(session: requests.Session, patience: Patience) -> None:
    """A busy server is asked twice more, after the time it names; cuts are dealt with here, because urllib3 cannot resume."""
    retry = Retry(
        total=None, connect=0, read=False, other=0, status=2, status_forcelist=_BUSY, raise_on_status=False,
        backoff_factor=patience.backoff, retry_after_max=patience.stall,
    )  # fmt: skip
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))


def reason(error: Exception) -> str:
    if isinstance(error, Refused):
        return str(error)
    cause = error.args[0] if error.args else None
    for kinds, text in (
        (requests.exceptions.ProxyError, "the proxy cannot be reached or refuses"),
        (requests.exceptions.SSLError, "its certificate is not accepted"),
        (requests.TooManyRedirects, "redirects in circles"),
        (ValueError, "is no web address"),
        (_Cut, "broke off each time; what came is kept"),
        (requests.Timeout, "did not answer in time"),
    ):
        if isinstance(error, kinds):
            return text
    if isinstance(error, requests.HTTPError):
        return f"answered {error.response.status_code} {error.response.reason}"
    if isinstance(cause, ReadTimeoutError):
        return "stopped sending each time; what came is kept"
    if isinstance(cause, ProtocolError):
        return "broke off each time; what came is kept"
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__
