"""The Slider in a page: its name, its keys, and when its value counts."""

import pytest
from playwright.sync_api import expect

from browser.bench import bench
from browser.labpage import axe_violations
from srlib.widgets import Slider


@pytest.fixture
def shown(browser):
    with bench(browser, Slider("JPEG quality", [("no JPEG", 0), ("90", 90), ("50", 50)])) as shown:
        yield shown


def test_it_has_a_name_and_says_its_value_in_words(shown):
    slider = shown.page.get_by_role("slider", name="JPEG quality")
    expect(slider).to_have_attribute("aria-valuetext", "no JPEG")
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "90")
    expect(shown.page.locator("output")).to_have_text("90")
    assert shown.widget.value == 90
    slider.press("End")
    assert shown.widget.value == 50
    assert axe_violations(shown.page, ".srlib-slider") == ""


def test_the_kernel_can_move_it(shown):
    shown.widget.value = 50
    shown.push()
    expect(shown.page.get_by_role("slider")).to_have_attribute("aria-valuetext", "50")


def test_only_where_it_is_let_go_counts(shown):
    heard = []
    shown.widget.observe(lambda change: heard.append(change["new"]), "value")
    box = shown.page.get_by_role("slider").bounding_box()
    y = box["y"] + box["height"] / 2
    shown.page.mouse.move(box["x"] + 8, y)
    shown.page.mouse.down()
    for part in (0.5, 0.95):
        shown.page.mouse.move(box["x"] + part * box["width"], y, steps=3)
    expect(shown.page.locator("output")).to_have_text("50")
    assert heard == []
    shown.page.mouse.up()
    shown.page.wait_for_timeout(100)
    assert heard == [50]


def test_d_d_is_not_for_the_notebook(shown):
    expect(shown.page.get_by_role("slider")).to_have_attribute("data-lm-suppress-shortcuts", "true")
