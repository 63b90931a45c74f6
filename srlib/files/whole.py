"""Files that appear whole or not at all, locks, and the removal of leftovers of dead processes."""

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from srlib.errors import SRError

_PREFIX = ".making-"  # of temporary folders
_LOCK = ".lock"  # in a temporary folder, while its process lives
_DAY = 24 * 3600  # seconds
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # their errors name no file
_CURES = {
    **dict.fromkeys(_FULL, "make room on its disk"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "make its folder writable"),
}


class FileNameError(SRError, OSError, ValueError):
    """A file cannot have this name."""


def as_path(path: str | os.PathLike) -> Path:
    """The path, with the home folder for ~. Unlike Path.expanduser, it takes any ~name."""
    return Path(os.path.expanduser(path))


def write_whole(path: Path, content: bytes | memoryview, *, to_disk: bool = False) -> Path:
    """Write a file so that its name shows the old content or the new one, and never a part.

    A full disk or a killed process leaves the old content in place.

    Args:
        path: The file to write.
        content: Its bytes.
        to_disk: Wait until the content has reached the disk, which protects it from a power
            failure too, but takes time.

    Returns:
        The path.

    Raises:
        OSError: The file cannot be written, or its name is too long (FileNameError).

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_whole(Path(folder, "a.txt"), b"hello").read_bytes()
        b'hello'
    """
    with whole_file(path) as part, open(part, "wb") as file:
        file.write(content)
        if to_disk:
            file.flush()
            os.fsync(file.fileno())  # else the name may reach the disk before the content
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a `with` block a temporary path on the disk of `path`; at the end it becomes `path`.

    If the block raises, the temporary file is deleted. A name that is too long is refused
    before the block begins.
    """
    need_short_name(path)
    try:
        with scratch_folder(path.parent) as scratch:
            part = scratch / "file.part"
            yield part
            os.replace(part, path)
    except OSError as error:
        is_temporary = str(error.filename).startswith(str(path.parent / _PREFIX))
        if not is_temporary and (error.filename or error.errno not in _FULL):
            raise
        # The user knows the file by its own name.
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """Give a `with` block a temporary folder in `folder`, on the same disk.

    Files that are made in it only have to be renamed. A lock in it, which dies with its process,
    tells others that it is in use. Those of dead processes in `folder` are deleted first.
    """
    remove_leftovers(folder)
    while True:
        scratch = folder / f"{_PREFIX}{os.urandom(8).hex()}"
        scratch.mkdir()
        in_use = FileLock(scratch / _LOCK)
        with contextlib.suppress(OSError):  # a disk without locks
            in_use.acquire()
        if scratch.exists():  # else another process took it for a leftover, before it was locked
            break
    try:
        yield scratch
    finally:
        in_use.release()
        shutil.rmtree(scratch, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Delete the scratch folders in `folder` whose processes are dead.

    On a disk without locks, those are taken for dead that a day has left unchanged.
    """
    for left in folder.glob(_PREFIX + 16 * "[0-9a-f]"):
        in_use = FileLock(left / _LOCK)
        try:
            in_use.acquire(timeout=0)
        except Timeout:
            continue
        except OSError:
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime < _DAY:
                    continue
        shutil.rmtree(left, ignore_errors=True)
        in_use.release()


def need_short_name(path: Path) -> None:
    """Raise FileNameError if the name is too long for the disk."""
    try:
        path.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            start = path.with_name(path.name[:40])
            raise FileNameError(
                f"{start}… cannot be written: its name has {len(os.fsencode(path.name))} bytes, "
                "more than the disk takes. Choose a shorter name."
            ) from error


def short_name(name: str) -> str:
    """A file name cut to 100 bytes, so that an addition does not make it too long for the disk."""
    return os.fsdecode(os.fsencode(name)[:100]) if len(os.fsencode(name)) > 100 else name


def need_folder(folder: Path, error_class: type[SRError]) -> None:
    """Create a folder if it is not there; raise an `error_class` if it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder):
            pass
    except OSError as error:
        raise error_class(
            f"Nothing can be written to {folder} ({error.strerror}): "
            "choose another folder, or get the permission to write to this one."
        ) from error


def need_room(folder: Path, needed: int, purpose: str, error_class: type[SRError]) -> None:
    """Raise an `error_class` if the disk of `folder` has fewer than `needed` bytes free.

    The message begins with `purpose`, such as "Unpacking the archive".
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise error_class(
            f"{purpose} needs {needed / 1e6:,.1f} MB and the disk of {folder} has "
            f"{free / 1e6:,.1f} MB free: make room there or choose another folder, then call again."
        )


@contextmanager
def writing(path: Path, error_class: type[SRError], kept: str) -> Iterator[None]:
    """Turn an OSError of a `with` block into an `error_class` that names the file and the cure.

    `kept` ends the sentence with a clause on what is not lost.
    """
    try:
        yield
    except OSError as error:
        cure = _CURES.get(error.errno, "put that right")
        raise error_class(
            f"{path} cannot be written ({error.strerror or error}): {cure}, then call again; "
            f"{kept}."
        ) from error


@contextmanager
def lock(target: Path, busy: SRError | None = None) -> Iterator[bool]:
    """Keep other processes from making the same file or folder until the `with` block ends.

    The lock is a file beside the target, so that it is shared by all users, containers and
    machines that see the target. It is removed at the end; a process that waits notices that.
    On a disk without locks the block runs anyway, and is given False. If another process has the
    lock, its end is waited for, or `busy` is raised.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    file_lock = FileLock(target.with_name(f".{short_name(target.name)}.lock"), mode=0o666)
    try:
        file_lock.acquire(timeout=0 if busy else -1)
    except Timeout:
        if busy:
            raise busy from None
    except OSError:
        pass
    try:
        yield file_lock.is_locked
    finally:
        if file_lock.is_locked:
            with contextlib.suppress(OSError):  # Windows: it is open
                os.unlink(file_lock.lock_file)
            file_lock.release()


def open_regular(path: str | os.PathLike) -> BinaryIO:
    """Open a file for reading. Refuse pipes, sockets and devices, which could block for ever."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return open(path, "rb")


def hash_of(path: str | os.PathLike, algorithm: str = "sha256") -> str:
    """The hash of a regular file in hex, by an algorithm of `hashlib`."""
    with open_regular(path) as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(algorithm, usedforsecurity=False)
        ).hexdigest()
