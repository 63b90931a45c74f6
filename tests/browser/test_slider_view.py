"""The geometry of the CompareSlider, as functions: compare/view.js in Chromium."""

from pathlib import Path

import pytest

import srlib.widgets

SCRIPT = Path(srlib.widgets.__file__).with_name("compare") / "view.js"


@pytest.fixture(scope="module")
def call(browser):
    """call(name, *arguments) returns what a function of view.js returns."""
    page = browser.new_page()
    page.add_script_tag(path=SCRIPT.parents[1] / "dom.js")
    page.add_script_tag(path=SCRIPT)
    yield lambda name, *arguments: page.evaluate(
        "([name, arguments]) => eval(name)(...arguments)", [name, list(arguments)]
    )
    page.close()


def box(width, height):
    return {"width": width, "height": height}


def view(zoom, x=0.5, y=0.5):
    return {"zoom": zoom, "center": [x, y]}


@pytest.mark.parametrize(
    ("frame", "size", "expected"),
    [
        ((400, 400), (200, 100), (0, 100, 400, 200)),  # bars above and below
        ((400, 100), (200, 100), (100, 0, 200, 100)),  # and at the sides
        (
            (976, 651),
            (3000, 2000),
            (-0.25, 0, 976.5, 651),
        ),  # no bare line where the box is rounded to whole pixels
        ((976, 650), (3000, 2000), (0, (650 - 976 * 2 / 3) / 2, 976, 976 * 2 / 3)),
    ],
)
def test_the_whole_picture_fits(call, frame, size, expected):
    place = call("place", box(*frame), box(*size), view(1))
    assert [place[side] for side in ("left", "top", "width", "height")] == pytest.approx(expected)


@pytest.mark.parametrize("factor", [0.3, 1.7, 100])
def test_the_point_under_the_pointer_stays(call, factor):
    frame = box(300, 300)
    size = box(600, 600)
    before = view(4, 0.45, 0.55)
    at = {"x": 130, "y": 170}
    after = call("moved", frame, size, before, {"factor": factor, "at": at})
    point = [call("inPicture", at, call("place", frame, size, v)) for v in (before, after)]
    assert point[0] == pytest.approx(point[1])
    assert after["zoom"] == pytest.approx(
        min(4 * factor, 128)
    )  # one pixel of the picture on 64 of the screen


def test_a_shift_moves_the_picture_by_as_many_pixels(call):
    frame = box(300, 200)
    size = box(600, 400)
    before = view(4)
    after = call("moved", frame, size, before, {"by": {"x": 12, "y": -7}})
    places = [call("place", frame, size, v) for v in (before, after)]
    assert (
        places[1]["left"] - places[0]["left"],
        places[1]["top"] - places[0]["top"],
    ) == pytest.approx((12, -7))


@pytest.mark.parametrize(
    ("frame", "size", "zoom"),
    [((300, 200), (600, 400), 2), ((300, 200), (30, 20), 0.1), ((500, 200), (600, 400), 2)],
)
def test_true_size(call, frame, size, zoom):
    assert call("trueSize", box(*frame), box(*size), view(1.234)) == view(pytest.approx(zoom))


@pytest.mark.parametrize(
    ("frame", "size", "how", "expected"),
    [
        ((400, 300), (1600, 1200), {"detail": [0.5, 0.5], "density": 1}, 1),
        ((400, 300), (1600, 1200), {"detail": [0.5, 0.5], "density": 3}, 3),
        ((400, 300), (100, 100), {"detail": [0.5, 0.5], "density": 1}, 3),  # not less than fits
        ((400, 300), (100, 100), {"detail": [0.5, 0.5], "cover": True, "density": 1}, 4),
        ((400, 300), (100, 100), {"cover": True, "density": 1}, 4),
        ((1440, 780), (48, 36), {"cover": True, "density": 1}, 8),  # pixels stay small
    ],
)
def test_pictures_open_large_enough(call, frame, size, how, expected):
    opened = call("opened", box(*frame), box(*size), how)
    assert call("magnification", box(*frame), box(*size), opened) == pytest.approx(expected)


def test_a_whole_lies_where_it_lay(call):
    frame = box(400, 300)
    size = box(1600, 1200)
    there = {"left": -700, "top": -350, "width": 1200}
    place = call("place", frame, size, call("unmoved", frame, size, there))
    assert {side: place[side] for side in there} == pytest.approx(there)


def test_the_view_stays_in_the_picture(call):
    frame = box(300, 200)
    size = box(600, 400)
    assert call("settled", frame, size, view(2, -1, 7)) == view(2, 0.25, 0.75)
    assert call("visible", frame, call("place", frame, size, view(2, 0.25, 0.75))) == pytest.approx(
        [0, 0.5, 0.5, 1]
    )
    assert call("settled", frame, size, view(1, 0.1, 0.9)) == view(1)
    wide = box(600, 200)  # bars at the sides: nothing to pan to the right, but up and down
    assert call("settled", wide, size, view(1.5, 0.1, 0.1)) == view(1.5, 0.5, pytest.approx(1 / 3))


@pytest.mark.parametrize(
    ("count", "room", "size", "expected"),
    [
        (1, (2000, 2000), (6000, 4000), (1, 1, 2000, 4000 / 3)),
        (1, (2000, 2000), (600, 400), (1, 1, 600, 400)),  # not larger than it is
        (1, (2000, 2000), (60, 40), (1, 1, 480, 320)),  # but small ones grow, by a whole factor
        (2, (1004, 700), (600, 400), (2, 1, 1004, 1000 / 3)),
        (
            2,
            (404, 2000),
            (600, 400),
            (1, 2, 404, 404 * 4 / 3 + 4),
        ),  # a narrow window: one above the other
        (3, (1208, 700), (400, 600), (3, 1, 1208, 600)),
        (2, (1004, 800), (600, 400), (2, 1, 1004, 1000 / 3)),  # where a little is to be gained, not
        (4, (1000, 604), (600, 400), (2, 2, 904, 604)),
    ],
)
def test_several_pictures_lie_as_large_as_they_can(call, count, room, size, expected):
    shape = call("frameShape", count, box(*room), box(*size))
    assert [shape[side] for side in ("across", "down", "width", "height")] == pytest.approx(
        expected
    )
