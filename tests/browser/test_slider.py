"""The CompareSlider in JupyterLab, with pictures whose colours say which picture they belong to and where in it they are."""

import io

import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from browser.labpage import axe_violations, in_kernel, lab

DRAW = """
import numpy as np
from srlib.widgets import CompareSlider

def scene(height, width, blue):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 240 // width, y * 160 // height, np.full_like(x, blue)], axis=2).astype(np.uint8)

slider = CompareSlider([scene(40, 60, 0), scene(160, 240, 255)], ["small", "large"])
slider
"""


@pytest.fixture(scope="module")
def page(browser, jupyter):
    cells = [nbformat.v4.new_code_cell(DRAW, id="draw"), nbformat.v4.new_markdown_cell("Below.", id="below")]
    kernel = {"name": "python3", "display_name": "Python 3"}  # without one Lab asks for it in a dialog
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), jupyter.root / "notebooks" / "slider.ipynb"
    )
    with lab(browser, jupyter, "slider.ipynb", cell="draw", has_touch=True) as page:
        yield page


@pytest.fixture
def frame(page):
    """The pictures, at rest and without the focus."""
    page.locator(".srlib-compare[data-ready]").wait_for()
    page.evaluate("document.activeElement.blur()")
    in_kernel(page, "slider.set_state({'position': 0.5, 'zoom': 1.0, 'center': (0.5, 0.5)})")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "50")
    expect(page.get_by_label("Magnification")).to_have_text("200 %")
    frame = page.get_by_role("group", name="Comparison of small and large")
    frame.scroll_into_view_if_needed()
    return frame


def point(frame, x, y):
    """Screen coordinates of a point of the frame, given in fractions of it."""
    box = frame.bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def seen(frame, x, y):
    """Which picture is seen at a point of the frame, and which point of the scene; all in fractions."""
    shot = np.asarray(Image.open(io.BytesIO(frame.screenshot())).convert("RGB")).astype(int)
    red, green, blue = shot[round(y * (shot.shape[0] - 1)), round(x * (shot.shape[1] - 1))]
    return "large" if blue > 128 else "small", red / 240, green / 160


def drag(page, start, stop):
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*stop, steps=5)
    page.mouse.up()


def test_the_divider_follows_the_mouse(page, frame):
    drag(page, point(frame, 0.5, 0.5), point(frame, 0.25, 0.7))
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "25")
    assert [seen(frame, x, 0.2)[0] for x in (0.1, 0.2, 0.3, 0.9)] == ["small", "small", "large", "large"]
    assert in_kernel(page, "slider.position") == pytest.approx(0.25, abs=0.01)


def test_pictures_of_different_size_show_the_same_scene(frame):
    assert seen(frame, 0.2, 0.8) == ("small", pytest.approx(0.2, abs=0.02), pytest.approx(0.8, abs=0.02))
    assert seen(frame, 0.8, 0.8) == ("large", pytest.approx(0.8, abs=0.02), pytest.approx(0.8, abs=0.02))
    box = frame.bounding_box()
    assert box["width"] / box["height"] == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize(
    ("key", "percent"),
    [("ArrowRight", "51"), ("ArrowDown", "49"), ("Shift+ArrowLeft", "40"), ("PageUp", "60"), ("Home", "0"), ("End", "100")],
)
def test_keys_move_the_divider(page, frame, key, percent):
    page.get_by_role("slider").press(key)
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", percent)


def test_the_wheel_scrolls_the_page_until_the_picture_is_clicked(page, frame):
    page.mouse.move(*point(frame, 0.75, 0.25))
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(200)
    assert in_kernel(page, "slider.zoom") == 1
    page.mouse.click(*point(frame, 0.75, 0.25))
    page.mouse.wheel(0, -300)
    expect(page.get_by_label("Magnification")).not_to_have_text("200 %")
    zoom = in_kernel(page, "slider.zoom")
    assert zoom == pytest.approx(np.exp(0.6), rel=0.01)
    for x, y, side in [(0.75, 0.25, "large"), (0.1, 0.9, "small"), (0.9, 0.9, "large")]:  # the point under the pointer stays
        expected = [0.75 + (x - 0.75) / zoom, 0.25 + (y - 0.25) / zoom]
        assert seen(frame, x, y) == (side, *(pytest.approx(value, abs=0.02) for value in expected))


def test_drag_pans_both_pictures_and_double_click_resets(page, frame):
    page.mouse.click(*point(frame, 0.75, 0.5))
    for _ in range(4):
        page.keyboard.press("+")
    drag(page, point(frame, 0.7, 0.5), point(frame, 0.9, 0.4))
    zoom = 1.25**4
    for x, side in [(0.1, "small"), (0.8, "large")]:
        expected = [0.5 + (x - 0.5 - 0.2) / zoom, 0.5 + 0.1 / zoom]
        assert seen(frame, x, 0.5) == (side, *(pytest.approx(value, abs=0.02) for value in expected))
    page.keyboard.press("ArrowRight")
    assert seen(frame, 0.8, 0.5)[1] == pytest.approx(0.5 + (0.8 - 0.5 - 0.1) / zoom, abs=0.02)
    page.mouse.dblclick(*point(frame, 0.75, 0.5))
    expect(page.get_by_label("Magnification")).to_have_text("200 %")


def test_two_fingers_zoom(page, frame):
    touch = page.context.new_cdp_session(page)

    def send(kind, *points):
        screen = [point(frame, *p) for p in points]
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(screen)]},
        )

    send("touchStart", (0.4, 0.3), (0.4, 0.5))
    send("touchMove", (0.4, 0.25), (0.4, 0.55))
    send("touchMove", (0.4, 0.2), (0.4, 0.6))
    send("touchEnd")
    expect(page.get_by_label("Magnification")).to_have_text("400 %")
    assert seen(frame, 0.4, 0.4) == ("small", pytest.approx(0.4, abs=0.02), pytest.approx(0.4, abs=0.02))


def test_the_place_stays_when_the_window_narrows(page, frame):
    in_kernel(page, "slider.set_state({'zoom': 4.0, 'center': (0.3, 0.6)})")
    expect(page.get_by_label("Magnification")).to_have_text("800 %")
    page.set_viewport_size({"width": 600, "height": 1000})
    expect(page.get_by_label("Magnification")).not_to_have_text("800 %")
    assert seen(frame, 0.6, 0.5)[1:] == (pytest.approx(0.3 + 0.1 / 4, abs=0.02), pytest.approx(0.6, abs=0.02))
    page.set_viewport_size({"width": 1280, "height": 1000})


def test_d_d_keeps_the_cell(page, frame):
    cells = page.locator(".jp-Notebook .jp-Cell")
    for part in (page.get_by_role("slider"), frame):
        part.focus()
        page.keyboard.type("dd", delay=50)
        page.wait_for_timeout(300)
        expect(cells).to_have_count(2)
    page.locator(".jp-MarkdownCell").click()  # the same keys do delete a cell that is selected
    page.keyboard.type("dd", delay=50)
    expect(cells).to_have_count(1)


def test_axe(page, frame):
    assert axe_violations(page, ".srlib-compare") == ""
