"""docs/RELIABILITY.md promises nothing that no test holds."""

import re

from conftest import ROOT


def test_every_test_named_in_the_promises_exists():
    page = (ROOT / "docs" / "RELIABILITY.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).exists() or f"def {test}(" not in (ROOT / file).read_text()
    ]
    assert len(named) > 30 and not missing


def test_every_promise_names_a_test():
    page = (ROOT / "docs" / "RELIABILITY.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and "held by" not in line]
    assert rows and all("`tests/" in row for row in rows)
