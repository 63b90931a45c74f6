"""Training: the loop, its losses, its history, and the checks before the first step (lesson 04)."""

from srlib.training.checks import TrainingError
from srlib.training.config import TrainConfig, learning_rate_at, transferred
from srlib.training.history import Epoch, History
from srlib.training.loop import StopTraining, fine_tune
from srlib.training.losses import PerceptualLoss, SRLoss

__all__ = [
    "Epoch",
    "History",
    "PerceptualLoss",
    "SRLoss",
    "StopTraining",
    "TrainConfig",
    "TrainingError",
    "fine_tune",
    "learning_rate_at",
    "transferred",
]
