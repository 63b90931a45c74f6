"""The lessons as they are committed: with their defaults, at full length, in order."""

import os
import shutil
import subprocess
import sys

from conftest import ROOT


def test_every_lesson_runs_and_its_checked_cells_give_what_they_show():
    place = ROOT / "runs" / "nbval"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(ROOT / "notebooks", place / "notebooks")
    (place / "data").symlink_to(ROOT / "data")
    lessons = sorted((place / "notebooks").glob("0*.ipynb"))
    options = ["-p", "no:playwright", "--nbval-lax", "--nbval-cell-timeout=1800"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, *lessons],
        cwd=ROOT,
        env={name: v for name, v in os.environ.items() if not name.startswith("PYTEST_XDIST")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stdout
