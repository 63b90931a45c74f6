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
from srlib.zoo.export import ExportError, export_onnx
from srlib.zoo.passport import Passport, inspect_checkpoint
from srlib.zoo.reader import WeightsError, read_weights
from srlib.zoo.recommend import Recommendation, recommend_checkpoint, recommend_checkpoints

__all__ = [
    "CHECKPOINTS",
    "WEIGHTS_DIR",
    "Checkpoint",
    "ExportError",
    "Passport",
    "Recommendation",
    "WeightsError",
    "available",
    "export_onnx",
    "find",
    "inspect_checkpoint",
    "load_pretrained",
    "read_weights",
    "recommend_checkpoint",
    "recommend_checkpoints",
    "save_weights",
]
