"""The table at the head of BENCHMARKS.md says nothing that its pages do not say."""

import re

from conftest import ROOT


def test_every_headline_figure_stands_in_its_page():
    head = (ROOT / "BENCHMARKS.md").read_text().split("\n\n")[2]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in head.splitlines()[2:]]
    assert len(rows) > 5
    for what, ours, beside, _, page in rows:
        text = (ROOT / re.search(r"\((.+)\)", page)[1]).read_text()
        for figure in re.findall(r"\d[\d.,]*\d|\d", ours + " " + beside):
            assert re.search(rf"(?<![\d.,]){re.escape(figure)}(?![\d.,]*\d)", text), (
                f"{what}: {figure}"
            )
