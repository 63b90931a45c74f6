"""The figures of lesson 04, read back from their artists."""

import pandas as pd
import pytest

from srlib import plots
from srlib.training import Epoch, History


def test_costs_are_bars_from_zero_with_a_line():
    values = pd.Series({"shift": -4.0, "colour": -1.5}, name="dB lost")
    figure = plots.costs(values, mark=-2.68, mark_label="the write-up")
    (axis,) = figure.axes
    assert [bar.get_width() for bar in axis.patches] == [-4, -1.5]
    assert axis.lines[0].get_xdata()[0] == pytest.approx(-2.68)
    assert "shift -4.0 dB" in figure.alt and "the write-up" in figure.alt


def test_curves_join_the_points_of_a_series_in_their_order():
    series = {"noise": ([0.2, 0.9, 0.5], [25, 23, 24]), "sharp": ([0.2], [25])}
    figure = plots.curves(series, xlabel="fine variation", ylabel="PSNR, dB")
    first, second = figure.axes[0].lines
    assert first.get_xdata().tolist() == [0.2, 0.9, 0.5]
    assert second.get_ydata().tolist() == [25]
    assert figure.axes[0].get_xlabel() == "fine variation" and "sharp" in figure.alt


def test_bicubic_is_a_line_in_the_loss_panel_if_its_loss_is_known():
    epochs = [Epoch(0, 0.05, 0.06, 24.0, 0.0), Epoch(1, 0.04, 0.05, 25.0, 3.0)]
    history = History(23.0, epochs=epochs)
    with_line = plots.training_curves({"a": history}, bicubic_loss=0.055).axes[0]
    without = plots.training_curves({"a": history}).axes[0]
    assert len(with_line.lines) == len(without.lines) + 1
    assert any(set(line.get_ydata()) == {0.055} for line in with_line.lines)


def test_a_close_up_may_begin_with_the_whole(photo):
    figure = plots.close_up({"a": photo, "HR": photo}, 20, 10, 40, overview=True)
    overview, *crops = figure.axes
    assert overview.images[0].get_array().shape == photo.shape
    (box,) = overview.patches
    assert (box.get_xy(), box.get_width()) == ((20, 10), 40)
    assert [axis.images[0].get_array().shape[:2] for axis in crops] == [(40, 40)] * 2
