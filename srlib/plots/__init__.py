"""Figures of the lessons, and the report; most functions return a figure."""

from srlib.plots.charts import (
    agreement,
    costs,
    curves,
    distributions,
    gain_by_texture,
    gains,
    quality_by_cost,
    training_curves,
)
from srlib.plots.maps import network_chain, show_maps
from srlib.plots.pictures import close_up, error_maps, show_images
from srlib.plots.report import summary_text, write_report
from srlib.plots.squares import best_square

__all__ = [
    "agreement",
    "best_square",
    "close_up",
    "costs",
    "curves",
    "distributions",
    "error_maps",
    "gain_by_texture",
    "gains",
    "network_chain",
    "quality_by_cost",
    "show_images",
    "show_maps",
    "summary_text",
    "training_curves",
    "write_report",
]
