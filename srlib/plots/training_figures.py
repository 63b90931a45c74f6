"""Figures of lesson 04: the price of faults, and the plane of accuracy and sharpness."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from srlib.plots.figures import STYLES, finish, label, new_figure


def costs(values: pd.Series, *, mark: float, mark_label: str, width: float = 7) -> Figure:
    """Bars for values in dB by name, from zero, with a vertical line to hold them against.

    Args:
        values: dB by name; the name of the series labels the axis.
        mark: The place of the line, in dB.
        mark_label: The meaning of the line.
        width: Inches.
    """
    listed = ", ".join(f"{name} {value:.1f} dB" for name, value in values.items())
    alt = f"Bars of {values.name}: {listed}. A line at {mark:.1f} dB: {mark_label}."
    figure, ((axis,),) = new_figure(width, 0.8 + 0.3 * len(values), alt=alt)
    places = np.arange(len(values))[::-1]
    axis.barh(places, values, 0.6, color=STYLES[1][0], edgecolor="black", lw=0.4)
    axis.set_yticks(places, map(label, values.index))
    axis.axvline(mark, color=STYLES[2][0], ls="--", lw=1.5, label=label(mark_label))
    axis.axvline(0, color="black", lw=0.8)
    finish(axis, xlabel=label(values.name))
    return figure


def plane(
    points: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    xlabel: str,
    ylabel: str,
    width: float = 5.5,
) -> Figure:
    """Points of several series in one plane, those of a series joined in their order.

    Args:
        points: x and y values by series; a single point is marked without a line.
        xlabel: The quantity along the x axis.
        ylabel: The quantity along the y axis.
        width: Inches.
    """
    alt = f"{ylabel} against {xlabel}, for {', '.join(points)}."
    figure, ((axis,),) = new_figure(width, 0.6 * width, alt=alt)
    for (name, (x, y)), (colour, line, marker) in zip(points.items(), STYLES, strict=False):
        axis.plot(x, y, ls=line, marker=marker, color=colour, ms=6, label=label(name))
    axis.margins(0.12)
    finish(axis, xlabel=label(xlabel), ylabel=label(ylabel))
    return figure
