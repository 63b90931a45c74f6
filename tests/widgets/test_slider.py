"""The Slider without a browser."""

import pytest

from srlib.widgets import Slider


def test_starts_at_the_first_option_or_the_one_asked_for():
    assert Slider("blocks", [2, 4, 8]).value == 2
    slider = Slider("JPEG quality", [("no JPEG", 0), ("90", 90)], value=90)
    assert (slider.value, slider.index, slider.texts) == (90, 1, ["no JPEG", "90"])


def test_value_and_place_go_together():
    slider = Slider("blur, px", [0, 0.5, 1.0])
    seen = []
    slider.observe(lambda change: seen.append(change["new"]), "value")
    slider.index = 2
    slider.value = 0.5
    assert (seen, slider.index, slider.texts) == ([1.0, 0.5], 1, ["0", "0.5", "1"])


def test_refuses_what_is_not_offered():
    slider = Slider("blocks", [2, 4, 8], value=4)
    with pytest.raises(ValueError, match="blocks is one of 2, 4, 8, not 3"):
        slider.value = 3
    with pytest.raises(ValueError, match="not 5"):
        Slider("blocks", [2, 4], value=5)
    assert (slider.value, slider.index) == (4, 1)
