"""The network that is taken where none is named: by the picture, its size and the machine."""

import numpy as np
import pytest
from PIL import Image

from srlib.images.picture import read_image
from srlib.upscaling import choose_checkpoint, cost, precision, upscale, upscale_to_tiff
from srlib.zoo import load_pretrained, recommend_checkpoint

CLEAN = "edsr-baseline-srlib"  # where there is time
SIZES = {"small": (96, 128), "a screen": (339, 510), "a phone's": (3000, 4000)}


@pytest.fixture
def machine(monkeypatch):
    """Sets the speed of the machine: billions of multiply-accumulates a second."""

    def set_speed(gigamacs):
        trial = {"float32": 1e-9 / gigamacs, "bfloat16": 1e-9 / gigamacs}
        for room in (cost, precision):
            monkeypatch.setattr(room, "trial", lambda n_feats, device: trial)
        monkeypatch.setattr(cost.torch, "get_num_threads", lambda: 1)

    return set_speed


@pytest.fixture
def files(tmp_path, photo):
    lr = photo[:64, :64]
    Image.fromarray(lr).save(tmp_path / "clean.png")
    Image.fromarray(lr).save(tmp_path / "web.jpg", quality=60)
    return tmp_path


@pytest.mark.parametrize(
    ("gigamacs", "size", "name"),
    [
        (100, "small", CLEAN),
        (100, "a screen", CLEAN),
        (100, "a phone's", "edsr-lite"),
        (10, "a screen", "edsr-lite"),
        (10_000, "a phone's", CLEAN),
    ],
)
def test_a_clean_picture_gets_the_best_network_within_ten_seconds(
    machine, files, gigamacs, size, name
):
    machine(gigamacs)
    choice = choose_checkpoint(files / "clean.png", 4, SIZES[size], device="cpu")
    assert choice.name == name
    assert recommend_checkpoint(files / "clean.png", 4).reason in choice.reason
    assert (CLEAN in choice.reason and "seconds" in choice.reason) == (name == "edsr-lite")


def test_a_jpeg_gets_the_network_for_jpegs_at_any_size(machine, files):
    machine(10_000)
    for size in SIZES.values():
        choice = choose_checkpoint(files / "web.jpg", 4, size, device="cpu")
        assert choice == recommend_checkpoint(files / "web.jpg", 4)
        assert choice.name == "edsr-lite-photo"


def test_eight_passes_take_eight_times_as_long(machine, files):
    machine(100)
    size = SIZES["a screen"]
    picture = files / "clean.png"
    eight = choose_checkpoint(picture, 4, size, self_ensemble=True, device="cpu")
    assert eight.name == "edsr-lite"
    known = recommend_checkpoint(picture, 4)
    assert choose_checkpoint(known, 4, size, self_ensemble=True, device="cpu") == eight


@pytest.mark.parametrize(
    ("gigamacs", "file", "name"),
    [
        (1e6, "clean.png", CLEAN),
        (1e-3, "clean.png", "edsr-lite"),
        (1, "web.jpg", "edsr-lite-photo"),
    ],
)
def test_upscale_takes_that_network_and_logs_why(machine, files, caplog, gigamacs, file, name):
    machine(gigamacs)
    for scale in (2, 3.5):
        model = load_pretrained(name, 2 if scale == 2 else 4)
        expected = upscale(files / file, model, scale=scale, device="cpu").rgb
        caplog.clear()
        with caplog.at_level("INFO", "srlib.upscaling"):
            made = upscale(files / file, scale=scale, device="cpu")
        assert f"{name}, because" in caplog.text
        assert np.array_equal(made.rgb, expected)
    if file == "clean.png":
        for picture in (read_image(files / file).array, Image.open(files / file)):
            rgb = np.asarray(upscale(picture, scale=3.5, device="cpu"))
            assert np.array_equal(rgb, expected)


def test_a_tiff_in_strips_is_made_by_the_same_network(machine, files):
    machine(1e6)
    target = upscale_to_tiff(files / "clean.png", files / "large.tif", device="cpu")
    expected = upscale(files / "clean.png", load_pretrained(CLEAN, 4), device="cpu")
    assert np.array_equal(read_image(target).rgb, expected.rgb)
