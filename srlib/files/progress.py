"""The signature of every callback for progress."""

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""on_progress(done, total): units of work done and in all, None if unknown; may raise to cancel."""
