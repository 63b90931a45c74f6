from srlib.model.cost import receptive_field
from srlib.model.edsr import EDSRConfig
from srlib.upscaling import cost as predict
from srlib.upscaling.cost import predict_cost

CONFIG = EDSRConfig(2, 2, 8)


def test_seconds_follow_the_pixels_that_the_network_sees(monkeypatch):
    monkeypatch.setattr(
        predict, "_seconds_per_pixel", lambda config, device, threads, compiled: 1.0
    )
    halo = receptive_field(CONFIG)
    assert predict_cost(CONFIG, 30, 40, tile=40).seconds == 30 * 40
    two = predict_cost(
        CONFIG, 30, 40, tile=30
    )  # two tiles, each of which sees a halo into the other
    assert (two.seconds, two.tiles) == (30 * (40 + 2 * halo), 2)


def test_memory_is_bounded_by_the_tile_but_for_the_result(monkeypatch):
    monkeypatch.setattr(
        predict, "_seconds_per_pixel", lambda config, device, threads, compiled: 1.0
    )
    small, large = (predict_cost(CONFIG, side, side, tile=100) for side in (1000, 2000))
    assert large.memory - small.memory == 3 * 4 * (2000**2 - 1000**2)


def test_the_speed_is_measured_once():
    predict._seconds_per_pixel.cache_clear()
    first, again = predict_cost(CONFIG, 64, 64), predict_cost(CONFIG, 64, 128)
    assert 0 < first.seconds < again.seconds
    assert predict._seconds_per_pixel.cache_info().hits == 1
