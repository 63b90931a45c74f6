"""EDSR, its folded tail, its cost, and the device to run it on (lesson 03)."""

from srlib.model.cost import count_macs, count_parameters, receptive_field
from srlib.model.device import best_device
from srlib.model.edsr import (
    EDSR,
    SCALES,
    TAIL_REACH,
    EDSRConfig,
    ResBlock,
    Upsampler,
    config_from_state_dict,
    folded_tail,
    forward_interior,
)

__all__ = [
    "EDSR",
    "SCALES",
    "TAIL_REACH",
    "EDSRConfig",
    "ResBlock",
    "Upsampler",
    "best_device",
    "config_from_state_dict",
    "count_macs",
    "count_parameters",
    "folded_tail",
    "forward_interior",
    "receptive_field",
]
