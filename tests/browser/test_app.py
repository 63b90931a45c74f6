"""The wizard as an app, as `make app` starts it: a visit from photograph to file, and what the page cannot do."""

import json
import urllib.error
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from browser.labpage import PATIENCE, axe_violations

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "DIV2K_valid_HR" / "0804.png"


@pytest.fixture(scope="module")
def visit(browser, app):
    """visit() opens the app as another visitor does; the page notes what it asks for."""
    contexts = []

    def open_page():
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 1000}))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.asked = set()
        page.on("request", lambda request: page.asked.add(request.url))
        page.goto(f"{app.url}/?token={app.token}")
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
    path = tmp_path_factory.mktemp("camera") / "Eileen.jpg"
    with Image.open(SAMPLE) as image:
        image.convert("RGB").resize((96, 64)).save(path, quality=95)
    return path


def enlarge(page, photograph):
    page.locator(".srlib-drop input").set_input_files(photograph)
    expect(page.get_by_text("96 × 64 → 384 × 256 pixels")).to_be_visible()
    page.get_by_role("button", name="Enlarge").click()


def test_a_visit(page, app, photograph):
    enlarge(page, photograph)
    page.locator(".srlib-compare[data-ready]").wait_for()
    expect(page.locator(".srlib-job").get_by_role("status")).to_have_text("Done: 384 × 256 pixels.")
    with page.expect_download(timeout=PATIENCE) as download:
        page.get_by_role("button", name="Download Eileen_x4_edsr-lite.png").click()
    with Image.open(download.value.path()) as image:
        assert (image.format, image.size) == ("PNG", (384, 256))
        larger = np.asarray(image).astype(float)
    with Image.open(photograph) as image:
        assert (
            np.abs(larger - np.asarray(image.resize((384, 256), Image.Resampling.BICUBIC))).mean()
            < 12
        )
    elsewhere = {
        url
        for url in page.asked
        if not url.startswith((app.url, app.url.replace("http", "ws"), "data:", "blob:"))
    }
    assert elsewhere == set() and len(page.asked) > 10
    assert axe_violations(page, "body") == ""
    page.set_viewport_size({"width": 480, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 480
    stage, column = (
        page.locator(".srlib-stage").bounding_box(),
        page.locator(".srlib-column").bounding_box(),
    )
    assert stage["y"] > column["y"] + column["height"] - 1  # below, no longer beside


def test_two_visitors_at_once(page, visit, photograph):
    other = visit()
    expect(
        other.get_by_text("Made during this visit")
    ).to_be_hidden()  # what the first one made is theirs
    for each in (page, other):
        enlarge(each, photograph)
    for each in (page, other):
        each.get_by_role("button", name="Download Eileen_x4_edsr-lite.png").wait_for()


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
        [_kernel(page), f"open({str(target)!r}, 'w')"],
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
    with pytest.raises(urllib.error.HTTPError, match="403"):
        app.__class__(app.url, "wrong", app.root).call(
            "/api/kernels/00000000-0000-0000-0000-000000000000"
        )


def test_a_kernel_that_has_stopped_is_said(page, app):
    app.call(f"/api/kernels/{_kernel(page)}", "DELETE")
    page.get_by_role("radio", name="3×").check()
    expect(page.locator(".srlib-gone").filter(visible=True)).to_contain_text(
        "The kernel does not answer"
    )


def _kernel(page):
    return json.loads(page.locator("#jupyter-config-data").text_content())["kernelId"]
