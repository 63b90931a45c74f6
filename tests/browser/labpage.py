"""Driving JupyterLab and Voilà from a test: open a notebook and run it, ask its kernel, ask axe."""

from __future__ import annotations

import ast
import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

PATIENCE = (
    int(os.environ.get("SR_PATIENCE", 180)) * 1000
)  # milliseconds: an idle machine needs a tenth of it, two busy cores far more
expect.set_options(timeout=PATIENCE)


@dataclass(frozen=True)
class Jupyter:
    """A running server.  `root` is laid out as the repository: notebooks/, data/, runs/."""

    url: str
    token: str
    root: Path

    @property
    def port(self) -> int:
        return urlsplit(self.url).port

    def call(self, path: str, method: str = "GET"):
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def stop_kernels(self) -> None:
        """Kernels outlive the page that started them, and each holds torch in memory."""
        for kernel in self.call("/api/kernels"):
            self.call(f"/api/kernels/{kernel['id']}", "DELETE")


KERNEL_IDLE = """() => {
  const session = window.jupyterapp?.shell.currentWidget?.context?.sessionContext;
  return session?.isReady && session.session?.kernel?.status === "idle";
}"""
RUN_ALL = """async () => {
  await window.jupyterapp.commands.execute("notebook:run-all-cells");
  return true;
}"""
RUN_TO = """async (name) => {
  const { commands, shell } = window.jupyterapp;
  const notebook = shell.currentWidget.content;
  notebook.activeCellIndex = notebook.widgets.findIndex((cell) => cell.model.sharedModel.id === name);
  await commands.execute("notebook:run-all-above");
  await commands.execute("notebook:run-cell");
  return true;
}"""
ERRORS = """() => {
  const cells = window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells.map((cell) => cell.toJSON());
  const errors = cells.flatMap((cell) => cell.outputs ?? []).filter((output) => output.output_type === "error");
  return errors.map((error) => `${error.ename}: ${error.evalue}`);
}"""
SHOW_CELL = """async (name) => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  await notebook.scrollToItem(notebook.widgets.findIndex((cell) => cell.model.sharedModel.id === name), "start");
}"""
IN_KERNEL = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code: "", silent: true, user_expressions: { answer: code } });
  return (await future.done).content.user_expressions.answer.data["text/plain"];
}"""


@contextmanager
def lab(
    browser: Browser, jupyter: Jupyter, notebook: str, *, cell: str, rest: bool = True, **context
) -> Iterator[Page]:
    """A page of JupyterLab in which the cells of the notebook have run, and `cell` is in sight.

    Args:
        rest: Whether to run the cells below `cell`, too.
    """
    with browser.new_context(viewport={"width": 1280, "height": 1000}, **context) as own_context:
        page = own_context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(f"{jupyter.url}/lab/tree/notebooks/{notebook}?token={jupyter.token}&reset")
        page.wait_for_function(KERNEL_IDLE, timeout=PATIENCE)
        # Unlike evaluate, it gives up when a kernel hangs.
        page.wait_for_function(RUN_ALL if rest else RUN_TO, arg=cell, timeout=PATIENCE)
        assert page.evaluate(ERRORS) == []
        page.evaluate(SHOW_CELL, cell)
        yield page
    jupyter.stop_kernels()


def in_kernel(page: Page, expression: str):
    """The value that a Python expression has in the notebook's kernel; a literal."""
    return ast.literal_eval(page.evaluate(IN_KERNEL, expression))


def axe_violations(page: Page, selector: str) -> str:
    """What axe-core finds wrong in a part of the page, as text; empty if nothing."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright",
        reason="axe needs pip install axe-playwright-python.",
    )
    results = axe.Axe().run(page, context=selector)
    return results.generate_report() if results.violations_count else ""
