"""Pairing by what is there: names and folders as people have them, and names that must not be paired."""

from pathlib import Path

import pytest

from srlib.data.pairing import pair_files, split_of, split_sides

NUMBERS = [f"{n:04}" for n in range(1, 31)]
WORDS = ["baby", "bird", "butterfly", "head", "woman"]


def paths(names):
    return [Path(f"{name}.png") for name in names]


def paired(hr, lr, scale=4):
    """The pairs as (HR, LR) names, and how many are left alone on each side."""
    found = pair_files(paths(hr), paths(lr), scale=scale)
    pairs = {(str(a.with_suffix("")), str(b.with_suffix(""))) for a, b in found.pairs}
    return pairs, len(found.hr_alone), len(found.lr_alone)


AFFIXES = {  # names, and patterns of HR and LR names
    "as they are": (NUMBERS, "*", "*"),
    "official": (NUMBERS, "*", "*x4"),
    "with a line": (NUMBERS, "*", "*_x4"),
    "upper case": (NUMBERS, "*", "*X4"),
    "mild": (NUMBERS, "*", "*x4m"),
    "scale first": (WORDS, "*", "4x_*"),
    "scale last": (WORDS, "*", "*4x"),
    "endings": (NUMBERS, "*_HR", "*_LR"),
    "beginnings and an ending": (NUMBERS, "hr_*", "lr_*_x4"),
    "of SRBench": (NUMBERS, "img_*_SRF_4_HR", "img_*_SRF_4_LR"),
    "of Urban100": (NUMBERS, "img_*_HR", "img_*_LRBICX4"),
    "gt and lq": (WORDS, "*_gt", "*_lq"),
    "large and low": (WORDS, "*_large", "*_low"),
    "a prefix of LR": (WORDS, "*", "photo-*"),
    "a year before HR": (NUMBERS, "2021_*", "*"),
    "an unknown ending": (WORDS, "*", "*_made by me"),
    "marks of regular expressions": (WORDS, "*", "*(x4)"),
    "other letters": (["été", "水", "Ж"], "*", "*x4"),
}


@pytest.mark.parametrize("kind", AFFIXES)
def test_words_around_the_names(kind):
    names, hr, lr = AFFIXES[kind]
    expected = {(hr.replace("*", name), lr.replace("*", name)) for name in names}
    hr_files, lr_files = zip(*sorted(expected), strict=True)
    assert paired(hr_files, lr_files) == (expected, 0, 0)
    alone = hr_files[2]
    missing = set(sorted(expected)[2:3])
    assert paired(hr_files, [name for name in lr_files if (alone, name) not in expected]) == (
        expected - missing,
        1,
        0,
    )
    assert paired(hr_files[:2] + hr_files[3:], lr_files) == (expected - missing, 0, 1)


@pytest.mark.parametrize("hr, lr", [("*_HR_*", "*_LR_*"), ("*_*", "*_small_*")])
def test_words_in_the_middle(hr, lr):
    expected = {
        (hr.replace("*", a, 1).replace("*", b), lr.replace("*", a, 1).replace("*", b))
        for a in WORDS
        for b in "12"
    }
    assert paired([a for a, _ in expected], [b for _, b in expected]) == (expected, 0, 0)


NO_PARTNERS = {
    "other pictures": (NUMBERS[:10], NUMBERS[10:20]),
    "other pictures x4": (NUMBERS[:10], [f"{n}x4" for n in NUMBERS[10:20]]),
    "one letter": (["cat"], ["rat"]),
    "other meaning": (["summer1", "summer2"], ["winter1", "winter2"]),
    "other cameras": ([f"DSC_{n}" for n in NUMBERS], [f"IMG_{n}" for n in NUMBERS]),
    "other splits": (["train_1_HR", "train_2_HR"], ["valid_1_LR", "valid_2_LR"]),
    "a single pair of other splits": (["train_HR"], ["valid_LR"]),
    "a single pair": (["city_HR"], ["night_LR"]),
    "digits": (["1", "2", "3"], ["14", "24", "34"]),
    "other folders": (["train/HR/1", "train/HR/2"], ["valid/LR/1", "valid/LR/2"]),
}


@pytest.mark.parametrize("kind", NO_PARTNERS)
def test_names_that_are_no_partners(kind):
    hr, lr = NO_PARTNERS[kind]
    assert paired(hr, lr) == (set(), len(hr), len(lr))


FOLDERS = {
    "kaggle": ("DIV2K_{}_HR/DIV2K_{}_HR/", "DIV2K_{}_LR_unknown/X4/DIV2K_{}_LR_unknown/X4/"),
    "unzip -d": ("DIV2K_{}_HR/DIV2K_{}_HR/", "DIV2K_{}_LR_bicubic_X4/DIV2K_{}_LR_bicubic/X4/"),
    "lower case": ("{}/hr/", "{}/lr/x4/"),
    "inside": ("HR/{}/", "LRx4/{}/"),
    "BSD": ("{}HR/", "{}LRx4/"),
    "one level more": ("downloads/{}/HR/", "LR/X4/{}/"),
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_folders_as_they_are_unpacked(kind):
    hr, lr = (text.replace("{}", "%(split)s") for text in FOLDERS[kind])
    expected = {
        (hr % {"split": split} + name, lr % {"split": split} + f"{name}x4")
        for split in ("train", "valid") for name in NUMBERS[:3]
    }  # fmt: skip
    files = paths([*(a for a, _ in expected), *(b for _, b in expected)])
    hr_files, lr_files = split_sides(files, scale=4)
    assert {str(path.with_suffix("")) for path in hr_files} == {a for a, _ in expected}
    assert paired([p.with_suffix("") for p in hr_files], [p.with_suffix("") for p in lr_files]) == (
        expected,
        0,
        0,
    )


def test_folders_of_other_depth():
    assert paired(["1", "2"], ["LR/X4/1", "LR/X4/2"])[1:] == (0, 0)
    assert paired(["a/1", "a/2"], ["1x4", "2x4"])[1:] == (0, 0)
    same = ["a/1", "a/2", "b/1", "b/2"]
    assert paired(same, [f"{name}x4" for name in same]) == (
        {(name, f"{name}x4") for name in same},
        0,
        0,
    )
    assert paired(same, ["1x4", "2x4"])[0] == set()  # whose they are cannot be known


def test_several_scales_in_one_folder():
    assert paired(NUMBERS, [f"{name}x2" for name in NUMBERS]) == (set(), len(NUMBERS), 0)
    lr = [f"{name}x{scale}" for name in NUMBERS for scale in (2, 3, 4)]
    assert paired(NUMBERS, lr) == ({(name, f"{name}x4") for name in NUMBERS}, 0, 0)
    assert paired(NUMBERS, [f"X{scale}/{name}" for name in NUMBERS for scale in (2, 3, 4)])[1:] == (
        0,
        0,
    )


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_photographs_named_like_scales(scale):
    """LR images of these names as `create_low_res_images_recursive` makes them."""
    names = ["0801", "0801x2", "0001x4", "x4", "x3", "IMG 0001"]
    assert paired(names, names, scale=scale) == ({(name, name) for name in names}, 0, 0)


def test_spelling_that_differs():
    assert paired(["IMG_1", "IMG_2"], ["img_1_x4", "img_2_x4"])[1:] == (0, 0)
    assert paired(["e\u0301te\u0301", "b"], ["\u00e9t\u00e9", "b"])[1:] == (
        0,
        0,
    )  # as macOS and as others write it
    assert paired(["a", "A"], ["a", "A"]) == ({("a", "a"), ("A", "A")}, 0, 0)
    assert paired(["कि", "का"], ["किx4", "काx4"]) == ({("कि", "किx4"), ("का", "काx4")}, 0, 0)


def test_a_few_lr_images_of_many():
    """One word that all names of a side have, of which the other side knows nothing, is not enough."""
    hr = [f"IMG_{number}" for number in NUMBERS]
    for few in (hr[:1], hr[:2], hr[10:12]):
        lr = [f"{name}x4" for name in few]
        assert paired(hr, lr) == (set(zip(few, lr, strict=True)), len(hr) - len(few), 0)


def test_four_lr_images_for_each_hr_image():
    """DIV2K's wild track, of which three are left over."""
    lr = [f"{name}x4w{number}" for name in NUMBERS for number in (1, 2, 3, 4)]
    assert paired(NUMBERS, lr)[1:] == (0, 3 * len(NUMBERS))


@pytest.mark.parametrize(
    ("files", "lr"),
    [
        (["photos/1", "photos_x4/1"], ["photos_x4/1"]),
        (["target/1", "input/1"], ["input/1"]),
        (["photos/1", "photos_LR/1"], ["photos_LR/1"]),
        (["HR/1", "LR/1", "notes/1"], ["LR/1"]),
        (["Set5/X4/HR/1", "Set5/X4/LR/1", "Set5/X2/HR/1", "Set5/X2/LR/1"], ["Set5/X4/LR/1"]),
        (["1", "2", "3", "lr_test"], []),
        (["1_HR", "1_LR", "2_HR", "2_LR"], []),
        (["x264/1", "x264/2"], []),
        (["a_HR/1", "a_LR_bicubic/X4/1", "a_LR_unknown/X4/1"], ["a_LR_bicubic/X4/1"]),
        (["a_HR/1", "a_LR_unknown/X4/1"], ["a_LR_unknown/X4/1"]),
        (["project_x3/1", "project_x3/2"], []),
    ],
)
def test_sides(files, lr):
    hr_files, lr_files = split_sides(paths(files), scale=4)
    assert lr_files == paths(lr)
    assert not {
        path for path in hr_files if "X2" in path.parts or "notes" in path.parts or path in lr_files
    }


def test_splits():
    folders = ["DIV2K_train_HR", "trainHR", "validation/hr", "val", "test/a", "values", "x"]
    assert [split_of(Path(folder, "1.png")) for folder in folders] == [
        "train",
        "train",
        "val",
        "val",
        "test",
        "",
        "",
    ]


def test_a_large_data_set_is_paired_quickly():
    names = [f"{number:06}" for number in range(5000)]
    expected = {(name, f"{name}_small") for name in names}
    assert paired(names, [f"{name}_small" for name in names]) == (expected, 0, 0)
