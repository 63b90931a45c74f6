"""Training: the loop, its losses, its history, and the checks before the first step (lesson 04)."""

from srlib.training.checks import TrainingError, check_pairs
from srlib.training.config import TrainConfig, learning_rate_at, transferred
from srlib.training.history import Epoch, History, RollBack
from srlib.training.loop import StopTraining, fine_tune
from srlib.training.losses import PerceptualLoss, SRLoss, ssim_loss
from srlib.training.muon import Muon
from srlib.training.objective import average_into

__all__ = [
    "Epoch",
    "History",
    "Muon",
    "PerceptualLoss",
    "RollBack",
    "SRLoss",
    "StopTraining",
    "TrainConfig",
    "TrainingError",
    "average_into",
    "check_pairs",
    "fine_tune",
    "learning_rate_at",
    "ssim_loss",
    "transferred",
]
