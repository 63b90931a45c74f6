"""Mistakes made on purpose, each found by its name, and tasks that only look like mistakes."""

import warnings

import numpy as np
import pytest
from conftest import SAMPLES
from scipy.ndimage import gaussian_filter

from srlib.data import PairedImages
from srlib.data.pairs import Pair
from srlib.images import Degradation
from srlib.images.picture import read_image
from srlib.images.resize import imresize
from srlib.training.checks import TrainingError, check_pairs

PHOTOS = {
    p.stem: read_image(p).rgb[40:424, 40:424]
    for p in sorted((SAMPLES / "DIV2K_train_HR").glob("*.png"))[:3]
}


def pairs(change=lambda lr: lr, *, scale=4, hr_change=lambda hr: hr) -> list[Pair]:
    """Pairs of 384 pixels made by MATLAB's bicubic, each then changed."""
    return [
        Pair(hr_change(hr), np.ascontiguousarray(change(imresize(hr, 1 / scale))), name)
        for name, hr in PHOTOS.items()
    ]


MISTAKES = {
    "values from 0 to 1 had been cast": lambda lr: (lr / 255).round().astype(np.uint8),
    "float32 values up to 0.898.*uint8, 0 to 255": lambda lr: (lr / 255).astype(np.float32),
    "float32 values up to 229.*uint8, 0 to 255": lambda lr: lr.astype(np.float32),
    "order BGR": lambda lr: lr[..., ::-1],
    "order GBR": lambda lr: lr[..., [1, 2, 0]],
    "LR is mirrored": lambda lr: lr[:, ::-1],
    "LR is upside down": lambda lr: lr[::-1],
    "turned by 180": lambda lr: lr[::-1, ::-1],
    "turned by 90 degrees clockwise": lambda lr: np.rot90(lr, -1),
    "turned by 90 degrees counterclockwise": lambda lr: np.rot90(lr),
    "rows and columns": lambda lr: lr.swapaxes(0, 1),
    r"LR is shifted; move it \+4 HR pixels down and -8 to the right": lambda lr: np.roll(
        lr, (-1, 2), (0, 1)
    ),
    "LR was enlarged already": lambda lr: imresize(lr, 4),
    "LR and HR are exchanged": lambda lr: imresize(lr, 16),
    "that is scale 2, not 4": lambda lr: imresize(lr, 2),
    "that is not 4 times; crop HR": lambda lr: lr[:, 1:],
}


@pytest.mark.parametrize("named", MISTAKES)
def test_a_mistake_is_named(named):
    with pytest.raises(TrainingError, match=named):
        check_pairs(pairs(MISTAKES[named]), scale=4, kind="training")


@pytest.mark.parametrize("by", [1, -1])
def test_a_photograph_on_its_side(by):
    """Not square, so that its sizes do not fit: as when the EXIF orientation was heeded for one of the two."""
    turned = [pair._replace(hr=pair.hr[:240], lr=np.rot90(pair.lr[:60], by)) for pair in pairs()]
    with pytest.raises(
        TrainingError,
        match="384 x 240 pixels and LR 60 x 96: one of them lies on its side; turn it by 90",
    ):
        check_pairs(turned, scale=4, kind="training")


@pytest.mark.parametrize("scale", [2, 4])
def test_a_shift_of_hr_is_found(scale):
    """Half an LR pixel, as when HR was cropped at another place than LR."""
    moved = pairs(scale=scale, hr_change=lambda hr: np.roll(hr, (scale // 2, 0), (0, 1)))
    with pytest.raises(TrainingError, match=r"LR is shifted; move it [-+]\d"):
        check_pairs(moved, scale=scale, kind="training")


def test_pictures_of_something_else():
    mixed = pairs()
    others = [pair._replace(lr=mixed[(i + 1) % len(mixed)].lr) for i, pair in enumerate(mixed)]
    with pytest.raises(TrainingError, match="LR shows other pictures than HR"):
        check_pairs(others, scale=4, kind="validation")


def test_no_pairs():
    with pytest.raises(TrainingError, match="no validation pairs"):
        check_pairs([], scale=4, kind="validation")


TASKS = {
    "matlab": lambda lr: lr,
    "darker": lambda lr: lr // 2,
    "gray": lambda lr: np.repeat(lr.mean(2, keepdims=True).astype(np.uint8), 3, axis=2),
    "blur": lambda lr: gaussian_filter(lr, (1.5, 1.5, 0)),
    "noise": lambda lr: (
        (lr + np.random.default_rng(0).normal(0, 50, lr.shape)).clip(0, 255).astype(np.uint8)
    ),
}


@pytest.mark.parametrize("task", TASKS)
def test_what_a_network_may_learn_passes(task):
    check_pairs(pairs(TASKS[task]), scale=4, kind="training")


def test_bright_pictures_made_dark_pass():
    check_pairs(
        pairs(lambda lr: lr // 4, hr_change=lambda hr: 192 + hr // 4), scale=4, kind="training"
    )


@pytest.mark.parametrize("quality", [5, 40])
@pytest.mark.parametrize("method", ["matlab", "pillow"])
def test_degraded_pictures_pass(quality, method):
    degradation = Degradation(2, method, blur=1.0, noise=5.0, jpeg_quality=quality)
    check_pairs(
        PairedImages(SAMPLES / "DIV2K_valid_HR", None, scale=2, make_lr=degradation),
        scale=2,
        kind="validation",
    )


def test_simple_downscalers_pass():
    """Every fourth pixel: shifted by three eighths of an LR pixel, which a network can learn."""
    check_pairs(
        [Pair(hr, hr[::4, ::4], name) for name, hr in PHOTOS.items()], scale=4, kind="training"
    )


def test_what_matlab_made_passes(benchmarks):
    for folder in ("Set5", "Set14"):
        found = PairedImages(
            benchmarks / folder / "X4" / "HR", benchmarks / folder / "X4" / "LR", scale=4
        )
        check_pairs(found, scale=4, kind="validation")


def test_gray_and_even_pictures_pass():
    even = Pair(np.full((64, 64, 3), 90, np.uint8), np.full((16, 16, 3), 90, np.uint8), "even")
    gray = [
        pair._replace(hr=pair.hr[..., 1], lr=imresize(pair.hr[..., 1], 1 / 4)) for pair in pairs()
    ]
    check_pairs([even, *gray], scale=4, kind="training")


def test_flat_pictures_say_nothing_against_a_set():
    """A page of one colour may be darker than its HR image, and has neither a likeness nor a place."""
    flat = [
        Pair(
            np.full((64, 64, 3), level, np.uint8),
            np.full((16, 16, 3), level // 2, np.uint8),
            f"{level}",
        )
        for level in (90, 180, 250)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_pairs(flat, scale=4, kind="training")
        check_pairs([flat[0], *pairs(), flat[1]], scale=4, kind="training")
    with pytest.raises(TrainingError, match="LR is mirrored"):
        check_pairs([flat[0], *pairs(lambda lr: lr[:, ::-1])], scale=4, kind="training")
    one_flat = [pair._replace(lr=np.full_like(pair.lr, 128)) for pair in pairs()]
    check_pairs(
        one_flat, scale=4, kind="training"
    )  # LR without any detail is no likeness to judge by


def test_gray_pairs_and_gray_stored_as_rgb_are_checked_alike():
    gray = [pair._replace(hr=pair.hr[..., 1], lr=pair.lr[:, ::-1, 1]) for pair in pairs()]
    as_rgb = [
        pair._replace(hr=np.dstack([pair.hr] * 3), lr=np.dstack([pair.lr] * 3)) for pair in gray
    ]
    for given in (gray, as_rgb):
        with pytest.raises(TrainingError, match="LR is mirrored"):
            check_pairs(given, scale=4, kind="training")


def test_one_odd_pair_among_many_is_the_data_doctors_affair():
    found = pairs()
    found[2] = found[2]._replace(lr=found[2].lr[..., ::-1])
    check_pairs(found, scale=4, kind="training")
