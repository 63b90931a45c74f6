"""The CropExplorer and the BlindTest of lesson 05."""

from srlib.widgets.crops.blind_test import BlindTest
from srlib.widgets.crops.explorer import CropExplorer

__all__ = ["BlindTest", "CropExplorer"]
