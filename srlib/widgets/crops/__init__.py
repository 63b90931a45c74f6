from srlib.widgets.crops.blind import BlindTest
from srlib.widgets.crops.explorer import CropExplorer

__all__ = ["BlindTest", "CropExplorer"]
