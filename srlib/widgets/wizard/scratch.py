"""Bytes that wait on disk without a name: what visitors send, and what was made of it."""

from __future__ import annotations

import tempfile
import threading


class Scratch:
    """Bytes in a file that has no name.

    It is gone with the last reference to it, and with the process, even with one that is killed: nothing of a visitor's is left
    behind, and it takes no memory meanwhile.  Raises OSError where the disk is full.
    """

    def __init__(self, content: bytes = b""):
        self._file = tempfile.TemporaryFile()  # noqa: SIM115, it is open as long as it exists
        self._lock = threading.Lock()
        self.append(content)

    def append(self, piece: bytes) -> None:
        with self._lock:
            self._file.seek(0, 2)
            self._file.write(piece)
            self._file.flush()

    def read(self, start: int = 0, size: int = -1) -> bytes:
        with self._lock:
            self._file.seek(start)
            return self._file.read(size)

    def __len__(self) -> int:
        with self._lock:
            return self._file.seek(0, 2)
