"""Notebook 00 in JupyterLab: run it, choose, enlarge, compare, download, and survive bad files and a restarted kernel."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from browser.labpage import PATIENCE, axe_violations, in_kernel, lab

NOTEBOOK = "00_image_wizard.ipynb"
SAMPLES = Path(__file__).parents[2] / "data" / "sample" / "DIV2K_valid_HR"


@pytest.fixture(scope="module")
def page(browser, jupyter):
    with lab(browser, jupyter, NOTEBOOK, cell="wizard") as page:
        yield page


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    """A real photograph as a camera would name it: a JPEG of 96 x 64 pixels, with a note of the camera's."""
    path = tmp_path_factory.mktemp("camera") / "Eileen & friends.jpg"
    with Image.open(SAMPLES / "0804.png") as image:
        exif = image.getexif()
        exif[0x010F] = "A camera"
        image.convert("RGB").resize((96, 64)).save(path, quality=95, exif=exif)
    return path


def choose(page, *paths):
    page.locator(".srlib-drop input").set_input_files(list(paths))


def chosen(page):
    return page.get_by_role("list", name="Chosen photographs").get_by_role("listitem")


def problem(page):
    return page.locator(".srlib-problem")


def status(page):
    return page.locator(".srlib-job").get_by_role("status")


def enlarge(page):
    page.get_by_role("button", name="Enlarge").click()
    expect(status(page)).to_contain_text("Done")
    page.locator(".srlib-compare[data-ready]").wait_for()


def downloaded(page, button):
    with page.expect_download(timeout=PATIENCE) as download:
        page.get_by_role("button", name=button).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def dispatch(page, target, event, files):
    """Drop or paste files, as a script of the page would see it."""
    page.locator(target).evaluate(
        """(node, [event, files]) => {
          const data = new DataTransfer();
          for (const [name, bytes] of files) data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
          const init = { bubbles: true, cancelable: true };
          const made = event === "drop"
            ? new DragEvent("drop", { ...init, dataTransfer: data })
            : new ClipboardEvent("paste", { ...init, clipboardData: data });
          node.dispatchEvent(made);
        }""",
        [event, [[name, list(content)] for name, content in files.items()]],
    )


def test_the_notebook_ends_in_a_comparison(page):
    page.locator(".srlib-compare[data-ready]").wait_for()
    assert in_kernel(page, "wizard.result.sr.size") == (636, 804)
    divider = page.get_by_role("slider", name="Divider between Bicubic and edsr-lite")
    divider.press("ArrowLeft")
    expect(divider).to_have_attribute("aria-valuenow", "49")


def test_choose_enlarge_download(page, photograph):
    with page.expect_file_chooser() as chooser:
        page.get_by_text("Choose photographs", exact=True).click()
    chooser.value.set_files(photograph)
    expect(page.get_by_text("96 × 64 → 384 × 256 pixels")).to_be_visible()
    page.get_by_role("radio", name="2×").check()
    expect(page.get_by_text("96 × 64 → 192 × 128 pixels")).to_be_visible()
    expect(page.get_by_role("radio", name="Clean photo edsr-lite")).to_be_checked()
    enlarge(page)
    name, content = downloaded(page, "Download Eileen & friends_x2_edsr-lite.png")
    assert name == "Eileen & friends_x2_edsr-lite.png"
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size) == ("PNG", (192, 128))
        assert image.getexif()[0x010F] == "A camera"
        larger = np.asarray(image).astype(float)
    with Image.open(photograph) as image:
        expected = np.asarray(image.resize((192, 128), Image.Resampling.BICUBIC))
    assert np.abs(larger - expected).mean() < 12  # the same picture, whatever the model adds
    page.get_by_role("combobox", name="Format").select_option("JPEG")
    name, content = downloaded(page, "Download Eileen & friends_x2_edsr-lite.jpg")
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size) == ("JPEG", (192, 128))


def test_several_to_a_size_and_a_zip(page, photograph, tmp_path):
    paths = [tmp_path / "one.jpg", tmp_path / "two.jpg"]
    for path in paths:
        path.write_bytes(photograph.read_bytes())
    before = in_kernel(page, "len(wizard.results)")
    dispatch(page, ".srlib-drop", "drop", {path.name: path.read_bytes() for path in paths})
    expect(chosen(page)).to_have_count(2)
    page.get_by_role("radio", name="To a size").check()
    page.get_by_label("pixels on the longer side").fill("150")
    expect(page.get_by_text("The largest: 96 × 64 → 150 × 100 pixels")).to_be_visible()
    page.get_by_role("button", name="Enlarge 2 photographs").click()
    expect(status(page)).to_contain_text("Done: 2 of 2 photographs.")
    page.get_by_role("combobox", name="Format").select_option("TIFF")
    _, content = downloaded(page, f"Download all {before + 2} as a zip")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist()[-2:] == ["one_150px_edsr-lite.tif", "two_150px_edsr-lite.tif"]
        assert Image.open(archive.open(archive.namelist()[-1])).size == (150, 100)
    history = page.get_by_role("group", name="Results of this visit").get_by_role("button")
    expect(history).to_have_count(before + 2)
    history.first.click()
    expect(history.first).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Download 0801_x4_edsr-lite").wait_for()


def test_a_photograph_can_be_pasted(page, photograph):
    dispatch(page, ".srlib-drop", "paste", {"pasted.jpg": photograph.read_bytes()})
    expect(chosen(page)).to_have_text(["pasted.jpg96 × 64×"])
    page.get_by_role("button", name="Remove pasted.jpg").click()
    expect(chosen(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Enlarge")).to_be_disabled()


def test_a_file_of_forty_megabytes_arrives(page, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (3500, 3500, 3), dtype=np.uint8)
    noise[:, 2000:] = 0
    Image.fromarray(noise).save(tmp_path / "noise.bmp")
    assert (tmp_path / "noise.bmp").stat().st_size > 35e6
    choose(page, tmp_path / "noise.bmp")
    expect(page.get_by_text("3500 × 3500 → 7000 × 7000 pixels")).to_be_visible()
    assert in_kernel(page, "int(wizard.picture.rgb.sum())") == noise.sum()


def test_it_answers_while_it_works_and_cancel_stops_it(page):
    """The forty megabytes would take minutes."""
    page.get_by_role("radio", name="2×").check()
    start = page.get_by_role("button", name="Enlarge")
    start.dblclick()
    bar = page.get_by_role("progressbar", name="Progress")
    expect(bar).to_be_visible()
    expect(start).to_be_disabled()
    assert in_kernel(page, "len(wizard.unfinished)") == 1  # and the kernel answers
    expect(status(page)).to_contain_text("left")
    page.get_by_role("button", name="Honey bee on an aster").click()
    expect(page.get_by_role("button", name="Enlarge after this")).to_be_enabled()
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
    choose(
        page,
        *(
            {"name": name, "mimeType": "image/jpeg", "buffer": content}
            for name, (content, _) in files.items()
        ),
    )
    for _, sentence in files.values():
        expect(problem(page)).to_contain_text(sentence)
    choose(page, photograph)
    expect(problem(page)).to_have_text("")
    enlarge(page)


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_axe(page, theme):
    page.evaluate(
        "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme
    )
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    assert axe_violations(page, ".srlib-wizard") == ""


def test_d_d_on_a_choice_keeps_the_cell(page):
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    choice = page.get_by_role("radio", name="2×")
    choice.focus()
    page.keyboard.press("d")
    page.keyboard.press("d")
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells


def test_a_restarted_kernel_is_said(page):
    page.evaluate(
        "window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart()"
    )
    expect(page.locator(".srlib-gone").filter(visible=True)).to_contain_text(
        "The kernel does not answer"
    )
