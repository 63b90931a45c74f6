"""The website of the course, built once, opened from the disk without a network."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from playwright.sync_api import expect

from browser.conftest import REPOSITORY
from browser.labpage import axe_violations


@pytest.fixture(scope="module")
def site(chromium_path):
    pytest.importorskip("myst_nb", reason="the website needs pip install 'srlib[book]'")
    subprocess.run([sys.executable, REPOSITORY / "docs" / "book" / "build.py"], check=True)
    return REPOSITORY / "site"


@pytest.fixture
def offline(page):
    """A page without a network that must not even ask for anything beyond the site's own files."""
    asked = []
    page.context.set_offline(True)
    page.on("request", lambda request: asked.append(request.url))
    yield page
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def ids_and_links(path: Path) -> tuple[set[str], set[str]]:
    text = path.read_text(encoding="utf-8")
    links = re.findall(r'(?:href|src)="([^"]*)"', text)
    own = {link for link in links if not re.match(r"[a-z]+:|//", link)}
    return set(re.findall(r'\bid="([^"]*)"', text)), own


def test_every_link_within_the_site_leads_somewhere(site):
    pages = {path.resolve(): ids_and_links(path) for path in site.rglob("*.html")}
    assert len(pages) > 25
    broken = []
    for path, (_, links) in pages.items():
        for link in links:
            place, anchor = urldefrag(unquote(link).split("?")[0])
            target = (path.parent / place).resolve() if place else path
            found = target.exists() and (
                not anchor or anchor in pages.get(target, ({anchor}, 0))[0]
            )
            if not found:
                broken.append(f"{path.relative_to(site.resolve())}: {link}")
    assert broken == []


def test_no_page_loads_anything_from_another_host(site):
    for path in [*site.rglob("*.html"), *site.rglob("*.css")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r'(?:src|<link[^>]*href)="(?:https?:)?//|url\(["\']?https?:', text), (
            path
        )


@pytest.mark.parametrize("name", ["index.html", "notebooks/02_download_model.html"])
def test_a_comparison_slides_by_keyboard_without_a_kernel(site, offline, name):
    offline.goto((site / name).as_uri())
    expect(offline.locator(".srlib-compare[data-ready]")).to_be_visible()
    divider = offline.get_by_role("slider").first
    before = float(divider.get_attribute("aria-valuenow"))
    divider.press("ArrowRight")
    expect(divider).not_to_have_attribute("aria-valuenow", f"{before:g}")
    assert axe_violations(offline, ".comparison") == ""


PAGES = [
    "index.html",
    "docs/command_line.html",
    "docs/hosting.html",
    "docs/RELIABILITY.html",
    "notebooks/01_prepare_data.html",
    "api/upscaling.html",
]


@pytest.mark.parametrize("name", [name for name in PAGES if name != "docs/hosting.html"])
def test_axe_finds_nothing_on_a_page(site, offline, name):
    offline.goto((site / name).as_uri())
    offline.locator("h1").first.wait_for()
    assert axe_violations(offline, "body") == ""


def test_search_finds_a_lesson_and_dark_mode_is_dark(site, offline):
    offline.goto((site / "search.html").as_uri() + "?q=antialiasing")
    expect(offline.locator("#search-results li").first).to_be_visible()
    offline.goto((site / "index.html").as_uri())
    offline.emulate_media(color_scheme="dark")
    colour = offline.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", colour)[:3])) < 60


def test_a_formula_is_drawn_by_the_browser(site, offline):
    offline.goto((site / "notebooks" / "01_prepare_data.html").as_uri())
    assert offline.locator("math").count() > 5


@pytest.mark.parametrize("name", PAGES)
def test_neither_a_page_nor_a_table_of_words_is_wider_than_a_phone(site, browser, name):
    with browser.new_context(viewport={"width": 390, "height": 844}) as phone:
        page = phone.new_page()
        page.goto((site / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for table in page.locator(".table-wrapper").all():
            assert table.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


def test_the_first_page_leads_to_every_lesson(site, offline):
    offline.goto((site / "index.html").as_uri())
    assert offline.locator("article td a[href^=notebooks]").count() == 7
