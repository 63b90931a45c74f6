"""Settings are taken, or refused in a sentence."""

import numpy as np
import pytest

from srlib.training.config import TrainConfig


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({"learning_rate": 1}, {"learning_rate": 1.0}),
        ({"max_epochs": np.int64(4)}, {"max_epochs": 4}),
        ({"ema_decay": np.float32(0.5)}, {"ema_decay": 0.5}),
        ({"seed": np.int64(2**60 + 1)}, {"seed": 2**60 + 1}),
    ],
)
def test_numbers_of_other_types(settings, same):
    config = TrainConfig(**settings)
    assert config == TrainConfig(**same) and repr(config) == repr(TrainConfig(**same))
    for name, value in same.items():
        assert getattr(config, name) == value


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": "fast"},
        {"learning_rate": None},
        {"learning_rate": [1e-4]},
        {"learning_rate": True},
        {"learning_rate": float("inf")},
        {"learning_rate": -1e-4},
        {"learning_rate": float("nan")},
        {"batch_size": 4.5},
        {"batch_size": "4 patches"},
        {"seed": -1},
        {"seed": 1j},
        {"ema_decay": 1},
        {"perceptual": -0.1},
        {"backbone": "resnet"},
        {"max_epochs": -1},
        {"patience": 0},
        {"max_grad_norm": -1.0},
        {"optimizer": "sgd"},
        {"optimizer": None},
        {"precision": "fp16"},
        {"precision": ["float32"]},
        {"layers": {"relu1_2": -1.0}},
        {"layers": {"relu1_2": "much"}},
        {"layers": ["relu1_2"]},
        {"compile": "no"},
    ],
)
def test_refused_in_a_sentence(settings):
    with pytest.raises(ValueError, match=rf"{next(iter(settings))}.* must be .*\.$") as caught:
        TrainConfig(**settings)
    assert "\n" not in str(caught.value)


def test_settings_are_plain_whatever_a_random_search_gives():
    name = np.random.default_rng(0).choice(["muon"])
    config = TrainConfig(optimizer=name, layers={np.str_("relu2_2"): np.float32(1)})
    assert type(config.optimizer) is str and [type(key) for key in config.layers] == [str]
