"""The lessons in JupyterLab: each slider, moved by keyboard, changes the picture beside it.

Only the cells that a slider needs run here; project/test_outputs.py runs the whole lessons.
"""

import shutil

import nbformat
import pytest
from playwright.sync_api import expect

from browser.labpage import in_kernel, lab
from srlib.data import create_low_res_images_recursive
from srlib.zoo.checkpoints import find


@pytest.fixture(scope="module")
def done_before(jupyter):
    """What 01 and 02 leave behind for 05."""
    run_dir = jupyter.root / "runs" / "latest"
    hr_dir = jupyter.root / "data" / "sample" / "DIV2K_valid_HR"
    create_low_res_images_recursive(hr_dir, run_dir / "data" / "DIV2K_valid_LR" / "X4", 4)
    shutil.copy(find("edsr-lite", 4).path, run_dir / "pretrained_x4.safetensors")


def only(jupyter, lesson: str, *ids: str) -> dict[str, str]:
    """A copy of a lesson with these cells alone, the last of them to be looked at: for `lab`."""
    notebook = nbformat.read(jupyter.root / "notebooks" / lesson, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id in ids]
    assert [cell.id for cell in notebook.cells] == list(ids)
    nbformat.write(notebook, jupyter.root / "notebooks" / f"some_cells_of_{lesson}")
    return {"notebook": f"some_cells_of_{lesson}", "cell": ids[-1]}


def test_jpeg_quality_and_scale_of_notebook_01(browser, jupyter):
    cells = only(jupyter, "01_prepare_data.ipynb", "imports", "imports-data", "parameters", "check",
                 "detail", "play-controls", "redraw", "play")  # fmt: skip
    with lab(browser, jupyter, **cells) as page:
        slider = page.locator(".srlib-compare[data-ready]").first
        before = slider.get_attribute("data-ready")
        page.get_by_role("slider", name="JPEG quality").press("ArrowRight")
        expect(slider).not_to_have_attribute("data-ready", before)
        assert in_kernel(page, "quality.value") == 90
        clean = slider.get_attribute("data-ready")
        page.get_by_role("slider", name="Scale").press("End")
        expect(slider).not_to_have_attribute("data-ready", clean)
        assert in_kernel(page, "smaller.value") == 8


def test_blocks_and_features_of_notebook_03(browser, jupyter):
    cells = only(jupyter, "03_architecture.ipynb", "imports", "imports-srlib", "parameters",
                 "check", "layers", "facts", "sliders", "try-function", "try-it")  # fmt: skip
    with lab(browser, jupyter, **cells) as page:
        cost = page.locator(".widget-html p", has_text="parameters")
        expect(cost).to_contain_text("1,517,571")  # EDSR-baseline x4, as its authors published it
        for name in ("Residual blocks", "Features"):
            page.get_by_role("slider", name=name).press("ArrowRight")
            page.get_by_role("slider", name=name).press("ArrowRight")
        expect(cost).to_contain_text("43,089,923")  # and the large one
        page.get_by_role("slider", name="Residual blocks").press("Home")
        page.get_by_role("slider", name="Features").press("Home")
        page.get_by_role("button", name="Try it").click()
        expect(cost).to_contain_text("measured")


def test_scale_and_crop_of_notebook_05(browser, jupyter, done_before):
    cells = only(jupyter, "05_visual_evaluation.ipynb", "imports", "imports-srlib", "parameters",
                 "setup", "pairs", "models", "store", "answers", "pictures", "gray", "ranking",
                 "ranking-table", "best-tile", "busiest", "pictures-at", "explorer-draw",
                 "explorer")  # fmt: skip
    with lab(browser, jupyter, **cells) as page:
        expect(page.get_by_role("img", name="Crop of SR x4")).to_be_visible()
        page.get_by_role("slider", name="Scale").press("ArrowLeft")
        expect(page.get_by_role("img", name="Crop of SR x3")).to_be_visible()
        page.get_by_role("group", name="Overview").press("+")
        expect(page.locator(".srlib-crops-place")).to_contain_text("8×")
