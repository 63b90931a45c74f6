"""DIV2K's layout, the making of LR images, and pairs to train and measure on (notebook 01): the names to import."""

from __future__ import annotations

from srlib.degrade import Degradation, jpeg_round_trip
from srlib.div2k import download_div2k
from srlib.doctor import DatasetReport, Finding, check_dataset
from srlib.downscalers import identify_downscaler
from srlib.folders import DataError, find_images
from srlib.low_res import LowResReport, create_low_res_images_recursive
from srlib.pairs import PairedImages, find_lr_dir
from srlib.patches import Pair, PairedPatches, PatchBatches, PixelStore
from srlib.pixel_cache import memory_map

__all__ = [
    "DataError", "DatasetReport", "Degradation", "Finding", "LowResReport", "Pair", "PairedImages", "PairedPatches",
    "PatchBatches", "PixelStore", "check_dataset", "create_low_res_images_recursive", "download_div2k", "find_images",
    "find_lr_dir", "identify_downscaler", "jpeg_round_trip", "memory_map",
]  # fmt: skip
