"""tools/run_course.py, which `make course` runs; test_notebooks.py runs the notebooks themselves."""

import importlib.util

import pytest
from conftest import ROOT, SAMPLES
from photo_files import deep_of, png16, tiff16

from srlib.data import PairedImages, data_folder
from srlib.images import DataError, read_image

SPEC = importlib.util.spec_from_file_location("run_course", ROOT / "tools" / "run_course.py")
run_course = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(run_course)


def album(folder, names):
    """A folder of photographs under these names."""
    photo = SAMPLES / "DIV2K_valid_HR/0801.png"
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(photo.read_bytes())
    return folder


def test_a_folder_of_photographs_is_divided(tmp_path):
    names = [f"trip/IMG {number}.png" for number in range(8)] + ["東京.PNG", "notes.txt"]
    photos = album(tmp_path / "My Photos", names)
    elsewhere = album(tmp_path / "elsewhere", ["linked.png"])
    (photos / "album").symlink_to(elsewhere, target_is_directory=True)
    divided = run_course.in_two_parts(photos, tmp_path / "run" / "photos")
    train, valid = (
        set(PairedImages(divided / part, None, scale=2).names)
        for part in (run_course.TRAIN, run_course.VALID)
    )
    assert not train & valid and len(valid) == 3 and len(train) == 7
    assert {"東京", "album/linked"} <= train | valid
    assert sorted(path.name for path in photos.rglob("*.png")) == sorted(
        f"IMG {number}.png" for number in range(8)
    )


def test_photographs_of_16_bits_become_copies_that_the_lessons_take(tmp_path, photo, capsys):
    photos = album(tmp_path / "scans", ["a.png", "b.png"])
    deep = deep_of(photo, 4)
    files = {"c.png": png16(deep[..., :3]), "d.png": png16(deep[..., :1])}
    files |= {"e.tif": tiff16(deep[..., :3]), "f.tif": tiff16(deep[..., :1])}
    for name, stream in files.items():
        (photos / name).write_bytes(stream.getvalue())
    (photos / "cut.png").write_bytes(files["c.png"].getvalue()[:1000])
    divided = run_course.in_two_parts(photos, tmp_path / "photos")
    found = {path.name: path for path in divided.rglob("*.*")}
    assert found.keys() == {"a.png", "b.png", *files} and "cut.png" in capsys.readouterr().out
    assert data_folder(divided) == divided
    for name in files:
        assert (
            abs(read_image(found[name]).rgb / 255 - read_image(photos / name).rgb / 65535).max()
            < 0.002
        )
        layout = photos / name.replace(".", "_")
        for part in (run_course.TRAIN, run_course.VALID):
            (layout / part).mkdir(parents=True)
            (layout / part / name).write_bytes(files[name].getvalue())
        with pytest.raises(ValueError, match=f"{name} has 16 bits"):
            data_folder(layout)


def test_div2ks_layout_is_taken_as_it_is(tmp_path):
    assert run_course.in_two_parts(SAMPLES, tmp_path / "photos") == SAMPLES
    half = album(tmp_path / "half", ["DIV2K_train_HR/1.png"])  # notebook 01 says what is missing
    assert run_course.in_two_parts(half, tmp_path / "photos") == half
    assert not (tmp_path / "photos").exists()


@pytest.mark.parametrize("names", [["one.png"], ["notes.txt"], []])
def test_too_few_photographs_get_a_sentence_with_the_folder(tmp_path, names):
    folder = album(tmp_path / "few", names)
    with pytest.raises(DataError, match="few"):
        run_course.in_two_parts(folder, tmp_path / "photos")


def test_parameters_as_people_type_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    album(tmp_path, ["my weights.pt", "4", "checkpoints/best", "my photos/x.png"])
    typed = {
        "scale=4": 4,  # though a file is called so
        "model_name=edsr-lite": "edsr-lite",
        "photo=0803": "0803",
        "jpeg_quality=None": None,
        "benchmark_dir=": "",
        "checkpoint=my weights.pt": str(tmp_path / "my weights.pt"),
        "checkpoint=~/checkpoints": str(tmp_path / "checkpoints"),
        "data_dir=my photos": str(tmp_path / "my photos"),
        "data_dir=~/nowhere": str(tmp_path / "nowhere"),
        "title=a=b": "a=b",
    }
    for argument, value in typed.items():
        assert run_course.parse(argument) == (argument.partition("=")[0], value)
    with pytest.raises(SystemExit, match="name=value"):
        run_course.parse("scale")


def test_two_courses_at_once_have_a_folder_each(tmp_path):
    assert len({run_course.new_folder(tmp_path) for _ in range(3)}) == 3
    assert len(list(tmp_path.iterdir())) == 3
