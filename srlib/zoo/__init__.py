"""Checkpoints by name, the passport of any weights file, and a reader that runs no code from it (lesson 02)."""

from srlib.zoo.checkpoints import (
    CHECKPOINTS,
    WEIGHTS_DIR,
    Checkpoint,
    available,
    find,
    load_pretrained,
    save_weights,
)
from srlib.zoo.passport import Passport, inspect_checkpoint, read_weights
from srlib.zoo.reader import WeightsError

__all__ = [
    "CHECKPOINTS",
    "WEIGHTS_DIR",
    "Checkpoint",
    "Passport",
    "WeightsError",
    "available",
    "find",
    "inspect_checkpoint",
    "load_pretrained",
    "read_weights",
    "save_weights",
]
