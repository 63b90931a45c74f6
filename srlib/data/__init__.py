"""DIV2K, LR folders, pairs, patches, and the data doctor (lesson 01)."""

from srlib.data.benchmarks import find_benchmarks
from srlib.data.div2k import download_div2k
from srlib.data.doctor import DatasetReport, check_dataset
from srlib.data.lr_folders import create_low_res_images_recursive
from srlib.data.pairing import find_lr_dir
from srlib.data.pairs import Pair, PairedImages, detailed_half, same_photos
from srlib.data.parameters import (
    ParameterError,
    at_least_0,
    check_parameters,
    data_folder,
    existing_path,
    optional,
    output_file,
    output_folder,
    photo_in,
)
from srlib.data.patches import PairedPatches
from srlib.data.pixel_cache import memory_map

__all__ = [
    "DatasetReport",
    "Pair",
    "PairedImages",
    "PairedPatches",
    "ParameterError",
    "at_least_0",
    "check_dataset",
    "check_parameters",
    "create_low_res_images_recursive",
    "data_folder",
    "detailed_half",
    "download_div2k",
    "existing_path",
    "find_benchmarks",
    "find_lr_dir",
    "memory_map",
    "optional",
    "output_file",
    "output_folder",
    "photo_in",
    "same_photos",
]
