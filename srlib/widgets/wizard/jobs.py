"""Jobs in the background, one after another, and one at a time on the whole machine."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from filelock import FileLock, Timeout

_POLL = 0.2  # seconds between two looks at Cancel while other processes have the machine


class Cancelled(Exception):
    """The job was stopped by Cancel."""


class Job:
    """Work to be done, and how it ended.

    Attributes:
        order: The work. Two jobs with equal orders are the same.
        result: What the work returned; None until then.
        error: The exception that ended the job; None otherwise.
    """

    def __init__(self, order: object):
        self.order = order
        self.result: Any = None
        self.error: BaseException | None = None
        self.ended = threading.Event()
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Ask the job to stop at its next `check`."""
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise Cancelled if `cancel` was called."""
        if self.is_cancelled:
            raise Cancelled

    def wait(self, timeout: float | None = None) -> Any:
        """Wait for the end, and return the result or raise the error.

        Raises:
            TimeoutError: After `timeout` seconds.
        """
        if not self.ended.wait(timeout):
            raise TimeoutError(f"The job did not end within {timeout} s.")
        if self.error is not None:
            raise self.error
        return self.result


class JobQueue:
    """Runs jobs in a thread of its own, in the order in which they came.

    Args:
        work: Does one job, and calls `job.check` now and then.
        on_end: Called for every job that has left the queue, before `wait` returns.
    """

    def __init__(self, work: Callable[[Job], Any], on_end: Callable[[Job], None]):
        self._work = work
        self._on_end = on_end
        self._unfinished: list[Job] = []
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[Job] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def put(self, order: object) -> Job | None:
        """Add a job; None if one with the same order is running or waiting, and not cancelled."""
        with self._lock:
            if any(job.order == order and not job.is_cancelled for job in self._unfinished):
                return None
            job = Job(order)
            self._unfinished.append(job)
        self._waiting.put(job)
        return job

    def cancel(self) -> None:
        """Cancel the running job and all that wait."""
        for job in self.unfinished:
            job.cancel()

    @property
    def unfinished(self) -> list[Job]:
        """The running job, and those that wait after it."""
        with self._lock:
            return list(self._unfinished)

    def _run(self) -> None:
        while True:
            job = self._waiting.get()
            try:
                job.check()
                job.result = self._work(job)
            except BaseException as error:  # nobody above a thread: `wait` raises it instead
                job.error = error
            with self._lock:
                self._unfinished.remove(job)
            try:
                self._on_end(job)
            except BaseException as error:
                job.error = error
            job.ended.set()


@contextmanager
def machine_slot(check: Callable[[], None], on_wait: Callable[[], None]) -> Iterator[None]:
    """Wait until no other wizard on this machine is at work, in whatever process.

    A job uses all cores and a good part of the memory. One after another, jobs are done no later
    than all at once, and ten visitors need the memory of one. The slot is free again when its
    process ends, however that happens.

    Args:
        check: Called while waiting; may raise to give up.
        on_wait: Called once if there is a wait.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"  # Windows has a folder for each
    lock = FileLock(Path(tempfile.gettempdir()) / f"srlib-{user}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        on_wait()
        while not lock.is_locked:
            check()
            try:
                lock.acquire(timeout=_POLL)
            except Timeout:
                continue
    try:
        yield
    finally:
        lock.release()
