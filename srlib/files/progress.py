"""Progress of long work: the signature of every callback, and its numbers in words."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""on_progress(done, total): units of work done and in all, None if unknown; may raise to cancel."""

_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def duration_text(seconds: float) -> str:
    """A duration in words, rounded to whole seconds.

    Example:
        >>> duration_text(209), duration_text(3700), duration_text(5)
        ('3 min 29 s', '1 h 1 min', '5 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def progress_text(done: int, total: int | None, rate: float = 0.0) -> str:
    """The progress of a transfer in words; whatever is unknown is left out.

    Args:
        done: Bytes so far.
        total: Bytes in all, or None.
        rate: Bytes per second, or 0 if unknown.

    Example:
        >>> progress_text(1_234_000_000, 3_530_603_713, 11e6)
        '1.2 of 3.5 GB, 11.0 MB/s, 3 min 29 s left'
    """
    largest = max(done, total or 0)
    size, unit = next((pair for pair in _UNITS if largest >= pair[0]), _UNITS[-1])
    goal = f" of {total / size:.1f}" if total else ""
    words = [f"{done / size:.1f}{goal} {unit}"]
    if rate > 0:
        words.append(f"{rate / 1e6:.1f} MB/s")
        if total and done < total:
            words.append(f"{duration_text((total - done) / rate)} left")
    return ", ".join(words)


class Meter:
    """Turns progress into text with the current rate: `meter(done, total)` gives `progress_text`.

    Bytes that were there before the first call do not count towards the rate.

    Args:
        clock: Returns the time in seconds.
        window: The rate is the mean over this many seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, window: float = 10.0):
        self.clock = clock
        self.window = window
        self.seen: deque[tuple[float, int]] = deque()

    def __call__(self, done: int, total: int | None) -> str:
        now = self.clock()
        if self.seen and done < self.seen[-1][1]:  # the transfer started over
            self.seen.clear()
        self.seen.append((now, done))
        while len(self.seen) > 2 and now - self.seen[1][0] >= self.window:
            self.seen.popleft()
        start, before = self.seen[0]
        return progress_text(done, total, (done - before) / (now - start) if now > start else 0.0)
