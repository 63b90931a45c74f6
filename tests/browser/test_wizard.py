"""Notebook 00 in JupyterLab: it runs, the wizard answers in a cell, and survives Lab's keys, themes and a restarted kernel.

The wizard itself is tested as an app, in test_app.
"""

import pytest
from playwright.sync_api import expect

from browser.labpage import axe_violations, in_kernel, lab


@pytest.fixture(scope="module")
def page(browser, jupyter):
    with lab(browser, jupyter, "00_image_wizard.ipynb", cell="wizard") as page:
        yield page


def status(page):
    return page.locator(".srlib-sentence")


def test_the_notebook_ends_in_a_comparison(page):
    page.get_by_role("button", name="Download", exact=True).wait_for()
    assert in_kernel(page, "wizard.result.sr.size") == (636, 804)
    divider = page.get_by_role(
        "slider", name="Divider between Before 201 × 159 and After 804 × 636"
    )
    divider.press("Home")
    divider.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", "1")


def test_the_kernel_answers_while_the_wizard_works(page):
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("checkbox", name="Best quality").check()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Enlarge", exact=True).dblclick()
    expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    assert in_kernel(page, "len(wizard.unfinished)") == 1
    page.wait_for_timeout(600)  # a click at once would be the second half of a double click
    page.get_by_role("button", name="Cancel").click()
    expect(status(page)).to_have_text("Cancelled.")


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_axe(page, theme):
    page.evaluate(
        "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme
    )
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    assert axe_violations(page, ".srlib-wizard") == ""


def test_d_d_on_a_choice_keeps_the_cell(page):
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    page.get_by_role("radio", name="2×").focus()
    page.keyboard.press("d")
    page.keyboard.press("d")
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells


def test_a_restarted_kernel_is_said(page):
    page.evaluate(
        "window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart()"
    )
    warning = page.locator(".srlib-gone").filter(visible=True)
    expect(warning).to_contain_text("does not answer")
