"""Durations as text."""

from __future__ import annotations

import math


def duration_text(seconds: float) -> str:
    """A duration in the largest unit that stays readable: "45 s", "3 min", "2.5 h"."""
    if seconds < 90:
        return f"{max(1, math.ceil(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
