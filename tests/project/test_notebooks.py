"""The anatomy of every notebook, and the chain 01 to 06 through its files."""

import json
import re
import shutil
import statistics

import nbformat
import numpy as np
import papermill
import pytest
from conftest import ROOT, SAMPLES
from PIL import Image, ImageOps

from srlib.data import Pair, ParameterError
from srlib.errors import SRError
from srlib.widgets.exercise import RIGHT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
NAMES = [
    "00_image_wizard", "01_prepare_data", "02_download_model", "03_architecture",
    "04_fine_tune", "05_visual_evaluation", "06_metric_evaluation",
]  # fmt: skip
# What makes the chain quick: few steps, and photographs of a fifth (test_outputs.py has the defaults).
QUICK = {"scale": 3, "steps_per_epoch": 4, "max_epochs": 2}


def cells(notebook, kind):
    return [c for c in nbformat.read(notebook, as_version=4).cells if c.cell_type == kind]


def test_the_course_is_complete():
    assert [n.stem for n in NOTEBOOKS] == NAMES
    assert [s.stem for s in SOLUTIONS] == [f"{n[:2]}_solutions" for n in NAMES[1:]]


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=lambda p: p.stem)
def test_anatomy(path):
    raw = path.read_text()
    notebook = nbformat.reads(raw, as_version=4)
    nbformat.validate(notebook)
    code, prose = (cells(path, kind) for kind in ("code", "markdown"))
    assert len(raw) < 2_500_000  # photographs keep every pixel: lesson 05 is about their faults
    assert len(prose) > len(code)
    assert (
        set(notebook.metadata) == {"kernelspec", "language_info"}
        and notebook.metadata.kernelspec.name == "python3"
    )
    ids = [c.id for c in notebook.cells]
    assert len(set(ids)) == len(ids) and all(
        re.fullmatch(r"[a-z][a-z0-9-]*", i) and not re.fullmatch(r"[0-9a-f]{8}", i) for i in ids
    )
    assert prose[0].source.startswith(f"# {path.stem[:2]} · ")
    (parameters,) = (c for c in code if "parameters" in c.metadata.get("tags", []))
    names = re.findall(r"^(\w+)(?:: [^=]+)? = ", parameters.source, re.M)
    assert 1 <= len(names) <= 8
    assert not re.search(r"/(work|root|home|tmp|Users)/", raw)
    counted = [c for c in code if "skip-execution" not in c.metadata.get("tags", [])]
    assert [c.execution_count for c in counted] == list(range(1, len(counted) + 1)), (
        "render it: make render"
    )
    for cell in code:
        assert set(cell.metadata) <= {"tags", "jupyter"}
        lines = cell.source.splitlines()
        assert len(lines) <= 15, cell.id
        assert max(map(len, lines)) <= 88, cell.id
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr"
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_half_of_a_lessons_cells_have_six_lines_or_fewer(path):
    lengths = [len(cell.source.splitlines()) for cell in cells(path, "code")]
    assert statistics.median(lengths) <= 6


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_lesson_has_checks_and_working_links(path):
    tags = [t for c in cells(path, "code") for t in c.metadata.get("tags", [])]
    assert tags.count("nbval-check-output") >= 1
    checked = [c for c in cells(path, "code") if "nbval-check-output" in c.metadata.get("tags", [])]
    assert all(c.outputs for c in checked), "a tagged cell without output passes silently"
    text = "\n".join(c.source for c in cells(path, "markdown"))
    for target in re.findall(r"\]\((?!https?:|#|attachment:)([^)#\s]+)", text):
        assert (path.parent / target).exists(), target


def test_lesson_00_shows_the_wizard_and_not_its_code():
    for cell in cells(NOTEBOOKS[0], "code"):
        assert cell.metadata.get("jupyter", {}).get("source_hidden"), cell.id


def known(path, parameters):
    """Those of the parameters that this notebook has."""
    names = papermill.inspect_notebook(str(path))
    return {name: value for name, value in parameters.items() if name in names}


def execute(path, out, **parameters):
    papermill.execute_notebook(
        str(path),
        str(out),
        known(path, parameters),
        cwd=path.parent,
        kernel_name="python3",
        progress_bar=False,
        store_widget_state=False,
    )


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("course")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A part of each sample photograph, in the same layout; one of each folder is gray."""
    root = tmp_path_factory.mktemp("data")
    for source in sorted(SAMPLES.glob("DIV2K_*_HR/*.png")):
        target = root / source.relative_to(SAMPLES)
        target.parent.mkdir(exist_ok=True)
        with Image.open(source) as photo:
            part = photo.crop((0, 0, 384, 240))
            gray = source.stem in ("0002", "0806")
            (part.convert("L") if gray else part).save(target)
    return root


@pytest.mark.parametrize("path", NOTEBOOKS[1:], ids=lambda p: p.stem)
def test_chain(path, run_dir, data_dir):
    """In order, each on the files of those before it."""
    execute(path, run_dir / path.name, run_dir=str(run_dir), data_dir=str(data_dir), **QUICK)
    written = {
        "01": [
            "data/DIV2K_train_LR/X3/0001.png",
            "data/DIV2K_valid_LR/X3/0801.png",
            "01_report.json",
        ],
        "02": ["pretrained_x3.safetensors", "02_model.json"],
        "03": ["03_architecture.json"],
        "04": [
            "fine_tuned_x3.safetensors",
            "control_x3.safetensors",
            "specialist_x3.safetensors",
            "04_history.json",
            "04_task.json",
        ],
        "05": ["figures"],
        "06": ["metrics.csv", "results.json", "report.html"],
    }
    assert all((run_dir / name).exists() for name in written[path.stem[:2]])


def test_the_results_of_the_chain(run_dir):
    results = json.loads((run_dir / "results.json").read_text())
    assert results["clean"]["pretrained"]["psnr"] > results["clean"]["bicubic"]["psnr"] + 0.5
    methods = {"bicubic", "pretrained", "specialist", "fine-tuned", "l1-control"}
    assert results["clean"].keys() == results["out of focus"].keys() == methods
    task = {name: scores["psnr"] for name, scores in results["out of focus"].items()}
    assert task["pretrained"] < results["clean"]["pretrained"]["psnr"]
    assert list((run_dir / "figures").glob("*.png"))


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda p: p.stem)
def test_the_solutions_are_right(path, run_dir, data_dir, monkeypatch, capsys):
    """After the lessons, on their files: every check of the exercises says so."""
    monkeypatch.chdir(path.parent)
    given = {"run_dir": str(run_dir), "data_dir": str(data_dir)} | QUICK
    names = run_here(path, known(path, given))
    answers = capsys.readouterr().out
    checks = names[f"checks_{path.stem[:2]}"]
    exercises = [name for name in vars(checks) if name.startswith("check_")]
    assert answers.count(RIGHT) >= len(exercises) >= 5
    assert "Not yet" not in answers


@pytest.mark.parametrize("number", [5, 6])
def test_opened_first_a_lesson_works(number, data_dir, tmp_path, monkeypatch):
    """It makes LR itself, takes the embedded weights, and leaves out a file that is damaged."""
    photos = shutil.copytree(data_dir, tmp_path / "photos")
    for file in sorted(photos.glob("*/*.png")):
        if file.stem not in ("0001", "0002", "0801", "0802", "0806"):
            file.unlink()
    whole = (photos / "DIV2K_valid_HR" / "0801.png").read_bytes()
    (photos / "DIV2K_valid_HR" / "0800.png").write_bytes(whole[: len(whole) // 2])
    monkeypatch.chdir(NOTEBOOKS[number].parent)
    names = run_here(
        NOTEBOOKS[number], {"run_dir": str(tmp_path), "data_dir": str(photos), "scale": 2}
    )
    assert {"specialist", "fine-tuned"}.isdisjoint(names["models"])
    assert "04_fine_tune.ipynb" in names["missing"]
    assert [pair.name for pair in names["pairs"]] == ["0801", "0802", "0806"]


def test_lesson_04_takes_ones_own_small_pictures_as_the_task(data_dir, tmp_path):
    """They are negatives here, which nothing in the course could have made."""
    photos = shutil.copytree(data_dir, tmp_path / "photos")
    Image.new("RGB", (40, 30)).save(photos / "DIV2K_train_HR" / "icon.png")
    for file in sorted(photos.glob("DIV2K_*_HR/*.png")):
        own = photos / file.parent.name.replace("HR", "LR") / "X2" / f"{file.stem}x2.png"
        own.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(file) as photo:
            ImageOps.invert(photo.reduce(2)).save(own)
        if file.stem in ("0001", "0802"):  # damaged: the other photographs keep their partners
            own.write_bytes(own.read_bytes()[:1000])
    given = {"scale": 2, "blur": 0, "run_dir": str(tmp_path / "run"), "data_dir": str(photos)}
    names = run_here(NOTEBOOKS[4], given, until="pairs-load")
    for part in ("train", "test"):
        clean, soft = names[part].values()
        assert {"0001", "0802", "icon"}.isdisjoint(p.name for p in clean) and len(clean) > 2
        for made, own in zip(clean, soft, strict=True):
            assert made.name == own.name and (made.hr == own.hr).all()
            assert abs(255.0 - own.lr - made.lr).mean() < 5


def run_here(path, given, until=""):
    """Run the cells in this process, with papermill's own cell after the parameters; no kernel starts.

    Returns the notebook's names. An error has the code that ran as `cells`.
    """
    injected = "\n".join(["# Parameters", *(f"{name} = {v!r}" for name, v in given.items()), ""])
    names = {"In": []}
    for cell in cells(path, "code"):
        tags = cell.metadata.get("tags", [])
        if "skip-execution" in tags:  # an exercise
            continue
        parameters = "parameters" in tags
        for source in [cell.source, injected] if parameters else [cell.source]:
            names["In"].append(source)
            try:
                exec(source, names)
            except Exception as error:
                error.cells = names["In"]
                raise
        if cell.id == until:
            break
    return names


WRONG = {"scale": 5, "scalle": 2}


@pytest.mark.parametrize("number", range(1, 7))
def test_a_wrong_parameter_is_told_at_once(number, tmp_path, monkeypatch):
    monkeypatch.chdir(NOTEBOOKS[number].parent)
    with pytest.raises(ParameterError, match=r"(?s)scalle.*scale:"):
        run_here(NOTEBOOKS[number], {"run_dir": str(tmp_path)} | WRONG)


@pytest.mark.parametrize("name", ["checkpoint", "benchmark_dir"])
def test_lesson_06_tells_a_wrong_test_set_or_network_before_it_measures(name, data_dir, tmp_path):
    (tmp_path / "empty").mkdir()
    given = {"data_dir": str(data_dir), "run_dir": str(tmp_path), "scale": 2}
    with pytest.raises(SRError, match="empty") as caught:
        run_here(NOTEBOOKS[6], given | {name: str(tmp_path / "empty")})
    done = caught.value.cells
    assert len(done) > 2
    assert "psnr" not in "".join(source for source in done if "import" not in source)


def test_lesson_04_crops_no_more_than_a_photograph_has():
    (cell,) = (cell for cell in cells(NOTEBOOKS[4], "code") if "def crop(" in cell.source)
    names = {"scale": 3}
    exec(cell.source, names)
    whole = Pair(np.zeros((90, 240, 3), np.uint8), np.zeros((30, 80, 3), np.uint8), "flat")
    part = names["crop"](whole)
    assert part.hr.shape == (90, 144, 3) and part.lr.shape == (30, 48, 3)


def test_an_empty_data_folder_gets_a_sentence(tmp_path):
    for name in ("DIV2K_train_HR", "DIV2K_valid_HR"):
        (tmp_path / name).mkdir()
    given = {"run_dir": str(tmp_path / "run"), "data_dir": str(tmp_path), "scale": 2}
    with pytest.raises(SRError, match=r"(?i)no pictures in"):
        run_here(NOTEBOOKS[1], given)


def test_lesson_04_without_a_task_says_how_to_get_one(data_dir, tmp_path):
    given = {"run_dir": str(tmp_path), "data_dir": str(data_dir), "scale": 2, "blur": 0}
    with pytest.raises(SRError, match=r"(?s)no LR folder.*blur above 0"):
        run_here(NOTEBOOKS[4], given)
