from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch
from conftest import SAMPLES
from PIL import Image

from srlib.data import DataError, Pair, PairedImages, PairedPatches, create_low_res_images_recursive, jpeg_round_trip
from srlib.images import read_image, write_image
from srlib.resize import imresize


@pytest.fixture
def hr_tree(tmp_path, photo):
    """HR/0001.png, HR/deep/er/0002.jpg (odd-sized) and HR/deep/gray.png"""
    root = tmp_path / "HR"
    (root / "deep" / "er").mkdir(parents=True)
    write_image(root / "0001.png", photo)
    Image.fromarray(photo[:95, :118]).save(root / "deep" / "er" / "0002.jpg")
    write_image(root / "deep" / "gray.png", np.ascontiguousarray(photo[..., 0]))
    (root / "notes.txt").write_text("not a picture")
    return root


def tree(folder) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_tree_is_mirrored(hr_tree, tmp_path, photo):
    seen = []
    report = create_low_res_images_recursive(hr_tree, tmp_path / "LR", on_progress=lambda *p: seen.append(p))
    assert sorted(report.written) == ["0001.png", "deep/er/0002.png", "deep/gray.png"] == list(tree(tmp_path / "LR"))
    assert not report.failed and not report.skipped and str(report) == "3 written, 0 already there, 0 failed"
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert np.array_equal(read_image(tmp_path / "LR" / "0001.png").rgb, imresize(photo, 1 / 4))
    assert read_image(tmp_path / "LR" / "deep" / "er" / "0002.png").size == (95 // 4, 118 // 4)
    assert read_image(tmp_path / "LR" / "deep" / "gray.png").mode == "L"


def test_a_second_run_skips_and_a_third_overwrites(hr_tree, tmp_path):
    create_low_res_images_recursive(hr_tree, tmp_path / "LR", 2)
    first = tree(tmp_path / "LR")
    (tmp_path / "LR" / "0001.png").unlink()
    again = create_low_res_images_recursive(hr_tree, tmp_path / "LR", 2)
    assert again.written == ["0001.png"] and len(again.skipped) == 2
    assert tree(tmp_path / "LR") == first
    assert len(create_low_res_images_recursive(hr_tree, tmp_path / "LR", 2, overwrite=True).written) == 3


def test_another_scale_is_not_mistaken_for_done(hr_tree, tmp_path):
    create_low_res_images_recursive(hr_tree, tmp_path / "LR", 2)
    before = tree(tmp_path / "LR")
    report = create_low_res_images_recursive(hr_tree, tmp_path / "LR", 4)
    assert len(report.failed) == 3 and "overwrite=True" in report.failed["0001.png"]
    assert tree(tmp_path / "LR") == before


def test_bad_files_are_reported_and_the_rest_goes_on(hr_tree, tmp_path):
    whole = (hr_tree / "0001.png").read_bytes()
    (hr_tree / "cut.png").write_bytes(whole[: len(whole) // 2])
    (hr_tree / "notes.png").write_text("not a picture")
    Image.new("RGB", (3, 30)).save(hr_tree / "thin.png")
    Image.new("RGB", (30, 30)).save(hr_tree / "0001.bmp")
    report = create_low_res_images_recursive(hr_tree, tmp_path / "LR")
    assert sorted(report.written) == ["deep/er/0002.png", "deep/gray.png"]
    assert sorted(report.failed) == ["0001.bmp", "0001.png", "cut.png", "notes.png", "thin.png"]
    assert "damaged or incomplete" in report.failed["cut.png"]
    assert "not a picture" in report.failed["notes.png"]
    assert "smaller than 4" in report.failed["thin.png"]
    assert "rename one" in report.failed["0001.bmp"]
    assert not list((tmp_path / "LR").rglob("*.part"))


def test_processes_make_the_same_files(hr_tree, tmp_path):
    create_low_res_images_recursive(hr_tree, tmp_path / "threads")
    with ProcessPoolExecutor(2) as executor:
        create_low_res_images_recursive(hr_tree, tmp_path / "processes", executor=executor)
    assert tree(tmp_path / "threads") == tree(tmp_path / "processes")


def test_pillow_is_another_downscaler(hr_tree, tmp_path):
    create_low_res_images_recursive(hr_tree, tmp_path / "LR", method="pillow")
    hr, lr = Image.open(hr_tree / "0001.png"), Image.open(tmp_path / "LR" / "0001.png")
    assert np.array_equal(lr, hr.resize((30, 24), Image.Resampling.BICUBIC))


def test_bad_requests(hr_tree, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures in"):
        create_low_res_images_recursive(tmp_path / "empty", tmp_path / "LR")
    with pytest.raises(DataError, match="no folder"):
        create_low_res_images_recursive(tmp_path / "nowhere", tmp_path / "LR")
    with pytest.raises(DataError, match="same folder"):
        create_low_res_images_recursive(hr_tree, hr_tree)
    with pytest.raises(ValueError, match="2, 3, 4 or 8"):
        create_low_res_images_recursive(hr_tree, tmp_path / "LR", 5)
    with pytest.raises(ValueError, match="matlab, pillow"):
        create_low_res_images_recursive(hr_tree, tmp_path / "LR", method="nearest")


def test_pairs_by_name(hr_tree, tmp_path, photo):
    create_low_res_images_recursive(hr_tree, tmp_path / "LR")
    pairs = PairedImages(hr_tree, tmp_path / "LR", scale=4)
    assert [p.name for p in pairs] == ["0001", "deep/er/0002", "deep/gray"] and len(pairs) == 3
    hr, lr, _ = pairs[1]
    assert hr.shape == (92, 116, 3) and lr.shape == (23, 29, 3)
    assert pairs[2].hr.ndim == 2


def test_pairs_in_div2ks_official_layout(tmp_path, photo):
    for folder, name, image in (("HR", "0801.png", photo), ("LR", "0801x4.png", photo[:24, :30])):
        (tmp_path / folder).mkdir()
        write_image(tmp_path / folder / name, image)
    assert PairedImages(tmp_path / "HR", tmp_path / "LR", scale=4).names == ["0801"]


def test_pairs_that_do_not_fit(hr_tree, tmp_path):
    create_low_res_images_recursive(hr_tree, tmp_path / "LR", 2)
    with pytest.raises(DataError, match="that is not scale 4"):
        PairedImages(hr_tree, tmp_path / "LR", scale=4)[0]
    (tmp_path / "LR" / "0001.png").unlink()
    with pytest.raises(DataError, match=r"0001: only in one of"):
        PairedImages(hr_tree, tmp_path / "LR", scale=2)


def test_jpeg_is_pillows(photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "a.jpg", quality=40)
    assert np.array_equal(jpeg_round_trip(photo, 40), Image.open(tmp_path / "a.jpg"))
    assert jpeg_round_trip(photo[..., 0], 40).ndim == 2


def coordinates(height: int, width: int, image: int) -> np.ndarray:
    """An image whose pixels say where they are: (row, column, image)."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([rows, columns, np.full_like(rows, image)]).astype(np.uint8)


@pytest.fixture
def marked():
    pairs = []
    for number, (height, width) in enumerate([(20, 31), (12, 9)]):
        lr = coordinates(height, width, number)
        pairs.append(Pair(lr.repeat(3, 0).repeat(3, 1), lr, str(number)))
    return pairs


@pytest.mark.parametrize("augment", [True, False])
def test_patches_are_where_they_say_and_fit_each_other(marked, augment):
    patches = PairedPatches(marked, scale=3, patch_size=15, augment=augment, seed=1)
    kinds, images = set(), set()
    for step in range(20):
        lr, hr = patches.batch(step, 8)
        assert lr.shape == (8, 3, 5, 5) and hr.shape == (8, 3, 15, 15) and lr.dtype == torch.float32
        assert torch.equal(hr[:, :, 1::3, 1::3], lr)  # the pair is turned together
        for patch in (lr * 255).round().int():
            assert len(patch[2].unique()) == 1
            images.add(patch[2, 0, 0].item())
            rows, columns = (sorted(patch[i].unique().tolist()) for i in (0, 1))
            assert rows == list(range(rows[0], rows[0] + 5)) and columns == list(range(columns[0], columns[0] + 5))
            kinds.add(tuple((patch[:2, 0, 0] - patch[:2, 4, 4]).tolist()) + tuple((patch[:2, 0, 4] - patch[:2, 4, 0]).tolist()))
    assert images == {0, 1}
    assert len(kinds) == (8 if augment else 1)


def test_batches_depend_on_seed_and_step_alone(marked):
    a, b = (PairedPatches(marked, scale=3, patch_size=15, seed=7) for _ in range(2))
    a.batch(0, 4)
    assert all(torch.equal(x, y) for x, y in zip(a.batch(5, 4), b.batch(5, 4), strict=True))
    other = PairedPatches(marked, scale=3, patch_size=15, seed=8)
    assert not torch.equal(other.batch(5, 4)[0], b.batch(5, 4)[0])


def test_every_position_is_equally_likely(marked):
    patches = PairedPatches(marked, scale=3, patch_size=15, augment=False)
    lr, _ = patches.batch(0, 4000)
    share = (lr[:, 2, 0, 0] == 0).float().mean().item()
    positions = [16 * 27, 8 * 5]
    assert share == pytest.approx(positions[0] / sum(positions), abs=0.02)


def test_patches_refuse(marked):
    with pytest.raises(ValueError, match="multiple of the scale"):
        PairedPatches(marked, scale=3, patch_size=16)
    with pytest.raises(ValueError, match="smaller patch_size"):
        PairedPatches(marked, scale=3, patch_size=30)
    with pytest.raises(ValueError, match="is not 2 times"):
        PairedPatches(marked, scale=2, patch_size=8)
    with pytest.raises(ValueError, match="no image pairs"):
        PairedPatches([], scale=2, patch_size=8)


def test_the_samples_are_as_credited():
    credits = (SAMPLES / "CREDITS.md").read_text()
    files = sorted(SAMPLES.rglob("*.png"))
    assert len(files) >= 16 and sum(f.stat().st_size for f in files) < 12e6
    for file in files:
        assert f"{file.stem}.png" in credits or file.stem in credits
        with Image.open(file) as image:
            assert image.mode == "RGB" and min(image.size) >= 500 and max(image.size) <= 1000
