import json
import math

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from srlib.data import PairedImages
from srlib.images.picture import read_image
from srlib.images.resize import imresize
from srlib.metrics import (
    PROTOCOLS,
    compare,
    evaluate,
    lr_psnr,
    luma,
    psnr,
    ssim,
    summarise,
)

# bicubic on the benchmarks, Y channel (the EDSR paper's table)
PUBLISHED_PSNR = {
    ("Set5", 2): 33.66, ("Set5", 3): 30.39, ("Set5", 4): 28.42,
    ("Set14", 2): 30.24, ("Set14", 3): 27.55, ("Set14", 4): 26.00,
}  # fmt: skip
PUBLISHED_SSIM = {
    ("Set5", 2): 0.9299, ("Set5", 3): 0.8682, ("Set5", 4): 0.8104,
    ("Set14", 2): 0.8688, ("Set14", 3): 0.7742, ("Set14", 4): 0.7027,
}  # fmt: skip


@pytest.fixture
def noisy(photo, rng):
    return np.clip(photo + rng.normal(0, 8, photo.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("case", "expected"), PUBLISHED_PSNR.items())
def test_bicubic_reads_the_published_values(benchmarks, case, expected):
    set_name, scale = case
    folder = benchmarks / set_name / f"X{scale}"
    pairs = PairedImages(folder / "HR", folder / "LR", scale=scale)
    bicubic = {"bicubic": lambda lr: imresize(lr, scale, border="replicate")}
    means = summarise(evaluate(bicubic, pairs, scale=scale, protocol="benchmark-y"))["mean"]
    assert means["bicubic", "psnr"] == pytest.approx(expected, abs=0.02)
    assert means["bicubic", "ssim"] == pytest.approx(
        PUBLISHED_SSIM[case], abs=0.0008
    )  # why not nearer: the next test


@pytest.mark.parametrize(("case", "expected"), PUBLISHED_SSIM.items())
def test_bicubic_as_the_published_ssim_was_made(benchmarks, case, expected):
    """The published cells never saw an LR file: HR's Y in integers was shrunk and enlarged in floats and rounded once.

    uint16 stands in for the floats, with 257 steps to a level.
    """
    set_name, scale = case
    folder = benchmarks / set_name / f"X{scale}"
    scores = []
    for hr, _, _ in PairedImages(folder / "HR", folder / "LR", scale=scale):
        y = np.floor((luma(hr) if hr.ndim == 3 else hr) + 0.5)
        fine = imresize((y * 257).astype(np.uint16), 1 / scale, border="replicate")
        sr = np.floor(imresize(fine, scale, border="replicate") / 257 + 0.5)
        scores.append((psnr(sr, y, border=scale, luma=False), ssim(sr, y, border=0, luma=False)))
    mean_psnr, mean_ssim = np.mean(scores, axis=0)
    assert mean_psnr == pytest.approx(PUBLISHED_PSNR[case], abs=0.02)
    assert mean_ssim == pytest.approx(expected, abs=0.0005)


def test_psnr_of_a_known_error():
    hr = np.full((20, 20, 3), 100, np.uint8)
    assert psnr(hr + np.uint8(5), hr, border=0, luma=False) == pytest.approx(
        20 * math.log10(255 / 5)
    )
    gain = (65.481 + 128.553 + 24.966) / 255  # five levels in all channels are 5 * 219 / 255 in Y
    assert psnr(hr + np.uint8(5), hr, border=0, luma=True) == pytest.approx(
        20 * math.log10(255 / (5 * gain))
    )
    assert psnr(hr, hr, border=3, luma=False) == math.inf


def test_values_are_rounded_as_matlab_rounds():
    """Half a level goes up: MATLAB's round(100.5) is 101, NumPy's is 100."""
    hr = np.full((9, 9), 100.0)
    assert psnr(hr + 0.5, hr, border=0, luma=True, round_luma=True) == pytest.approx(
        48.1308, abs=1e-4
    )
    assert psnr(hr + 0.49, hr, border=0, luma=True, round_luma=True) == math.inf


def test_skimage_protocol_is_skimage(noisy, photo):
    rules = PROTOCOLS["skimage-rgb"]
    assert rules.psnr(noisy, photo, scale=4) == pytest.approx(
        peak_signal_noise_ratio(photo, noisy), abs=1e-9
    )
    assert rules.ssim(noisy, photo, scale=4) == pytest.approx(
        structural_similarity(photo, noisy, channel_axis=-1), abs=1e-9
    )


@pytest.mark.parametrize("shape", [(11, 11), (43, 60), (75, 101, 3)])
def test_ssim_is_skimage_s(shape, rng):
    """Of all sizes, whole strips of rows or not, down to a single window; to 1e-8, by both windows."""
    hr = rng.integers(0, 256, shape).astype(np.uint8)
    sr = np.clip(hr + rng.normal(0, 20, shape), 0, 255).astype(np.uint8)
    axis = -1 if len(shape) == 3 else None
    papers = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    for window, options in (("gaussian", papers), ("uniform", {})):
        theirs = structural_similarity(
            sr.astype(float), hr.astype(float), data_range=255, channel_axis=axis, **options
        )
        assert ssim(sr, hr, border=0, luma=False, window=window) == pytest.approx(theirs, abs=1e-8)
    flat = np.full_like(hr, 7)
    assert ssim(flat, flat, border=0, luma=False) == pytest.approx(1, abs=1e-12)


def test_equal_to_basicsr(request):
    """What basicsr 1.4.2 itself said about the same pictures, stored with its versions."""
    stored = json.loads((request.config.rootpath / "tests/fixtures/basicsr.json").read_text())
    for case in stored["values"]:
        hr = read_image(
            request.config.rootpath / f"data/sample/DIV2K_valid_HR/{case['photo']}.png"
        ).rgb[:192, :240]
        sr = imresize(imresize(hr, 1 / case["scale"]), case["scale"])
        rules = PROTOCOLS[case["protocol"]]
        assert rules.psnr(sr, hr, scale=case["scale"]) == pytest.approx(case["psnr"], abs=1e-4)
        assert rules.ssim(sr, hr, scale=case["scale"]) == pytest.approx(case["ssim"], abs=1e-4)


def test_agreement_with_lr(photo):
    lr = imresize(photo, 1 / 4, border="replicate")
    assert lr_psnr(photo, lr) == math.inf  # the truth agrees with its LR image to the bit
    for ring, counts in ((0, False), (1, False), (2, True)):  # LR pixels from the edge
        changed = lr.copy()
        changed[ring, 5:9] ^= 8
        assert (lr_psnr(photo, changed) < math.inf) == counts
    brighter = np.clip(lr.astype(int) + 3, 0, 255).astype(np.uint8)
    flat = np.full_like(photo, 100)
    assert lr_psnr(flat, flat[::4, ::4] + np.uint8(3)) == pytest.approx(20 * math.log10(255 / 3))
    assert lr_psnr(photo[..., 0], lr[..., 0]) == math.inf and lr_psnr(photo, brighter) < 40
    with pytest.raises(ValueError, match="one picture"):
        lr_psnr(photo, lr[:, 1:])


def test_floats_are_compared_as_they_are(noisy, photo):
    sr = noisy + 0.25
    hr = photo.astype(np.float64)
    own = psnr(sr, hr, border=0, luma=False)
    skimage = peak_signal_noise_ratio(hr, sr, data_range=255)
    assert own == pytest.approx(skimage, abs=1e-9) and own != psnr(
        noisy, photo, border=0, luma=False
    )
    whole = noisy.astype(np.float32)
    assert psnr(whole, photo, border=4, luma=True) == psnr(noisy, photo, border=4, luma=True)
    assert ssim(whole, photo, border=4, luma=True) == ssim(noisy, photo, border=4, luma=True)


def test_luma_is_bt601():
    corners = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0]]], np.uint8)
    assert luma(corners)[0].tolist() == pytest.approx([16, 235, 81.481])


def test_borders_of_the_protocols():
    assert {name: p.border(4) for name, p in PROTOCOLS.items()} == {
        "benchmark-y": 4, "benchmark-y-matlab": 4, "div2k-rgb": 10, "rgb": 4, "skimage-rgb": 0,
    }  # fmt: skip


def test_protocols_disagree_about_one_picture(noisy, photo):
    values = {name: p.psnr(noisy, photo, scale=4) for name, p in PROTOCOLS.items()}
    assert len({round(v, 4) for v in values.values()}) == 5


def test_gray_is_compared_as_it_is(noisy, photo):
    a = noisy[..., 0]
    b = photo[..., 0]
    assert psnr(a, b, border=2, luma=True) == psnr(a, b, border=2, luma=False)
    assert ssim(a, b, border=2, luma=True) == ssim(a, b, border=2, luma=False)
    as_rgb = [np.dstack([image] * 3) for image in (a, b)]
    assert psnr(*as_rgb, border=2, luma=False) == pytest.approx(psnr(a, b, border=2, luma=False))
    assert ssim(*as_rgb, border=2, luma=False) == pytest.approx(ssim(a, b, border=2, luma=False))
    range_of_y = 20 * np.log10(255 / 219)  # the same gray picture reads 1.32 dB more on Y
    assert psnr(*as_rgb, border=2, luma=True) == pytest.approx(
        psnr(a, b, border=2, luma=False) + range_of_y
    )


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda i: i[:-1], ValueError, "one shape"),
        (lambda i: i / 255, ValueError, "multiply it by 255"),
        (lambda i: i.astype(np.uint16), TypeError, "uint16"),
        (lambda i: i, ValueError, "0 x 0 pixels are left"),
    ],
)
def test_says_what_is_wrong(photo, change, error, says):
    border = 60 if says.startswith("0 x 0") else 4
    with pytest.raises(error, match=says):
        psnr(change(photo), photo, border=border, luma=True)


def test_protocols_take_only_uint8(photo):
    with pytest.raises(TypeError, match="clamp"):
        PROTOCOLS["benchmark-y"].psnr(photo.astype(np.float32), photo, scale=4)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (Image.fromarray, TypeError, r"SR is a PIL\.Image\.Image"),
        (lambda i: i.tolist(), TypeError, r"SR is a builtins\.list"),
        (
            lambda i: np.dstack([i, i[..., 0]]),
            ValueError,
            r"SR has the shape \(96, 120, 4\)",
        ),
        (lambda i: i[..., :1], ValueError, r"SR has the shape \(96, 120, 1\)"),
        (lambda i: i[..., 0, 0], ValueError, r"SR has the shape \(96,\)"),
        (lambda i: i[None], ValueError, r"SR has the shape \(1, 96, 120, 3\)"),
        (lambda i: i > 9, TypeError, "SR has bool values"),
    ],
)
def test_a_metric_names_what_it_got(photo, change, error, says):
    """RGBA under "rgb" counted the alpha channel, 1.25 dB for nothing; now even two RGBA images are refused."""
    for measure in (psnr, ssim):
        with pytest.raises(error, match=says):
            measure(change(photo), change(photo), border=0, luma=False)
    for rules in PROTOCOLS.values():
        with pytest.raises(error, match=says):
            rules.psnr(change(photo), photo, scale=4)
    with pytest.raises(error, match=says.replace("SR", "LR")):
        lr_psnr(photo, change(photo))


def test_a_picture_too_small_for_a_metric(photo):
    for measure, side, border in ((psnr, 8, 4), (ssim, 18, 4), (ssim, 10, 0)):
        with pytest.raises(ValueError, match="pixels are left inside a border"):
            measure(photo[:side], photo[:side], border=border, luma=True)


def test_verdicts():
    before = pd.Series({f"{i}": 30 + i / 10 for i in range(12)})
    better = compare(before, before + 0.5)
    assert (
        str(better)
        == "Better: +0.50 dB on average (95 % interval +0.50 to +0.50), 12 of 12 images improved."
    )
    assert str(compare(before, before - 0.1)).startswith("Worse: -0.10 dB")
    mixed = compare(before, before + [0.3, -0.3] * 6)
    assert str(mixed).startswith("No different") and mixed.low < 0 < mixed.high
    shuffled = compare(before, (before + 0.5).iloc[::-1])
    assert shuffled.mean == pytest.approx(0.5)
    with pytest.raises(ValueError, match="same images"):
        compare(before, before.iloc[1:])


def test_equal_pictures_are_no_gain():
    perfect = pd.Series({"a": math.inf, "b": 30.0})
    assert compare(perfect, perfect).mean == 0


def test_tails_and_the_interval_of_the_gain():
    """39 images: the tails are two each; the interval is the textbook one for a normal mean, as far as a bootstrap goes."""
    rng = np.random.default_rng(1)
    bicubic = np.linspace(25, 30, 39)
    gain = rng.normal(0.5, 1.0, 39)
    rows = [
        (f"{i}", m, "psnr", v)
        for m, column in (("bicubic", bicubic), ("ours", bicubic + gain))
        for i, v in enumerate(column)
    ]
    summary = summarise(pd.DataFrame(rows, columns=["image", "method", "metric", "value"]))
    ours = summary.loc[("ours", "psnr")]
    ordered = np.sort(bicubic + gain)
    assert (ours["top5"], ours["bottom5"]) == (
        pytest.approx(ordered[-2:].mean()),
        pytest.approx(ordered[:2].mean()),
    )
    assert ours["above_baseline"] == (gain > 0).mean() and ours["gain"] == pytest.approx(
        gain.mean()
    )
    assert (ours["median"], ours["std"]) == (
        pytest.approx(ordered[19]),
        pytest.approx(ordered.std()),
    )
    half = 1.96 * gain.std(ddof=1) / math.sqrt(39)
    assert (ours["gain_low"], ours["gain_high"]) == (
        pytest.approx(gain.mean() - half, abs=0.1 * half), pytest.approx(gain.mean() + half, abs=0.1 * half)
    )  # fmt: skip
    assert summary.loc[("bicubic", "psnr"), ["gain", "gain_low", "gain_high"]].isna().all()


def test_a_summary_needs_its_baseline():
    table = pd.DataFrame(
        [("a", "ours", "psnr", 30.0)], columns=["image", "method", "metric", "value"]
    )
    with pytest.raises(ValueError, match="'bicubic', is not in the table"):
        summarise(table)


def test_an_empty_lr_is_no_picture(photo):
    with pytest.raises(ValueError, match="whole multiple"):
        lr_psnr(photo, photo[:0])


def test_a_window_that_does_not_exist_is_refused(photo):
    for window in ("Gaussian", "gauss", "", None):
        with pytest.raises(ValueError, match='"gaussian" or "uniform", not '):
            ssim(photo, photo, border=4, luma=True, window=window)


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_a_scale_of_numpy_drops_the_same_border(kind, rng):
    sr, hr = rng.integers(0, 256, (2, 300, 300, 3), dtype=np.uint8)
    for rules in PROTOCOLS.values():
        assert rules.psnr(sr, hr, scale=kind(4)) == rules.psnr(sr, hr, scale=4)
