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

from browser.labpage import PATIENCE, axe_violations

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "DIV2K_valid_HR" / "0804.png"
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
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
        page.locator(".srlib-drop").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def page(visit):
    return visit()


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    """A real photograph as a camera would name it: a JPEG of 96 x 64 pixels, with a note of the camera's."""
    path = tmp_path_factory.mktemp("camera") / "Eileen & friends.jpg"
    with Image.open(SAMPLE) as image:
        exif = image.getexif()
        exif[0x010F] = "A camera"
        image.convert("RGB").resize((96, 64)).save(path, quality=95, exif=exif)
    return path


def choose(page, *files):
    page.locator(".srlib-drop input").set_input_files(list(files))


def chosen(page):
    return page.get_by_role("list", name="Chosen photographs").get_by_role("listitem")


def status(page):
    return page.locator(".srlib-job").get_by_role("status")


def history(page):
    return page.get_by_role("group", name="Results of this visit").get_by_role("button")


def enlarge(page, photograph, scale="4×"):
    choose(page, photograph)
    expect(chosen(page)).to_have_count(1)
    page.get_by_role("radio", name=scale).check()
    page.get_by_role("button", name="Enlarge", exact=True).click()
    page.locator(".srlib-compare[data-ready]").wait_for()
    expect(status(page)).to_contain_text("Done")


def downloaded(page, button):
    with page.expect_download(timeout=PATIENCE) as download:
        page.get_by_role("button", name=button).click()
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


# ---- a visit


def test_a_visit(page, app, photograph):
    enlarge(page, photograph)
    expect(status(page)).to_have_text("Done: 384 × 256 pixels.")
    name, content = downloaded(page, "Download Eileen & friends_x4_edsr-lite.png")
    assert name == "Eileen & friends_x4_edsr-lite.png"
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
    page.get_by_role("combobox", name="Format").select_option("JPEG")
    name, content = downloaded(page, "Download Eileen & friends_x4_edsr-lite.jpg")
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size) == ("JPEG", (384, 256))
    own = (app.url, app.url.replace("http", "ws"), "data:", "blob:")
    assert {url for url in page.asked if not url.startswith(own)} == set() and len(page.asked) > 10
    assert axe_violations(page, "body") == ""


def test_the_same_again_is_not_made_twice_and_a_new_choice_keeps_the_result(page):
    before = history(page).count()
    page.get_by_role("button", name="Enlarge", exact=True).click()
    expect(status(page)).to_have_text("Enlarged already: here it is.")
    assert history(page).count() == before
    page.get_by_role("button", name="Osprey in a pine").click()
    expect(chosen(page)).to_have_count(0)
    expect(status(page)).to_have_text("")
    expect(page.locator(".srlib-compare")).to_be_visible()
    expect(page.get_by_role("button", name="Download Eileen")).to_be_visible()


def test_a_sample_opens_at_full_size_where_it_changed_most_under_its_own_name(page):
    page.get_by_role("button", name="Enlarge", exact=True).click()
    page.get_by_role("button", name="Download Osprey in a pine_x4_edsr-lite").wait_for()
    expect(page.get_by_label("Magnification")).to_have_text("100 %")
    page.set_viewport_size({"width": 700, "height": 500})
    page.locator(".srlib-compare-frame").press("0")  # the whole picture is one key away
    expect(page.get_by_label("Magnification")).not_to_have_text("100 %")
    page.set_viewport_size(DESKTOP["viewport"])


def test_several_to_a_size_and_a_zip_of_them_alone(page, photograph):
    before = history(page).count()
    files = {name: photograph.read_bytes() for name in ("one.jpg", "two.jpg")}
    dispatch(page, "h1", ["dragover"], files)  # far from the field
    expect(page.get_by_text("Drop your photographs anywhere")).to_be_visible()
    dispatch(page, "h1", ["drop"], files)
    expect(page.get_by_text("Drop your photographs anywhere")).to_be_hidden()
    expect(chosen(page)).to_have_count(2)
    page.get_by_role("radio", name="To a size").check()
    page.get_by_label("pixels on the longer side").fill("150")
    expect(page.get_by_text("The largest: 96 × 64 → 150 × 100 pixels")).to_be_visible()
    page.get_by_role("button", name="Enlarge 2 photographs").click()
    expect(status(page)).to_contain_text("Done: 2 of 2 photographs.")
    page.get_by_role("combobox", name="Format").select_option("TIFF")
    _, content = downloaded(page, "Download these 2 as a zip")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["one_150px_edsr-lite.tif", "two_150px_edsr-lite.tif"]
        assert Image.open(archive.open(archive.namelist()[-1])).size == (150, 100)
    expect(history(page)).to_have_count(before + 2)
    history(page).first.click()
    expect(history(page).first).to_have_attribute("aria-pressed", "true")
    cut = "(node) => node.scrollWidth > node.clientWidth"
    assert not any(
        line.evaluate(cut) for line in page.locator(".srlib-made .srlib-name span").all()
    )


def test_paste_anywhere_and_remove(page, photograph):
    dispatch(page, "body", ["paste"], {"pasted.jpg": photograph.read_bytes()})
    expect(chosen(page)).to_have_text(["pasted.jpg96 × 64×"])
    page.get_by_role("button", name="Remove pasted.jpg").click()
    expect(chosen(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Enlarge", exact=True)).to_be_disabled()


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
        expect(page.locator(".srlib-problem")).to_contain_text(name)
    choose(page, photograph)
    expect(page.locator(".srlib-problem")).to_have_text("")


def test_a_phones_photograph_gets_the_largest_factor_that_fits(page, tmp_path):
    """12 megapixels and some 35 MB of them, in pieces; what does not fit is grey, with the reason beside it."""
    noise = np.random.default_rng(0).integers(0, 256, (3000, 4000, 3), dtype=np.uint8)
    noise[:, 2000:] = 0
    Image.fromarray(noise).save(tmp_path / "IMG_2.bmp")
    page.get_by_role("radio", name="4×").check()
    choose(page, tmp_path / "IMG_2.bmp")
    expect(page.get_by_text("4000 × 3000 → 8000 × 6000 pixels")).to_be_visible()
    expect(page.get_by_role("radio", name="2×")).to_be_checked()
    for factor in ("3×", "4×"):
        expect(page.get_by_role("radio", name=factor)).to_be_disabled()
    expect(page.get_by_text("3× and 4× would make more than 50 megapixels")).to_be_visible()
    page.get_by_role("radio", name="To a size").check()
    page.get_by_label("pixels on the longer side").fill("12000")
    expect(page.get_by_role("button", name="Enlarge", exact=True)).to_be_disabled()
    page.get_by_label("pixels on the longer side").fill("8000")
    expect(page.get_by_role("button", name="Enlarge", exact=True)).to_be_enabled()


def test_a_forecast_comes_after_the_page_and_cancel_stops_the_work(page):
    """The twelve megapixels of the test before take long enough to be cancelled on any machine."""
    expect(page.locator(".srlib-cost").first).to_contain_text(re.compile("about .*(s|min)"))
    page.get_by_role("button", name="Enlarge", exact=True).dblclick()
    expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    expect(page.get_by_role("button", name="Enlarge", exact=True)).to_be_disabled()
    expect(status(page)).to_contain_text("left")
    page.get_by_role("button", name="Honey bee on an aster").click()
    expect(page.get_by_role("button", name="Enlarge after this")).to_be_enabled()
    expect(page.get_by_role("radio", name="4×")).to_be_enabled()
    page.get_by_role("button", name="Cancel").click()
    expect(status(page)).to_have_text("Cancelled.")
    expect(page.get_by_role("progressbar", name="Progress")).to_be_hidden()
    assert page.errors == []


def test_plain_http_at_another_host_name_on_a_phone(visit, photograph):
    """Where crypto.randomUUID does not exist. A result pixel is at least a CSS pixel, and the page goes to the result."""
    phone = visit("wizard.test", **PHONE)
    assert not phone.evaluate("isSecureContext")
    enlarge(phone, photograph)
    expect(phone.locator(".srlib-compare-frame")).to_be_in_viewport(ratio=1)
    expect(phone.get_by_role("button", name="Download Eileen")).to_be_in_viewport(ratio=1)
    assert int(phone.get_by_label("Magnification").text_content().removesuffix(" %")) >= 300
    name, _ = downloaded(phone, "Download Eileen & friends_x4_edsr-lite.png")
    assert name.startswith("Eileen") and phone.errors == []
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


# ---- whose kernel is whose


def test_a_visitor_reaches_no_kernel_of_another_nor_comes_from_elsewhere(page, visit, app):
    other, kernel = visit(), kernel_of(page)
    expect(
        other.get_by_text("Made during this visit")
    ).to_be_hidden()  # what the first one made is theirs
    shutdown, model = f"{app.url}/voila/api/shutdown/{kernel}", f"{app.url}/api/kernels/{kernel}"
    token = {"Authorization": f"token {app.token}"}
    for headers in ({}, token):
        assert other.request.post(shutdown, headers=headers | xsrf(other)).status == 403
        assert other.request.get(model, headers=headers).status == 403
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
    assert page.evaluate(opens, channels) and not other.evaluate(opens, channels)
    assert not other.evaluate(opens, f"{channels}?token={app.token}")
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
        expect(page.locator(".srlib-drop")).to_have_count(0)
        assert "login" in page.url


def test_a_kernel_that_has_stopped_is_said(page, app):
    page.request.delete(f"{app.url}/api/kernels/{kernel_of(page)}", headers=xsrf(page))
    page.get_by_role("radio", name="3×").check()
    expect(page.locator(".srlib-gone").filter(visible=True)).to_contain_text(
        "The kernel does not answer"
    )


def test_fifteen_reloads_leave_one_kernel(visit, app):
    """Of one person, also while the page is loading. There are twelve places."""
    page = visit()
    others = kernels(app) - 1
    for number in range(15):
        answer = page.reload(wait_until="commit")
        assert answer.status == 200
        if number % 5 == 4:
            page.locator(".srlib-drop").wait_for()
        else:
            page.wait_for_timeout(300 * (number % 5))
    page.locator(".srlib-drop").wait_for()
    end = time.monotonic() + 60
    while kernels(app) > others + 1 and time.monotonic() < end:
        page.wait_for_timeout(500)
    assert kernels(app) == others + 1
    assert page.request.get(f"{app.url}/api/kernels/{kernel_of(page)}").status == 200
