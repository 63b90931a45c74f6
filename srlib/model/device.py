"""The one rule for the device to compute on, and the one clock for comparing ways of computing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from threading import Lock

import torch

_timing = Lock()  # the number of threads is one for the whole process


def best_device(device: str | torch.device = "auto") -> torch.device:
    """Choose the device to compute on.

    Args:
        device: "auto" for CUDA, else MPS (Apple), else the CPU; or the device to use, such as
            "cpu", "cuda" or "cuda:1".

    Raises:
        ValueError: PyTorch knows no such device, or this machine does not have it.
    """
    if device == "auto":
        if torch.cuda.is_available():
            device = "cuda"
        else:
            device = "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:  # a build without CUDA asserts
        raise ValueError(
            f"There is no device {str(device)!r} here, or PyTorch cannot use it: "
            'take "auto" or "cpu".'
        ) from error


def best_seconds(
    ways: Mapping[str, Callable[[], object]], clock: Callable[[], float] = time.thread_time
) -> dict[str, float]:
    """Time ways of computing, so that other work on the machine does not decide.

    They take turns, and the best of five rounds counts. On a CPU one thread computes, and its
    processor time is taken: threads that wait for each other, or for the processor, do not count.

    Args:
        ways: The functions to time, by name.
        clock: Gives the seconds; on a GPU, `time.perf_counter`.

    Returns:
        The seconds by name.
    """
    best = dict.fromkeys(ways, math.inf)
    with _timing:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for _ in range(5):
                for name, compute in ways.items():
                    started = clock()
                    compute()
                    best[name] = min(best[name], clock() - started)
        finally:
            torch.set_num_threads(threads)
    return best
