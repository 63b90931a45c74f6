"""EDSR, its folded tail, and its cost (lesson 03)."""

from srlib.model.edsr import (
    EDSR,
    RGB_MEAN,
    SCALES,
    TAIL_REACH,
    EDSRConfig,
    ResBlock,
    Upsampler,
    config_from_state_dict,
    count_macs,
    count_parameters,
    folded_tail,
    forward_interior,
    receptive_field,
)

__all__ = [
    "EDSR",
    "RGB_MEAN",
    "SCALES",
    "TAIL_REACH",
    "EDSRConfig",
    "ResBlock",
    "Upsampler",
    "config_from_state_dict",
    "count_macs",
    "count_parameters",
    "folded_tail",
    "forward_interior",
    "receptive_field",
]
