"""One process or several, on CPUs or GPUs: the few places where a training must know the difference (notebook 04)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from srlib.training.checks import TrainingError
from srlib.data.patches import Pair, PixelStore

if TYPE_CHECKING:  # an optional package: pip install accelerate
    from accelerate import Accelerator


class Processes:
    """The processes that train together: this one alone on `device`, or all of an accelerate launch.

    Each of `count` processes cuts the same batch and takes every count-th patch of it, from its `rank` on, so a step has the same
    gradient however many they are, but for the order of a sum.  Files are written by the `first` process alone.
    """

    def __init__(self, accelerator: Accelerator | None, device: str | torch.device):
        self._accelerator = accelerator
        self.device = accelerator.device if accelerator else torch.device(device)
        self.rank, self.count = (accelerator.process_index, accelerator.num_processes) if accelerator else (0, 1)
        self.first = self.rank == 0

    def prepare(self, module: nn.Module) -> nn.Module:
        """The module, whose backward pass averages the gradients over the processes."""
        return self._accelerator.prepare(module) if self._accelerator else module

    def share(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """This process's part of a batch.  Raises TrainingError unless all parts are equally large."""
        size = len(batch[0])
        if size % self.count:
            raise TrainingError(f"A batch of {size} cannot be shared by {self.count} processes: take a multiple of {self.count}.")
        return tuple(part[self.rank :: self.count] for part in batch)

    def sum(self, values: Sequence[float]) -> list[float]:
        """Each value summed over the processes: the same answer in all of them, so that all decide alike."""
        if self.count == 1:
            return [float(value) for value in values]
        return self._accelerator.reduce(torch.tensor(values, dtype=torch.float64, device=self.device), "sum").tolist()

    def mean(self, value: float) -> float:
        return self.sum([value])[0] / self.count

    def wait(self) -> None:
        """Until all processes are here."""
        if self._accelerator:
            self._accelerator.wait_for_everyone()


def near(pairs: Sequence[Pair], device: torch.device) -> Sequence[Pair]:
    """The pairs; a memory-mapped store that fits into half of a GPU's free memory as one whose pixels will live there.

    Then no step waits for the disk or for the CPU to cut patches.
    """
    if device.type != "cuda" or not (isinstance(pairs, PixelStore) and pairs.folder):
        return pairs
    if pairs.hr.nbytes + pairs.lr.nbytes > torch.cuda.mem_get_info(device)[0] // 2:
        return pairs
    # copy on write, since torch wants arrays that may be written to; nothing is written, and nothing copied on the way
    pixels = {
        kind: np.memmap(pairs.folder / f"{kind}.bin", np.uint8, "c", shape=getattr(pairs, kind).shape) for kind in ("hr", "lr")
    }
    return replace(pairs, folder=None, **pixels)
