"""The record of a training: its epochs, the scores to beat, and the steps that were undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Epoch:
    """The measurements after one epoch. Epoch 0 is the network before training.

    Attributes:
        epoch: Number of the epoch.
        train_loss: Mean loss of the epoch's batches; for epoch 0, the loss on 32 fixed training
            patches.
        valid_loss: Loss on 32 validation patches, the same ones for every epoch.
        valid_psnr: Mean PSNR of the validation images in dB, by the protocol "rgb".
        seconds: Time since the start of the training.
    """

    epoch: int
    train_loss: float
    valid_loss: float
    valid_psnr: float
    seconds: float


@dataclass(frozen=True)
class RollBack:
    """A step that was undone because the loss exploded.

    Attributes:
        step: Number of the step, from 0.
        loss: The loss that exploded, of the step's batch or of the validation after it.
        learning_rate: The learning rate of the step.
    """

    step: int
    loss: float
    learning_rate: float


@dataclass
class History:
    """The record of a training.

    Attributes:
        bicubic_psnr: Mean PSNR of bicubic interpolation on the validation images, in dB.
        precision: Precision of the network's body in training, "float32" or "bfloat16".
        epochs: One entry for each epoch, and one for the start.
        rollbacks: The steps that were undone.
        ended: Why the training ended: "complete", "early" (no progress for `patience` epochs) or
            "stopped" (by `on_event`); "" while it runs.
        running: The loss of each step of the unfinished epoch.
        exact: Positions of the validation images that bicubic restores exactly, such as a white
            page. Their PSNR is infinite, so all means leave them out.
    """

    bicubic_psnr: float
    epochs: list[Epoch] = field(default_factory=list)
    rollbacks: list[RollBack] = field(default_factory=list)
    ended: str = ""
    running: list[float] = field(default_factory=list)
    precision: str = "float32"
    exact: list[int] = field(default_factory=list)

    @property
    def best(self) -> Epoch:
        """The epoch with the lowest validation loss, whose weights are kept."""
        return min(self.epochs, key=lambda epoch: epoch.valid_loss)

    @property
    def start(self) -> Epoch:
        """The network before training."""
        return self.epochs[0]

    def stalled(self, patience: int, min_delta: float = 0.0) -> bool:
        """Whether the last `patience` epochs lowered the validation loss by `min_delta` or less."""
        losses = [epoch.valid_loss for epoch in self.epochs]
        if len(losses) <= patience:
            return False
        return min(losses[-patience:]) >= min(losses[:-patience]) - min_delta

    def verdict(self) -> str:
        """Compare the PSNR of the best epoch with bicubic and the start, in one sentence."""
        best = self.best
        start = self.start
        if best.valid_psnr < self.bicubic_psnr:
            finding = f"Below bicubic by {self.bicubic_psnr - best.valid_psnr:.2f} dB"
        elif best.valid_psnr <= start.valid_psnr:
            finding = "No better than at the start"
        else:
            gain = best.valid_psnr - start.valid_psnr
            finding = f"Better than at the start by {gain:.2f} dB"
        return (
            f"{finding}: epoch {best.epoch} has {best.valid_psnr:.2f} dB on the validation images, "
            f"the start {start.valid_psnr:.2f} dB, bicubic {self.bicubic_psnr:.2f} dB."
        )

    def table(self) -> pd.DataFrame:
        """The epochs as a table, indexed by their number."""
        return pd.DataFrame([asdict(epoch) for epoch in self.epochs]).set_index("epoch")

    @classmethod
    def from_dict(cls, stored: Mapping) -> History:
        """Restore a history from `dataclasses.asdict`."""
        epochs = [Epoch(**epoch) for epoch in stored["epochs"]]
        rollbacks = [RollBack(**rollback) for rollback in stored["rollbacks"]]
        return cls(**{**stored, "epochs": epochs, "rollbacks": rollbacks})
