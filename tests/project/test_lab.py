"""`make lab` as it is written in the Makefile: a server that reaches what the lessons show."""

import re
import shlex
import socket
import subprocess
import sys
import time

import pytest
import requests
from conftest import ROOT

PATIENCE = 90  # seconds


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """The address of a server that the command of `make lab` has started."""
    for name in ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    recipe = re.search(r"^\t\$\(BIN\)/jupyter (lab .*)$", (ROOT / "Makefile").read_text(), re.M)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", *shlex.split(recipe.group(1))]
    command += ["--no-browser", "--allow-root", f"--port={port}", "--ServerApp.token=x"]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    end = time.monotonic() + PATIENCE
    while True:
        try:
            requests.get(address, timeout=5)
            break
        except requests.ConnectionError:
            assert server.poll() is None and time.monotonic() < end, (tmp_path / "log").read_text()
            time.sleep(0.1)
    yield address
    server.terminate()
    server.wait(20)


def test_every_picture_and_page_that_a_lesson_names_is_served(lab):
    for lesson in sorted((ROOT / "notebooks").glob("0*.ipynb")):
        files = set(re.findall(r"\]\(\.\./([\w/.-]+)", lesson.read_text()))
        assert files  # at least the glossary
        for file in files:
            answer = requests.get(f"{lab}/files/{file}", params={"token": "x"}, timeout=30)
            assert answer.status_code == 200, f"{lesson.name}: {file}"
