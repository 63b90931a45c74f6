"""The installation: which index of PyTorch, which installer, and sentences in place of tracebacks."""

import subprocess
import sys
import time

import pytest
from conftest import ROOT


@pytest.fixture
def tool(monkeypatch, tmp_path):
    """tools/install.py with a .venv of its own, on a Linux machine without a GPU and without uv."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    import install

    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    monkeypatch.setattr(install, "VENV", tmp_path)
    monkeypatch.setattr(install.os, "name", "posix")
    monkeypatch.setattr(install.sys, "platform", "linux")
    monkeypatch.setattr(install.sys, "argv", ["install.py", "course"])
    monkeypatch.setattr(install, "has_nvidia_gpu", lambda: False)
    monkeypatch.setattr(install.shutil, "which", lambda name: None)
    monkeypatch.delenv("TORCH", raising=False)
    return install


@pytest.fixture
def commands(tool, monkeypatch):
    """The commands that would be run; the CPU index is there and has the versions."""
    seen = []
    monkeypatch.setattr(tool, "answers", lambda url: True)
    monkeypatch.setattr(tool, "run", lambda command: not seen.append(" ".join(command)))
    return seen


def test_without_a_gpu_torch_and_torchvision_come_from_the_cpu_index(tool, commands):
    tool.main()
    first, second = commands
    assert first.endswith(f"--index-url {tool.CPU_INDEX} torch torchvision")
    assert second.endswith("[course]") and tool.CPU_INDEX not in second
    assert all("constraints.txt" in command for command in commands)


@pytest.mark.parametrize(
    ("chosen", "gpu", "platform", "from_cpu_index"),
    [
        ("", True, "linux", False),
        ("cpu", True, "linux", True),
        ("cuda", False, "linux", False),
        ("", False, "darwin", False),
    ],
)
def test_the_gpu_the_platform_and_torch_decide(
    tool, commands, monkeypatch, chosen, gpu, platform, from_cpu_index
):
    monkeypatch.setenv("TORCH", chosen)
    monkeypatch.setattr(tool, "has_nvidia_gpu", lambda: gpu)
    monkeypatch.setattr(tool.sys, "platform", platform)
    tool.main()
    assert any(tool.CPU_INDEX in command for command in commands) == from_cpu_index


def test_an_index_that_does_not_answer_costs_a_sentence(tool, commands, monkeypatch, capsys):
    monkeypatch.setattr(tool, "answers", lambda url: False)
    tool.main()
    assert len(commands) == 1 and "usual index" in capsys.readouterr().out


def test_torch_that_is_there_stays(tool, commands):
    (tool.VENV / "lib" / "python3.11" / "site-packages" / "torch-2.15.0.dist-info").mkdir(
        parents=True
    )
    tool.main()
    assert len(commands) == 1


def test_uv_is_used_where_it_is(tool, commands, monkeypatch):
    monkeypatch.setattr(tool.shutil, "which", lambda name: f"/bin/{name}")
    tool.main()
    assert all(command.startswith("/bin/uv pip install") for command in commands)


def test_the_try_of_the_index_ends_in_time(tool, monkeypatch):
    monkeypatch.setattr(tool, "PATIENCE", 0.5)
    started = time.monotonic()
    assert not tool.answers("http://192.0.2.1/")  # an address that nobody has (RFC 5737)
    assert time.monotonic() - started < 30


def test_a_wrong_choice_is_a_sentence():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "install.py"],
        env={"TORCH": "gpu"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1 and "cpu or cuda" in done.stderr
    assert "Traceback" not in done.stderr


def test_make_names_every_target_in_its_help():
    makefile = (ROOT / "Makefile").read_text()
    targets = makefile.split(".PHONY:")[1].split("\n")[0].split()
    for target in set(targets) - {"help"}:
        assert f"make {target}" in makefile and f"\n{target}:" in makefile
