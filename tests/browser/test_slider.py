"""The CompareSlider in JupyterLab: what a notebook, its kernel, a theme and a reload do to it; see test_slider_details too."""

import nbformat
import numpy as np
import pytest
from playwright.sync_api import expect

from browser.labpage import KERNEL_IDLE, PATIENCE, SHOW_CELL, axe_violations, in_kernel, lab

DRAW = """
import numpy as np
from srlib.widgets import CompareSlider

large = np.random.default_rng(0).integers(0, 256, (1400, 2100, 3), dtype=np.uint8)
slider = CompareSlider([large[::7, ::7], large[::2, ::2], large], ["small", "half", "large"], reference=large)
slider
"""


@pytest.fixture(scope="module")
def page(browser, jupyter):
    cells = [
        nbformat.v4.new_code_cell(DRAW, id="draw"),
        nbformat.v4.new_markdown_cell("Below.", id="below"),
    ]
    kernel = {
        "name": "python3",
        "display_name": "Python 3",
    }  # without one Lab asks for it in a dialog
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}),
        jupyter.root / "notebooks" / "slider.ipynb",
    )
    with lab(browser, jupyter, "slider.ipynb", cell="draw") as page:
        page.locator(".srlib-compare[data-ready]").wait_for()
        yield page


@pytest.fixture
def frame(page):
    frame = page.get_by_role("group", name="Comparison of small, half, and large")
    frame.press("0")
    frame.scroll_into_view_if_needed()
    return frame


def kernel_gets(page, expression, value):
    """Wait until the kernel has heard what the page has done."""
    for _ in range(PATIENCE // 200):
        if in_kernel(page, expression) == value:
            return
        page.wait_for_timeout(200)
    pytest.fail(f"{expression} is {in_kernel(page, expression)}, not {value}")


def canvas_pixel(page, x, y):
    """A pixel of the first panel, by its place in fractions of it."""
    read = """(canvas, [x, y]) => [...canvas.getContext("2d").getImageData(
      Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1).data]"""
    return page.locator(".srlib-compare-canvas").first.evaluate(read, [x, y])


def test_the_kernel_hears_the_hand_and_the_hand_the_kernel(page, frame):
    frame.press("+")
    page.get_by_role("slider").press("Home")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "0")
    kernel_gets(page, "slider.zoom, slider.position", (1.25, 0))
    in_kernel(page, "slider.set_trait('position', 0.3)")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "30")


def test_tiles_and_psnr_come_over_the_comm(page, frame):
    page.get_by_role("slider").press("Home")
    frame.press("z")
    expect(page.get_by_label("Magnification")).to_have_text("100 %")
    middle = (
        np.random.default_rng(0)
        .integers(0, 256, (1400, 2100, 3), dtype=np.uint8)[695:705, 1045:1055]
        .reshape(-1, 3)
    )
    size = page.locator(".srlib-compare-canvas").first.evaluate(
        "(canvas) => [canvas.width, canvas.height]"
    )
    here = [(side // 2 + 0.5) / side for side in size]
    for _ in range(PATIENCE // 200):
        if (pixel := canvas_pixel(page, *here)[:3]) in middle.tolist():
            break
        page.wait_for_timeout(200)
    assert pixel in middle.tolist()  # noise: one of a hundred pixels, not a mean of some
    expect(page.get_by_role("listitem").filter(has_text="large")).to_contain_text("identical")


def test_other_pictures(page, frame):
    before = page.locator(".srlib-compare").get_attribute("data-ready")
    in_kernel(
        page, "slider.show([large[::-7, ::7], large[::-2, ::2], large[::-1]], reference=large)"
    )
    expect(page.locator(".srlib-compare")).not_to_have_attribute("data-ready", before)
    expect(page.get_by_role("listitem").filter(has_text="large")).to_contain_text(
        "PSNR 7.7"
    )  # two independent noises: 7.75 dB


def test_dark_theme(page, frame):
    theme = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
    page.evaluate(theme, "JupyterLab Dark")
    page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
    frame.press("?")
    assert axe_violations(page, ".srlib-compare") == ""
    frame.press("?")
    page.evaluate(theme, "JupyterLab Light")
    page.wait_for_function("document.body.dataset.jpThemeLight === 'true'")
    assert axe_violations(page, ".srlib-compare") == ""


def test_d_d_keeps_the_cell(page, frame):
    cells = page.locator(".jp-Notebook .jp-Cell")
    parts = [
        frame,
        page.get_by_role("slider"),
        page.get_by_role("radio", name="Divider"),
        page.get_by_role("button", name="Keys"),
    ]
    for part in [*parts, page.get_by_label("Right")]:
        part.focus()
        page.keyboard.type("dd", delay=50)
        page.wait_for_timeout(300)
        expect(cells).to_have_count(2)
    page.locator(".jp-MarkdownCell").click()  # the same keys do delete a cell that is selected
    page.keyboard.type("dd", delay=50)
    expect(cells).to_have_count(1)


def test_it_survives_a_reload(page, frame):
    frame.press("z")
    in_kernel(page, "slider.set_trait('position', 0.75)")
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    page.wait_for_function(KERNEL_IDLE, timeout=PATIENCE)
    page.evaluate(SHOW_CELL, "draw")
    page.locator(".srlib-compare[data-ready]").wait_for()
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "75")
    expect(page.get_by_label("Magnification")).to_have_text("100 %")
    page.get_by_role("slider").press("Home")
    kernel_gets(page, "slider.position", 0)


def test_a_saved_notebook_shows_it_without_its_kernel(page, jupyter):
    """With "Save Widget State Automatically" the pictures are in the file; a new kernel knows nothing of them."""
    page.evaluate(
        "window.jupyterapp.commands.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState')"
    )
    page.get_by_role("slider").press("End")
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    jupyter.stop_kernels()
    page.reload()
    page.wait_for_function(KERNEL_IDLE, timeout=PATIENCE)
    page.evaluate(SHOW_CELL, "draw")
    page.locator(".srlib-compare[data-ready]").wait_for()
    slider = page.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuenow", "100")
    slider.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuenow", "99")
    page.get_by_role("group", name="Comparison").press("+")
    assert all(canvas_pixel(page, 0.5, 0.5)[:3])
