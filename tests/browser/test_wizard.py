"""Notebook 00 in JupyterLab and in Voilà: run it, upload, upscale, compare, download, and survive bad files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from browser.labpage import PATIENCE, axe_violations, in_kernel, lab

NOTEBOOK = "00_image_wizard.ipynb"
PHOTOGRAPH = Path(__file__).parents[2] / "data" / "sample" / "DIV2K_valid_HR" / "0804.png"


@pytest.fixture(scope="module")
def page(browser, jupyter):
    with lab(browser, jupyter, NOTEBOOK, cell="wizard") as page:
        yield page


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    """A real photograph as a camera would name it: a JPEG of 96 x 64 pixels."""
    path = tmp_path_factory.mktemp("camera") / "Eileen & friends.jpg"
    with Image.open(PHOTOGRAPH) as image:
        image.convert("RGB").resize((96, 64)).save(path, quality=95)
    return path


def choose(page, path):
    page.locator(".srlib-upload input").set_input_files(path)


def status(page):
    return page.locator(".srlib-job").get_by_role("status")


def upscale(page):
    page.get_by_role("button", name="Upscale").click()
    expect(status(page)).to_contain_text("Done")
    page.locator(".srlib-compare[data-ready]").wait_for()


def test_the_notebook_ends_in_a_comparison(page):
    page.locator(".srlib-compare[data-ready]").wait_for()
    assert in_kernel(page, "wizard.result.sr.size") == (636, 804)
    images = page.locator(".srlib-compare img")
    assert images.evaluate_all("(images) => images.map((image) => image.naturalWidth)") == [804, 804]
    page.get_by_role("slider", name="Divider between Bicubic and edsr-lite").press("ArrowLeft")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "49")


def test_upload_upscale_download(page, photograph):
    with page.expect_file_chooser() as chooser:
        page.get_by_text("Choose a photograph", exact=True).click()
    chooser.value.set_files(photograph)
    expect(page.get_by_text("96 × 64 pixels, will be 384 × 256")).to_be_visible()
    page.get_by_label("Enlarge").select_option("2 times")
    expect(page.get_by_text("96 × 64 pixels, will be 192 × 128")).to_be_visible()
    upscale(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download Eileen & friends_x2_edsr-lite.png").click()
    assert download.value.suggested_filename == "Eileen & friends_x2_edsr-lite.png"
    with Image.open(download.value.path()) as image:
        assert (image.format, image.size) == ("PNG", (192, 128))
        larger = np.asarray(image).astype(float)
    with Image.open(photograph) as image:
        expected = np.asarray(image.resize((192, 128), Image.Resampling.BICUBIC))
    assert np.abs(larger - expected).mean() < 12  # the same picture, whatever the model adds


def test_a_file_above_ten_megabytes_arrives(page, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.bmp")
    choose(page, tmp_path / "noise.bmp")
    expect(page.get_by_text("2000 × 2000 pixels")).to_be_visible()
    assert in_kernel(page, "int(wizard.picture.rgb.sum())") == noise.sum()


def test_cancel(page):
    page.get_by_role("button", name="Upscale").click()
    bar = page.get_by_role("progressbar", name="Progress")
    expect(bar).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(status(page)).to_have_text("Cancelled.")
    expect(bar).to_be_hidden()


def test_bad_files_end_in_a_sentence_and_the_wizard_goes_on(page, photograph):
    jpeg = photograph.read_bytes()
    files = {
        "letter.pdf": (b"%PDF-1.7 a letter", "letter.pdf is not a picture that can be read"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "cut.jpg cannot be read"),
        "empty.png": (b"", "empty.png is not a picture that can be read"),
    }
    for name, (content, sentence) in files.items():
        choose(page, {"name": name, "mimeType": "image/jpeg", "buffer": content})
        expect(status(page)).to_contain_text(sentence)
    choose(page, photograph)
    expect(status(page)).to_have_text("")
    upscale(page)


def test_a_photograph_can_be_dropped(page, photograph):
    data = page.evaluate_handle(
        """(bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "dropped.jpg"));
          return data;
        }""",
        list(photograph.read_bytes()),
    )
    page.locator(".srlib-upload").dispatch_event("drop", {"dataTransfer": data})
    expect(page.get_by_text("dropped.jpg")).to_be_visible()


def test_axe(page, photograph):
    choose(page, photograph)
    upscale(page)
    assert axe_violations(page, ".srlib-wizard") == ""


def test_voila(browser, jupyter, photograph):
    with browser.new_context(viewport={"width": 1280, "height": 1000}) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(f"{jupyter.url}/voila/render/notebooks/{NOTEBOOK}?token={jupyter.token}")
        page.locator(".srlib-compare[data-ready]").wait_for()
        choose(page, photograph)
        expect(page.get_by_text("96 × 64 pixels, will be 384 × 256")).to_be_visible()
        upscale(page)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download Eileen & friends_x4_edsr-lite.png").click()
        with Image.open(download.value.path()) as image:
            assert image.size == (384, 256)
    jupyter.stop_kernels()
