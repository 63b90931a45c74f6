"""The CompareSlider, used in every lesson that compares images."""

from srlib.widgets.compare.slider import CompareSlider

__all__ = ["CompareSlider"]
