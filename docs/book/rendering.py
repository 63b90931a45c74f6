"""A Sphinx extension: formulas as MathML, which browsers draw by themselves, and Jupyter's anchors."""

import re

from docutils import nodes
from latex2mathml.converter import convert


def inline(self, node: nodes.math) -> None:
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def block(self, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math" tabindex="0">{convert(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def anchor(heading: str) -> str:
    """The anchor of a heading, as Jupyter makes it."""
    return heading.replace(" ", "-")


def as_rst(app, what, name, obj, options, lines: list[str]) -> None:
    """Docstrings mark code with single backticks, for which reStructuredText wants double ones."""
    lines[:] = [re.sub(r"(?<!`)`([^`]+)`(?!`)(\w*)", r"``\1``\\ \2", line) for line in lines]


def setup(app) -> dict:
    app.connect("autodoc-process-docstring", as_rst, priority=900)  # after napoleon
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
