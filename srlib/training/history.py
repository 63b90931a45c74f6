"""What a training leaves to be read: a line for each epoch, the lines to beat, and what went wrong on the way (notebook 04)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Epoch:
    """One line of the history; epoch 0 is the model as it came.

    train_loss: the mean over the batches of the epoch, for epoch 0 on 32 patches of the training images (None in
    older runs).  valid_loss: on 32 patches of the validation images, the same ones each time.  Both in the units of the loss.
    valid_psnr, in dB, and valid_ssim: on whole images, by the history's protocol.
    """

    epoch: int
    train_loss: float | None
    valid_loss: float
    valid_psnr: float
    valid_ssim: float
    seconds: float


@dataclass(frozen=True)
class RollBack:
    """A step that threw the network out of its valley: the weights of the last epoch were taken instead, and a lower rate.

    learning_rate: of that step.  loss: of the batch that did it, or that met the weights the step before had left.  images: the
    names of those its patches were cut from; none if it was the validation loss that had exploded.
    """

    step: int
    loss: float
    learning_rate: float
    images: list[str] = field(default_factory=list)


@dataclass
class History:
    """What happened: one `Epoch` per epoch, bicubic's scores on the same images, the roll-backs, and why it ended.

    backbone: whose features the perceptual loss compares, "" without one.  protocol: of PSNR and SSIM.  ended: "" while it runs;
    "early", no progress for `patience` epochs; "complete"; "stopped", by hand.  running: the losses of the epoch that is not
    finished.
    """

    bicubic_psnr: float
    bicubic_ssim: float
    backbone: str = ""
    protocol: str = ""
    epochs: list[Epoch] = field(default_factory=list)
    rollbacks: list[RollBack] = field(default_factory=list)
    ended: str = ""
    running: list[float] = field(default_factory=list)

    @property
    def best(self) -> Epoch:
        return min(self.epochs, key=lambda e: e.valid_loss)

    @property
    def start(self) -> Epoch:
        return self.epochs[0]

    def stalled(self, patience: int, min_delta: float = 0.0) -> bool:
        """Whether the best of the last `patience` validation losses is not lower, by more than min_delta, than that before."""
        losses = [e.valid_loss for e in self.epochs]
        return len(losses) > patience and min(losses[-patience:]) >= min(losses[:-patience]) - min_delta

    def verdict(self) -> str:
        """One sentence on the epoch that is kept, by PSNR: below bicubic, no better than at the start, or better by so much."""
        best, start = self.best, self.start
        if best.valid_psnr < self.bicubic_psnr:
            found = f"Below bicubic by {self.bicubic_psnr - best.valid_psnr:.2f} dB"
        elif best.valid_psnr <= start.valid_psnr:
            found = "No better than at the start"
        else:
            found = f"Better than at the start by {best.valid_psnr - start.valid_psnr:.2f} dB"
        lines = f"the start {start.valid_psnr:.2f} dB, bicubic {self.bicubic_psnr:.2f} dB"
        return f"{found}: epoch {best.epoch} has {best.valid_psnr:.2f} dB on the validation images, {lines}."

    def table(self) -> pd.DataFrame:
        """The epochs as a table, indexed by their number."""
        return pd.DataFrame([asdict(e) for e in self.epochs]).set_index("epoch")

    @classmethod
    def from_dict(cls, stored: Mapping) -> History:
        """The history that `asdict` took apart, as history.json holds it."""
        epochs, rollbacks = [Epoch(**e) for e in stored["epochs"]], [RollBack(**r) for r in stored["rollbacks"]]
        return cls(**(stored | {"epochs": epochs, "rollbacks": rollbacks}))
