"""The CropExplorer and the BlindTest, on pictures whose colours say what they are and where.

What a notebook and its kernel do to them is tested in JupyterLab, the rest on the bench.
"""

from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from playwright.sync_api import expect

from browser.bench import bench
from browser.labpage import axe_violations, in_kernel, lab
from srlib.metrics import psnr, ssim

DRAW = """
import numpy as np
from srlib.widgets import BlindTest, CropExplorer

y, x = np.mgrid[:240, :320]
hr = np.stack([x * 255 // 319, y * 255 // 239, (x // 2 + y // 2) % 2 * 60], axis=2).astype(np.uint8)
noisy = np.clip(hr + np.random.default_rng(0).normal(0, 9, hr.shape), 0, 255).astype(np.uint8)
explorer = CropExplorer({"LR": hr[::4, ::4], "noisy": noisy, "HR": hr})
explorer
"""
ASK = """
game = BlindTest([hr[:48, :48]] * 3, [noisy[:48, :48]] * 3)
game
"""


@pytest.fixture(scope="module")
def page(browser, jupyter):
    cells = [
        nbformat.v4.new_code_cell(DRAW, id="draw"), nbformat.v4.new_code_cell(ASK, id="ask"),
        nbformat.v4.new_markdown_cell("Below.", id="below"),
    ]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}),
        jupyter.root / "notebooks/crops.ipynb",
    )
    with lab(browser, jupyter, "crops.ipynb", cell="draw") as page:
        page.locator(".srlib-crops[data-ready]").wait_for()
        yield page


@pytest.fixture
def explorer(browser):
    """The explorer of the notebook's first cell on the bench, with the pictures that it shows."""
    names = {}
    exec(DRAW, names)
    with bench(browser, names["explorer"]) as shown:
        place = shown.page.locator(".srlib-crops-place")
        expect(place).to_have_text("4×: 48 × 48 pixels from 136, 96")
        overview = shown.page.get_by_role("group", name="Overview")
        yield SimpleNamespace(
            widget=names["explorer"], hr=names["hr"], noisy=names["noisy"],
            bench=shown, page=shown.page, place=place, overview=overview,
        )  # fmt: skip


PIXELS = "canvas => [canvas.width, ...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"


def pixels(page, label):
    """The crop of a picture as its canvas holds it, (side, side, 3); the page shows it larger, unsmoothed."""
    canvas = page.get_by_role("img", name=f"Crop of {label}")
    assert canvas.evaluate("canvas => getComputedStyle(canvas).imageRendering") == "pixelated"
    assert (canvas.bounding_box()["width"], canvas.bounding_box()["height"]) == (192, 192)
    side, *values = canvas.evaluate(PIXELS)
    return np.array(values, np.uint8).reshape(side, side, 4)[..., :3]


# ---- in JupyterLab


def test_a_click_moves_all_crops_and_their_scores(page):
    expect(page.locator(".srlib-crops-place")).to_have_text("4×: 48 × 48 pixels from 136, 96")
    overview = page.get_by_role("group", name="Overview")
    overview.scroll_into_view_if_needed()
    box = overview.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.25)
    expect(page.locator(".srlib-crops-place")).to_have_text("4×: 48 × 48 pixels from 216, 36")
    hr, noisy = (
        np.array(in_kernel(page, f"{name}[36:84, 216:264].tolist()"), np.uint8)
        for name in ("hr", "noisy")
    )
    status = f"{psnr(noisy, hr, border=0, luma=True):.1f} dB, SSIM {ssim(noisy, hr, border=0, luma=True):.2f}"
    expect(page.get_by_role("img", name=f"Crop of noisy: {status}")).to_be_visible()
    assert in_kernel(page, "list(explorer.center)") == [240, 60]
    assert np.array_equal(pixels(page, "HR"), hr) and np.array_equal(pixels(page, "noisy"), noisy)
    in_kernel(page, "explorer.show({'dark': hr[:120] // 2, 'HR': hr[:120]}, center=(24, 24))")
    expect(page.get_by_role("img", name="Crop of dark")).to_be_visible()


def test_d_d_keeps_the_cell(page):
    group = page.get_by_role("group", name="Overview")
    for part in (group, page.get_by_role("slider", name="Magnification")):
        part.focus()
        page.keyboard.type("dd", delay=50)
        page.wait_for_timeout(300)
        expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(3)


def test_the_blind_test_keeps_score(page):
    pair = page.get_by_role("status").filter(has_text="which one is the photograph?")
    expect(pair).to_contain_text("Pair 1 of 3")
    button = page.get_by_role("button", name="A is the photograph")
    assert button.evaluate(
        "button => button.scrollWidth <= button.clientWidth"
    )  # all of its words can be read
    for number in (1, 2, 3):
        real = in_kernel(page, "game.real")
        chosen = real if number < 3 else "BA"["AB".index(real)]
        page.get_by_role("button", name=f"{chosen} is the photograph").click()
        status = (
            f"Right: {real} is the photograph. {number} of {number}"
            if number < 3
            else f"Wrong: {real} is the photograph. 2 of 3"
        )
        expect(page.get_by_role("status").filter(has_text=status)).to_be_visible()
        if number < 3:
            page.get_by_role("button", name="Next pair").click()
    expect(
        page.get_by_text("in 50% of all games")
    ).to_be_visible()  # two of three or more: (3 + 1) / 8
    expect(page.get_by_role("button", name="Next pair")).to_be_disabled()


def test_axe(page):
    assert axe_violations(page, ".srlib-crops") == ""


# ---- on the bench


def test_lr_shows_its_pixels_larger(explorer):
    lr = explorer.hr[::4, ::4][24:36, 34:46]
    assert np.array_equal(pixels(explorer.page, "LR"), lr.repeat(4, 0).repeat(4, 1))


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("ArrowRight", "4×: 48 × 48 pixels from 148, 96"),
        ("ArrowUp", "4×: 48 × 48 pixels from 136, 84"),
        ("Shift+ArrowDown", "4×: 48 × 48 pixels from 136, 97"),
        ("+", "8×: 24 × 24 pixels from 148, 108"),
        ("-", "2×: 96 × 96 pixels from 112, 72"),
    ],
)
def test_keys(explorer, key, says):
    explorer.overview.press(key)
    expect(explorer.place).to_have_text(says)


def test_the_slider_goes_from_1_to_16(explorer):
    slider = explorer.page.get_by_role("slider", name="Magnification")
    slider.press("End")
    expect(explorer.place).to_contain_text("16×: 12 × 12")
    expect(slider).to_have_attribute("aria-valuetext", "16 times")
    slider.press("Home")
    expect(explorer.place).to_contain_text("1×: 192 × 192")


def test_other_pictures_take_their_place(explorer):
    """As when the scale changes in notebook 05: other labels and sizes, one fewer, then back again."""
    page = explorer.page
    hr = explorer.hr
    explorer.widget.show({"dark": hr[:120] // 2, "HR": hr[:120]}, center=(24, 24))
    explorer.bench.push()
    expect(page.get_by_role("img", name="Crop of dark")).to_be_visible()
    expect(page.get_by_role("img", name="Crop of LR")).to_have_count(0)
    assert np.array_equal(pixels(page, "HR"), hr[:48, :48])
    assert np.array_equal(pixels(page, "dark"), hr[:48, :48] // 2)
    explorer.widget.show({"LR": hr[::4, ::4], "noisy": explorer.noisy, "HR": hr})
    explorer.bench.push()
    expect(page.get_by_role("img", name="Crop of noisy")).to_be_visible()
    expect(page.get_by_role("img", name="Crop of dark")).to_have_count(0)
