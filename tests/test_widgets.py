"""The compare slider without a browser: what it accepts and what it sends."""

import io

import numpy as np
import pytest
from PIL import Image

from srlib.images import ImageError, Picture
from srlib.resize import imresize
from srlib.widgets import CompareSlider

RNG = np.random.default_rng(0)
LR = RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8)
SR = imresize(LR, 4)


def decoded(png):
    with Image.open(io.BytesIO(png)) as image:
        return image.mode, np.asarray(image)


class TestCompareSlider:
    def test_sends_every_pixel_as_it_is(self):
        slider = CompareSlider([LR, SR], ["LR", "SR"])
        for png, pixels in zip(slider.pictures, (LR, SR), strict=True):
            mode, received = decoded(png)
            assert mode == "RGB" and np.array_equal(received, pixels)

    def test_takes_arrays_pictures_and_pil_images_and_drops_alpha(self):
        slider = CompareSlider([Picture(LR, alpha=LR[..., 0]), Image.fromarray(LR[..., 0])])
        assert [decoded(png)[0] for png in slider.pictures] == ["RGB", "L"]

    @pytest.mark.parametrize(
        ("images", "labels", "sentence"),
        [
            ([LR], ["a"], "two pictures"),
            ([LR] * 3, ["a", "b", "c"], "two pictures"),
            ([LR, LR], ["a"], "two labels"),
            ([LR, SR[:, :40]], ["a", "b"], "16 x 12 and 40 x 48 pixels"),
        ],
    )
    def test_refuses_what_cannot_be_compared(self, images, labels, sentence):
        with pytest.raises(ValueError, match=sentence):
            CompareSlider(images, labels)

    def test_refuses_floats(self):
        with pytest.raises(ImageError, match="float32"):
            CompareSlider([LR, LR.astype(np.float32)])

    def test_a_crop_to_a_multiple_still_fits(self):
        assert len(CompareSlider([LR, np.zeros((50, 65, 3), np.uint8)]).pictures) == 2

    def test_stays_in_range(self):
        slider = CompareSlider([LR, SR], position=-1, zoom=0.1)
        assert (slider.position, slider.zoom) == (0, 1)
        slider.position, slider.zoom = 2, 1000
        assert (slider.position, slider.zoom) == (1, 32)

    def test_show_keeps_labels_and_view(self):
        slider = CompareSlider([LR, SR], ["LR", "SR"], zoom=3)
        slider.show([SR, SR])
        assert (slider.labels, slider.zoom) == (["LR", "SR"], 3)
        assert np.array_equal(decoded(slider.pictures[0])[1], SR)
