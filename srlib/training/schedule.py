"""The learning rate of each step."""

from __future__ import annotations

import math

from srlib.training.config import TrainConfig


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """The learning rate of a step: linear warm-up, then half a cosine down to zero.

    Args:
        step: Number of the step, from 0.
        config: The settings of the training.

    Example:
        >>> config = TrainConfig(learning_rate=1e-3, warm_up_steps=0)
        >>> learning_rate_at(0, config), learning_rate_at(3000, config)
        (0.001, 0.0005)
    """
    steps = config.max_epochs * config.steps_per_epoch
    warm_up = min(1.0, (step + 1) / max(1, config.warm_up_steps))
    return config.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * step / steps))
