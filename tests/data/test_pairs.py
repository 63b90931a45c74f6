"""Pairs by name, in the layouts people have, and LR images made as needed."""

import os

import numpy as np
import pytest
from PIL import Image

from srlib.data.lr_folders import create_low_res_images_recursive
from srlib.data.pairing import find_lr_dir
from srlib.data.pairs import Pair, PairedImages, detailed_half, same_photos, size_fault
from srlib.data.pixel_cache import memory_map
from srlib.errors import DataError
from srlib.images.degrade import Degradation
from srlib.images.picture import write_image
from srlib.images.resize import imresize


def put(root, *files: str, size=(8, 8)):
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (90, 60, 30)).save(root / file)


def test_pairs_by_name(tmp_path, photo):
    put(tmp_path, "LR/0001.png", "LR/deep/er/0002.png", "LR/deep/gray.png", size=(29, 23))
    write_image(tmp_path / "LR" / "0001.png", imresize(photo, 1 / 4))
    put(tmp_path, "HR/deep/er/0002.jpg", size=(118, 95))  # odd-sized
    write_image(tmp_path / "HR" / "0001.png", photo)
    write_image(tmp_path / "HR" / "deep" / "gray.png", np.ascontiguousarray(photo[:92, :116, 0]))
    pairs = PairedImages(tmp_path / "HR", tmp_path / "LR", scale=4)
    assert [p.name for p in pairs] == ["0001", "deep/er/0002", "deep/gray"] and len(pairs) == 3
    assert np.array_equal(pairs[0].hr, photo) and pairs[0].lr.shape == (24, 30, 3)
    assert pairs[1].hr.shape == (92, 116, 3) and pairs[1].lr.shape == (23, 29, 3)
    assert pairs[2].hr.ndim == 2
    as_rgb = PairedImages(tmp_path / "HR", tmp_path / "LR", scale=4, as_rgb=True)
    assert all(p.hr.shape[2:] == p.lr.shape[2:] == (3,) for p in as_rgb)
    assert np.array_equal(as_rgb[2].hr[..., 1], pairs[2].hr)


@pytest.mark.parametrize(
    ("hr_dir", "lr_dir", "ending"),
    [
        ("DIV2K_train_HR", "DIV2K_train_LR_bicubic/X4", "x4"),
        ("DIV2K_train_HR", "DIV2K_train_LR/X4", ""),
        ("hr", "lr", ""),
        ("HR", "LR_bicubic/X4", "x4"),
        ("photos/train_hr", "photos/train_lr/X4", ""),
        ("DIV2K_train_HR", "DIV2K_train_LR_unknown/X4", "x4"),
        ("DIV2K_train_HR", "DIV2K_train_LR_mild", "x4m"),
        ("DIV2K_train_HR", "DIV2K_train_LR_bicubic_X4/DIV2K_train_LR_bicubic/X4", "x4"),
        (
            "DIV2K_train_HR/DIV2K_train_HR",
            "DIV2K_train_LR_bicubic/X4/DIV2K_train_LR_bicubic/X4",
            "x4",
        ),
        ("hr", "lr/x4", "X4"),
        ("trainHR", "trainLRx4", ""),
        ("photos", "photos_x4", "_x4"),
        ("train/high_res", "train/low_res", ""),
        ("train/original", "train/small", "_small"),
        ("DIV2K_train_HR_sub", "DIV2K_train_LR_bicubic/X4_sub", ""),
    ],
)
def test_layouts_in_use(tmp_path, hr_dir, lr_dir, ending):
    put(tmp_path, f"{hr_dir}/0001.png", f"{hr_dir}/b.c.png", size=(8, 8))
    put(tmp_path, f"{lr_dir}/0001{ending}.png", f"{lr_dir}/b.c{ending}.png", size=(2, 2))
    if "X4" in lr_dir:
        put(tmp_path, lr_dir.replace("X4", "X2") + "/other.png")
    found = find_lr_dir(tmp_path / hr_dir, scale=4)
    assert (tmp_path / lr_dir).is_relative_to(found) and len(found.parts) > len(tmp_path.parts)
    assert PairedImages(tmp_path / hr_dir, found, scale=4).names == ["0001", "b.c"]


def test_an_lr_folder_that_is_not_clear(tmp_path):
    put(tmp_path, "a_HR/1.png", "a_LR/X2/1.png")
    with pytest.raises(
        DataError, match=r"no LR folder of scale 4 for .*a_HR, such as .*a_LR_bicubic"
    ):
        find_lr_dir(tmp_path / "a_HR", scale=4)
    put(tmp_path, "a_LR_bicubic/X4/1x4.png")
    assert find_lr_dir(tmp_path / "a_HR", scale=4).parent.name == "a_LR_bicubic"
    put(tmp_path, "a_LR/X4/1.png")
    with pytest.raises(DataError, match="two LR folders"):
        find_lr_dir(tmp_path / "a_HR", scale=4)


def test_bicubic_comes_before_other_tracks(tmp_path):
    put(
        tmp_path,
        "DIV2K_valid_HR/1.png",
        *(f"DIV2K_valid_LR_{t}/X4/1x4.png" for t in ("unknown", "bicubic", "wild")),
    )
    assert find_lr_dir(tmp_path / "DIV2K_valid_HR", scale=4).parent.name == "DIV2K_valid_LR_bicubic"
    for folder in ("missing/hr", "DIV2K_valid_HR/1.png"):
        with pytest.raises(DataError, match="no LR folder of scale 4"):
            find_lr_dir(tmp_path / folder, scale=4)


def test_a_message_names_both_files(tmp_path):
    put(tmp_path, "A/summer_1.png", "A/summer_2.png", size=(8, 8))
    put(tmp_path, "B/winter_1.png", "B/winter_2.png", size=(2, 2))
    with pytest.raises(
        DataError, match=r"summer_1\.png with winter_1\.png .*A, LR in .*B.*one name"
    ) as caught:
        PairedImages(tmp_path / "A", tmp_path / "B", scale=4)
    assert "delete" not in str(caught.value)


def test_lr_in_a_folder_of_hr(tmp_path):
    put(tmp_path, "photos/1.png", "photos/2.png", size=(8, 8))
    put(tmp_path, "photos/LR/X4/1.png", "photos/LR/X4/2.png", size=(2, 2))
    assert PairedImages(tmp_path / "photos", tmp_path / "photos" / "LR" / "X4", scale=4).names == [
        "1",
        "2",
    ]


SIZES = {  # of LR, for HR of 97 x 120 pixels at scale 4
    (24, 30): None, (25, 30): None, (30, 24): "on its side", (26, 30): "not 4 times",
    (23, 30): "not 4 times", (24, 31): "not 4 times", (48, 60): "scale 2, not 4",
    (97, 120): "enlarged", (388, 480): "exchanged",
}  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
def test_sizes_that_are_no_pair(size):
    fault = size_fault((97, 120), size, 4)
    assert SIZES[size] in fault[0] if SIZES[size] else fault is None


def test_names_that_end_like_a_scale(tmp_path):
    put(tmp_path, "hr/a.png", "hr/ax4.png", size=(8, 8))
    put(
        tmp_path,
        "same/a.png",
        "same/ax4.png",
        "official/ax4.png",
        "official/ax4x4.png",
        size=(2, 2),
    )
    pairs = PairedImages(tmp_path / "hr", tmp_path / "same", scale=4)
    assert [lr.name for _, lr in pairs.files] == ["a.png", "ax4.png"]
    with pytest.raises(DataError, match=r"no LR image .* such as a\.png"):  # which is ax4's?
        PairedImages(tmp_path / "hr", tmp_path / "official", scale=4)


def test_pairs_that_do_not_fit(tmp_path):
    put(tmp_path, "HR/0001.png", "HR/0002.png", size=(8, 8))
    put(tmp_path, "LR/0001.png", "LR/0002.png", size=(4, 4))
    with pytest.raises(DataError, match="that is scale 2, not 4"):
        PairedImages(tmp_path / "HR", tmp_path / "LR", scale=4)[0]
    (tmp_path / "LR" / "0001.png").unlink()
    with pytest.raises(
        DataError,
        match=r"HR images have no LR image .*0001.png, while 0002.png pairs with 0002.png: add",
    ):
        PairedImages(tmp_path / "HR", tmp_path / "LR", scale=2)
    put(tmp_path, "HR/0002.jpg")
    with pytest.raises(DataError, match=r"0002.jpg and .*0002.png have the same name"):
        PairedImages(tmp_path / "HR", None, scale=2)


def test_lr_made_as_needed_is_matlabs(benchmarks):
    """All but the border, which MATLAB treated otherwise when these pairs were made."""
    folder = benchmarks / "Set5" / "X4"
    for made, matlab in zip(
        PairedImages(folder / "HR", None, scale=4),
        PairedImages(folder / "HR", folder / "LR", scale=4),
        strict=True,
    ):
        assert np.array_equal(made.hr, matlab.hr) and made.lr.shape == matlab.lr.shape
        assert np.array_equal(made.lr[3:-3, 3:-3], matlab.lr[3:-3, 3:-3])


def test_lr_made_by_a_degradation_is_what_the_folder_would_hold(tmp_path, photo):
    (tmp_path / "HR" / "deep").mkdir(parents=True)
    for name in ("1.png", "deep/2.png"):
        write_image(tmp_path / "HR" / name, photo)
    noisy = Degradation(2, blur=1.0, noise=9.0, jpeg_quality=60)
    create_low_res_images_recursive(tmp_path / "HR", tmp_path / "LR", 2, method=noisy)
    made = PairedImages(tmp_path / "HR", None, scale=2, make_lr=noisy)
    stored = PairedImages(tmp_path / "HR", tmp_path / "LR", scale=2)
    assert all(np.array_equal(a.lr, b.lr) for a, b in zip(made, stored, strict=True))
    assert not np.array_equal(made[0].lr, made[1].lr)


def test_lr_made_another_way(tmp_path, photo):
    (tmp_path / "HR").mkdir()
    write_image(tmp_path / "HR" / "1.png", photo[:95, :119])
    pair = PairedImages(tmp_path / "HR", None, scale=2, make_lr=lambda hr: hr[::2, ::2])[0]
    assert np.array_equal(pair.hr, photo[:94, :118]) and np.array_equal(
        pair.lr, photo[:94:2, :118:2]
    )
    with pytest.raises(DataError, match="enlarged already"):
        PairedImages(tmp_path / "HR", None, scale=2, make_lr=lambda hr: hr)[0]
    with pytest.raises(ValueError, match="not both"):
        PairedImages(tmp_path / "HR", tmp_path / "HR", scale=2, make_lr=lambda hr: hr)
    with pytest.raises(DataError, match=r"1.png is smaller than 200 pixels"):
        PairedImages(tmp_path / "HR", None, scale=200)[0]


def cut(file):
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])


def emptied(file):
    file.write_bytes(b"")


@pytest.fixture
def own_pairs(tmp_path, rng):
    """Five HR files called by number alone, each of one colour, with LR files of one's own."""
    for number in range(1, 6):
        for side, size in (("HR", 32), ("LR", 8)):
            (tmp_path / side).mkdir(exist_ok=True)
            picture = np.full((size, size, 3), 40 * number, np.uint8)
            picture[..., 1] += rng.integers(0, 9, (size, size), np.uint8)  # too much for one chunk
            write_image(tmp_path / side / f"{number}.png", picture)
    return tmp_path


@pytest.mark.parametrize("damage", [cut, emptied])
@pytest.mark.parametrize("file", ["LR/1.png", "LR/3.png", "LR/5.png", "HR/1.png", "HR/4.png"])
def test_a_damaged_file_takes_its_partner_with_it_and_no_other_pair(own_pairs, file, damage):
    damage(own_pairs / file)
    own = PairedImages(own_pairs / "HR", own_pairs / "LR", scale=4)
    made = PairedImages(own_pairs / "HR", None, scale=4)
    message = f"{file[:2]}, {file[3:]} "
    with pytest.warns(UserWarning, match=message):
        inputs = same_photos({"made": made, "own": memory_map(own, cache_dir=own_pairs / "cache")})
    names = [str(number) for number in range(1, 6) if f"/{number}.png" not in file]
    for pairs in inputs.values():
        assert [pair.name for pair in pairs] == names
        for hr, lr, name in pairs:
            assert (hr[..., 0] == 40 * int(name)).all() and (lr[..., 0] == 40 * int(name)).all()
    with pytest.warns(UserWarning, match=message):  # when the files of the map are there already
        assert memory_map(own, cache_dir=own_pairs / "cache").names == names


def test_an_lr_file_of_another_size_is_named_with_its_partner(own_pairs):
    put(own_pairs, "LR/2.png", size=(9, 7))
    pairs = PairedImages(own_pairs / "HR", own_pairs / "LR", scale=4)
    with pytest.raises(DataError, match=r"HR/2\.png.*LR/2\.png has 9 x 7"):
        memory_map(pairs, cache_dir=own_pairs / "cache")


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there")
def test_a_name_that_is_no_text_can_be_written_to_a_table(tmp_path, photo):
    (tmp_path / "HR").mkdir()
    for name in (b"caf\xe9.png", b"caf\xe8.png"):
        write_image(tmp_path / "HR" / os.fsdecode(name), photo)
    pairs = PairedImages(tmp_path / "HR", None, scale=4)
    assert len({name.encode() for name in pairs.names}) == 2
    assert [pair.name for pair in pairs] == pairs.names


def test_the_detailed_half_is_the_half_with_the_detail(rng):
    """Noise fills the right third of one photograph, and all of a gray one; the rest is flat."""
    wide = np.full((64, 192, 3), 90, np.uint8)
    wide[:, 128:] = rng.integers(0, 256, (64, 64, 3))
    gray = rng.integers(0, 256, (64, 64), np.uint8)
    pairs = [Pair(hr, imresize(hr, 1 / 2), name) for hr, name in ((wide, "wide"), (gray, "gray"))]
    pairs.append(Pair(wide[:, :30], pairs[0].lr[:, :15], "small"))
    half = detailed_half(pairs, scale=2, side=32)
    # five tiles of "wide", at 0, 16, 32, 48 and 64, and one of "gray"
    assert sorted(tile.name for tile in half) == ["gray 0 0", "wide 0 48", "wide 0 64"]
    for tile in half:
        assert tile.lr.shape[:2] == (32, 32) and tile.hr.shape[:2] == (64, 64)
    (right,) = (tile for tile in half if tile.name == "wide 0 64")
    assert np.array_equal(right.hr, wide[:, 128:])
    assert np.array_equal(right.lr, pairs[0].lr[:, 64:])
