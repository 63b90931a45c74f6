"""Photographs in and out, MATLAB's bicubic, and degradations of real photographs (lesson 01)."""

from srlib.errors import DataError
from srlib.images.codecs import is_deep
from srlib.images.degrade import Degradation, jpeg_round_trip
from srlib.images.downscalers import identify_downscaler
from srlib.images.finder import find_images, list_pictures
from srlib.images.picture import (
    ImageError,
    Picture,
    eight_bit,
    encode,
    from_array,
    from_pil,
    read_image,
    to_gray,
    to_pil,
    write_image,
)
from srlib.images.resize import crop_to_multiple, cubic, imresize
from srlib.images.tensors import to_array, to_tensor

__all__ = [
    "DataError",
    "Degradation",
    "ImageError",
    "Picture",
    "crop_to_multiple",
    "cubic",
    "eight_bit",
    "encode",
    "find_images",
    "from_array",
    "from_pil",
    "identify_downscaler",
    "imresize",
    "is_deep",
    "jpeg_round_trip",
    "list_pictures",
    "read_image",
    "to_array",
    "to_gray",
    "to_pil",
    "to_tensor",
    "write_image",
]
