"""Install srlib with some of its extras into .venv, as the Makefile does: on Windows too, and without make.

    python tools/install.py course          what the lessons need; likewise test and book

On Linux, PyTorch of the usual index brings 4.6 GB of CUDA libraries. Without an NVIDIA GPU, torch and torchvision
are taken from PyTorch's own index of CPU builds instead. TORCH=cuda or TORCH=cpu in the environment chooses; a PyTorch that
is in .venv already stays. The versions are those of constraints.txt either way: 2.15.0+cpu is a 2.15.0 to pip and uv.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PATIENCE = 5  # seconds for the CPU index to answer


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - this file runs before pip can refuse
        sys.exit(f"Image Wizard needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    if os.environ.get("TORCH", "") not in ("", "cpu", "cuda"):
        sys.exit(f"TORCH is cpu or cuda, not {os.environ['TORCH']}.")
    extras = ",".join(sys.argv[1:]) or "course"
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    install = installer(python)
    print("Installing into .venv: two to ten minutes the first time …", flush=True)
    if wants_cpu_builds() and not has_torch():
        index = ["--index-url", CPU_INDEX]
        if not (answers(CPU_INDEX) and run([*install, *index, "torch", "torchvision"])):
            print(
                f"PyTorch's CPU builds cannot be had from {CPU_INDEX}: the usual index gives "
                "those for NVIDIA GPUs, 6 GB in all, which run without one too.",
                flush=True,
            )
    if not run([*install, "--editable", f"{ROOT}[{extras}]"]):
        sys.exit("The installation failed; the lines above say why.")


def installer(python: Path) -> list[str]:
    """The command that installs: uv's, which is several times faster, where it is; else pip's."""
    if uv := shutil.which("uv"):
        command = [uv, "pip", "install", "--quiet", "--python", str(python)]
    else:
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return [*command, "--constraint", str(ROOT / "constraints.txt")]


def wants_cpu_builds() -> bool:
    """Whether to try them: on Linux without a GPU, since the usual ones are for the CPU elsewhere."""
    chosen = os.environ.get("TORCH")
    return chosen == "cpu" or (not chosen and sys.platform == "linux" and not has_nvidia_gpu())


def has_nvidia_gpu() -> bool:
    """Whether NVIDIA's driver lists one."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and b"GPU" in listed.stdout


def has_torch() -> bool:
    return any(VENV.glob("lib*/**/site-packages/torch-*.dist-info"))


def answers(url: str) -> bool:
    """Whether a server answers in time; in a process, since a look-up of its name has no limit."""
    code = f"import urllib.request; urllib.request.urlopen({url!r}, timeout={PATIENCE})"
    try:
        asked = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def run(command: list[str]) -> bool:
    return subprocess.run(command, cwd=ROOT).returncode == 0


if __name__ == "__main__":
    main()
