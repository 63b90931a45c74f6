"""The TrainingPanel in JupyterLab: its buttons are heard while the cell that trains still runs."""

from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from browser.labpage import KERNEL_IDLE, PATIENCE, axe_violations, in_kernel

TRAIN = f"""
import sys, tempfile, torch
torch.set_num_threads(1)
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from dataclasses import replace
from tiny_training import CONFIG, make_model, make_pairs, run
from srlib.widgets import TrainingPanel

config, model = replace(CONFIG, max_epochs=10_000, patience=10_000), make_model()
panel = TrainingPanel(model, make_pairs()[2], config, title="tiny")
display(panel)
_, history = run(tempfile.mkdtemp(), config, model, on_event=panel)
"""


@pytest.fixture(scope="module")
def page(browser, jupyter):
    """A notebook whose only cell trains, for hours if nobody stops it."""
    kernel = {"name": "python3", "display_name": "Python 3"}
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(TRAIN, id="train")], metadata={"kernelspec": kernel}
    )
    nbformat.write(notebook, jupyter.root / "notebooks" / "training.ipynb")
    with browser.new_context(viewport={"width": 1280, "height": 1000}) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(f"{jupyter.url}/lab/tree/notebooks/training.ipynb?token={jupyter.token}&reset")
        page.wait_for_function(KERNEL_IDLE, timeout=PATIENCE)
        page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.locator(".srlib-training").wait_for()
        yield page
    jupyter.stop_kernels()


def step(page) -> int:
    return int(page.get_by_role("progressbar", name="Progress tiny").get_attribute("value"))


def test_no_click_is_lost_among_the_updates(page):
    for _ in range(8):
        page.get_by_role("button", name="Pause").click()
        expect(page.locator(".srlib-training .pace")).to_contain_text("paused")
        page.get_by_role("button", name="Resume").click()


def test_watch_pause_resume_stop(page):
    expect(page.get_by_role("status").filter(has_text="on the validation images")).to_be_visible()
    expect(page.get_by_role("img", name="bicubic: ")).to_be_visible()
    expect(page.get_by_label("after epoch").first).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(page.locator(".srlib-training .pace")).to_contain_text("paused")
    page.wait_for_timeout(1000)
    held = step(page)
    page.wait_for_timeout(2000)
    assert step(page) == held
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("progressbar", name="Progress tiny")).not_to_have_attribute(
        "value", str(held)
    )
    assert axe_violations(page, ".srlib-training") == ""
    stop = page.get_by_role("button", name="Stop, keep the best")
    stop.click()
    expect(page.get_by_role("status").filter(has_text="Stopped by hand: epoch")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_disabled()
    page.wait_for_function(KERNEL_IDLE, timeout=PATIENCE)
    assert in_kernel(page, "history.ended") == "stopped"
