"""The CompareSlider's page, pixel by pixel, on a bench without a notebook."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from skimage.metrics import peak_signal_noise_ratio

from browser.bench import bench
from browser.labpage import PATIENCE, axe_violations
from srlib.images.resize import imresize
from srlib.widgets import CompareSlider

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (4, 160, 240, 3), dtype=np.uint8)
DARK = """:root { --jp-layout-color1: #111; --jp-layout-color2: #424242; --jp-layout-color3: #616161; --jp-ui-font-color1: #fff;
  --jp-ui-font-color2: rgb(255 255 255 / 70%); --jp-border-color1: #616161; } body { background: #111; color: #fff; }"""


def scene(height, width, blue):
    """Colours that say which picture they belong to, and where in it they are."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 240 // width, y * 160 // height, np.full_like(x, blue)], axis=2).astype(
        np.uint8
    )


class Slider:
    """A slider on the bench, and what a hand does with it."""

    def __init__(self, shown):
        self.page = shown.page
        self.widget = shown.widget
        self.asked = shown.asked
        self.bench = shown
        self.frame = self.page.locator(".srlib-compare-frame")
        self.divider = self.page.get_by_role("slider")
        self.magnification = self.page.get_by_label("Magnification")
        self.page.locator(".srlib-compare[data-ready]").wait_for()
        expect(self.magnification).not_to_have_text("")

    def point(self, x, y, panel=0):
        """Screen coordinates of a point of a panel, given in fractions of it."""
        box = self.page.locator(".srlib-compare-panel").nth(panel).bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def canvas(self, panel=0, layer="canvas:not(.srlib-compare-overlay)"):
        """What is drawn on a panel: uint8 (H, W, 4), one value for each pixel of the screen."""
        self.settle()
        data = (
            self.page.locator(".srlib-compare-panel")
            .nth(panel)
            .locator(layer)
            .evaluate("(canvas) => canvas.toDataURL()")
        )
        return np.asarray(
            Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).convert("RGBA")
        )

    def seen(self, x, y, panel=0):
        """The blue at a point of a panel, which names the picture, and the point of the scene that is seen there."""
        canvas = self.canvas(panel)
        red, green, blue, _ = (
            int(v) for v in canvas[int(y * (len(canvas) - 1)), int(x * (len(canvas[0]) - 1))]
        )
        return blue, pytest.approx(red / 240, abs=0.03), pytest.approx(green / 160, abs=0.03)

    def drag(self, start, stop):
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(*stop, steps=4)
        self.page.mouse.up()

    def until(self, condition):
        """Wait for what comes when it comes: tiles, or what the kernel is told."""
        for _ in range(PATIENCE // 100):
            if condition():
                return
            self.page.wait_for_timeout(100)
        pytest.fail("It did not come.")

    def settle(self):
        """Wait until what was asked for is drawn."""
        self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )


@pytest.fixture
def put(browser):
    """put(images, labels, **traits) lays a slider on the bench; `context` is for the browser."""
    opened = []

    def open_one(images, labels, *, reference=None, context=None, **traits):
        opened.append(
            bench(
                browser,
                CompareSlider(images, labels, reference=reference, **traits),
                **(context or {}),
            )
        )
        return Slider(opened[-1].__enter__())

    yield open_one
    for manager in opened:
        manager.__exit__(None, None, None)


@pytest.fixture(scope="module")
def large():
    return np.random.default_rng(1).integers(0, 256, (1400, 2100, 3), dtype=np.uint8)


@pytest.fixture
def two(put):
    return put([scene(40, 60, 0), scene(160, 240, 255)], ["small", "large"])


@pytest.fixture
def four(put):
    return put([scene(160, 240, blue) for blue in (0, 80, 160, 240)], ["a", "b", "c", "d"])


class TestDivider:
    def test_it_follows_the_mouse(self, two):
        two.drag(two.point(0.5, 0.5), two.point(0.25, 0.7))
        expect(two.divider).to_have_attribute("aria-valuenow", "25")
        assert [two.seen(x, 0.2)[0] for x in (0.1, 0.2, 0.3, 0.9)] == [0, 0, 255, 255]
        two.until(lambda: two.widget.position == pytest.approx(0.25, abs=0.01))

    def test_a_drag_anywhere_moves_it_when_there_is_nothing_to_pan(self, two):
        two.drag(two.point(0.8, 0.9), two.point(0.9, 0.2))
        expect(two.divider).to_have_attribute("aria-valuenow", "60")
        assert two.widget.zoom == 1

    def test_keys(self, two):
        percents = {
            "ArrowRight": 51,
            "ArrowDown": 50,
            "Shift+ArrowLeft": 40,
            "PageUp": 50,
            "Home": 0,
            "ArrowLeft": 0,
            "End": 100,
        }
        for key, percent in percents.items():
            two.divider.press(key)
            expect(two.divider).to_have_attribute("aria-valuenow", str(percent))

    def test_pictures_of_different_size_show_the_same_scene(self, two):
        assert two.seen(0.2, 0.8) == (0, 0.2, 0.8)
        assert two.seen(0.8, 0.8) == (255, 0.8, 0.8)

    def test_which_pictures_stand_beside_it(self, four):
        assert [four.seen(x, 0.5)[0] for x in (0.1, 0.9)] == [0, 240]
        four.page.get_by_label("Right").select_option("c")
        assert [four.seen(x, 0.5)[0] for x in (0.1, 0.9)] == [0, 160]
        four.frame.press("Shift+Digit4")
        four.frame.press("2")
        assert [four.seen(x, 0.5)[0] for x in (0.1, 0.9)] == [240, 80]
        expect(four.page.get_by_role("slider", name="Divider between d and b")).to_be_visible()
        four.until(lambda: four.widget.pair == (3, 1))


class TestView:
    def test_the_wheel_zooms_about_the_pointer_once_the_picture_has_the_focus(self, two):
        two.page.mouse.move(*two.point(0.75, 0.25))
        two.page.mouse.wheel(0, -300)
        two.settle()
        assert two.widget.zoom == 1
        two.page.mouse.click(*two.point(0.75, 0.25))
        two.page.mouse.wheel(0, -300)
        expect(two.magnification).not_to_have_text("200 %")
        zoom = np.exp(0.6)
        two.until(lambda: two.widget.zoom == pytest.approx(zoom))
        for x, y, blue in [(0.75, 0.25, 255), (0.1, 0.9, 0), (0.9, 0.9, 255)]:
            assert two.seen(x, y) == (blue, 0.75 + (x - 0.75) / zoom, 0.25 + (y - 0.25) / zoom)

    def test_a_touchpad_pinches(self, two):
        two.frame.focus()
        two.page.mouse.move(*two.point(0.75, 0.25))
        two.page.keyboard.down("Control")
        two.page.mouse.wheel(0, -30)
        two.page.keyboard.up("Control")
        expect(two.magnification).to_have_text(f"{200 * np.exp(0.3):.0f} %")

    def test_drag_and_keys_move_and_a_double_click_resets(self, two):
        two.page.mouse.click(*two.point(0.75, 0.5))
        for _ in range(4):
            two.page.keyboard.press("+")
        two.drag(two.point(0.7, 0.5), two.point(0.9, 0.4))
        zoom = 1.25**4
        for x, blue in [(0.1, 0), (0.8, 255)]:
            assert two.seen(x, 0.5) == (blue, 0.5 + (x - 0.5 - 0.2) / zoom, 0.5 + 0.1 / zoom)
        two.page.keyboard.press("ArrowRight")
        assert two.seen(0.8, 0.5)[1] == 0.5 + (0.8 - 0.5 - 0.1) / zoom
        x = 0.5 - (0.2 - 0.1) / zoom
        y = 0.5 + 0.1 / zoom
        two.until(lambda: two.widget.center == pytest.approx((x, y), abs=1e-3))
        x, y = two.widget.center
        two.page.keyboard.press("Shift+ArrowDown")
        two.until(lambda: two.widget.center == pytest.approx((x, y + 1 / 160)))
        two.page.mouse.dblclick(*two.point(0.75, 0.5))
        expect(two.magnification).to_have_text("200 %")

    def test_two_fingers(self, put):
        two = put(
            [scene(40, 60, 0), scene(160, 240, 255)],
            ["small", "large"],
            context={"has_touch": True},
        )
        touch = two.page.context.new_cdp_session(two.page)
        for kind, *points in [
            ("touchStart", (0.4, 0.3), (0.4, 0.5)),
            ("touchMove", (0.4, 0.25), (0.4, 0.55)),
            ("touchMove", (0.4, 0.2), (0.4, 0.6)),
            ("touchEnd",),
        ]:
            screen = [two.point(*p) for p in points]
            touch.send(
                "Input.dispatchTouchEvent",
                {
                    "type": kind,
                    "touchPoints": [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(screen)],
                },
            )
        expect(two.magnification).to_have_text("400 %")
        assert two.seen(0.4, 0.4) == (0, 0.4, 0.4)

    def test_no_margin_on_one_side_while_the_other_is_cut_off(self, two):
        two.page.mouse.click(*two.point(0.2, 0.2))
        two.page.keyboard.press("+")
        for key in ("ArrowLeft", "ArrowUp") * 9:
            two.page.keyboard.press(key)
        assert two.seen(0, 0) == (0, 0, 0)
        two.page.keyboard.press("-")
        assert two.seen(0.99, 0.99) == (255, 0.99, 0.99)

    @pytest.mark.parametrize("density", [1, 2])
    def test_one_to_one_is_the_picture_itself(self, put, density):
        slider = put(NOISE[:2], ["a", "b"], position=0, context={"device_scale_factor": density})
        slider.frame.press("z")
        expect(slider.magnification).to_have_text("100 %")
        canvas = slider.canvas()
        assert canvas.shape[1] == 480 * density
        top, left = (
            (whole - part) // 2 for whole, part in zip(canvas.shape[:2], (160, 240), strict=True)
        )
        assert np.array_equal(canvas[top : top + 160, left : left + 240, :3], NOISE[1])
        assert canvas[..., 3].sum() == 255 * 160 * 240  # and nothing around it

    def test_pixels_are_squares_when_enlarged(self, put):
        slider = put(NOISE[:2], ["a", "b"], position=1, zoom=4.0, center=(0.25, 0.75))
        expect(slider.magnification).to_have_text("800 %")
        squares = NOISE[0][100:140, 30:90].repeat(8, axis=0).repeat(8, axis=1)
        assert np.array_equal(slider.canvas()[..., :3], squares)

    @pytest.mark.parametrize(("density", "percent"), [(1, 100), (3, 300)])
    def test_it_opens_at_the_detail_once(self, put, density, percent):
        """A pixel of the picture is at least a pixel of the page."""
        pictures = [np.zeros((1600, 2400, 3), np.uint8) for _ in range(2)]
        pictures[1][1200:1300, 600:700] = 200
        slider = put(pictures, ["a", "b"], at_detail=True, context={"device_scale_factor": density})
        expect(slider.magnification).to_have_text(f"{percent} %")
        slider.until(lambda: slider.widget.detail is None)
        assert slider.widget.center == pytest.approx((650 / 2400, 1250 / 1600), abs=0.06)
        slider.frame.press("0")
        expect(slider.magnification).not_to_have_text(f"{percent} %")

    def test_the_place_stays_when_the_window_narrows(self, two):
        two.widget.zoom = 4.0
        two.widget.center = (0.3, 0.6)
        two.bench.push()
        expect(two.magnification).to_have_text("800 %")
        two.page.set_viewport_size({"width": 300, "height": 900})
        expect(two.magnification).not_to_have_text("800 %")
        assert two.seen(0.6, 0.5)[1:] == (0.3 + 0.1 / 4, 0.6)

    def test_full_screen(self, two):
        two.frame.press("f")
        two.page.wait_for_function("document.fullscreenElement?.matches('.srlib-compare')")
        two.page.wait_for_function(
            "document.querySelector('.srlib-compare-panel').clientWidth > 800"
        )
        assert two.seen(0.2, 0.5) == (0, 0.2, 0.5)
        two.frame.press("f")
        two.page.wait_for_function(
            "document.querySelector('.srlib-compare-panel').clientWidth === 480"
        )


class TestFlicker:
    def test_pictures_take_turns_until_stopped(self, four):
        four.page.get_by_role("radio", name="Flicker").check()
        shown = four.page.get_by_role("img")
        for label in ("b", "c", "d", "a"):
            expect(shown).to_have_accessible_name(label)
        four.page.get_by_role("button", name="Stop the flicker").click()
        four.frame.press("3")
        four.page.wait_for_timeout(1000)
        assert four.seen(0.5, 0.5) == (160, 0.5, 0.5)
        four.frame.press("Space")
        assert four.seen(0.5, 0.5) == (240, 0.5, 0.5)
        expect(four.divider).to_be_hidden()

    def test_it_waits_for_those_who_want_less_motion(self, put):
        slider = put(NOISE[:2], ["a", "b"], mode="flicker", context={"reduced_motion": "reduce"})
        slider.page.wait_for_timeout(1000)
        expect(slider.page.get_by_role("img")).to_have_accessible_name("a")
        slider.frame.press("p")
        expect(slider.page.get_by_role("img")).to_have_accessible_name("b")


class TestSideBySide:
    def test_the_same_place_in_all(self, four):
        four.frame.press("m")
        four.frame.press("m")
        expect(four.page.get_by_role("img")).to_have_count(4)
        four.until(lambda: four.widget.mode == "side-by-side")
        four.page.mouse.move(*four.point(0.2, 0.3, panel=3))
        four.page.mouse.wheel(0, -500)
        expect(four.magnification).to_have_text("544 %")
        assert [four.seen(0.2, 0.3, panel) for panel in range(4)] == [
            (blue, 0.2, 0.3) for blue in (0, 80, 160, 240)
        ]
        four.drag(four.point(0.2, 0.3, panel=2), four.point(0.3, 0.3, panel=2))
        assert [four.seen(0.3, 0.3, panel) for panel in range(4)] == [
            (blue, 0.2, 0.3) for blue in (0, 80, 160, 240)
        ]

    def test_they_lie_as_large_as_they_can(self, put):
        slider = put(NOISE[:2], ["a", "b"], mode="side-by-side")
        places = lambda: [slider.point(0, 0, panel) for panel in (0, 1)]  # noqa: E731
        (x0, y0), (x1, y1) = places()
        assert x1 > x0 and y1 == y0
        slider.page.set_viewport_size({"width": 400, "height": 900})
        slider.page.wait_for_function(
            "document.querySelectorAll('.srlib-compare-panel')[1].getBoundingClientRect().x < 50"
        )
        (x0, y0), (x1, y1) = places()
        assert x1 == x0 and y1 > y0


class TestUnderThePointer:
    def test_position_and_values(self, two):
        two.page.mouse.move(*two.point(100.5 / 240, 60.5 / 160))
        where = two.page.locator(".srlib-compare-where")
        chips = two.page.get_by_role("listitem")
        expect(where).to_have_text("x 100, y 60")
        expect(chips.nth(0)).to_contain_text("100 60 0")  # scene(40, 60) has there the pixel 25, 15
        expect(chips.nth(1)).to_contain_text("100 60 255")
        two.page.mouse.move(5, 5)
        expect(where).to_contain_text("Click the picture")

    def test_psnr_of_what_is_in_view(self, put):
        hr = NOISE[0] // 4
        bicubic = imresize(imresize(hr, 1 / 4), 4)
        slider = put([bicubic, hr], ["bicubic", "HR"], reference=hr)
        chips = slider.page.get_by_role("listitem")
        expect(chips.nth(0)).to_contain_text(f"PSNR {peak_signal_noise_ratio(hr, bicubic):.2f} dB")
        expect(chips.nth(1)).to_contain_text("identical")
        slider.widget.zoom = 4.0
        slider.widget.center = (0.25, 0.75)
        slider.bench.push()
        part = np.s_[100:140, 30:90]
        expect(chips.nth(0)).to_contain_text(
            f"PSNR {peak_signal_noise_ratio(hr[part], bicubic[part]):.2f} dB"
        )

    def test_the_magnifier_shows_both_pictures_at_the_same_spot(self, two):
        two.frame.press("l")
        two.page.mouse.move(*two.point(0.7, 0.4))
        overlay = two.canvas(layer=".srlib-compare-overlay")
        rows, columns = np.nonzero(overlay[..., 3])
        assert (columns.min() + columns.max()) / 2 == pytest.approx(0.7 * 480, abs=2)
        assert (rows.min() + rows.max()) / 2 == pytest.approx(0.4 * 320, abs=2)
        quarter = (columns.max() - columns.min()) // 4
        for column, blue in [(columns.min() + quarter, 0), (columns.max() - quarter, 255)]:
            pixel = overlay[round(0.4 * 320), column].astype(int)
            assert (pixel[2], pixel[0] / 240, pixel[1] / 160) == (
                blue,
                pytest.approx(0.7, abs=0.02),
                pytest.approx(0.4, abs=0.03),
            )
        two.frame.press("l")
        assert not two.canvas(layer=".srlib-compare-overlay").any()

    def test_without_a_pointer_it_stays_in_the_middle(self, four):
        four.frame.press("l")
        expect(four.page.locator(".srlib-compare-where")).to_have_text("x 120, y 80")
        for key in ("+", "+", "ArrowRight"):
            four.frame.press(key)
        expect(four.page.locator(".srlib-compare-where")).to_have_text(
            f"x {int(120 + 24 / 1.25**2)}, y 80"
        )

    def test_a_cross_marks_the_spot_in_the_others(self, put):
        slider = put(NOISE, list("abcd"), mode="side-by-side")
        slider.page.mouse.move(*slider.point(0.3, 0.6, panel=1))
        for panel in range(4):
            rows, columns = np.nonzero(slider.canvas(panel, ".srlib-compare-overlay")[..., 3])
            if panel == 1:
                assert not len(rows)
            else:
                box = slider.page.locator(".srlib-compare-panel").nth(panel).bounding_box()
                assert columns.mean() == pytest.approx(0.3 * box["width"], abs=2)
                assert rows.mean() == pytest.approx(0.6 * box["height"], abs=2)


class TestLargePictures:
    def test_true_pixels_come_where_one_looks(self, put, large):
        slider = put([large, large[::-1]], ["a", "b"], position=1)
        assert (
            sum(map(len, slider.widget.pictures)) < 2 * large.size / 4 * 1.01
        )  # noise cannot be packed
        slider.frame.press("z")
        expect(slider.magnification).to_have_text("100 %")
        height, width = slider.canvas().shape[:2]
        top = (1400 - height) // 2
        left = (2100 - width) // 2
        close = large[top - 1 : top + height + 1, left - 1 : left + width + 1].astype(
            int
        )  # half a pixel may go either way
        shifts = [close[y : y + height, x : x + width] for y in range(3) for x in range(3)]
        slider.until(
            lambda: any(np.array_equal(slider.canvas()[..., :3], shift) for shift in shifts)
        )
        tiles = [message["tile"] for message in slider.asked]
        assert {picture for _, picture, *_ in tiles} == {
            0
        }  # the other one is hidden behind the divider
        assert len(tiles) == len(set(map(tuple, tiles))) <= 12  # none twice

    def test_without_a_kernel_the_overview_stands_in(self, browser, large):
        widget = CompareSlider([large, large])
        widget.on_msg(widget._answer, remove=True)
        with bench(browser, widget) as shown:
            slider = Slider(shown)
            slider.frame.press("z")
            slider.page.mouse.move(*slider.point(0.3, 0.3))
            expect(slider.page.get_by_role("listitem").nth(0)).to_contain_text("≈")
            assert slider.canvas()[..., 3].all()


def test_other_pictures_take_the_place(two):
    before = two.page.locator(".srlib-compare").get_attribute("data-ready")
    two.widget.show([scene(160, 240, 100)] * 3, ["x", "y", "z"])
    two.bench.push()
    expect(two.page.locator(".srlib-compare")).not_to_have_attribute("data-ready", before)
    assert two.seen(0.2, 0.5) == (100, 0.2, 0.5)
    expect(two.page.get_by_role("group", name="Comparison of x, y, and z")).to_be_visible()


def test_every_part_can_have_the_focus_without_danger_to_the_cell(four):
    """JupyterLab hears "d d" unless the element that has the focus says that it must not."""
    four.page.get_by_role("radio", name="Flicker").check()
    bare = """() => [...document.querySelectorAll(".srlib-compare, .srlib-compare *")].filter((node) =>
      node.tabIndex >= 0 && node.dataset.lmSuppressShortcuts !== "true").length"""
    assert four.page.evaluate(bare) == 0


def test_when_it_is_closed_nothing_goes_on(four):
    four.page.get_by_role("radio", name="Flicker").check()
    four.page.evaluate("window.closeWidget()")
    four.page.wait_for_timeout(1000)
    expect(four.page.locator(".srlib-compare")).to_have_count(0)


@pytest.mark.parametrize(
    ("mode", "look"), [("divider", "light"), ("flicker", "light"), ("side-by-side", "dark")]
)
def test_axe(put, look, mode):
    slider = put(
        NOISE,
        ["one", "two", "three", "four"],
        mode=mode,
        context={"viewport": {"width": 480, "height": 900}},
    )
    if look == "dark":
        slider.page.add_style_tag(content=DARK)
    slider.frame.press("?")
    slider.frame.press("l")
    expect(slider.page.get_by_role("table", name="Keys")).to_be_visible()
    assert axe_violations(slider.page, ".srlib-compare") == ""
    assert slider.page.evaluate("document.documentElement.scrollWidth") <= 480
