"""What the figures show, read back from their artists and pixels."""

import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from srlib import plots
from srlib.metrics import luma


@pytest.fixture
def table():
    values = {"bicubic": [30.0, 25.0, 28.0], "ours": [32.0, 24.0, 29.0]}
    rows = [
        (f"{i}", method, metric, value if metric == "psnr" else value / 40)
        for method, column in values.items() for i, value in enumerate(column) for metric in ("psnr", "ssim")
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["image", "method", "metric", "value"])


def test_images_are_shown_as_they_are(photo):
    figure = plots.show_images([photo, photo[::4, ::4]], ["HR", "LR"])
    large, small = figure.axes
    assert np.array_equal(large.images[0].get_array(), photo) and np.array_equal(small.images[0].get_array(), photo[::4, ::4])
    assert [axis.get_title() for axis in figure.axes] == ["HR", "LR"]
    assert {axis.images[0].get_interpolation() for axis in figure.axes} == {"nearest"}


def test_a_zoom_box_cuts_every_image_alike_and_is_drawn_in_the_overview(photo):
    figure = plots.show_images([photo[::4, ::4], photo], ["LR", "HR"], zoom_box=(0.5, 0.25, 0.25, 0.5))
    overview, low, high = figure.axes
    assert np.array_equal(high.images[0].get_array(), photo[24:72, 60:90])
    assert np.array_equal(low.images[0].get_array(), photo[::4, ::4][6:18, 15:22])
    (box,) = overview.patches
    assert (box.get_xy(), box.get_width(), box.get_height()) == ((60, 24), 30, 48)


def test_error_maps_are_the_difference_of_luma(photo):
    brighter = np.clip(photo.astype(int) + 10, 0, 255).astype(np.uint8)
    figure = plots.error_maps([photo, brighter], ["same", "brighter"], photo)
    same, other = (axis.images[0].get_array() for axis in figure.axes[:2])
    assert not same.any()
    np.testing.assert_allclose(other, np.abs(luma(brighter) - luma(photo)))
    assert figure.axes[0].images[0].get_clim() == figure.axes[1].images[0].get_clim() == (0, 40)


def test_gains_are_sorted_and_against_the_baseline(table):
    (axis,) = plots.gains(table).axes
    assert [bar.get_width() for bar in axis.patches] == [-1, 1, 2]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["1", "2", "0"]


def test_distributions_show_every_image_and_the_median(table):
    left, right = plots.distributions(table).axes
    assert sorted(left.lines[1].get_ydata()) == [24, 29, 32] and right.lines[0].get_ydata().tolist() == [0.75, 0.625, 0.7]
    assert left.collections[1].get_segments()[0][0][1] == 29


def test_training_curves_show_the_lines_to_beat():
    epochs = [SimpleNamespace(epoch=e, train_loss=1 / (e + 1), valid_loss=1 / (e + 2), valid_psnr=25 + e) for e in range(4)]
    history = SimpleNamespace(epochs=epochs, best=epochs[2], start=epochs[0], bicubic_psnr=24.5)
    loss, quality = plots.training_curves({"run": history}).axes
    assert list(loss.lines[0].get_xdata()) == [1, 2, 3]  # there is no training loss before the first epoch
    assert {
        line.get_label(): line.get_ydata()[0] for line in quality.lines if line.get_label() in ("bicubic", "before fine-tuning")
    } == {"bicubic": 24.5, "before fine-tuning": 25}
    assert any(list(line.get_ydata()) == [27] and line.get_marker() == "*" for line in quality.lines)


def test_hr_is_black_among_the_curves():
    x = np.arange(50)
    (axis,) = plots.curves({"HR": (x, x), "bicubic": (x, 2 * x)}, xlabel="x", ylabel="y").axes
    assert [line.get_color() == "black" for line in axis.lines] == [True, False]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("x", "y")


def test_a_figure_becomes_a_png_without_a_backend(photo):
    with Image.open(io.BytesIO(plots.show_images([photo], ["one"], width=3)._repr_png_())) as image:
        assert image.format == "PNG" and image.mode == "RGB" and image.width == pytest.approx(300, abs=2)
