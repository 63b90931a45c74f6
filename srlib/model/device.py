"""The one rule for the device to compute on, and the one trial for choosing a precision."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import torch


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


def processor_seconds(
    ways: Mapping[str, Callable[[], object]], *, rounds: int = 5
) -> dict[str, float]:
    """Time ways of computing on the CPU, so that other work on the machine does not decide.

    They take turns, and the best round of each counts. One thread computes, and its processor time
    is taken: threads that wait for each other, or for the processor, do not count. Returns the
    seconds by name.
    """
    best = dict.fromkeys(ways, math.inf)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(rounds):
            for name, compute in ways.items():
                started = time.thread_time()
                compute()
                best[name] = min(best[name], time.thread_time() - started)
    finally:
        torch.set_num_threads(threads)
    return best
