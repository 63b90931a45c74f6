from srlib.widgets.training.panel import TrainingPanel

__all__ = ["TrainingPanel"]
