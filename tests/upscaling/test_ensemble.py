"""The eight answers against the formula in numpy, back-projection against MATLAB's LR images and what it is for: PSNR."""

import numpy as np
import pytest
import torch
from conftest import SAMPLES
from PIL import Image
from scipy.stats import spearmanr

from srlib.images.picture import Picture, read_image
from srlib.images.resize import crop_to_multiple, imresize
from srlib.images.tensors import to_tensor
from srlib.metrics import PROTOCOLS
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.upscaling.enlarge import super_resolve, uncertainty_map, upscale
from srlib.upscaling.ensemble import _matrix, _resized, back_project
from srlib.zoo.checkpoints import load_pretrained


def tiny(scale: int) -> EDSR:
    torch.manual_seed(scale)
    return EDSR(EDSRConfig(scale, 1, 4)).eval()


def answers(model: EDSR, rgb: np.ndarray) -> np.ndarray:
    """The eight answers in grey levels, (8, H, W, 3), by numpy's turns around the network as it is written."""
    found = []
    for turns in range(4):
        for flip in (lambda image: image, np.flipud):
            seen = np.ascontiguousarray(flip(np.rot90(rgb, turns)))
            with torch.inference_mode():
                answer = model(to_tensor(seen)[None])[0].permute(1, 2, 0).numpy() * 255
            found.append(np.rot90(flip(answer), -turns))
    return np.stack(found)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("tile", [12, 100])
def test_self_ensemble_is_the_mean_of_eight_rounded_once(photo, scale, tile):
    lr, model = photo[:23, :31], tiny(scale)
    exact = answers(model, lr).mean(0).clip(0, 255)
    sr = super_resolve(lr, model, tile=tile, self_ensemble=True)
    assert np.abs(sr - exact).max() <= 0.5 + 1e-3
    deep = super_resolve(lr.astype(np.uint16) * 257, model, tile=tile, self_ensemble=True)
    assert np.abs(deep / 257 - exact).max() <= 0.5 / 257 + 1e-3


@pytest.mark.parametrize("options", [{"self_ensemble": True}, {"adjust_to_lr": True}])
def test_what_comes_in_goes_out(photo, options):
    lr, model = photo[:20, :26], tiny(2)
    gray = np.ascontiguousarray(lr[..., 0])
    assert upscale(gray, model, **options).shape == (40, 52)
    assert upscale(lr.astype(np.uint16) * 257, model, **options).dtype == np.uint16
    cut_out = upscale(np.dstack([lr, gray]), model, scale=3.5, **options)
    assert cut_out.shape == (70, 91, 4) and cut_out.dtype == np.uint8
    picture = upscale(Picture(lr, icc_profile=b"profile"), model, **options)
    assert picture.icc_profile == b"profile" and picture.rgb.dtype == np.uint8
    image = upscale(Image.fromarray(gray), model, **options)
    assert (image.mode, image.size) == ("L", (52, 40))


def test_turning_the_input_turns_the_ensembles_answer(photo):
    lr, model = photo[:30, :40], tiny(2)
    for turn in (np.rot90, np.fliplr):
        once = upscale(np.ascontiguousarray(turn(lr)), model, self_ensemble=True).astype(int)
        differ = once - turn(upscale(lr, model, self_ensemble=True))
        assert abs(differ).max() <= 1 and (differ != 0).mean() < 1e-3
    assert (
        np.abs(
            upscale(np.fliplr(lr).copy(), model) - np.fliplr(upscale(lr, model)).astype(int)
        ).max()
        > 1
    )  # without, it does not


def test_self_ensemble_pays_on_set5(benchmarks):
    """Against MATLAB's LR images; the paper has +0.12 dB for its large model at x2."""
    model, gains = load_pretrained("edsr-lite", 2), []
    for name in ("img_003.png", "img_005.png"):  # butterfly and woman, the small ones
        hr, lr = (read_image(benchmarks / "Set5" / "X2" / kind / name).rgb for kind in ("HR", "LR"))
        plain, eight = (upscale(lr, model, self_ensemble=chosen) for chosen in (False, True))
        gains.append(
            PROTOCOLS["benchmark-y"].psnr(eight, hr, scale=2)
            - PROTOCOLS["benchmark-y"].psnr(plain, hr, scale=2)
        )
    assert min(gains) > 0 and np.mean(gains) > 0.05


@pytest.mark.parametrize("tile", [9, 100])
def test_uncertainty_is_the_spread_of_the_eight(photo, tile):
    lr, model = photo[:23, :31], tiny(3)
    luma = answers(model, lr).clip(0, 255) @ np.array([0.299, 0.587, 0.114])
    spread = uncertainty_map(lr, model, tile=tile)
    assert spread.shape == (69, 93) and spread.dtype == np.float32
    assert np.abs(spread - luma.std(0)).max() < 1e-2
    assert (
        np.abs(uncertainty_map(lr.astype(np.uint16) * 257, model) - spread).max() < 1e-2
    )  # grey levels of 255 there too


def test_uncertainty_of_a_model_that_says_the_same_every_time(photo):
    model = tiny(2)
    for layer in (model.tail[1].weight, model.tail[1].bias):
        torch.nn.init.zeros_(layer)
    assert uncertainty_map(photo[:20, :20], model).max() < 1e-4


def test_where_the_model_is_unsure_it_is_wrong():
    """Over blocks of 8 x 8 pixels of a photograph, spread and true error go together."""
    hr = read_image(SAMPLES / "DIV2K_valid_HR" / "0801.png").rgb[100:324, 100:324]
    lr, model = imresize(hr, 1 / 2), load_pretrained("edsr-lite", 2)
    wrong = np.abs(upscale(lr, model).astype(float) - hr).mean(-1)
    spread = uncertainty_map(lr, model)
    blocks = [image.reshape(28, 8, 28, 8).mean((1, 3)).ravel() for image in (spread, wrong)]
    assert spearmanr(*blocks).statistic > 0.7


def reduced_error(sr: np.ndarray, lr: np.ndarray, scale: float) -> np.ndarray:
    return np.abs(imresize(sr, 1 / scale).astype(int) - lr)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_back_projection_gives_the_input_back_and_helps(scale):
    """Of the LR values at least 95 % come back exactly, none is more than 4 levels off, and no crop loses 0.02 dB."""
    model, gains = load_pretrained("edsr-lite", scale), []
    for name in ("0801", "0803", "0806"):
        hr = crop_to_multiple(
            read_image(SAMPLES / "DIV2K_valid_HR" / f"{name}.png").rgb[200:344, 300:444], 12
        )
        lr = imresize(hr, 1 / scale)
        plain, adjusted = (upscale(lr, model, adjust_to_lr=chosen) for chosen in (False, True))
        before, after = (reduced_error(sr, lr, scale) for sr in (plain, adjusted))
        assert (after == 0).mean() > 0.95 > (before == 0).mean() and after.max() <= 4 < before.max()
        gains.append(
            PROTOCOLS["rgb"].psnr(adjusted, hr, scale=scale)
            - PROTOCOLS["rgb"].psnr(plain, hr, scale=scale)
        )
    assert min(gains) > -0.02 and np.mean(gains) > 0


def test_matlabs_own_lr_comes_back(benchmarks):
    """Whatever MATLAB took for the pixels beyond the edge: an LR image is all that is asked for."""
    lr = read_image(benchmarks / "Set5" / "X4" / "LR" / "img_005.png").rgb
    adjusted = upscale(lr, load_pretrained("edsr-lite", 4), adjust_to_lr=True)
    off = reduced_error(adjusted, lr, 4)
    assert (off == 0).mean() > 0.97 and off.max() <= 4


def test_back_projection_improves_bicubic_itself(photo):
    """Irani and Peleg's own use of it: no network."""
    lr = imresize(photo, 1 / 2)
    bicubic = imresize(lr, 2)
    psnr = PROTOCOLS["rgb"].psnr
    assert psnr(back_project(bicubic, lr, 2), photo, scale=2) > psnr(bicubic, photo, scale=2) + 0.3


def test_what_fits_already_stays(photo):
    lr = imresize(photo, 1 / 2)
    changed = np.abs(back_project(photo, lr, 2) - photo.astype(int))
    assert (
        changed.max() <= 3 and (changed > 1).mean() < 5e-3
    )  # lr is rounded, so photo fits it to half a level only
    assert np.array_equal(back_project(imresize(lr, 1), lr, 1), lr)
    assert np.array_equal(upscale(lr, tiny(2), scale=1, adjust_to_lr=True), lr)


@pytest.mark.parametrize("scale", [1 / 4, 1 / 2.5, 1 / 2, 1.5, 3])
def test_the_float_bicubic_is_matlabs_before_rounding(photo, scale):
    deep = (
        photo.astype(np.uint16) * 120 + 16000
    )  # so far from black and white that nothing is cut off between the passes
    matlab = imresize(deep, scale)
    sizes = zip(deep.shape[:2], matlab.shape[:2], strict=True)
    ours = _resized(
        deep.astype(np.float32), *(_matrix(size, target, scale) for size, target in sizes)
    )
    assert np.abs(ours.clip(0, 65535) - matlab).max() <= 2  # of 65535: MATLAB rounds twice


@pytest.mark.parametrize("scale", [2.5, 4])
def test_any_factor_and_sixteen_bits_come_back(photo, scale):
    lr = photo[:40, :60]
    off = reduced_error(
        upscale(lr, load_pretrained("edsr-lite", 2), scale=scale, adjust_to_lr=True), lr, scale
    )
    assert (off == 0).mean() > 0.95 and off.max() <= 4
    deep = lr[:20].astype(np.uint16) * 150 + 9000  # away from black and white
    assert reduced_error(upscale(deep, tiny(2), adjust_to_lr=True), deep, 2).max() <= 16  # of 65535


def test_no_fringe_around_what_is_cut_out():
    y, x = np.mgrid[-20:20, -20:20]
    disc = np.zeros((40, 40, 4), np.uint8)
    disc[np.hypot(x, y) < 14] = (255, 0, 0, 255)
    for scale in (1.5, 2):
        sr = upscale(disc, load_pretrained("edsr-lite", 2), scale=scale, adjust_to_lr=True)
        seen = sr[sr[..., 3] > 0]
        assert (
            0 < len(seen) < sr[..., 3].size
            and (seen[:, 0] > 235).all()
            and (seen[:, 1:3] < 20).all()
        )
