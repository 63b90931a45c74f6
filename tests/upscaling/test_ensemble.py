"""The eight answers against the formula in numpy, and whether they help."""

import numpy as np
import pytest
import torch
from conftest import SAMPLES
from PIL import Image
from scipy.stats import spearmanr

from srlib.images.picture import Picture, read_image
from srlib.images.resize import imresize
from srlib.images.tensors import to_tensor
from srlib.metrics import PROTOCOLS
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.upscaling.enlarge import super_resolve, upscale
from srlib.upscaling.ensemble import uncertainty_map
from srlib.upscaling.tiling import MARGIN
from srlib.zoo.checkpoints import load_pretrained


def tiny(scale: int) -> EDSR:
    torch.manual_seed(scale)
    return EDSR(EDSRConfig(scale, 1, 4)).eval()


def answers(model: EDSR, rgb: np.ndarray) -> np.ndarray:
    """The eight answers in grey levels, (8, H, W, 3), by numpy's turns around the network as it is written."""
    found = []
    edge = MARGIN * model.config.scale
    rgb = np.pad(rgb, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), "symmetric")
    for turns in range(4):
        for flip in (lambda image: image, np.flipud):
            seen = np.ascontiguousarray(flip(np.rot90(rgb, turns)))
            with torch.inference_mode():
                answer = model(to_tensor(seen)[None])[0].permute(1, 2, 0).numpy() * 255
            found.append(np.rot90(flip(answer), -turns)[edge:-edge, edge:-edge])
    return np.stack(found)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("tile", [12, 100])
def test_self_ensemble_is_the_mean_of_eight_rounded_once(photo, scale, tile):
    lr = photo[:23, :31]
    model = tiny(scale)
    exact = answers(model, lr).mean(0).clip(0, 255)
    sr = super_resolve(lr, model, tile=tile, self_ensemble=True)
    assert np.abs(sr - exact).max() <= 0.5 + 1e-3
    deep = super_resolve(lr.astype(np.uint16) * 257, model, tile=tile, self_ensemble=True)
    assert np.abs(deep / 257 - exact).max() <= 0.5 / 257 + 1e-3


def test_what_comes_in_goes_out(photo):
    lr = photo[:20, :26]
    model = tiny(2)
    options = {"self_ensemble": True}
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
    lr = photo[:30, :40]
    model = tiny(2)
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
    model = load_pretrained("edsr-lite", 2)
    gains = []
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
    lr = photo[:23, :31]
    model = tiny(3)
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
    lr = imresize(hr, 1 / 2)
    model = load_pretrained("edsr-lite", 2)
    wrong = np.abs(upscale(lr, model).astype(float) - hr).mean(-1)
    spread = uncertainty_map(lr, model)
    blocks = [image.reshape(28, 8, 28, 8).mean((1, 3)).ravel() for image in (spread, wrong)]
    assert spearmanr(*blocks).statistic > 0.7
