"""Memory that stays in the process while a network computes."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of glibc's mallopt(3), which has no names for them outside C.
_TRIM_THRESHOLD = -1
_TOP_PAD = -2
_MMAP_THRESHOLD = -3
_MMAP_MAX = -4
_MEGABYTE = 1024**2


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory for the next feature map, and give it back at the end.

    By default glibc asks the system for every map of more than 32 MB and gives it back at once.
    The system clears its pages each time, which takes a fifth of the time that EDSR needs for a
    picture. On other systems than Linux this does nothing.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not hasattr(libc, "mallopt"):  # musl has none
        yield
        return
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    libc.mallopt(_TOP_PAD, 128 * _MEGABYTE)  # more than the 64 MB of a thread's heap: it is kept
    try:
        yield
    finally:
        # What glibc itself arrives at once a program has freed a block of 32 MB.
        libc.mallopt(_MMAP_MAX, 65536)
        libc.mallopt(_MMAP_THRESHOLD, 32 * _MEGABYTE)
        libc.mallopt(_TRIM_THRESHOLD, 64 * _MEGABYTE)
        libc.mallopt(_TOP_PAD, 128 * 1024)
        libc.malloc_trim(0)
