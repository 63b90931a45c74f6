"""The data doctor on folders broken in known ways."""

import os
import re
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srlib.data.doctor import check_dataset
from srlib.data.lr_folders import create_low_res_images_recursive
from srlib.data.pairs import PairedImages
from srlib.errors import DataError
from srlib.images.picture import read_image
from srlib.images.resize import imresize

SIDE = 216


@pytest.fixture(scope="module")
def photos(request) -> list[np.ndarray]:
    """Five pictures of 216 by 216 pixels that show five things."""
    folder = request.config.rootpath / "data" / "sample" / "DIV2K_valid_HR"
    return [
        read_image(folder / f"080{number}.png").rgb[150 : 150 + SIDE, 200 : 200 + SIDE].copy()
        for number in range(1, 6)
    ]


def save(path: Path, image: np.ndarray, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)


@pytest.fixture
def root(tmp_path, photos) -> Path:
    """A good data set in DIV2K's official layout at scale 4: 0001 to 0003 to train, 0801 and 0802 to validate."""
    for number, photo in zip((1, 2, 3, 801, 802), photos, strict=True):
        split = "train" if number < 800 else "valid"
        save(tmp_path / f"DIV2K_{split}_HR" / f"{number:04}.png", photo)
        save(
            tmp_path / f"DIV2K_{split}_LR_bicubic" / "X4" / f"{number:04}x4.png",
            imresize(photo, 1 / 4),
        )
    return tmp_path


def only(root: Path, problem: str, severity: str, scale: int = 4) -> tuple[str, ...]:
    """The files of the finding with this in its problem; there must be no other finding."""
    report = check_dataset(root, scale=scale)
    assert [problem in found for found in report.findings["problem"]] == [True], str(report)
    (finding,) = report.findings.itertuples()
    assert finding.severity == severity and finding.effect and finding.fix
    return finding.files


def files_by_problem(root: Path) -> dict[str, tuple[str, ...]]:
    findings = check_dataset(root, scale=4).findings
    return dict(zip(findings["problem"], findings["files"], strict=True))


def test_nothing_to_find(root):
    calls = []
    report = check_dataset(
        root, scale=4, on_progress=lambda done, total: calls.append((done, total))
    )
    assert report.findings.empty and report.ok and report.pictures == 10
    assert list(report.findings) == ["severity", "problem", "files", "effect", "fix"]
    assert calls == [(done, 10) for done in range(1, 11)]


@pytest.mark.parametrize(
    "hr_dir, lr_dir",
    [("DIV2K_train_HR", "DIV2K_train_LR/X4"), ("train/hr", "train/lr"), ("HR", "LR_small/X4")],
)
def test_other_layouts(tmp_path, photos, hr_dir, lr_dir):
    for name, photo in zip("abc", photos, strict=False):
        save(tmp_path / hr_dir / f"{name}.png", photo)
        save(tmp_path / lr_dir / f"{name}.png", imresize(photo, 1 / 4))
    assert check_dataset(tmp_path, scale=4).findings.empty
    (tmp_path / lr_dir / "b.png").unlink()
    assert only(tmp_path, "no LR image", "error") == (f"{hr_dir}/b.png",)


def test_hr_alone(tmp_path, photos):
    save(tmp_path / "holiday.png", photos[0])
    assert only(tmp_path, "no LR folder of this scale", "info") == ("holiday.png",)
    assert check_dataset(tmp_path, scale=4).ok


def test_names_that_do_not_pair(root):
    (root / "DIV2K_train_HR/0002.png").unlink()
    assert only(root, "no HR image", "error") == ("DIV2K_train_LR_bicubic/X4/0002x4.png",)


def test_one_name_twice(root, photos):
    save(root / "DIV2K_train_HR/0001.bmp", photos[0][::-1].copy())
    assert only(root, "differ only in their suffix", "error") == (
        "DIV2K_train_HR/0001.bmp and DIV2K_train_HR/0001.png",
    )


def test_wrong_size_and_other_picture(root, photos):
    lr = root / "DIV2K_train_LR_bicubic/X4"
    save(lr / "0001x4.png", imresize(photos[0], 1 / 3))
    assert only(root, "are not 1/4", "error") == (
        "DIV2K_train_LR_bicubic/X4/0001x4.png (72 x 72 for 216 x 216)",
    )
    save(lr / "0001x4.png", photos[0])
    assert only(root, "enlarged already", "error")
    save(lr / "0001x4.png", imresize(photos[3], 1 / 4))
    assert only(root, "show something other", "error") == ("DIV2K_train_LR_bicubic/X4/0001x4.png",)


def test_lr_and_hr_exchanged(tmp_path, photos):
    """The cure is to swap them: LR images made again from these HR images would be of 13 pixels."""
    for number, photo in enumerate(photos):
        save(tmp_path / "LR" / f"{number}.png", photo)
        save(tmp_path / "HR" / f"{number}.png", imresize(photo, 1 / 4))
    findings = check_dataset(tmp_path, scale=4).findings
    (error,) = findings[findings["severity"] == "error"].itertuples()
    assert "exchanged" in error.problem and "wap" in error.fix and len(error.files) == 5


@pytest.mark.parametrize("extra", [(1, 3), (0, 1), (2, 0)])  # rows and columns
def test_sides_that_are_no_multiple(root, photos, extra):
    larger = np.pad(photos[0], [*((0, count) for count in extra), (0, 0)], "edge")
    save(root / "DIV2K_train_HR/0001.png", larger)
    assert only(root, "not multiples of 4", "info") == ("DIV2K_train_HR/0001.png",)


def test_small_pictures(root, photos):
    save(root / "DIV2K_train_HR/0001.png", photos[0][:188])
    save(root / "DIV2K_train_LR_bicubic/X4/0001x4.png", imresize(photos[0][:188], 1 / 4))
    assert only(root, "smaller than a patch of 192", "warning") == ("DIV2K_train_HR/0001.png",)


def test_alpha_gray_and_16_bit(root, photos):
    hr = root / "DIV2K_train_HR"
    save(hr / "0001.png", np.dstack([photos[0], np.full((SIDE, SIDE), 128, np.uint8)]))
    assert only(root, "alpha", "warning") == ("DIV2K_train_HR/0001.png",)
    gray = photos[0][..., 1].copy()
    save(hr / "0001.png", gray)
    save(root / "DIV2K_train_LR_bicubic/X4/0001x4.png", imresize(gray, 1 / 4))
    assert only(root, "gray", "warning") == (
        "DIV2K_train_HR/0001.png",
        "DIV2K_train_LR_bicubic/X4/0001x4.png",
    )
    save(hr / "0001.png", gray.astype(np.uint16) * 257)
    deep = files_by_problem(root)
    assert deep["Images have 16 bits per channel."] == ("DIV2K_train_HR/0001.png",)


def test_jpeg_by_format_and_by_its_traces(root, photos):
    lr = root / "DIV2K_train_LR_bicubic/X4"
    save(lr / "a.jpg", imresize(photos[1], 1 / 4), quality=70)
    save(lr / "0002x4.png", np.asarray(Image.open(lr / "a.jpg")))
    (lr / "a.jpg").unlink()
    (lr / "0003x4.png").unlink()
    save(lr / "0003x4.jpg", imresize(photos[2], 1 / 4), quality=85)
    assert only(root, "JPEG", "warning") == tuple(
        f"DIV2K_train_LR_bicubic/X4/{n}" for n in ("0002x4.png", "0003x4.jpg")
    )


def test_another_downscaler(root, photos):
    for number, photo in zip((1, 2, 3), photos, strict=False):
        lr = Image.fromarray(photo).resize((SIDE // 4, SIDE // 4), Image.Resampling.BICUBIC)
        lr.save(root / f"DIV2K_train_LR_bicubic/X4/000{number}x4.png")
    assert len(only(root, "made by pillow, not by MATLAB's", "warning")) == 3


def test_leaks_and_copies(root, photos):
    """Copies are told by their pixels, not their bytes; a copy that was compressed or resized is nearly the same."""
    for name, severity, split, number, make in [
        ("The same image is in two splits", "error", "valid", "0803", lambda image: image),
        (
            "Nearly the same image is in two splits",
            "warning",
            "valid",
            "0803",
            lambda image: image.convert("YCbCr").convert("RGB"),
        ),
        ("The same image occurs twice", "warning", "train", "0004", lambda image: image),
        (
            "Images are nearly the same",
            "info",
            "train",
            "0004",
            lambda image: image.resize((400, 400), Image.Resampling.LANCZOS),
        ),
    ]:
        hr = make(Image.fromarray(photos[1]))
        files = [
            root / f"DIV2K_{split}_HR/{number}.png",
            root / f"DIV2K_{split}_LR_bicubic/X4/{number}x4.png",
        ]
        hr.save(files[0], compress_level=1)
        save(files[1], imresize(np.asarray(hr), 1 / 4))
        (found,) = only(root, name, severity)
        assert "DIV2K_train_HR/0002.png" in found and number in found
        for file in files:
            file.unlink()


def test_damaged_and_empty(root):
    whole = root / "DIV2K_train_HR/0002.png"
    whole.write_bytes(whole.read_bytes()[:9000])
    (found,) = only(root, "cannot be read", "error")
    assert found == "DIV2K_train_HR/0002.png"
    shutil.rmtree(root / "DIV2K_train_HR")
    (root / "DIV2K_train_HR").mkdir()
    problems = files_by_problem(root)
    assert len(problems["LR images have no HR image of the same name."]) == 3


def test_not_a_data_set(tmp_path):
    assert only(tmp_path / "nowhere", "There is no folder", "error")
    (tmp_path / "notes.txt").write_text("nothing")
    assert only(tmp_path, "There are no ", "error")
    with pytest.raises(ValueError, match="whole number"):
        check_dataset(tmp_path, scale=1)


def test_the_report_reads_well(root):
    (root / "DIV2K_train_HR/0002.png").rename(root / "DIV2K_train_HR/<b>.png")
    report = check_dataset(root, scale=4)
    text = str(report)
    assert text.startswith(
        f"{root}, scale 4: 10 images; 2 errors, 0 warnings, 0 info.\n\nERROR: HR images have no LR"
    )
    assert "  files:  DIV2K_train_HR/<b>.png\n  effect: " in text and "\n  fix:    " in text
    assert max(map(len, text.splitlines()[1:])) <= 100
    assert ">DIV2K_train_HR/&lt;b&gt;.png</td>" in report._repr_html_()


def test_the_shared_pairs_are_in_order(benchmarks):
    report = check_dataset(benchmarks / "Set5", scale=4)
    assert report.ok and report.pictures == 10
    assert list(report.findings["problem"]) == ["LR images were made by MATLAB's older bicubic."]


def relaid(root: Path, hr: str, lr: str) -> Path:
    """The data set of `root` under other names, with "{split}" and "{n}" in the paths."""
    for file in sorted(root.rglob("*.png")):
        split = "train" if "train" in str(file) else "valid"
        pattern = lr if "_LR_" in str(file) else hr
        target = root / "new" / pattern.format(split=split, n=file.stem.removesuffix("x4"))
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    return root / "new"


LAYOUTS = {
    "kaggle": (
        "DIV2K_{split}_HR/DIV2K_{split}_HR/{n}.png",
        "DIV2K_{split}_LR_bicubic/X4/{n}x4.png",
    ),
    "unzip -d": (
        "{split}/hr/DIV2K_{split}_HR/{n}.png",
        "{split}/lr/DIV2K_{split}_LR_bicubic/X4/{n}x4.png",
    ),
    "lower case": ("{split}_hr/{n}.png", "{split}_lr_mild/x4/{n}x4m.png"),
    "prefixes": ("{split}_HR/hr_{n}.png", "{split}_LR/lr_{n}_x4.png"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_pairs_as_the_loader_does(root, layout):
    """The doctor and PairedImages agree, on a good data set and on one that lacks an LR image."""
    hr, lr = LAYOUTS[layout]
    new = relaid(root, hr, lr)
    report = check_dataset(new, scale=4)
    assert report.ok and report.pictures == 10, str(report)
    folders = [
        (new / pattern.format(split="train", n="")).parents[pattern.count("/") - 1]
        for pattern in (hr, lr)
    ]
    if layout == "unzip -d":
        folders = [new / "train" / "hr", new / "train" / "lr"]
    assert len(PairedImages(*folders, scale=4)) == 3
    (new / lr.format(split="train", n="0002")).unlink()
    assert only(new, "no LR image", "error") == (hr.format(split="train", n="0002"),)
    with pytest.raises(DataError, match=r"HR images have no LR image .*0002"):
        PairedImages(*folders, scale=4)


def test_a_whole_side_without_partners_is_a_question_of_names(root):
    """Nothing is advised that would cost an image; names of one kind pair them."""
    new = relaid(root, "{split}_HR/summer {n}.png", "{split}_LR/winter {n}.png")
    findings = check_dataset(new, scale=4).findings
    assert findings["severity"].tolist() == ["error", "error"]
    assert [len(files) for files in findings["files"]] == [5, 5]
    assert "rename the LR images" in findings["fix"][1]
    with pytest.raises(DataError, match=r"summer 0001\.png with winter 0001\.png .*one name"):
        PairedImages(new / "train_HR", new / "train_LR", scale=4)
    for file in new.glob("*_LR/*.png"):
        file.rename(file.with_name(file.name.replace("winter", "summer")))
    assert check_dataset(new, scale=4).ok
    assert len(PairedImages(new / "train_HR", new / "train_LR", scale=4)) == 3


def test_advice_costs_no_image(root, photos):
    """In a folder with all faults at once, no fix deletes or overwrites."""
    hr = root / "DIV2K_train_HR"
    lr = root / "DIV2K_train_LR_bicubic" / "X4"
    (root / "DIV2K_test_HR").mkdir()
    shutil.copy(hr / "0001.png", root / "DIV2K_valid_HR" / "0810.png")
    shutil.copy(hr / "0001.png", hr / "0004.bmp")
    save(hr / "0004.png", photos[3][:50, :50])
    save(hr / "0005.png", np.dstack([photos[3][..., 1]] * 2 + [photos[3]])[..., :4])
    (hr / "0006.png").write_text("not an image")
    save(lr / "0009x4.jpg", photos[4])
    save(lr / "0001x4.png", imresize(photos[3], 1 / 4))
    save(lr / "0002x4.png", photos[3][:7, :7])
    findings = check_dataset(root, scale=4).findings
    assert len(findings) >= 9
    for fix in findings["fix"]:
        assert not re.search(r"(?i)delet|remov|overwrit|discard|clear", fix), fix


def test_sizes_that_were_rounded_up(root, photos):
    hr = np.pad(photos[0], [(0, 3), (0, 1), (0, 0)], "edge")
    save(root / "DIV2K_train_HR/0001.png", hr)
    lr = np.pad(imresize(photos[0], 1 / 4), [(0, 1), (0, 1), (0, 0)], "edge")
    save(root / "DIV2K_train_LR_bicubic/X4/0001x4.png", lr)
    report = check_dataset(root, scale=4)
    assert report.ok and len(report.findings) == 2
    assert files_by_problem(root)["The sizes of LR images were rounded up."] == (
        "DIV2K_train_LR_bicubic/X4/0001x4.png",
    )
    pair = PairedImages(root / "DIV2K_train_HR", root / "DIV2K_train_LR_bicubic" / "X4", scale=4)[0]
    assert np.array_equal(pair.hr, photos[0]) and np.array_equal(pair.lr, lr[:-1, :-1])


def huge_png() -> bytes:
    """A PNG whose header claims 60,000 x 60,000 pixels."""
    size = struct.pack(">II", 60_000, 60_000) + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", size), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    )


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a\x01\x00", b"II*\0" + b"\xff" * 40, huge_png()]
)
def test_the_trouble_of_one_file_is_one_line(root, content):
    file = root / "DIV2K_train_HR/0002.png"
    file.write_bytes(content)
    assert only(root, "0002.png", "error") == ("DIV2K_train_HR/0002.png",)


def test_a_folder_as_people_have_it(tmp_path, photos):
    """JPEGs among spaces and hidden folders, one broken, some in a folder that is linked twice."""
    hr = tmp_path / "my photos" / "HR"
    names = ["IMG_1234.JPG", "a b (1).jpeg", "été.png", "0007.tif"]
    for name, photo in zip(names, photos, strict=False):
        save(hr / name, photo)
    save(tmp_path / "other disk" / "1.png", photos[4])
    (hr / "link").symlink_to(tmp_path / "other disk")
    (hr / "again").symlink_to(tmp_path / "other disk")
    (hr / "loop").symlink_to(hr)
    for hidden in (".ipynb_checkpoints/1.png", "@eaDir/IMG_1234.JPG/thumb.png", "._été.png"):
        save(hr / hidden, photos[0])
    (hr / "broken.jpg").write_bytes((hr / "IMG_1234.JPG").read_bytes()[:400])
    report = create_low_res_images_recursive(hr, hr.parent / "LR" / "X4", 4)
    assert len(report.written) == 5 and list(report.failed) == ["broken.jpg"]
    findings = check_dataset(hr.parent, scale=4).findings
    assert findings["severity"].tolist() == ["error", "info"]
    assert findings["files"][0] == ("HR/broken.jpg",)
    passed_over = ("._été.png", ".ipynb_checkpoints", "@eaDir", "link", "loop")
    assert sorted(findings["files"][1]) == sorted(f"HR/{name}" for name in passed_over)
    assert "2 hidden" in findings["problem"][1]
    with pytest.warns(UserWarning, match=r"broken\.jpg is left out"):
        pairs = PairedImages(hr, hr.parent / "LR" / "X4", scale=4)
    assert sorted(path.name for path, _ in pairs.files) == sorted([*names, "1.png"])
    assert all(pair.hr.shape[0] == SIDE for pair in pairs)


def test_progress_may_cancel(root):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_dataset(root, scale=4, on_progress=stop)


def test_names_that_are_not_utf8_can_be_shown(tmp_path, photos):
    root = tmp_path / os.fsdecode(b"gr\xfcn")
    save(root / "HR" / os.fsdecode(b"\xfc.png"), photos[0])
    report = check_dataset(root, scale=4)
    for text in (str(report), report._repr_html_()):
        assert "\\udcfcn" in text and text.encode()
