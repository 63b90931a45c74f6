import time

import pytest
import torch

from srlib.model import receptive_field
from srlib.model.edsr import EDSRConfig
from srlib.upscaling import cost, precision
from srlib.upscaling.cost import predict_cost
from srlib.upscaling.enlarge import super_resolve
from srlib.upscaling.tiling import MARGIN
from srlib.zoo.checkpoints import load_pretrained

CONFIG = EDSRConfig(2, 2, 8)


@pytest.fixture
def steady(monkeypatch):
    """A machine whose speed is known."""
    seconds = {"float32": 1e-11, "bfloat16": 1e-11}
    for room in (cost, precision):
        monkeypatch.setattr(room, "trial", lambda n_feats, device: seconds)


def test_seconds_follow_the_pixels_that_the_network_sees(steady):
    halo = receptive_field(CONFIG)
    margin = 2 * MARGIN
    whole = predict_cost(CONFIG, 30, 40, device="cpu", tile=40)
    two = predict_cost(CONFIG, 30, 40, device="cpu", tile=30)  # each sees a halo into the other
    width = 40 + margin
    assert two.seconds / whole.seconds == pytest.approx((width + 2 * halo) / width)


def test_seconds_follow_the_multiplications_of_the_network(steady):
    """A body of 16 blocks of 64 features has 1.2 million an LR pixel, one of 8 of 32 0.16."""
    large, small = (
        predict_cost(EDSRConfig(2, *shape), 64, 64, device="cpu").seconds
        for shape in ((16, 64), (8, 32))
    )
    assert 6.5 < large / small < 8


def test_memory_is_bounded_by_the_tile_but_for_the_result(steady):
    small, large = (predict_cost(CONFIG, side, side, tile=100) for side in (1000, 2000))
    assert large.memory - small.memory == 3 * 4 * (2000**2 - 1000**2)


def test_the_forecast_is_of_the_right_order(photo):
    """Of processor time on one thread, which other work on the machine hardly changes."""
    model = load_pretrained("edsr-lite", 2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        forecast = predict_cost(model.config, *photo.shape[:2], device="cpu")
        started = time.thread_time()
        super_resolve(photo, model, device="cpu")
        took = time.thread_time() - started
    finally:
        torch.set_num_threads(threads)
    assert took / 5 < forecast.seconds < 5 * took


def test_precision_is_that_of_upscale(steady, monkeypatch):
    monkeypatch.setattr(precision, "_bfloat16_pays", lambda n_feats: True)
    small = predict_cost(EDSRConfig(4), 50, 50, device="cpu")
    large = predict_cost(EDSRConfig(4), 500, 500, device="cpu")
    assert (small.precision, large.precision) == ("float32", "bfloat16")
