"""Pillow's warnings, held back in all threads at once."""

from __future__ import annotations

import warnings
from contextlib import ExitStack, contextmanager
from threading import Lock

_lock = Lock()
_decoders = 0  # threads that are decoding now
_filters = ExitStack()  # holds the filter while there are any


@contextmanager
def quiet_pillow():
    """Hold back the warnings of Pillow and its plug-ins while a file is decoded.

    Pillow warns of sizes below our own limit and of broken EXIF. `warnings.catch_warnings` alone
    is not safe here: of two threads that overlap, the one that leaves last restores the filters
    of the other. So the first thread sets the filter and the last one removes it.
    """
    global _decoders
    with _lock:
        if not _decoders:
            _filters.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"(PIL|pillow_\w+)\b")
        _decoders += 1
    try:
        yield
    finally:
        with _lock:
            _decoders -= 1
            if not _decoders:
                _filters.close()
