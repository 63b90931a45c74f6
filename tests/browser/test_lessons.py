"""The lessons in JupyterLab: each slider, moved by keyboard, changes the picture beside it."""

import shutil

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


def test_jpeg_quality_and_scale_of_notebook_01(browser, jupyter):
    with lab(browser, jupyter, "01_prepare_data.ipynb", cell="play", rest=False) as page:
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
    with lab(browser, jupyter, "03_architecture.ipynb", cell="try-it", rest=False) as page:
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
    with lab(browser, jupyter, "05_visual_evaluation.ipynb", cell="explorer", rest=False) as page:
        expect(page.get_by_role("img", name="Crop of SR x4")).to_be_visible()
        page.get_by_role("slider", name="Scale").press("ArrowLeft")
        expect(page.get_by_role("img", name="Crop of SR x3")).to_be_visible()
        page.get_by_role("group", name="Overview").press("+")
        expect(page.locator(".srlib-crops-place")).to_contain_text("8×")
