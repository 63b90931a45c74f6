"""Chromium, and the servers of the browser tests: one JupyterLab for all of them, and the app as `make app` starts it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from browser.labpage import PATIENCE, Jupyter

REPOSITORY = Path(__file__).resolve().parents[2]
NO_CHROMIUM = "The browser tests need Chromium: apt-get install -y chromium, or set SR_CHROMIUM=/path/to/chromium."
PLACES = 8  # of visitors to the app; the tests open four pages
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP wizard.test 127.0.0.1",  # a second name: only localhost is a secure context
]


@pytest.fixture(scope="session")
def chromium_path() -> str:
    names = (os.environ.get("SR_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, (shutil.which(name) for name in names if name)), None)
    if found is None and os.environ.get("SR_REQUIRE_BROWSER") == "1":
        pytest.fail(NO_CHROMIUM, pytrace=False)
    if found is None:
        pytest.skip(NO_CHROMIUM)
    return found


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict, chromium_path: str) -> dict:
    return {**browser_type_launch_args, "executable_path": chromium_path, "args": FLAGS}


@pytest.fixture(scope="session")
def jupyter(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """A server of its own: no settings of the person who runs the tests, and only the embedded models on disk."""
    root = _copy(tmp_path_factory.mktemp("repository"))
    state = tmp_path_factory.mktemp("state")
    environment = _environment(state)
    labconfig = state / "jupyter_config_dir" / "labconfig"
    labconfig.mkdir(parents=True)
    quiet = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (labconfig / "page_config.json").write_text(json.dumps(quiet))
    base_url = "/user/a.student/"  # as on a JupyterHub
    address = f"http://127.0.0.1:{_free_port()}{base_url.rstrip('/')}"
    server = Jupyter(address, secrets.token_hex(16), root)
    command = [
        *(
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            f"--ServerApp.root_dir={root}",
        ),
        *(
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.base_url={base_url}",
            f"--ServerApp.port={server.port}",
            "--ServerApp.port_retries=0",
        ),
        *(f"--IdentityProvider.token={server.token}", "--LabApp.expose_app_in_browser=True"),
    ]
    with _running(command, server, environment, state / "server.log"):
        yield server


@pytest.fixture(scope="session")
def app(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """The wizard as an app, with the settings of `make app` but fewer places, and a known token."""
    root = _copy(tmp_path_factory.mktemp("app"))
    state = tmp_path_factory.mktemp("app_state")
    settings = str(shutil.copytree(REPOSITORY / "app", state / "app"))
    config = state / "app" / "voila.py"
    twelve = "MOST_VISITORS = 12 "
    assert twelve in config.read_text()
    config.write_text(config.read_text().replace(twelve, f"MOST_VISITORS = {PLACES} "))
    environment = _environment(state) | {"JUPYTER_CONFIG_PATH": settings, "JUPYTER_PATH": settings}
    server = Jupyter(f"http://127.0.0.1:{_free_port()}", secrets.token_hex(16), root)
    command = [
        *(
            sys.executable,
            "-m",
            "voila",
            "--no-browser",
            f"--Voila.port={server.port}",
            "--Voila.port_retries=0",
        ),
        *(f"--Voila.token={server.token}", str(root / "notebooks" / "00_image_wizard.ipynb")),
    ]
    with _running(command, server, environment, state / "server.log"):
        yield server


def _copy(root: Path) -> Path:
    """A place laid out as the repository, to write into."""
    shutil.copytree(REPOSITORY / "notebooks", root / "notebooks")
    (root / "data").symlink_to(REPOSITORY / "data")
    return root


def _environment(state: Path) -> dict[str, str]:
    homes = (
        "HOME",
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "IPYTHONDIR",
        "MPLCONFIGDIR",
        "TORCH_HOME",
    )
    return os.environ | {name: str(state / name.lower()) for name in homes}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def _running(
    command: list[str], server: Jupyter, environment: dict[str, str], log: Path
) -> Iterator[None]:
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
    try:
        _wait_for(process, server, log)
        yield
    finally:
        process.terminate()  # the server stops its kernels
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_for(process: subprocess.Popen, server: Jupyter, log: Path) -> None:
    end = time.monotonic() + PATIENCE / 1000
    while True:
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(
                f"{process.args[2]} did not start:\n{log.read_text()[-3000:]}", pytrace=False
            )
        try:
            return socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
