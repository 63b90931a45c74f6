"""The settings for dev containers and Binder: valid, and with the versions of the project."""

import json
import re
import tomllib

from conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TESTED = re.search(r"Python (3\.\d+)", (ROOT / "constraints.txt").read_text())[1]


def test_the_dev_container_has_the_tested_python_and_a_command_that_exists():
    settings = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert re.search(r"python:1-(3\.\d+)-", settings["image"])[1] == TESTED
    target = settings["postCreateCommand"].removeprefix("make .venv/")
    assert target in PROJECT["optional-dependencies"]


def test_binder_takes_the_tested_versions_from_one_index():
    lines = (ROOT / "binder" / "requirements.txt").read_text().splitlines()
    [constraint] = [line.split()[1] for line in lines if line.startswith("--constraint")]
    assert (ROOT / "binder" / constraint).resolve() == ROOT / "constraints.txt"
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line
    )
    assert {"torch", "torchvision"} <= set(lines) & set(pinned)
    [extra] = [re.search(r"\[(\w+)\]", line)[1] for line in lines if line.startswith("--editable")]
    assert extra in PROJECT["optional-dependencies"]
    assert (ROOT / "binder" / "runtime.txt").read_text().strip() == f"python-{TESTED}"


def test_the_ways_of_installing_name_one_cpu_index():
    files = ("Dockerfile", "binder/requirements.txt", "tools/install.py", "docs/hosting.md")
    found = {
        index
        for name in files
        for index in re.findall(r"https://download\.pytorch\.org/\S+\w", (ROOT / name).read_text())
    }
    assert found == {"https://download.pytorch.org/whl/cpu"}
