"""Checkpoints by name, the passport of any weights file, and its safe reader (lesson 02)."""

from srlib.zoo.checkpoints import (
    CHECKPOINTS,
    WEIGHTS_DIR,
    Checkpoint,
    available,
    find,
    load_pretrained,
    save_weights,
)
from srlib.zoo.passport import Passport, inspect_checkpoint
from srlib.zoo.reader import WeightsError, read_weights

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
