"""One job after the other: a queue with a thread of its own, and one place at the processor for all visitors of a machine."""

from __future__ import annotations

import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_LOOK_UP = 0.2  # seconds between two looks at whether Cancel was pressed, while others are at work


class Cancelled(Exception):
    """The job was stopped by Cancel."""


class Job:
    """Something to be done.  `order` says what, and makes two jobs the same; `future` ends with the result or what went wrong.

    error: what ended the job, None while it has not ended and where it went well.
    """

    def __init__(self, order: object):
        self.order = order
        self.future: Future = Future()
        self.error: BaseException | None = None
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        self._cancelled.set()

    def check(self) -> None:
        """Raises Cancelled once `cancel` was called."""
        if self._cancelled.is_set():
            raise Cancelled


class JobQueue:
    """Jobs are done in the order in which they came, one at a time, while the kernel goes on answering messages."""

    def __init__(self, work: Callable[[Job], object], on_end: Callable[[Job, object], None]):
        """work: does one job, in the queue's thread, and calls `job.check` now and then.

        on_end: is told of a job that has left the queue, and of its result (None if it failed), before its future is.
        """
        self._work, self._on_end = work, on_end
        self._jobs: deque[Job] = deque()  # the first one is being done
        self._lock = threading.Lock()

    def put(self, order: object) -> Job | None:
        """A new job at the end; None if one for the same order is waiting or being done."""
        with self._lock:
            if any(job.order == order for job in self._jobs):
                return None
            job = Job(order)
            self._jobs.append(job)
            if len(self._jobs) == 1:
                threading.Thread(target=self._run, daemon=True).start()
            return job

    def cancel(self) -> None:
        """All of them: the one being done at its next `check`, the others when their turn comes, which is at once."""
        for job in self.unfinished:
            job.cancel()

    @property
    def unfinished(self) -> list[Job]:
        """The one being done, and those that wait after it."""
        with self._lock:
            return list(self._jobs)

    def _run(self) -> None:
        more = True
        while more:
            job, result = self.unfinished[0], None
            try:
                job.check()
                result = self._work(job)
            except (
                BaseException
            ) as error:  # a thread has nobody above it; whoever asks the future gets it
                job.error = error
            with self._lock:
                self._jobs.popleft()
                more = bool(self._jobs)  # from here on `put` starts another thread if there is none
            try:
                self._on_end(job, result)
            except BaseException as error:
                job.error = error
            if job.error is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(job.error)


@contextmanager
def machine_slot(check: Callable[[], None], on_wait: Callable[[], None]) -> Iterator[None]:
    """Wait until no other wizard on this machine is at work, in whatever process.

    Each job uses all cores and a good part of the memory: one after the other they are done no later than all at once, and ten
    visitors need the memory of one.  check() is called while waiting and may raise, on_wait() once if there is a wait.  The place
    is free again when its process ends, however that happens.
    """
    lock = FileLock(Path(tempfile.gettempdir()) / f"srlib-{os.getuid()}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        on_wait()
        _acquire(lock, check)
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, check: Callable[[], None]) -> None:
    while True:
        check()
        try:
            lock.acquire(timeout=_LOOK_UP)
        except Timeout:
            continue
        return
