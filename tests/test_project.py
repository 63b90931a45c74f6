"""The project as a whole: one list of dependencies, one way of imports, nothing left behind."""

import ast
import re
import subprocess
import sys
import tomllib

from conftest import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# who may import whom inside srlib: modules only from earlier lines
ORDER = [
    {"codecs", "resize", "patches", "transfer", "model", "whole", "findings"},
    {"images", "degrade", "download", "layouts", "ensemble", "guards", "history", "untrusted"},
    {"passport", "engines", "scale_out", "checkpoint", "recipe"},
    {"alpha", "folders", "downscalers", "div2k", "zoo", "losses", "tiling"},
    {"cures", "protocols", "summary", "figures", "objective"},
    {"diagnose", "facts"},
    {"evaluation", "charts"},
    {"published"},
    {"metrics"},
    {"pairs", "low_res", "doctor"},
    {"pixel_cache", "benchmarks"},
    {"data"},
    {"upscale", "predict"},
    {"train", "folder", "strips"},
    {"plots", "report"},
    {"widgets"},
]


def test_conda_installs_what_pyproject_says():
    text = (ROOT / "environment.yml").read_text()
    assert f"python {PYPROJECT['project']['requires-python']}" in text
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    listed = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    assert listed == ["python >=3.11", "pip", "pip:", "--constraint constraints.txt", "--editable .[test]"]


def test_every_dependency_has_a_tested_version():
    tested = {re.split("==", line)[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    wanted = PYPROJECT["project"]["dependencies"] + PYPROJECT["project"]["optional-dependencies"]["test"]
    assert {re.split(r"[<>=]", name)[0].lower() for name in wanted} <= tested


def test_imports_run_one_way():
    rank = {module: number for number, modules in enumerate(ORDER) for module in modules}
    files = list((ROOT / "srlib").rglob("*.py"))
    for file in files:
        parts = file.relative_to(ROOT / "srlib").with_suffix("").parts
        if parts == ("__init__",):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            imported = node.module if isinstance(node, ast.ImportFrom) and node.module else ""
            if imported.startswith("srlib.") and (other := imported.split(".")[1]) != parts[0]:
                assert rank[other] < rank[parts[0]], f"{file.name} imports {other}"
    assert rank.keys() == {f.relative_to(ROOT / "srlib").with_suffix("").parts[0] for f in files} - {"__init__"}


def test_importing_prints_nothing_and_needs_no_display():
    modules = ", ".join(f"srlib.{m}" for modules in ORDER for m in sorted(modules))
    done = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", "-c", f"import {modules}"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_srlib_does_not_print():
    for file in (ROOT / "srlib").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            assert not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"), file.name


def test_the_training_tool_needs_little():
    """tools/train_bundled.py runs on a bare machine: torch, numpy, pillow, safetensors and srlib's modules of the same kind."""
    code = (
        "import sys; sys.argv = ['x']; sys.path.insert(0, 'tools'); import train_bundled;"
        "print(*{'skimage', 'pandas', 'matplotlib', 'requests', 'torchvision', 'ipywidgets'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr


def test_readme_links_exist():
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        assert (ROOT / target).exists(), target
