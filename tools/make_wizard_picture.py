"""Make docs/wizard.webp, the moving picture of the README, from a real visit to the app.

And before that the bee of the wizard's first view: small, and enlarged by edsr-lite.

python tools/make_wizard_picture.py
"""

from __future__ import annotations

import io

from app_server import ROOT, chromium, running_app
from PIL import Image
from playwright.sync_api import Page

from srlib.images import imresize, read_image
from srlib.upscaling import upscale
from srlib.zoo import load_pretrained

SIZE = {"width": 1000, "height": 720}  # of the window, in pixels
PATIENCE = 300_000  # milliseconds
SAMPLE = "Honey bee on an aster"


def main() -> None:
    make_bee()
    with running_app() as (address, _), chromium() as browser:
        page = browser.new_context(viewport=SIZE).new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.get_by_role("button", name=SAMPLE).wait_for()
        page.locator(".srlib-compare[data-ready]").wait_for()
        page.wait_for_timeout(5000)  # the divider has come to rest
        frames = [(picture(page), 1500)]
        page.get_by_role("button", name=SAMPLE).click()
        page.get_by_text("This is a preview.").wait_for()
        page.locator(".srlib-veil:not(.srlib-shown)").wait_for(state="attached")
        page.wait_for_timeout(3000)
        frames.append((picture(page), 1500))
        page.get_by_role("button", name="Enlarge", exact=True).click()
        while page.get_by_role("button", name="Download", exact=True).count() == 0:
            frames.append((picture(page), 350))
            page.wait_for_timeout(700)
        page.wait_for_timeout(3000)
        divider = page.get_by_role("slider", name="Divider")
        for position in [*range(50, 9, -5), *range(10, 91, 5), *range(90, 49, -5)]:
            drag(page, divider, position / 100)
            frames.append((picture(page), 90))
        page.get_by_role("button", name="Show what was invented").click()
        page.wait_for_timeout(3000)
        frames.append((picture(page), 1800))
    pictures, durations = zip(*thinned(frames), strict=True)
    stream = io.BytesIO()
    pictures[0].save(
        stream,
        "WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=durations,
        loop=0,
        quality=72,
        method=6,
    )
    part = ROOT / "docs" / ".wizard.webp.part"
    part.write_bytes(stream.getvalue())
    part.replace(ROOT / "docs" / "wizard.webp")


def make_bee() -> None:
    """The bee before and after, which the wizard shows before anything is chosen."""
    folder = ROOT / "srlib" / "widgets" / "wizard"
    small = imresize(
        read_image(ROOT / "data" / "sample" / "DIV2K_valid_HR" / "0801.png").rgb, 1 / 4
    )
    large = upscale(small, load_pretrained("edsr-lite", 4), self_ensemble=True)
    Image.fromarray(small).save(folder / "bee_before.webp", lossless=True, method=6)
    Image.fromarray(large).save(folder / "bee_after.webp", quality=88, method=6)


def picture(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def drag(page: Page, divider, position: float) -> None:
    frame = page.locator(".srlib-compare-frame").bounding_box()
    handle = divider.bounding_box()
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(frame["x"] + position * frame["width"], handle["y"] + handle["height"] / 2)
    page.mouse.up()
    page.wait_for_timeout(60)


def thinned(frames: list, most: int = 10) -> list:
    """At most so many frames of the work in progress, since readers do not come for the waiting."""
    working = [frame for frame in frames if frame[1] == 350]
    kept = working[:: max(1, len(working) // most)][:most]
    return [frame for frame in frames if frame[1] != 350 or any(frame is other for other in kept)]


if __name__ == "__main__":
    main()
