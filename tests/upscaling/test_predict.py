import pytest

from srlib.model import receptive_field
from srlib.model.edsr import EDSRConfig
from srlib.upscaling import cost, engines
from srlib.upscaling.cost import predict_cost
from srlib.upscaling.tiling import MARGIN

CONFIG = EDSRConfig(2, 2, 8)


@pytest.fixture
def one_second_per_pixel(monkeypatch):
    monkeypatch.setattr(cost, "_seconds_per_pixel", lambda config, device, route, threads: 1.0)


def test_seconds_follow_the_pixels_that_the_network_sees(one_second_per_pixel):
    halo, margin = receptive_field(CONFIG), 2 * MARGIN
    assert predict_cost(CONFIG, 30, 40, tile=40).seconds == (30 + margin) * (40 + margin)
    two = predict_cost(
        CONFIG, 30, 40, tile=30
    )  # two tiles, each of which sees a halo into the other
    assert (two.seconds, two.tiles) == ((30 + margin) * (40 + margin + 2 * halo), 2)


def test_memory_is_bounded_by_the_tile_but_for_the_result(one_second_per_pixel):
    small, large = (predict_cost(CONFIG, side, side, tile=100) for side in (1000, 2000))
    assert large.memory - small.memory == 3 * 4 * (2000**2 - 1000**2)


def test_engine_and_precision_are_those_of_upscale(one_second_per_pixel, monkeypatch):
    monkeypatch.setattr(engines, "_bfloat16_pays", lambda n_feats: True)
    small, large = (
        predict_cost(EDSRConfig(4), side, side, device="cpu", engine="torch") for side in (50, 500)
    )
    assert (small.engine, small.precision, large.precision) == ("torch", "float32", "bfloat16")


def test_the_speed_is_measured_once():
    cost._seconds_per_pixel.cache_clear()
    first, again = predict_cost(CONFIG, 64, 64), predict_cost(CONFIG, 64, 128)
    assert 0 < first.seconds < again.seconds
    assert cost._seconds_per_pixel.cache_info().hits == 1
