"""How long an order will take, without keeping anybody waiting for the answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from srlib.model.edsr import EDSRConfig
from srlib.upscaling.cost import predict_cost
from srlib.widgets.wizard.enlarge import Order

_SIDE = 256  # pixels a side of the photograph that the forecast is made for
_PAUSE = 0.5  # seconds between two looks at whether the machine is free


class Speed:
    """The speed of each network on this machine, measured in the background.

    Every finished job corrects it, because the machine may have been busy during the measurement.
    """

    def __init__(self):
        self._seconds_per_pixel: dict[EDSRConfig, float] = {}
        self._correction = 1.0

    def measure(
        self,
        configs: Iterable[EDSRConfig],
        is_busy: Callable[[], bool],
        on_measured: Callable[[], None],
    ) -> None:
        """Measure networks in a thread, one after another, while nothing else is at work.

        Args:
            configs: The networks, the most urgent first.
            is_busy: Whether to wait.
            on_measured: Called after each network.
        """

        def run() -> None:
            for config in dict.fromkeys(configs):
                while is_busy():
                    time.sleep(_PAUSE)
                # `enlarge` hooks into the network's blocks, and OpenVINO runs no hooks.
                cost = predict_cost(config, _SIDE, _SIDE, engine="torch")
                self._seconds_per_pixel[config] = cost.seconds / _SIDE**2
                on_measured()

        threading.Thread(target=run, daemon=True).start()

    def seconds(self, order: Order) -> float | None:
        """The forecast for an order; None while the speed of its network is unknown."""
        seconds = self._uncorrected(order)
        return None if seconds is None else seconds * self._correction

    def correct(self, order: Order, seconds: float) -> None:
        """Learn from an order that took so many seconds."""
        expected = self._uncorrected(order)
        if expected:
            self._correction = (self._correction + seconds / expected) / 2

    def _uncorrected(self, order: Order) -> float | None:
        height, width = order.photograph.size
        per_pixel = self._seconds_per_pixel.get(order.config)
        return None if per_pixel is None else per_pixel * height * width * order.recipe.passes
