"""The TrainingPanel of lesson 04."""

from srlib.widgets.training.panel import TrainingPanel

__all__ = ["TrainingPanel"]
