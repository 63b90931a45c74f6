"""Bytes that wait on disk: uploads, results and downloads of a visitor."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading


class Scratch:
    """Bytes in a temporary file without a name; may be used from several threads.

    The file vanishes with the last reference to it, and with the process, even a killed one:
    nothing of a visitor's is left behind.

    Raises:
        OSError: If the disk is full.
    """

    def __init__(self, content: bytes = b""):
        self._file = tempfile.TemporaryFile()  # noqa: SIM115, it stays open as long as it exists
        self._lock = threading.Lock()
        self.write(content)

    @classmethod
    def of_file(cls, path: str | os.PathLike) -> Scratch:
        """The content of a file, which is removed."""
        scratch = cls()
        with open(path, "rb") as file:
            shutil.copyfileobj(file, scratch, 1 << 20)
        os.unlink(path)
        return scratch

    def write(self, piece: bytes) -> int:
        """Add bytes at the end."""
        with self._lock:
            self._file.seek(0, 2)
            self._file.write(piece)
            self._file.flush()
            return len(piece)

    def flush(self) -> None:
        """Nothing waits to be written: `write` flushes. Streams have this method."""

    def read(self, start: int = 0, size: int = -1) -> bytes:
        """Read `size` bytes from `start`; all that follow if negative."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(size)

    def __len__(self) -> int:
        with self._lock:
            return self._file.seek(0, 2)
