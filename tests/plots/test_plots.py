"""What the figures show, read back from their artists and pixels."""

import io
import itertools
import os
import warnings
from types import SimpleNamespace

import matplotlib
import numpy as np
import pandas as pd
import pytest
from conftest import table_of
from PIL import Image

from srlib import plots
from srlib.metrics import luma, psnr
from srlib.model import EDSRConfig


@pytest.fixture
def table():
    return table_of({"bicubic": [30.0, 25.0, 28.0], "ours": [32.0, 24.0, 29.0]})


def test_images_are_shown_as_they_are(photo):
    figure = plots.show_images([photo, photo[::4, ::4]], ["HR", "LR"])
    large, small = figure.axes
    assert np.array_equal(large.images[0].get_array(), photo) and np.array_equal(
        small.images[0].get_array(), photo[::4, ::4]
    )
    assert [axis.get_title() for axis in figure.axes] == ["HR", "LR"]
    assert {axis.images[0].get_interpolation() for axis in figure.axes} == {"nearest"}


def test_a_zoom_box_cuts_every_image_alike_and_is_drawn_in_the_overview(photo):
    figure = plots.show_images(
        [photo[::4, ::4], photo], ["LR", "HR"], zoom_box=(0.5, 0.25, 0.25, 0.5)
    )
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
    assert [label.get_text() for label in axis.get_yticklabels()] == ["001", "002", "000"]


def test_gains_of_many_images_are_curves():
    (axis,) = plots.gains(many()).axes
    (line,) = (line for line in axis.lines if line.get_label() == "ours")
    assert line.get_xdata().tolist() == pytest.approx(sorted(np.cos(np.arange(100))))
    assert not axis.patches


def test_more_methods_than_styles_are_all_drawn():
    names = ["bicubic", *"abcdef"]
    table = table_of({name: [20.0 + place, 22.0] for place, name in enumerate(names)})
    (axis,) = plots.gains(table).axes
    assert len(axis.patches) == 2 * 6
    lines = {name: ([0, 1], [0, 1]) for name in names}
    (axis,) = plots.curves(lines, xlabel="x", ylabel="y").axes
    assert len(axis.lines) == 7


def many():
    """A hundred images: bicubic scores 20 to 30 dB, ours cos(i) more."""
    images = np.arange(100)
    return table_of({"bicubic": 20 + images / 10, "ours": 20 + images / 10 + np.cos(images)})


def test_distributions_are_cumulative_and_star_the_top_5_percent(table):
    left, right = plots.distributions(table).axes
    curves = left.lines[:-1:2]
    stars = left.lines[1:-1:2]
    assert curves[1].get_xdata().tolist() == [24, 29, 32] and curves[1].get_ydata()[-1] == 100
    assert [star.get_xdata().tolist() for star in stars] == [[30], [32]]
    assert right.lines[0].get_xdata().tolist() == [0.625, 0.7, 0.75]
    values = many().query("method == 'ours' and metric == 'psnr'")["value"]
    star = plots.distributions(many()).axes[0].lines[3]
    assert star.get_xdata().tolist() == sorted(values)[-5:]


def test_agreement_is_the_rank_correlation():
    table = many()
    table.loc[table["metric"] == "ssim", "value"] *= -1  # the two metrics rank the other way round
    (axis,) = plots.agreement(table).axes
    assert axis.lines[0].get_label() == "bicubic, rank correlation -1.00"
    assert axis.lines[0].get_xdata().tolist() == pytest.approx((20 + np.arange(100) / 10).tolist())


def test_gain_by_texture(table):
    texture = pd.Series({"002": 3.0, "000": 1.0, "001": 2.0}, name="texture")
    (axis,) = plots.gain_by_texture(table, texture).axes
    (points,) = (line for line in axis.lines if line.get_label().startswith("ours"))
    assert dict(zip(points.get_xdata(), points.get_ydata(), strict=True)) == {1: 2, 2: -1, 3: 1}
    assert axis.get_xlabel() == "texture"
    assert [text.get_text() for text in axis.texts] == ["000", "001", "002"]


def test_the_chart_of_costs_has_a_point_for_each_model():
    models = pd.DataFrame({"cost": [1e5, 3e6], "psnr": [32.09, 32.46]}, index=["baseline", "edsr"])
    figure = plots.quality_by_cost(models, title="Set5")
    (axis,) = figure.axes
    assert axis.lines[0].get_xydata().tolist() == [[1e5, 32.09], [3e6, 32.46]]
    assert axis.get_xscale() == "log" and "edsr 32.46 dB" in figure.alt
    assert [text.get_text() for text in axis.texts] == ["baseline", "edsr"]


def test_names_in_a_chart_cover_neither_each_other_nor_points():
    """Two photographs side by side, and two networks of almost one cost and quality."""
    models = pd.DataFrame(
        {"cost": [16, 22e3, 22e3, 125e3], "psnr": [27.48, 29.46, 28.49, 29.49]},
        index=["bicubic", "pretrained", "edsr-lite-photo", "edsr-baseline-srlib"],
    )
    texture = pd.Series({"000": 18.8, "001": 19.0, "002": 27.0}, name="texture")
    alike = table_of({"bicubic": [30.0, 30.0, 20.0], "ours": [31.4, 31.4, 20.6]})
    for figure in (
        plots.quality_by_cost(models, title="x4"),
        plots.gain_by_texture(alike, texture),
    ):
        figure.draw_without_rendering()
        (axis,) = figure.axes
        boxes = [text.get_window_extent() for text in axis.texts]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
        points = [p for line in axis.lines for p in axis.transData.transform(line.get_xydata())]
        assert not any(box.contains(*point) for box in boxes for point in points)
        assert all(axis.bbox.x0 < box.x0 and box.x1 < axis.bbox.x1 for box in boxes)


def test_a_close_up_says_the_psnr_inside(photo):
    brighter = np.clip(photo.astype(int) + 5, 0, 255).astype(np.uint8)
    figure = plots.close_up(
        {"LR": photo[::4, ::4], "brighter": brighter, "HR": photo}, 40, 20, 24, name="0801"
    )
    inside = np.s_[20:44, 40:64]
    expected = psnr(brighter[inside], photo[inside], border=0, luma=True)
    assert [axis.get_title() for axis in figure.axes] == [
        "LR, 0801",
        f"brighter\n{expected:.1f} dB here",
        "HR, 0801",
    ]
    assert np.array_equal(figure.axes[2].images[0].get_array(), photo[inside])


def history_of_four_epochs():
    epochs = [
        SimpleNamespace(epoch=e, train_loss=1 / (e + 1), valid_loss=1 / (e + 2), valid_psnr=25 + e)
        for e in range(4)
    ]
    return SimpleNamespace(epochs=epochs, best=epochs[2], start=epochs[0], bicubic_psnr=24.5)


def test_training_curves_show_the_lines_to_beat():
    history = history_of_four_epochs()
    loss, quality = plots.training_curves({"run": history}).axes
    assert list(loss.lines[0].get_xdata()) == [1, 2, 3]  # epoch 0 has no training loss
    assert {
        line.get_label(): line.get_ydata()[0]
        for line in quality.lines
        if line.get_label() in ("bicubic", "before fine-tuning")
    } == {"bicubic": 24.5, "before fine-tuning": 25}
    assert any(
        list(line.get_ydata()) == [27] and line.get_marker() == "*" for line in quality.lines
    )


def test_hr_is_black_among_the_curves():
    x = np.arange(50)
    (axis,) = plots.curves({"HR": (x, x), "bicubic": (x, 2 * x)}, xlabel="x", ylabel="y").axes
    assert [line.get_color() == "black" for line in axis.lines] == [True, False]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("x", "y")


def test_curves_take_names_marks_and_a_logarithmic_axis():
    lines = {"ours": (["rgb", "y"], [0.1, 10])}
    (axis,) = plots.curves(lines, xlabel="x", ylabel="y", log=True, marks={"limit": 1}).axes
    assert axis.get_yscale() == "log"
    assert [line.get_label() for line in axis.lines] == ["ours", "limit"]


def test_maps_share_their_limits_and_pictures_stay_as_they_are(photo):
    values = np.array([[-1.0, 0.5], [0.0, 2.0]])
    figure = plots.show_maps(
        [photo, values], ["photo", "map"], limits=(-2, 2), number_format=".1f", box=(0, 1, 1, 1)
    )
    picture, drawn = figure.axes
    assert np.array_equal(picture.images[0].get_array(), photo)
    assert drawn.images[0].get_clim() == (-2, 2)
    texts = {text.get_position(): text.get_text() for text in drawn.texts}
    assert texts == {(0, 0): "-1.0", (1, 0): "0.5", (0, 1): "0.0", (1, 1): "2.0"}
    (box,) = drawn.patches
    assert (box.get_xy(), box.get_width()) == ((-0.5, 0.5), 1)


@pytest.mark.parametrize(("scale", "shuffles"), [(2, 1), (3, 1), (4, 2)])
def test_the_chain_of_the_network_ends_with_the_large_picture(scale, shuffles):
    figure = plots.network_chain(EDSRConfig(scale, 16, 64), 48, 32)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count(f"3 x {48 * scale} x {32 * scale}") == 3  # after the tail, the mean, as SR
    assert sum(text.startswith("shuffle") for text in texts) == shuffles
    assert "block 16" in texts


def test_a_figure_becomes_a_png_without_a_backend(photo):
    with Image.open(io.BytesIO(plots.show_images([photo], ["one"], width=3).png())) as image:
        assert (
            image.format == "PNG"
            and image.mode == "RGB"
            and image.width == pytest.approx(300, abs=2)
        )


def every_figure(photo, name="ours"):
    """One of every kind, with `name` wherever a figure takes one."""
    table = table_of({"bicubic": [30.0, 25.0, 28.0], name: [32.0, 24.0, 29.0]}).replace(
        {"image": {"000": name}}
    )
    texture = pd.Series({name: 1.0, "001": 2.0, "002": 3.0}, name=name)
    cost = pd.DataFrame({"cost": [1e5], "psnr": [32.0]}, index=[name])
    history = history_of_four_epochs()
    x = np.arange(5)
    return {
        "show_images": plots.show_images([photo, photo], [name, "HR"], zoom_box=(0, 0, 0.5, 0.5)),
        "close_up": plots.close_up({name: photo, "HR": photo}, 4, 4, 24, name=name),
        "show_maps": plots.show_maps([np.eye(3)], [name]),
        "error_maps": plots.error_maps([photo], [name], photo),
        "curves": plots.curves({name: (x, x)}, xlabel="x", ylabel="y", title=name),
        "training_curves": plots.training_curves({name: history}),
        "costs": plots.costs(pd.Series({name: -1.0}), mark=-2, mark_label=name),
        "distributions": plots.distributions(table),
        "gains": plots.gains(table),
        "agreement": plots.agreement(table),
        "gain_by_texture": plots.gain_by_texture(table, texture),
        "quality_by_cost": plots.quality_by_cost(cost, title=name),
    }


def test_every_figure_has_an_alt_text_that_names_its_subject(photo):
    figures = every_figure(photo)
    no_figures = {"best_square", "summary_text", "write_report"}
    no_figures |= {"network_chain"}  # its subject is the network, and it takes no name
    assert figures.keys() == set(plots.__all__) - no_figures
    for name, figure in figures.items():
        assert "ours" in figure.alt and figure.alt.endswith(".") and "\n" not in figure.alt, name
        data, metadata = figure._repr_mimebundle_()
        assert data["text/plain"] == figure.alt, name
        assert metadata["image/png"] == {"alt": figure.alt}, name


@pytest.mark.parametrize(
    "style",
    [
        {},
        {"figure.facecolor": "none"},
        {"savefig.transparent": True},
        {"figure.facecolor": (1, 1, 1, 0)},
    ],
)
def test_a_figure_is_opaque_and_legible_on_a_dark_page(style):
    with matplotlib.rc_context(style):
        figure = plots.curves({"a": ([0, 1], [0, 1])}, xlabel="x", ylabel="y")
        with Image.open(io.BytesIO(figure.png())) as image:
            assert image.mode == "RGB" and image.getpixel((0, 0)) == (255, 255, 255)
            assert np.asarray(image).min() < 80  # the letters are dark


@pytest.mark.parametrize(
    "name", [os.fsdecode(b"caf\xe9 <b>&amp; 100 % ") + "猫", "a $\\frac$ b, 5$ and 6$"]
)
def test_odd_names_are_drawn_as_they_are(photo, name):
    """No error, no formula, and an alt text that Jupyter can send as UTF-8."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        for figure in every_figure(photo, name).values():
            assert figure.png().startswith(b"\x89PNG")
            assert name.encode("utf-8", "backslashreplace").decode() in figure.alt
            figure.alt.encode()


def test_an_exact_picture_has_no_place_in_a_chart():
    """A white page: its PSNR is infinite, and everything else is drawn as without it."""
    table = table_of({"bicubic": [30.0, 25.0, np.inf], "ours": [32.0, 24.0, np.inf]})
    table.loc[table["image"] == "002", "value"] = np.inf
    texture = pd.Series({"002": 3.0, "000": 1.0, "001": 2.0}, name="texture")
    for figure in (
        plots.distributions(table),
        plots.gains(table),
        plots.agreement(table),
        plots.gain_by_texture(table, texture),
    ):
        assert "inf" not in figure.alt and "nan" not in figure.alt and figure.png()
    left, _ = plots.distributions(table).axes
    assert left.lines[0].get_ydata().tolist() == [50, 100]


@pytest.mark.parametrize("columns", [{"bicubic": [30.0]}, {"a": [30.0], "b": [31.0]}])
def test_a_gain_needs_bicubic_and_a_method(columns):
    with pytest.raises(ValueError, match="bicubic and another method"):
        plots.gains(table_of(columns))
