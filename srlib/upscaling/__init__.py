"""One image in, a larger one out: tiles, precision, ensembles and folders (lessons 00 and 05)."""

from srlib.upscaling.choice import choose_checkpoint
from srlib.upscaling.cost import Cost, predict_cost
from srlib.upscaling.enlarge import MAX_SCALE, super_resolve, upscale
from srlib.upscaling.ensemble import uncertainty_map
from srlib.upscaling.folder import upscale_folder
from srlib.upscaling.precision import Options
from srlib.upscaling.strips import upscale_to_tiff
from srlib.upscaling.tiling import tile_memory

__all__ = [
    "MAX_SCALE",
    "Cost",
    "Options",
    "choose_checkpoint",
    "predict_cost",
    "super_resolve",
    "tile_memory",
    "uncertainty_map",
    "upscale",
    "upscale_folder",
    "upscale_to_tiff",
]
