"""The parameters of a notebook, as people and papermill give them."""

import re
import shutil
import time

import nbformat
import papermill
import pytest
from conftest import ROOT, SAMPLES

from srlib.data import (
    ParameterError,
    at_least_0,
    check_parameters,
    data_folder,
    existing_path,
    optional,
    output_file,
    output_folder,
    photo_in,
)

RULES = {
    "scale": (2, 3, 4),
    "quality": range(1, 96),
    "weight": float,
    "blur": at_least_0,
    "title": str,
}
GOOD = {"scale": 4, "quality": 40, "weight": 0.5, "blur": 0.6, "title": "a"}


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("scale", "4", 4),
        ("scale", 4.0, 4),
        ("scale", " 2", 2),
        ("quality", "95", 95),
        ("quality", 40.0, 40),
        ("weight", "1e-4", 1e-4),
        ("weight", 1, 1.0),
        ("blur", "0", 0.0),
        ("title", 803, "803"),
    ],
)
def test_text_and_numbers_are_converted(name, given, meant):
    value = check_parameters(GOOD | {name: given}, **RULES)[name]
    assert value == meant and type(value) is type(meant)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("scale", 5), ("scale", "many"), ("scale", True), ("scale", None), ("scale", [4]),
        ("quality", 0), ("quality", 96), ("quality", 40.5), ("quality", "best"),
        ("weight", "nan"), ("weight", None), ("weight", float("inf")),
        ("blur", -1), ("blur", "-0.1"), ("blur", None),
    ],
)  # fmt: skip
def test_other_values_are_refused_by_name(name, given):
    with pytest.raises(ParameterError, match=f"\n{name}: .*{re.escape(str(given))}") as caught:
        check_parameters(GOOD | {name: given}, **RULES)
    assert len(str(caught.value).splitlines()) == 2


def test_no_sentence_contradicts_itself():
    with pytest.raises(ParameterError) as caught:
        check_parameters({"scale": "44"}, scale=(2, 3, 4))
    assert "2, 3, 4, not 44" in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("notes")
    given = {
        "run_dir": str(file),
        "data_dir": str(tmp_path / "nowhere"),
        "scale": 7,
        "photo": "0805",
        "In": ["", "# Parameters\nscale = 7\nscalle = 2\n"],
    }
    began = time.monotonic()
    with pytest.raises(ParameterError) as caught:
        check_parameters(
            given,
            run_dir=output_folder,
            data_dir=data_folder,
            scale=(2, 3, 4),
            photo=photo_in(given["data_dir"], "0805"),
        )
    assert time.monotonic() - began < 1
    message = str(caught.value)
    lines = [line.split(":")[0] for line in message.splitlines()[1:]]
    assert lines == ["scalle", "run_dir", "data_dir", "scale", "photo"]
    assert str(file) in message and str(tmp_path / "nowhere") in message


def test_none_may_mean_by_default():
    rule = optional(range(1, 100))
    for nothing in (None, "", "None"):
        assert check_parameters({"steps": nothing}, steps=rule) == {"steps": None}
    assert check_parameters({"steps": "7"}, steps=rule) == {"steps": 7}
    with pytest.raises(ParameterError):
        check_parameters({"steps": "0"}, steps=rule)


def test_paths_as_people_write_them(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my photos").mkdir()
    rules = {"at_home": existing_path, "relative": existing_path, "made": output_folder}
    given = {"at_home": "~/my photos", "relative": "my photos", "made": "~/new/folder"}
    checked = check_parameters(given, **rules)
    assert checked["at_home"] == checked["relative"].resolve() == tmp_path / "my photos"
    assert checked["made"] == tmp_path / "new/folder" and checked["made"].is_dir()


def test_a_folder_below_a_file_or_read_only_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "below", "/proc/nothing-can-be-made-here"):
        with pytest.raises(ParameterError, match=re.escape(str(place))):
            check_parameters({"run_dir": str(place)}, run_dir=output_folder)


@pytest.mark.parametrize("rule", [existing_path, output_folder, output_file, data_folder])
def test_no_path_is_not_the_current_folder(tmp_path, monkeypatch, rule):
    monkeypatch.chdir(tmp_path)
    for nothing in (None, "", " "):
        with pytest.raises(ParameterError, match="place: a path is needed"):
            check_parameters({"place": nothing}, place=rule)
    assert not list(tmp_path.iterdir())  # such as a folder called None


def test_a_data_folder_in_another_layout_gets_its_name_and_the_cure(tmp_path):
    shutil.copy(SAMPLES / "DIV2K_valid_HR/0801.png", tmp_path)
    long = tmp_path / ("z" * 300)
    for place, cure in {
        tmp_path: "make course",
        tmp_path / "0801.png": "is a file",
        SAMPLES / "DIV2K_train_HR": f"the folder above, {SAMPLES}",
        long: "there is no",
    }.items():
        with pytest.raises(ParameterError) as caught:
            check_parameters({"data_dir": str(place)}, data_dir=data_folder)
        assert str(place) in str(caught.value) and cure in str(caught.value)


def test_a_file_to_write(tmp_path):
    target = tmp_path / "new" / "large.png"
    assert check_parameters({"output": str(target)}, output=output_file)["output"] == target
    assert target.parent.is_dir() and not target.exists()
    too_long = tmp_path / f"{'写' * 90}.png"
    for place in (tmp_path, too_long, "/proc/nothing-can-be-made-here/large.png"):
        with pytest.raises(ParameterError):
            check_parameters({"output": str(place)}, output=output_file)


def test_the_courses_own_folders_are_found_from_anywhere(tmp_path, monkeypatch):
    for folder, text in ((tmp_path, "../data/sample"), (ROOT, "../../data/sample")):
        monkeypatch.chdir(folder)
        assert check_parameters({"data_dir": text}, data_dir=data_folder)["data_dir"] == SAMPLES
    copy = tmp_path / "copy" / "notebooks"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    assert output_folder("../runs/latest").resolve() == tmp_path / "copy/runs/latest"


def test_photographs_by_name(tmp_path):
    for part in ("train", "valid"):
        (tmp_path / f"DIV2K_{part}_HR" / "trip").mkdir(parents=True)
    shutil.copy(SAMPLES / "DIV2K_train_HR/0001.png", tmp_path / "DIV2K_train_HR")
    (tmp_path / "DIV2K_valid_HR" / "broken.png").write_bytes(b"no picture")
    for name in ("sea.png", "trip/beach 2.png"):
        shutil.copy(SAMPLES / "DIV2K_valid_HR/0801.png", tmp_path / "DIV2K_valid_HR" / name)

    def find(data_dir, name):
        return check_parameters({"photo": name}, photo=photo_in(str(data_dir), "0805"))["photo"]

    valid = SAMPLES / "DIV2K_valid_HR"
    assert find(SAMPLES, "0803") == find(SAMPLES, 803) == find(SAMPLES, "0803.png")
    assert find(SAMPLES, "0803") == valid / "0803.png"
    assert find(tmp_path, "trip/beach 2") == tmp_path / "DIV2K_valid_HR/trip/beach 2.png"
    assert (
        find(tmp_path, "0805").name == find(tmp_path, 805).name == "sea.png"
    )  # the first that can be read
    with pytest.raises(ParameterError, match="0999"):
        find(SAMPLES, "0999")
    with pytest.raises(ParameterError) as caught:
        find(tmp_path, "lake")
    assert "sea" in str(caught.value) and "0805" not in str(caught.value)  # there is no 0805
    for file in tmp_path.glob("DIV2K_valid_HR/**/*.png"):
        file.write_bytes(b"no picture")
    with pytest.raises(ParameterError, match="can be read"):
        find(tmp_path, "0805")


def test_a_misspelt_name_from_papermill_is_refused(tmp_path):
    """Papermill itself only warns."""
    notebook = nbformat.v4.new_notebook()
    parameters = nbformat.v4.new_code_cell("scale = 4", metadata={"tags": ["parameters"]})
    check = nbformat.v4.new_code_cell(
        "from srlib.data import check_parameters\n"
        "globals().update(check_parameters(globals(), scale=(2, 3, 4)))\n"
        "assert scale == 2"
    )
    notebook.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "3"}
    notebook.cells = [parameters, check]
    nbformat.write(notebook, tmp_path / "in.ipynb")
    run = {"kernel_name": "python3", "progress_bar": False, "cwd": tmp_path}
    paths = (str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb"))
    papermill.execute_notebook(*paths, {"scale": "2"}, **run)
    with pytest.raises(papermill.PapermillExecutionError, match="scalle"):
        papermill.execute_notebook(*paths, {"scale": 2, "scalle": 2}, **run)
