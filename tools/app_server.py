"""The app as `make app` starts it, for the tools that visit it with Chromium."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def running_app() -> Iterator[tuple[str, psutil.Process]]:
    """The address, with its token, and the server's process, once it listens; in a folder of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    settings = str(ROOT / "app")
    environment = os.environ | {"JUPYTER_CONFIG_PATH": settings, "JUPYTER_PATH": settings}
    with tempfile.TemporaryDirectory() as root, (Path(root) / "log").open("w") as log:
        shutil.copytree(ROOT / "notebooks", Path(root) / "notebooks")
        (Path(root) / "data").symlink_to(ROOT / "data")
        command = [
            sys.executable,
            "-m",
            "voila",
            "--no-browser",
            f"--Voila.port={port}",
            f"--Voila.token={token}",
        ]
        process = subprocess.Popen(
            [*command, f"{root}/notebooks/00_image_wizard.ipynb"], env=environment, stderr=log
        )
        try:
            while process.poll() is None and not _listens(port):
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/?token={token}", psutil.Process(process.pid)
        finally:
            process.terminate()  # the server stops its kernels
            process.wait(60)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, or the one in $SR_CHROMIUM."""
    path = os.environ.get("SR_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()
