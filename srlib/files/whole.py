"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def write_whole(path: Path, content: bytes | memoryview, *, to_disk: bool = False) -> Path:
    """Write `content` under another name beside `path`, then give it that name in a single step; returns the path.

    A process that is killed and a disk that is full leave what was there before, and nothing else in the folder but, after a
    kill, a hidden .part.  to_disk: wait until the content has reached the disk, so that a failing power supply does no more
    harm than that; it takes time.  Raises OSError.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            if to_disk:
                file.flush()
                os.fsync(file.fileno())  # else the name may reach the disk before the content
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path
