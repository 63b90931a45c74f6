import pytest
from PIL import Image

from srlib.data.benchmarks import find_benchmarks
from srlib.errors import DataError


def place(folder, names, size):
    folder.mkdir(parents=True)
    for name in names:
        Image.new("RGB", size).save(folder / f"{name}.png")


def test_finds_every_layout(tmp_path):
    place(tmp_path / "Set5/X4/HR", ["a", "b"], (16, 12))
    place(tmp_path / "Set5/X4/LR", ["a", "b"], (4, 3))
    place(tmp_path / "benchmark/B100/HR", ["c"], (17, 12))
    place(tmp_path / "benchmark/B100/LR_bicubic/X4", ["cx4"], (4, 3))
    place(tmp_path / "benchmark/B100/LR_bicubic/X2", ["cx2"], (8, 6))
    place(tmp_path / "Set14/GTmod12", ["zebra"], (24, 12))  # BasicSR's
    place(tmp_path / "Urban100/original", ["d"], (17, 12))  # KAIR's
    for scale in (2, 3, 4):
        place(tmp_path / f"Set14/LRbicx{scale}", ["zebra"], (24 // scale, 12 // scale))
        place(tmp_path / f"Urban100/LRbicx{scale}", ["d"], (16 // scale, 12 // scale))
    place(tmp_path / "DIV2K_valid_HR", ["0801"], (16, 12))
    place(tmp_path / "DIV2K_valid_LR_bicubic/X4", ["0801x4"], (4, 3))
    sets = find_benchmarks(tmp_path, scale=4)
    assert {name: pairs.names for name, pairs in sets.items()} == {
        "Set5": ["a", "b"],
        "Set14": ["zebra"],
        "B100": ["c"],
        "Urban100": ["d"],
        "DIV2K": ["0801"],
    }
    assert sets["B100"][0].hr.shape == (12, 16, 3)
    assert list(find_benchmarks(tmp_path / "benchmark", scale=2)) == ["B100"]


def test_finds_what_matlab_made(benchmarks):
    assert {name: len(pairs) for name, pairs in find_benchmarks(benchmarks, scale=3).items()} == {
        "Set5": 5,
        "Set14": 14,
    }


def test_says_what_is_missing(tmp_path):
    with pytest.raises(DataError, match=r"None of Set5, .* for scale 4"):
        find_benchmarks(tmp_path, scale=4)
    place(tmp_path / "Set5/HR", ["a"], (16, 12))
    with pytest.raises(DataError, match="There is no LR folder of scale 4 for"):
        find_benchmarks(tmp_path, scale=4)
