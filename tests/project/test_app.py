"""The app's settings and its container, as far as they can be checked without a browser and without Docker."""

import fnmatch
import json
import re
import shlex
import tomllib
from types import SimpleNamespace
from typing import ClassVar

import pytest
from conftest import ROOT
from tornado.web import HTTPError
from traitlets.config import PyFileConfigLoader
from voila.app import Voila
from voila.configuration import VoilaConfiguration
from voila.execute import VoilaExecutor

INSTRUCTIONS = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "EXPOSE", "HEALTHCHECK", "CMD"}


@pytest.fixture(scope="module")
def settings():
    return PyFileConfigLoader("voila.py", path=str(ROOT / "app")).load_config()


@pytest.fixture(scope="module")
def steps():
    """The Dockerfile's instructions: (name, rest of the line)."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(" ", 1)) for line in lines]


def test_every_setting_is_one_that_the_server_knows(settings):
    """traitlets only warns about a misspelt setting, and a limit that does not hold is worse than none."""
    from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

    known = {
        cls.__name__: cls
        for cls in (Voila, VoilaConfiguration, VoilaExecutor, MappingKernelManager)
    }
    for section, values in settings.items():
        for name in values:
            assert name in known[section].class_trait_names(config=True), f"{section}.{name}"


def test_only_this_machine_with_a_token_and_culled_kernels(settings):
    assert settings.Voila.ip == "127.0.0.1" and settings.Voila.auto_token is True
    assert settings.VoilaConfiguration.file_allowlist == []
    assert (
        0 < settings.MappingKernelManager.cull_idle_timeout <= 3600
        and settings.MappingKernelManager.cull_connected
    )


def test_one_visitor_too_many_is_refused_unless_a_kernel_has_lost_its_page(settings):
    """The page without a connection that has been quiet longest makes room."""

    class Kernels:
        left: ClassVar[list] = []
        closed: ClassVar[list] = []

        def list_kernel_ids(self):
            return ["a kernel"] * 12

        def left_behind(self):
            return self.left

        def shut_down_soon(self, kernel_id):
            self.closed.append(kernel_id)

    connection = SimpleNamespace(set_close_callback=lambda callback: None)
    handler = SimpleNamespace(
        kernel_manager=Kernels(),
        xsrf_token=b"",
        current_user=SimpleNamespace(username="someone"),
        request=SimpleNamespace(connection=connection),
    )
    let_in = settings.VoilaConfiguration.prelaunch_hook
    with pytest.raises(HTTPError, match="All places are taken") as refusal:
        let_in(handler, notebook=None, cwd="")
    assert refusal.value.status_code == 503
    Kernels.left = ["quiet longest", "quiet"]
    assert let_in(handler, notebook=None, cwd="") is None and Kernels.closed == ["quiet longest"]


def test_the_browser_may_ask_no_other_host(settings):
    policy = settings.Voila.tornado_settings["headers"]["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'")
    assert not re.search(r"https?:|wss?:|\*", policy)


def test_make_app_uses_these_settings():
    recipe = (ROOT / "Makefile").read_text().partition("\napp:")[2].partition("\n\n")[0]
    assert recipe.count('="$(CURDIR)/app" ') == 2 and "--Voila.ip" not in recipe


def test_the_cells_of_the_app():
    cells = json.loads((ROOT / "notebooks" / "00_image_wizard.ipynb").read_text())["cells"]
    tagged = {
        tag: {c["id"] for c in cells if tag in c["metadata"].get("tags", [])}
        for tag in ("app", "skip-in-app")
    }
    assert tagged == {
        "app": {"wizard"},
        "skip-in-app": {"start", "twin", "nearer", "save", "checks"},
    }


def test_the_dockerfile_can_be_read(steps):
    assert {name for name, _ in steps} <= INSTRUCTIONS and steps[0][0] == "FROM"
    for name, rest in steps:
        if name == "COPY":
            *sources, _ = rest.split()
            assert all((ROOT / source).exists() for source in sources), rest
        elif name in ("CMD", "HEALTHCHECK"):
            assert isinstance(json.loads(rest[rest.index("[") :]), list)
        elif name == "RUN":
            assert shlex.split(rest)
    assert steps[-1][0] == "CMD"


def test_the_container_is_pinned_and_not_root(steps):
    (image,) = [rest for name, rest in steps if name == "FROM"]
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", image)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    least = project["requires-python"].removeprefix(">=")
    assert tuple(map(int, image.split(":")[1].split(".")[:2])) >= tuple(map(int, least.split(".")))
    installs = [rest for name, rest in steps if name == "RUN" and "pip install" in rest]
    assert installs and all("--constraint constraints.txt" in rest for rest in installs)
    assert ("USER", "wizard") in steps


def test_the_container_installs_the_server_that_it_starts(steps):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = re.findall(r"'\.\[(\w+)\]'", " ".join(rest for _, rest in steps))
    extras = [line for extra in asked for line in project["optional-dependencies"][extra]]
    packages = {re.split(r"[\[<>=]", line)[0] for line in project["dependencies"] + extras}
    server = json.loads(dict(steps)["CMD"])[0]
    assert {server, "anywidget", "ipykernel"} <= packages


def test_the_container_gets_what_it_copies_and_nothing_else(steps):
    """.dockerignore shuts everything out but what it names."""
    ignore = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert ignore[0] == "*"
    let_in = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    copied = {source for name, rest in steps if name == "COPY" for source in rest.split()[:-1]}
    assert let_in == copied
    assert not any(fnmatch.fnmatch(".venv", pattern) for pattern in let_in)
