"""The widgets of the course, one folder each with its JavaScript and CSS."""

from srlib.widgets.compare import CompareSlider
from srlib.widgets.crops import BlindTest, CropExplorer
from srlib.widgets.slider import Slider
from srlib.widgets.training import TrainingPanel
from srlib.widgets.wizard import ImageWizard

__all__ = ["BlindTest", "CompareSlider", "CropExplorer", "ImageWizard", "Slider", "TrainingPanel"]
