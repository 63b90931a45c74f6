"""The project as a whole: one list of dependencies, one way of imports, nothing left behind."""

import ast
import graphlib
import json
import re
import subprocess
import sys
import tomllib

import pytest
from conftest import ROOT

import srlib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ROOMS = [
    "files",
    "images",
    "model",
    "zoo",
    "data",
    "upscaling",
    "metrics",
    "training",
    "plots",
    "widgets",
]
VAGUE = {"of", "more", "told", "said", "way", "near", "some"}  # they say nothing of what they hold
MOST_LINES = 9400
MOST_LINES_OF_CLI = 636


def names_of(requirements: list[str]) -> set[str]:
    """The packages in a list of requirements, in small letters, without extras and versions."""
    return {re.split(r"[\[<>=! ]", requirement)[0].lower() for requirement in requirements}


def test_conda_names_every_package_of_the_course():
    text = (ROOT / "environment.yml").read_text()
    assert f"python {PROJECT['requires-python']}" in text
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    listed = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    needed = names_of(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["course"])
    others = {"python", "pip", "pip:", "--constraint", "--editable"}
    assert names_of(listed) == needed | others


def test_every_dependency_has_a_tested_version():
    tested = names_of((ROOT / "constraints.txt").read_text().splitlines())
    extras = PROJECT["optional-dependencies"]
    installed = (extras[name] for name in ("course", "book", "test"))
    wanted = names_of(sum(installed, PROJECT["dependencies"]))
    assert wanted - {"srlib"} <= tested


def test_upscale_needs_no_package_of_the_course():
    """`pip install .` alone is enough for `from srlib import upscale`, and it loads no more."""
    heavy = {"torch._dynamo", "sympy", "scipy", "tifffile", "imagecodecs", "onnx"}
    modules = {"scikit-image": "skimage", "ipykernel": "ipykernel"}
    course = names_of(PROJECT["optional-dependencies"]["course"])
    missing = [modules.get(name, name) for name in course]
    code = f"""
import sys
sys.modules.update(dict.fromkeys({missing}))
import numpy as np
from srlib import upscale
print(upscale(np.zeros((8, 9, 3), np.uint8)).shape)
print(*sys.modules.keys() & {heavy})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "(32, 36, 3)\n\n"), done.stderr


def imported_modules(source: str) -> set[str]:
    """Every module that a piece of Python imports, functions' own imports among them."""
    found = set()
    tree = ast.parse(source)
    for node in ast.walk(tree):  # imports for the type checker alone join nothing
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
    return found


def test_the_house_has_ten_rooms():
    folders = {p.name for p in (ROOT / "srlib").iterdir() if (p / "__init__.py").exists()}
    files = {p.name for p in (ROOT / "srlib").glob("*.py")}
    assert folders == set(ROOMS)
    assert files == {"__init__.py", "cli.py", "errors.py"}
    assert {p.name for p in (ROOT / "tests").iterdir() if p.is_dir()} >= set(ROOMS)


def test_imports_run_down_the_list():
    for file in (ROOT / "srlib").glob("*/**/*.py"):
        room = file.relative_to(ROOT / "srlib").parts[0]
        for name in imported_modules(file.read_text()):
            other = name.removeprefix("srlib.").split(".")[0] if name.startswith("srlib.") else room
            if other in ROOMS:
                assert ROOMS.index(other) <= ROOMS.index(room), f"{file.name} imports {name}"


def test_no_two_modules_import_each_other():
    needs = {}
    for file in (ROOT / "srlib").glob("*/**/*.py"):
        if file.name != "__init__.py":
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            needs[name] = {m for m in imported_modules(file.read_text()) if m.startswith("srlib.")}
    assert needs.keys() <= set(graphlib.TopologicalSorter(needs).static_order())  # or CycleError


def test_srlib_is_thin():
    """All lines of Python outside the widgets; raise the figure only for a feature that is worth it."""
    files = [p for room in ROOMS[:-1] for p in (ROOT / "srlib" / room).rglob("*.py")]
    assert sum(len(p.read_text().splitlines()) for p in files) <= MOST_LINES
    assert len((ROOT / "srlib" / "cli.py").read_text().splitlines()) <= MOST_LINES_OF_CLI


def test_no_line_of_srlib_is_wider_than_a_page():
    for file in (ROOT / "srlib").rglob("*.py"):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            assert len(line) <= 100, f"{file.relative_to(ROOT)}:{number}"


def is_packed(assignment: ast.Assign) -> bool:
    """Whether it is one of several values to several names, as in `a, b = 1, []`."""
    return all(isinstance(side, ast.Tuple) for side in (assignment.targets[0], assignment.value))


def is_swap(assignment: ast.Assign) -> bool:
    """Whether names only change places, as in `a, b = b, a`."""
    names = {ast.unparse(target) for target in assignment.targets[0].elts}
    return names == {ast.unparse(value) for value in assignment.value.elts}


def test_one_name_one_line():
    """No `a, b = 1, []`, and no name that says nothing."""
    faults = []
    for folder in ("srlib", "tools", "speed", "app", "tests"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                stored = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
                name = node.id if stored else getattr(node, "arg", "")
                if name in VAGUE and not isinstance(node, ast.keyword):
                    faults.append(f"{file}:{node.lineno}: call {name} by what it holds")
                if isinstance(node, ast.Assign) and is_packed(node) and not is_swap(node):
                    faults.append(f"{file}:{node.lineno}: one name a line")
    assert not faults, "\n".join(faults)


def test_notebooks_and_readme_import_from_rooms_only():
    sources = {p.name: p.read_text() for p in (ROOT / "notebooks").rglob("*.ipynb")}
    sources["README.md"] = (ROOT / "README.md").read_text()
    for name, text in sources.items():
        for module in re.findall(r"^\W*(?:from|import) (srlib[\w.]*)", text, re.M):
            assert module == "srlib" or module.removeprefix("srlib.") in ROOMS, f"{name}: {module}"


def test_importing_srlib_is_quick_and_needs_no_torch():
    code = "import sys, srlib; print({'torch', 'numpy', 'PIL'} & sys.modules.keys() or 'none')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "none\n", "")


def test_the_names_people_want_are_at_the_top():
    for name in srlib.__all__:
        assert getattr(srlib, name).__name__ == name


def test_importing_prints_nothing_and_needs_no_display():
    code = "import " + ", ".join(f"srlib.{room}" for room in ROOMS)
    done = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_srlib_does_not_print():
    for file in (ROOT / "srlib").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            assert not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"), (
                file.name
            )


def test_the_readmes_table_of_results_is_that_of_lesson_06():
    cells = json.loads((ROOT / "notebooks" / "06_metric_evaluation.ipynb").read_text())["cells"]
    printed = [
        "".join(output["data"]["text/plain"])
        for cell in cells
        for output in cell.get("outputs", [])
        if "text/plain" in output.get("data", {})
    ]
    tables = [text for text in printed if re.search(r"psnr +ssim", text) and "l1-control" in text]
    if not tables:
        pytest.skip("the outputs of lesson 06 are not there: make render")
    computed = re.findall(r"(\S+) +(\d\d\.\d+) +(0\.\d{4})", tables[-1])  # clean, then the task
    rows = re.findall(r"^\| (\S+).* ((?:\| [\d.]+ ){4})\|$", (ROOT / "README.md").read_text(), re.M)
    stated = {name: re.findall(r"[\d.]+", values) for name, values in rows}
    assert len(computed) == 2 * len(stated) > 0
    for kind in (0, 1):
        for method, psnr, ssim in computed[kind * len(stated) :][: len(stated)]:
            assert stated[method][2 * kind] == f"{float(psnr):.2f}", method
            assert stated[method][2 * kind + 1] == ssim, method


def test_readme_links_exist():
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        assert (ROOT / target).exists(), target
