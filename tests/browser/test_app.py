"""The wizard as an app, as `make app` starts it: visits from photograph to file, and whose kernel is whose."""

import io
import json
import re
import time
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import expect

from browser.conftest import PLACES
from browser.labpage import PATIENCE, axe_violations

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "DIV2K_valid_HR" / "0804.png"
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
WINDOW = {"viewport": {"width": 900, "height": 700}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
}


@pytest.fixture(scope="module")
def visit(browser, app):
    """visit() opens the app as another visitor does; the page notes what it asks for."""
    contexts = []

    def open_page(host="127.0.0.1", **options):
        contexts.append(browser.new_context(**(options or DESKTOP)))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.asked = set()
        page.errors = []
        page.on("request", lambda request: page.asked.add(request.url))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(f"http://{host}:{app.port}/?token={app.token}")
        arrived(page)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def page(visit):
    return visit()


@pytest.fixture(scope="module")
def guest(visit):
    """Another visitor's page."""
    return visit()


@pytest.fixture(scope="module")
def phone(visit):
    """At a host name that is not localhost, by plain http."""
    return visit("wizard.test", **PHONE)


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    """A real photograph as a camera would name it: a JPEG of 96 x 64 pixels, with a note of the camera's."""
    path = tmp_path_factory.mktemp("camera") / "Eileen & friends.jpg"
    with Image.open(SAMPLE) as image:
        exif = image.getexif()
        exif[0x010F] = "A camera"
        image.convert("RGB").resize((96, 64)).save(path, quality=95, exif=exif)
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The photograph of a phone, 12 megapixels."""
    path = tmp_path_factory.mktemp("phone") / "IMG_3.jpg"
    with Image.open(SAMPLE) as image:
        image.convert("RGB").resize((4000, 3000)).save(path, quality=92)
    return path


def arrived(page):
    """Wait until the page is complete: the comparison is there, and the bar."""
    page.locator(".srlib-compare[data-ready]").wait_for()
    page.get_by_role("group", name="Enlarge").wait_for()


def choose(page, *files):
    page.locator("input[type=file]").set_input_files(list(files))


def status(page):
    return page.locator(".srlib-sentence")


def photos(page):
    """The film strip without its last button, which adds photographs."""
    return page.get_by_role("group", name="Photos").locator("[aria-pressed]")


def samples(page):
    return page.get_by_role("group", name="Sample photographs")


def to_the_first_view(page):
    """As at the start, whatever a test before has chosen."""
    for left in reversed(range(photos(page).count())):
        photos(page).first.press("Delete")
        expect(photos(page)).to_have_count(left)
    samples(page).wait_for()


def magnification(page):
    return int(page.get_by_label("Magnification").text_content().removesuffix(" %"))


def main_button(page, name="Enlarge"):
    return page.get_by_role("button", name=name, exact=True)


def before_and_after(page):
    return page.get_by_role("group", name="Comparison of Before")


def open_more(page):
    """Open "More"; Escape closes it."""
    page.get_by_role("button", name="More", exact=True).click()
    return page.get_by_role("dialog", name="More choices")


def enlarge(page, photograph, scale="4×"):
    choose(page, photograph)
    expect(photos(page).last).to_have_attribute("title", Path(photograph).name)
    expect(photos(page).last).to_have_attribute("aria-pressed", "true")
    page.get_by_role("radio", name=scale).check()
    main_button(page).click()
    main_button(page, "Download").wait_for()
    expect(status(page)).to_contain_text("Done")


def downloaded(page, button):
    with page.expect_download(timeout=PATIENCE) as download:
        page.get_by_role("button", name=button, exact=True).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def dispatch(page, target, events, files):
    """Drag, drop or paste files, as a script of the page would see it."""
    page.locator(target).first.evaluate(
        """(node, [events, files]) => {
          const data = new DataTransfer();
          for (const [name, bytes] of files) data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
          const init = { bubbles: true, cancelable: true };
          for (const event of events) node.dispatchEvent(event === "paste"
            ? new ClipboardEvent("paste", { ...init, clipboardData: data })
            : new DragEvent(event, { ...init, dataTransfer: data }));
        }""",
        [events, [[name, list(content)] for name, content in files.items()]],
    )


def kernel_of(page):
    return json.loads(page.locator("#jupyter-config-data").text_content())["kernelId"]


def kernels(app):
    """How many kernels the server has."""
    (server,) = (
        process
        for process in psutil.process_iter(["cmdline"])
        if f"--Voila.port={app.port}" in (process.info["cmdline"] or [])
    )
    children = (
        child.cmdline() for child in server.children() if child.status() != psutil.STATUS_ZOMBIE
    )
    return sum("ipykernel_launcher" in command for command in children)


# ---- the first view


def test_the_first_view_is_a_result_and_asks_one_thing(page):
    expect(page).to_have_title("Image Wizard")
    expect(page.get_by_role("heading", name="Image Wizard")).to_be_visible()
    expect(
        page.get_by_role("group", name="Comparison of Before 201 × 159 and After 804 × 636")
    ).to_be_visible()
    expect(page.get_by_text("Drop a photo, paste, or")).to_be_visible()
    expect(page.get_by_text("Your photos stay on this computer.")).to_be_visible()
    expect(
        page.get_by_role("group", name="Sample photographs").get_by_role("button")
    ).to_have_count(6)
    expect(page.get_by_role("slider", name="Divider")).to_have_attribute("aria-valuenow", "50")
    words = page.locator("body").inner_text().lower()
    assert not any(word in words for word in ("edsr", "kernel", "megabyte", " mb", "bicubic"))
    assert axe_violations(page, "body") == ""


def test_a_phones_photograph_right_after_the_page_is_not_refused(guest, large):
    """While the speed of the networks is being measured, and that thread writes the sentence, too."""
    choose(guest, large)
    expect(guest.get_by_role("radio", name="2×")).to_be_checked()
    expect(main_button(guest)).to_be_enabled()
    expect(status(guest)).to_contain_text("4000 × 3000 → 8000 × 6000")
    guest.wait_for_timeout(3000)
    expect(main_button(guest)).to_be_enabled()


@pytest.mark.parametrize("name", ["desktop", "window", "phone"])
def test_everything_is_in_sight_in_both_themes(guest, phone, photograph, name):
    options = {"desktop": DESKTOP, "window": WINDOW, "phone": PHONE}[name]
    page = phone if name == "phone" else guest
    page.set_viewport_size(options["viewport"])
    width, height = (options["viewport"][side] for side in ("width", "height"))
    bar = page.get_by_role("group", name="Enlarge")

    def violations(page):  # a window has the colours and the parts of the desktop
        return "" if name == "window" else axe_violations(page, "body")

    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        to_the_first_view(page)
        expect(page.get_by_role("button", name="Choose a photo")).to_have_count(1)
        background = bar.evaluate("(node) => getComputedStyle(node).backgroundColor")
        lightness = int(background.removeprefix("rgb(").split(",")[0])
        assert lightness < 80 if scheme == "dark" else lightness > 200
        if scheme == "dark":  # in the light, the test of the first view has asked
            assert violations(page) == ""
        choose(page, photograph)
        expect(status(page)).to_contain_text("384 × 256")
        for control in (
            before_and_after(page),
            main_button(page),
            page.get_by_role("radio", name="4×"),
            page.get_by_role("button", name="Show what was invented"),
            photos(page).first,
        ):
            expect(control).to_be_in_viewport(ratio=1)
        stage = before_and_after(page).bounding_box()
        assert (stage["x"], stage["width"]) == (0, width)  # edge to edge
        assert stage["height"] == pytest.approx(
            0.55 * height if name == "phone" else height - 120, abs=2
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == ""
        expect(open_more(page)).to_be_visible()
        assert violations(page) == ""
        page.keyboard.press("Escape")
    assert page.errors == []


def test_a_phone_by_plain_http_at_another_host_name(phone, photograph):
    """Where crypto.randomUUID does not exist. A result pixel is at least a CSS pixel; fingers find every button."""
    to_the_first_view(phone)
    assert not phone.evaluate("isSecureContext")
    expect(phone.get_by_text("Drop a photo")).to_be_hidden()  # nobody drops anything on a phone
    expect(
        phone.get_by_text("Your photos stay on the computer that runs this page.")
    ).to_be_visible()
    enlarge(phone, photograph)
    expect(before_and_after(phone)).to_be_in_viewport(ratio=1)
    expect(main_button(phone, "Download")).to_be_in_viewport(ratio=1)
    phone.get_by_role("group", name="and After 384 × 256").wait_for()
    assert magnification(phone) >= 300
    phone.get_by_role("button", name="Show what was invented").tap()
    expect(phone.get_by_role("button", name="Where it is unsure")).to_be_visible()
    open_more(phone)
    for target in phone.get_by_role("button").filter(visible=True).all():
        box = target.bounding_box()
        assert min(box["width"], box["height"]) >= 43.5, target.text_content()
    phone.keyboard.press("Escape")
    name, _ = downloaded(phone, "Download")
    assert name.startswith("Eileen") and phone.errors == []
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


# ---- a visit


def test_a_visit(page, app, photograph):
    enlarge(page, photograph)
    expect(status(page)).to_contain_text("4×: 96 × 64 → 384 × 256")
    name, content = downloaded(page, "Download")
    assert name == "Eileen & friends_x4_edsr-baseline-srlib.png"
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size, image.getexif()[0x010F]) == (
            "PNG",
            (384, 256),
            "A camera",
        )
        larger = np.asarray(image).astype(float)
    with Image.open(photograph) as image:
        expected = np.asarray(image.resize((384, 256), Image.Resampling.BICUBIC))
    assert np.abs(larger - expected).mean() < 12  # the same picture, whatever the network adds
    panel = open_more(page)
    panel.get_by_label("Save as").select_option("JPEG")
    panel.get_by_label("Keep the camera’s data").uncheck()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    name, content = downloaded(page, "Download")
    assert name == "Eileen & friends_x4_edsr-baseline-srlib.jpg"
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size) == ("JPEG", (384, 256))
        assert 0x010F not in image.getexif()
    own = (app.url, app.url.replace("http", "ws"), "data:", "blob:")
    assert {url for url in page.asked if not url.startswith(own)} == set() and len(page.asked) > 10


def test_the_preview_comes_before_any_button_and_follows_the_choice(page):
    """And an old choice shows its result again, which is not made twice."""
    page.get_by_role("radio", name="2×").check()
    expect(
        page.get_by_role("group", name="Comparison of Before 96 × 64 and After 192 × 128")
    ).to_be_visible()
    expect(status(page)).to_contain_text("This is a preview")
    expect(main_button(page)).to_be_enabled()
    page.get_by_role("radio", name="4×").check()
    expect(main_button(page, "Download")).to_be_visible()


def test_a_web_photograph_is_cleaned_and_the_page_says_so(page, tmp_path):
    with Image.open(SAMPLE) as image:
        image.crop((0, 0, 480, 320)).save(tmp_path / "web.jpg", quality=40)
    choose(page, tmp_path / "web.jpg")
    kind = page.get_by_role("button", name="Auto: web photo")
    expect(kind).to_contain_text("Compression marks will be removed.")
    expect(kind).to_have_attribute("title", re.compile("JPEG blocks"))  # the field's term
    kind.click()
    page.get_by_role("dialog").get_by_label("Made for").select_option("edsr-lite")
    expect(page.get_by_role("button", name="Clean photo")).to_contain_text("Your choice")
    page.get_by_role("dialog").get_by_label("Made for").select_option("auto")
    page.keyboard.press("Escape")
    expect(kind).to_be_visible()


def test_the_overview_moves_the_patch(page):
    overview = page.get_by_role("group", name="Overview")
    expect(overview).to_be_visible()
    frame = overview.locator("span")
    overview.press("ArrowLeft")
    overview.press("ArrowLeft")
    overview.press("ArrowLeft")
    expect(frame).to_have_attribute("style", re.compile(r"left: 0%"))
    box = overview.bounding_box()
    version = page.locator(".srlib-compare").get_attribute("data-ready")
    page.mouse.click(box["x"] + box["width"] - 4, box["y"] + box["height"] - 4)
    expect(page.locator(".srlib-compare")).not_to_have_attribute("data-ready", version)
    expect(frame).not_to_have_attribute("style", re.compile(r"left: 0%"))


def test_what_was_invented_where_it_is_unsure_and_the_check(page, photograph):
    choose(page, photograph)
    invented = page.get_by_role("button", name="Show what was invented")
    invented.click()
    expect(invented).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("slider", name="and Invented detail")).to_be_visible()
    unsure = page.get_by_role("button", name="Where it is unsure")
    unsure.click()
    expect(page.get_by_role("slider", name="and Unsure")).to_be_visible()
    expect(status(page)).to_contain_text("mostly at edges")
    assert axe_violations(page, "body") == ""
    unsure.click()
    expect(page.get_by_role("slider", name="and After")).to_be_visible()
    test = page.get_by_role("button", name="Test on this photo")
    expect(test).to_have_attribute("title", re.compile("PSNR"))  # the field's term
    test.click()
    expect(status(page)).to_contain_text(re.compile(r"off by \d+\.\d\d of 255 grey levels"))
    expect(status(page)).not_to_contain_text("PSNR")


def test_the_result_stays_where_its_preview_was(page, tmp_path):
    with Image.open(SAMPLE) as image:
        image.convert("RGB").save(tmp_path / "large.png")
        image.crop((200, 100, 212, 109)).save(tmp_path / "tiny.png")
    choose(page, tmp_path / "large.png")
    expect(status(page)).to_contain_text("This is a preview")
    seen = page.get_by_role("group", name="Overview").locator("span")
    expect(photos(page).last).to_have_attribute("title", "large.png")
    page.locator(".srlib-veil:not(.srlib-shown)").wait_for(state="attached")
    page.wait_for_timeout(500)
    size = before_and_after(page).get_attribute("aria-label")
    before = (magnification(page), seen.bounding_box())
    main_button(page).click()
    main_button(page, "Download").wait_for()
    page.wait_for_timeout(1000)
    assert before_and_after(page).get_attribute("aria-label") == size
    after = (magnification(page), seen.bounding_box())
    assert before[0] == after[0] >= 100
    for side in ("x", "y", "width", "height"):
        assert after[1][side] == pytest.approx(before[1][side], abs=1.5)
    choose(page, tmp_path / "tiny.png")  # its pixels are not blown up to fill the stage
    expect(page.get_by_label("Magnification")).to_have_text("800 %")
    main_button(page).click()
    main_button(page, "Download").wait_for()
    page.wait_for_timeout(500)
    assert magnification(page) == 800


def test_a_sample_opens_at_full_size_under_its_own_name(guest):
    to_the_first_view(guest)
    guest.get_by_role("button", name="Osprey in a pine").click()
    guest.get_by_role("radio", name="4×").check()
    main_button(guest).click()
    main_button(guest, "Download").wait_for()
    expect(
        guest.get_by_role("group", name="Comparison of Before 180 × 150 and After 720 × 600")
    ).to_be_visible()
    assert magnification(guest) >= 100
    guest.set_viewport_size({"width": 760, "height": 500})
    before_and_after(guest).press("0")  # the whole picture is one key away
    expect(guest.get_by_label("Magnification")).not_to_have_text(re.compile("[1-9]\\d\\d %"))
    name, _ = downloaded(guest, "Download")
    assert name == "Osprey in a pine_x4_edsr-baseline-srlib.png"


def test_several_to_a_size_and_a_zip_of_them_alone(page, photograph):
    files = {name: photograph.read_bytes() for name in ("one.jpg", "two.jpg")}
    dispatch(page, "h1", ["dragover"], files)  # far from everything
    expect(page.get_by_text("Drop your photographs anywhere")).to_be_visible()
    dispatch(page, "h1", ["drop"], files)
    expect(page.get_by_text("Drop your photographs anywhere")).to_be_hidden()
    expect(page.get_by_role("button", name="one.jpg, 4×")).to_be_visible()
    expect(page.get_by_role("button", name="two.jpg, 4×")).to_be_visible()
    expect(status(page)).to_contain_text("All 2 photos take")  # the time is that of both
    open_more(page).get_by_label("Longer side").fill("150")
    page.keyboard.press("Escape")
    main_button(page, "Enlarge 2 photos").click()
    expect(status(page)).to_contain_text("Done: 2 of 2 photographs.")
    expect(page.get_by_role("button", name="two.jpg, 150 px, done")).to_be_visible()
    open_more(page).get_by_label("Save as").select_option("TIFF")
    page.keyboard.press("Escape")
    _, content = downloaded(page, "All 2 as a zip")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == [
            "one_150px_edsr-baseline-srlib.tif",
            "two_150px_edsr-baseline-srlib.tif",
        ]
        assert Image.open(archive.open(archive.namelist()[-1])).size == (150, 100)
    page.get_by_role("radio", name="4×").check()


def test_a_photograph_keeps_its_tile_and_its_result(page, photograph):
    to_the_first_view(page)
    choose(page, {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": photograph.read_bytes()})
    main_button(page).click()
    main_button(page, "Download").wait_for()
    choose(page, {"name": "b.jpg", "mimeType": "image/jpeg", "buffer": photograph.read_bytes()})
    expect(photos(page)).to_have_count(2)
    page.get_by_role("radio", name="2×").check()
    expect(page.get_by_role("button", name="b.jpg, 2×")).to_have_attribute("aria-pressed", "true")
    photos(page).first.click()  # its result, and the choice that made it
    expect(main_button(page, "Download")).to_be_visible()
    expect(page.get_by_role("radio", name="4×")).to_be_checked()
    open_more(page).get_by_label("Best quality").check()  # an option is for the photograph in view
    page.keyboard.press("Escape")
    expect(main_button(page)).to_be_enabled()
    expect(photos(page).first).to_have_attribute("aria-pressed", "true")
    open_more(page).get_by_label("Best quality").uncheck()
    page.keyboard.press("Escape")
    expect(main_button(page, "Download")).to_be_visible()
    photos(page).last.click()  # its choice has waited
    expect(page.get_by_role("radio", name="2×")).to_be_checked()
    open_more(page).get_by_label("Longer side").fill("150")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="b.jpg, 150 px")).to_be_visible()
    photos(page).first.click()
    expect(page.get_by_role("radio", name="4×")).to_be_checked()
    photos(page).last.click()
    expect(status(page)).to_contain_text("150 × 100 pixels")
    expect(photos(page)).to_have_count(2)


@pytest.mark.parametrize("typed", ["99999", "-300", "e"])
def test_nothing_is_enlarged_while_the_size_in_its_field_is_wrong(page, photograph, typed):
    choose(page, photograph)
    page.get_by_role("radio", name="3×").check()
    expect(main_button(page)).to_be_enabled()
    side = open_more(page).get_by_label("Longer side")
    side.press("Control+a")
    side.press("Delete")
    side.press_sequentially(typed)
    page.keyboard.press("Escape")
    expect(main_button(page)).to_be_disabled()
    expect(status(page)).to_contain_text("choose 96 to 768")
    expect(status(page)).to_be_visible()
    open_more(page)
    assert side.evaluate("field => !field.validity.valid")  # it is marked
    side.fill("300")
    page.keyboard.press("Escape")
    expect(main_button(page)).to_be_enabled()
    expect(status(page)).to_contain_text("300 × 200 pixels")
    page.get_by_role("radio", name="4×").check()


def test_paste_anywhere_and_remove(page, photograph):
    to_the_first_view(page)
    dispatch(page, "body", ["paste"], {"pasted.jpg": photograph.read_bytes()})
    pasted = page.get_by_role("button", name="pasted.jpg, 4×")
    expect(pasted).to_have_attribute("aria-pressed", "true")
    open_more(page).get_by_role("button", name="Remove this photo").click()
    expect(pasted).to_have_count(0)
    expect(page.get_by_text("Drop a photo, paste, or")).to_be_visible()  # as at the start


def test_bad_files_end_in_a_sentence_each_and_the_wizard_goes_on(page, photograph):
    jpeg = photograph.read_bytes()
    gif = io.BytesIO()
    Image.open(photograph).quantize(64).save(gif, "GIF")
    files = {
        "letter.pdf": b"%PDF-1.7 a letter",
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "empty.png": b"",
        "hurt.gif": gif.getvalue()[:200],
        "IMG_1.HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    }
    choose(
        page,
        *(
            {"name": name, "mimeType": "image/jpeg", "buffer": content}
            for name, content in files.items()
        ),
    )
    for name in files:
        expect(page.get_by_role("alert")).to_contain_text(name)
    page.get_by_role("alert").get_by_role("button", name="Close").click()
    expect(page.get_by_role("alert")).to_be_hidden()
    choose(page, photograph)
    expect(photos(page).last).to_have_attribute("title", photograph.name)


def test_a_phones_photograph_gets_the_largest_factor_that_fits(page, tmp_path):
    """12 megapixels and some 35 MB of them, in pieces; larger factors are grey and make a TIFF, as is said."""
    noise = np.random.default_rng(0).integers(0, 256, (3000, 4000, 3), dtype=np.uint8)
    noise[:, 2000:] = 0
    Image.fromarray(noise).save(tmp_path / "IMG_2.bmp")
    page.get_by_role("radio", name="4×").check()
    choose(page, tmp_path / "IMG_2.bmp")
    expect(status(page)).to_contain_text("4000 × 3000 → 8000 × 6000")
    expect(page.get_by_role("radio", name="2×")).to_be_checked()
    expect(status(page)).to_contain_text("From 3× on it has more than 50 megapixels")
    page.get_by_role("radio", name="4×").check()
    expect(status(page)).to_contain_text("4000 × 3000 → 16000 × 12000")
    expect(status(page)).to_contain_text("saved as a TIFF")
    expect(main_button(page)).to_be_enabled()
    side = open_more(page).get_by_label("Longer side")
    side.fill("11999")
    side.press("Enter")
    expect(main_button(page)).to_be_disabled()
    side.fill("8000")
    side.press("Enter")
    expect(main_button(page)).to_be_enabled()
    page.keyboard.press("Escape")


PRESS_CANCEL_AT_ONCE = """async () => {
  const cancel = [...document.querySelectorAll("button")].find((button) => button.textContent === "Cancel");
  while (!cancel.getClientRects().length) await new Promise((done) => setTimeout(done, 10));
  cancel.click();
}"""


def test_a_held_key_and_a_double_click_do_not_cancel_but_cancel_does(page, large):
    """Twelve megapixels take long enough to be cancelled on any machine."""
    choose(page, large)
    page.get_by_role("radio", name="2×").check()
    expect(photos(page).last).to_have_attribute("title", large.name)
    progress = page.get_by_role("progressbar", name="Progress")
    cancel = page.get_by_role("button", name="Cancel")
    main_button(page).click()
    page.evaluate(PRESS_CANCEL_AT_ONCE)  # as the second half of a double click does
    expect(status(page)).to_contain_text(re.compile("about .*(s|min)"))
    expect(page.get_by_role("button", name=f"{large.name}, 2×, being enlarged")).to_be_visible()
    page.get_by_role("radio", name="3×").check()
    expect(main_button(page, "Enlarge next")).to_be_enabled()
    page.wait_for_timeout(600)
    cancel.click()
    expect(status(page)).to_have_text("Cancelled.")
    expect(progress).to_be_hidden()
    page.get_by_role("radio", name="2×").check()
    main_button(page).focus()
    page.keyboard.down("Enter")
    expect(cancel).to_be_focused()
    page.wait_for_timeout(600)
    for _ in range(5):
        page.keyboard.down("Enter")  # without a release in between: the key repeats
    page.keyboard.up("Enter")
    page.wait_for_timeout(1000)
    expect(progress).to_be_visible()
    page.keyboard.press("Enter")
    expect(status(page)).to_have_text("Cancelled.")
    assert page.errors == []


def tab_to(page, target, key="Tab"):
    """Press Tab until a control has the focus."""
    for _ in range(40):
        if target.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press(key)
    pytest.fail(f"{key} does not reach {target}")


def test_by_keyboard_alone_and_nothing_is_left_behind_without_a_warning(visit):
    page = visit()
    tab_to(page, page.get_by_role("button", name="Honey bee on an aster"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="4×")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("radio", name="3×")).to_be_checked()
    tab_to(page, main_button(page))
    page.keyboard.press("Enter")
    expect(main_button(page, "Download")).to_be_focused(timeout=PATIENCE)
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    with page.expect_event("dialog"):  # a result is not left behind without a warning
        page.evaluate("setTimeout(() => location.reload())")
    with page.expect_download(timeout=PATIENCE) as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename.startswith("Honey bee")
    divider = page.get_by_role("slider", name="Divider")
    tab_to(page, divider, "Shift+Tab")
    page.keyboard.press("Home")
    expect(divider).to_have_attribute("aria-valuenow", "0")
    page.reload(wait_until="commit")
    assert asked == ["beforeunload"]  # once: what was downloaded is safe
    page.context.close()


# ---- whose kernel is whose


def test_a_visitor_reaches_no_kernel_of_another_nor_comes_from_elsewhere(page, guest, app):
    kernel = kernel_of(page)
    shutdown = f"{app.url}/voila/api/shutdown/{kernel}"
    model = f"{app.url}/api/kernels/{kernel}"
    token = {"Authorization": f"token {app.token}"}
    for headers in ({}, token):
        assert guest.request.post(shutdown, headers=headers | xsrf(guest)).status == 403
        assert guest.request.get(model, headers=headers).status == 403
    assert page.request.post(
        shutdown, headers={"Origin": "http://evil.example"} | xsrf(page)
    ).status in (403, 404)
    opens = """(address) => new Promise((done) => {
      const socket = new WebSocket(address);
      socket.onopen = () => done(true);
      socket.onerror = () => done(false);
      setTimeout(() => done(false), 10_000);
    })"""
    channels = f"{app.url.replace('http', 'ws')}/api/kernels/{kernel}/channels"
    assert page.evaluate(opens, channels) and not guest.evaluate(opens, channels)
    assert not guest.evaluate(opens, f"{channels}?token={app.token}")
    assert page.request.get(model).status == 200  # it is still there


def xsrf(page):
    (cookie,) = (cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "_xsrf")
    return {"X-XSRFToken": cookie}


def test_the_page_can_run_no_code_and_read_no_file(page, app, tmp_path):
    target = tmp_path / "written"
    answers = page.evaluate(
        """([kernel, code]) => new Promise((resolve) => {
          const socket = new WebSocket(`${location.origin.replace("http", "ws")}/api/kernels/${kernel}/channels`);
          const seen = [];
          const send = (type, content) => socket.send(JSON.stringify({
            channel: "shell", content, metadata: {}, parent_header: {}, buffers: [],
            header: { msg_id: type, msg_type: type, session: "test", username: "", version: "5.3", date: "" },
          }));
          socket.onopen = () => {
            send("execute_request", { code, silent: false });
            send("kernel_info_request", {});
          };
          socket.onmessage = ({ data }) => {
            const type = typeof data === "string" && JSON.parse(data).msg_type;
            if (!type) return;
            seen.push(type);
            if (type === "kernel_info_reply") resolve(seen);
          };
        })""",
        [kernel_of(page), f"open({str(target)!r}, 'w')"],
    )
    assert "execute_reply" not in answers and not target.exists()
    for path in (
        "voila/files/notebooks/00_image_wizard.ipynb",
        "voila/files/data/sample/DIV2K_valid_HR/0801.png",
        "api/contents",
    ):
        assert page.request.get(f"{app.url}/{path}").status in (403, 404), path


def test_without_the_token_nobody_comes_in(browser, app):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(app.url)
        expect(page.get_by_role("group", name="Enlarge")).to_have_count(0)
        assert "login" in page.url


def test_eight_reloads_leave_one_kernel(guest, app):
    """Of one person, also while the page loads: as many reloads as there are places for visitors."""
    page = guest
    page.on("dialog", lambda dialog: dialog.accept())
    pages = sum(len(context.pages) for context in page.context.browser.contexts)
    for number in range(PLACES):
        answer = page.reload(wait_until="commit")
        assert answer.status == 200
        if number == PLACES // 2:
            arrived(page)
        else:
            page.wait_for_timeout(300 * (number % 5))
    arrived(page)
    end = time.monotonic() + 60
    while kernels(app) > pages and time.monotonic() < end:
        page.wait_for_timeout(500)
    assert kernels(app) <= pages
    assert page.request.get(f"{app.url}/api/kernels/{kernel_of(page)}").status == 200


def test_a_kernel_that_has_stopped_is_said(guest, app):
    page = guest
    page.request.delete(f"{app.url}/api/kernels/{kernel_of(page)}", headers=xsrf(page))
    page.get_by_role("radio", name="3×").check()
    expect(page.locator(".srlib-gone").filter(visible=True)).to_contain_text("does not answer")
