"""Training with several processes, by Hugging Face Accelerate, or with this one alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from srlib.model.device import best_device
from srlib.training.checks import TrainingError

if TYPE_CHECKING:  # an optional package: pip install accelerate
    from accelerate import Accelerator


class Processes:
    """The processes that train together: this one alone, or all that accelerate launched.

    All processes draw the same batch, and each takes its share of the patches. A step therefore
    has the same gradient with any number of processes, up to rounding. Only the first one writes
    files.
    """

    def __init__(self, accelerator: Accelerator | None, device: str | torch.device):
        self._accelerator = accelerator
        self.device = accelerator.device if accelerator else best_device(device)
        self.rank = accelerator.process_index if accelerator else 0
        self.count = accelerator.num_processes if accelerator else 1
        self.first = self.rank == 0

    def prepare(self, module: nn.Module) -> nn.Module:
        """Wrap a module so that its backward pass averages the gradients over the processes."""
        return self._accelerator.prepare(module) if self._accelerator else module

    def share(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """This process's part of a batch. Raises TrainingError if the parts differ in size."""
        size = len(batch[0])
        if size % self.count:
            raise TrainingError(
                f"A batch of {size} patches cannot be divided among {self.count} processes: "
                f"set batch_size to a multiple of {self.count}."
            )
        lr, hr = batch
        return lr[self.rank :: self.count], hr[self.rank :: self.count]

    def sum(self, values: Sequence[float]) -> list[float]:
        """Sum each value over the processes. All get the same sums, and so decide alike."""
        if self.count == 1:
            return [float(value) for value in values]
        summands = torch.tensor(values, dtype=torch.float64, device=self.device)
        return self._accelerator.reduce(summands, "sum").tolist()

    def mean(self, value: float) -> float:
        return self.sum([value])[0] / self.count

    def wait(self) -> None:
        """Wait until all processes have arrived here."""
        if self._accelerator:
            self._accelerator.wait_for_everyone()
