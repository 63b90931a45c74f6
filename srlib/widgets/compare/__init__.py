from srlib.widgets.compare.slider import CompareSlider

__all__ = ["CompareSlider"]
