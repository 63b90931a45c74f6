"""The PSNR doctor on right pictures and on pictures broken in known ways."""

import io
import re
import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import shift
from skimage.color import rgb2ycbcr

from srlib.data import Pair, PairedImages
from srlib.images.downscalers import DOWNSCALERS
from srlib.images.picture import read_image
from srlib.images.resize import imresize
from srlib.metrics import PROTOCOLS
from srlib.metrics.doctor import diagnose
from srlib.metrics.faults import CHANNEL_ORDERS, ORIENTATIONS
from srlib.model.edsr import EDSR
from srlib.training.checks import TrainingError, check_pairs
from srlib.upscaling.enlarge import super_resolve
from srlib.zoo.checkpoints import load_pretrained

SCALE = 4


def rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)


def framed(sr: np.ndarray) -> np.ndarray:
    black = np.zeros_like(sr)
    black[8:-8, 8:-8] = sr[8:-8, 8:-8]
    return black


# the start of the sentence -> what was done to a right SR picture
FAULTS = {
    "SR has its channels in the order BGR": lambda sr: sr[..., ::-1],
    "SR has its channels in the order GRB": lambda sr: sr[..., [1, 0, 2]],
    "SR has values from 0 to 1": lambda sr: sr / 255,
    "SR has values that wrapped around": lambda sr: ((sr.astype(int) - 128) * 10 // 9 + 128).astype(
        np.uint8
    ),
    "SR is shifted: move it +0 HR pixels down and -1 to the right": lambda sr: np.roll(sr, 1, 1),
    "SR is shifted: move it +2 HR pixels down and -3 to the right": lambda sr: np.roll(
        sr, (-2, 3), (0, 1)
    ),
    "SR is shifted: move it -0.5 HR pixels down and -0.5": lambda sr: rounded(
        shift(sr * 1.0, (0.5, 0.5, 0), order=1, mode="nearest")
    ),
    "SR is wrong along its border: drop at least 8": framed,
    "SR is Y alone": lambda sr: rounded(rgb2ycbcr(sr)[..., 0]),
    "SR is YCbCr taken for RGB": lambda sr: rounded(rgb2ycbcr(sr)),
    "SR has the range 16 to 235": lambda sr: rounded(sr * (219 / 255) + 16),
    "SR is turned by 180 degrees": lambda sr: np.rot90(sr, 2),
    "SR has its rows and columns exchanged": lambda sr: sr.swapaxes(0, 1),
    "SR is too dark or too bright": lambda sr: rounded(
        sr - 255 * np.array([0.4488, 0.4371, 0.404])
    ),
}
DESTRUCTIVE = (
    "SR is too dark",
    "SR has values that wrapped",
)  # of these little noise may be left to be named


@pytest.fixture(scope="module")
def lite() -> EDSR:
    return load_pretrained("edsr-lite", SCALE)


@pytest.fixture(scope="module")
def triple(request, lite) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """SR, HR and LR of a piece of a sample photograph."""
    folder = request.config.rootpath / "data" / "sample" / "DIV2K_valid_HR"
    hr = read_image(folder / "0801.png").rgb[152:296, 240:440].copy()
    lr = imresize(hr, 1 / SCALE)
    return super_resolve(lr, lite), hr, lr


def given_back(sentence: str) -> float:
    return float(re.search(r"gives back (-?[\d.]+) dB", sentence)[1])


def as_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


@pytest.mark.parametrize("fault", FAULTS)
def test_names_the_fault(triple, fault):
    sr, hr, lr = triple
    answers = diagnose(FAULTS[fault](sr), hr, lr)
    assert answers and answers[0].startswith(fault), answers
    if not fault.startswith(DESTRUCTIVE):
        assert len(answers) == 1, answers


def test_what_it_gives_back_is_measured(triple):
    """BGR costs nothing that RGB does not give back; the amount is the difference of two PSNR."""
    sr, hr, lr = triple
    inner = {"scale": 8}  # the doctor looks at what is 2 * scale pixels from the edge
    difference = PROTOCOLS["rgb"].psnr(sr, hr, **inner) - PROTOCOLS["rgb"].psnr(
        sr[..., ::-1], hr, **inner
    )
    assert given_back(diagnose(sr[..., ::-1], hr, lr)[0]) == pytest.approx(difference, abs=0.006)


def test_two_faults_are_both_named_largest_first(triple):
    sr, hr, lr = triple
    answers = diagnose(np.roll(sr[..., ::-1], 2, 0), hr, lr)
    assert {answer.split(" ")[0] for answer in answers} == {"SR"}
    assert given_back(answers[0]) > given_back(answers[1])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_silent_on_a_right_picture(photo, scale):
    hr = photo[: 96 // scale * scale]
    lr = imresize(hr, 1 / scale)
    for sr in (imresize(lr, scale), super_resolve(lr, load_pretrained("edsr-lite", scale))):
        assert diagnose(sr, hr, lr) == []
    assert diagnose(hr, hr, lr) == []


@pytest.mark.parametrize("program", ["opencv", "pillow-lanczos"])
def test_names_the_program_that_made_lr(triple, lite, program):
    _, hr, _ = triple
    lr = DOWNSCALERS[program](hr, SCALE)
    answers = diagnose(super_resolve(lr, lite), hr, lr)
    assert (
        any(answer.startswith(f"LR was made by {program}:") for answer in answers)
        and len(answers) == 1
    ), answers


def test_names_jpeg_in_lr(triple, lite):
    _, hr, lr = triple
    lr = as_jpeg(lr, 50)
    answers = diagnose(super_resolve(lr, lite), hr, lr)
    assert len(answers) == 1 and answers[0].startswith("LR was stored as JPEG (quality 50)"), (
        answers
    )
    assert given_back(answers[0]) > 0.3


def test_a_wrong_res_scale_is_worse_than_bicubic(triple, lite):
    _, hr, lr = triple
    wrong = EDSR(replace(lite.config, res_scale=lite.config.res_scale * 4))
    wrong.load_state_dict(lite.state_dict())
    answers = diagnose(super_resolve(lr, wrong), hr, lr)
    assert (
        len(answers) == 1
        and answers[0].startswith("SR is worse than bicubic")
        and "res_scale" in answers[0]
    )


def test_a_model_of_another_scale(triple):
    _, hr, lr = triple
    half = super_resolve(lr, load_pretrained("edsr-lite", 2))
    assert diagnose(half, hr, lr)[0].startswith("SR is 2 times LR, not 4 times")


def test_gray_sr_of_a_colour_picture_and_the_other_way_round(triple):
    """Gray stored as RGB is gray; RGB against a gray HR is compared as it is."""
    sr, hr, lr = triple
    y = rounded(rgb2ycbcr(sr)[..., 0])
    stored_as_rgb = np.repeat(y[..., None], 3, axis=2)
    assert diagnose(y, hr, lr) == diagnose(stored_as_rgb, hr, lr) != []
    gray = np.repeat(sr[..., 1:2], 3, axis=2)
    assert diagnose(gray, hr[..., 1].copy(), lr[..., 1].copy()) == []


def test_a_picture_that_is_not_finite(triple):
    sr, hr, lr = triple
    with pytest.raises(ValueError, match="not finite"):
        diagnose(np.where(sr == 0, np.nan, sr), hr, lr)


def test_a_flat_picture(triple):
    """No shift, no correlation and no noise to go by, and no warning of a division by zero."""
    flat = np.full((96, 96, 3), 200, np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert diagnose(flat, flat, flat[::4, ::4]) == []
        (answer,) = diagnose(np.full_like(flat, 170), flat, flat[::4, ::4])
    assert answer.startswith("SR is too dark or too bright")


@pytest.mark.parametrize("fault", [*ORIENTATIONS, *CHANNEL_ORDERS], ids=lambda fault: fault.name)
def test_the_doctor_and_the_pair_check_name_one_fault_alike(triple, fault):
    """One list: an SR image, and the LR image of a pair, broken in one way, are named in one way."""
    sr, hr, lr = (image[:144, :144] for image in triple)
    lr = lr[:36, :36]
    undone_is_done = {"clockwise": 3, "counterclockwise": 1}.get(fault.name.split()[-1])

    def broken(image):
        if fault in CHANNEL_ORDERS:
            return image[..., ["RGB".index(channel) for channel in fault.name[-3:]]]
        return np.rot90(image, undone_is_done) if undone_is_done else fault.undo(image)

    assert diagnose(broken(sr), hr, lr)[0].startswith(f"SR {fault.name}: {fault.advice}")
    with pytest.raises(TrainingError, match=f"LR {fault.name}; {fault.advice}"):
        check_pairs([Pair(hr, broken(lr), "a")], scale=SCALE, kind="training")


def test_gray(triple):
    sr, hr, lr = (image[..., 1].copy() for image in triple)
    assert diagnose(sr, hr, lr) == []
    assert diagnose(np.roll(sr, 1, 0), hr, lr)[0].startswith(
        "SR is shifted: move it -1 HR pixels down"
    )


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"lr": np.zeros((20, 9, 3), np.uint8)}, ValueError, "are they one picture"),
        ({"hr": np.zeros((144, 200, 3))}, TypeError, "HR has float64 values, not uint8: clamp"),
        (
            {"hr": np.zeros((144, 200, 3), np.uint16)},
            TypeError,
            "HR has uint16 .* copies of 8 bits",
        ),
        ({"sr": np.zeros((144, 200, 4))}, ValueError, r"SR has the shape \(144, 200, 4\)"),
        (
            {"lr": np.zeros((36, 50, 1), np.uint8)},
            ValueError,
            r"LR has the shape \(36, 50, 1\)",
        ),
        ({"sr": Image.new("RGB", (200, 144))}, TypeError, "SR is a PIL"),
    ],
)
def test_says_what_is_wrong_with_the_call(triple, change, error, says):
    sr, hr, lr = triple
    with pytest.raises(error, match=says):
        diagnose(**({"sr": sr, "hr": hr, "lr": lr} | change))


@cache
def middles_of_set5(benchmarks, scale):
    """The middle of each picture: as telling as the whole of it, and many times faster."""
    folder = benchmarks / "Set5" / f"X{scale}"
    side = 120 // scale
    middles = []
    for hr, lr, name in PairedImages(folder / "HR", folder / "LR", scale=scale):
        top, left = ((size - side) // 2 for size in lr.shape[:2])
        large = hr[top * scale : (top + side) * scale, left * scale : (left + side) * scale]
        middles.append((large, lr[top : top + side, left : left + side], name))
    return middles


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_silent_on_set5(benchmarks, scale):
    model = load_pretrained("edsr-lite", scale)
    for hr, lr, name in middles_of_set5(benchmarks, scale):
        for sr in (imresize(lr, scale, border="replicate"), super_resolve(lr, model)):
            assert diagnose(sr, hr, lr) == [], name


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault != "SR has its rows and columns exchanged"]
)
def test_names_the_fault_on_set5(benchmarks, lite, fault):
    for hr, lr, name in middles_of_set5(benchmarks, SCALE):
        answers = diagnose(FAULTS[fault](super_resolve(lr, lite)), hr, lr)
        assert answers and answers[0].startswith(fault), (name, answers)


@pytest.mark.parametrize("side", [0, 4])
def test_a_picture_without_a_middle_is_refused(side):
    lr = np.zeros((side, side, 3), np.uint8)
    hr = np.full((SCALE * side, SCALE * side, 3), 90, np.uint8)
    with pytest.raises(ValueError, match=r"More than 16 pixels|are they one picture"):
        diagnose(hr, hr, lr)
