"""The CompareSlider without a browser: what it accepts, what it sends, and what it answers."""

import base64
import io

import numpy as np
import pytest
from conftest import SAMPLES
from imagecodecs import cms_profile
from PIL import Image, ImageCms
from skimage.metrics import peak_signal_noise_ratio

from srlib.images.picture import ImageError, Picture, from_array, read_image
from srlib.images.resize import imresize
from srlib.widgets import CompareSlider
from srlib.widgets.compare.pyramid import TILE, Pyramid

RNG = np.random.default_rng(0)
LR = RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8)
SR = imresize(LR, 4)


def decoded(png):
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image)


def answers(slider, monkeypatch, message):
    """What the page gets back for a message."""
    sent = []
    monkeypatch.setattr(
        slider, "send", lambda content, buffers=(): sent.append((content, buffers)), raising=False
    )
    slider._handle_custom_msg(message, [])
    return sent


@pytest.fixture(scope="module")
def large():
    """Noise of 3.4 megapixels."""
    return np.random.default_rng(1).integers(0, 256, (1300, 2600, 3), dtype=np.uint8)


class TestPictures:
    def test_small_pictures_are_sent_as_they_are(self):
        slider = CompareSlider([LR, SR], ["LR", "SR"])
        assert slider.sizes == [(16, 12), (64, 48)]
        assert all(
            np.array_equal(decoded(p), image)
            for p, image in zip(slider.pictures, (LR, SR), strict=True)
        )

    def test_takes_arrays_pictures_and_pil_images_and_drops_alpha(self):
        gray = LR[..., 0]
        slider = CompareSlider(
            [Picture(LR, alpha=gray), Image.fromarray(gray), gray.astype(np.uint16) * 257],
            ["a", "b", "c"],
        )
        expected = [LR, *[np.dstack([gray] * 3)] * 2]
        assert all(
            np.array_equal(decoded(p), image)
            for p, image in zip(slider.pictures, expected, strict=True)
        )

    @pytest.mark.parametrize(
        ("images", "labels", "sentence"),
        [
            ([LR], ["a"], "two to four pictures and as many labels, not 1 and 1"),
            ([LR] * 5, list("abcde"), "not 5 and 5"),
            ([LR, LR], ["a"], "not 2 and 1"),
            ([LR] * 3, ("Before", "After"), "not 3 and 2"),
            ([LR, SR[:, :40]], ["a", "b"], "16 x 12, 40 x 48 pixels do not show the same scene"),
            (
                [SR, LR, SR[:40]],
                list("abc"),
                "64 x 48, 16 x 12, 64 x 40 pixels do not show the same scene",
            ),
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

    def test_another_colour_space_becomes_srgb(self):
        """Adobe RGB has a plain power as its curve, and the red and blue of sRGB with another green."""
        adobe = np.array(
            [[(128, 128, 128), (100, 100, 100), (200, 180, 170), (90, 120, 100)]], np.uint8
        )
        linear = (adobe / 255) ** (563 / 256)
        red, green, blue = np.moveaxis(linear, -1, 0)
        linear = np.stack(
            [1.39836 * red - 0.39836 * green, green, 1.04293 * blue - 0.04293 * green], axis=-1
        )
        expected = 255 * (1.055 * linear ** (1 / 2.4) - 0.055)
        slider = CompareSlider([Picture(adobe, icc_profile=cms_profile("adobergb")), adobe])
        assert np.abs(decoded(slider.pictures[0]) - expected).max() < 1
        assert np.array_equal(decoded(slider.pictures[1]), adobe)

    def test_a_profile_of_srgb_or_one_that_does_not_fit_changes_nothing(self):
        names = ("sRGB", "LAB")
        profiles = [
            ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes() for name in names
        ] + [b"not a profile"]
        slider = CompareSlider(
            [Picture(LR, icc_profile=profile) for profile in profiles], ["sRGB", "Lab", "broken"]
        )
        assert all(np.array_equal(decoded(png), LR) for png in slider.pictures)

    def test_show_keeps_labels_and_view(self):
        slider = CompareSlider([LR, SR], ["LR", "SR"], zoom=3)
        before = slider.version
        slider.show([SR, SR])
        assert (slider.labels, slider.zoom, slider.pair) == (["LR", "SR"], 3, (0, 1))
        assert np.array_equal(decoded(slider.pictures[0]), SR) and slider.version > before

    def test_the_first_and_the_last_of_several_stand_beside_the_divider(self):
        slider = CompareSlider([LR, SR, SR], ["LR", "bicubic", "SR"])
        assert slider.pair == (0, 2)
        slider.pair = (0, 1)
        slider.show([LR, SR, SR])
        assert slider.pair == (0, 1)
        slider.show([LR, SR], ["LR", "SR"])
        assert slider.pair == (0, 1)

    def test_stays_in_range(self):
        slider = CompareSlider([LR, SR], position=-1, zoom=-1)
        assert (slider.position, slider.zoom) == (0, 0.01)
        slider.position = 2
        slider.zoom = 1e9
        assert (slider.position, slider.zoom) == (1, 1000)


class TestLargePictures:
    def test_the_page_gets_a_reduced_copy_first(self, large):
        slider = CompareSlider([large, large[::2, ::2]])
        assert slider.sizes == [(2600, 1300), (1300, 650)]
        overview = decoded(slider.pictures[0])
        assert overview.shape == (650, 1300, 3)
        means = large.reshape(650, 2, 1300, 2, 3).mean(axis=(1, 3))
        assert np.abs(overview - means).max() <= 0.5

    def test_tiles_together_are_the_picture(self, large, monkeypatch):
        slider = CompareSlider([large, large])
        rows = []
        for row in range(3):
            tiles = [
                answers(slider, monkeypatch, {"tile": [slider.version, 1, 0, column, row]})
                for column in range(6)
            ]
            rows.append(np.hstack([decoded(buffers[0]) for ((_, buffers),) in tiles]))
        assert np.array_equal(np.vstack(rows), large)

    def test_odd_sides_lose_nothing(self):
        """The last pixel of a reduced level is the mean of what is left: here, of the only odd column and row."""
        picture = np.zeros((1301, 2603), np.uint8)
        picture[:, -1] = 200
        picture[-1] = 200
        pyramid = Pyramid(from_array(picture))
        last = decoded(pyramid.tile(1, 1301 // TILE, 650 // TILE))
        assert last.shape == (651 - 512, 1302 - 2 * TILE, 3)
        assert (
            (last[:-1, -1] == 200).all() and (last[-1] == 200).all() and (last[:-1, :-1] == 0).all()
        )

    def test_a_tile_beside_the_picture_is_refused(self, large):
        pyramid = Pyramid(from_array(large))
        with pytest.raises(ValueError, match="no tile 6, 0"):
            pyramid.tile(0, 6, 0)
        with pytest.raises(ValueError, match="levels 0 to 1, but no 2"):
            pyramid.tile(2, 0, 0)

    def test_an_answer_about_pictures_gone_is_not_sent(self, large, monkeypatch):
        slider = CompareSlider([large, large])
        slider.show([LR, LR])
        assert answers(slider, monkeypatch, {"tile": [slider.version - 1, 0, 0, 5, 2]}) == []


class TestScores:
    def test_psnr_of_a_part_as_scikit_image_computes_it(self, monkeypatch):
        hr = read_image(SAMPLES / "DIV2K_valid_HR" / "0801.png").rgb[:400, :600]
        lr = imresize(hr, 1 / 4)
        slider = CompareSlider([lr, imresize(lr, 4), hr], ["LR", "bicubic", "HR"], reference=hr)
        part = np.s_[100:300, 60:421]
        expected = peak_signal_noise_ratio(hr[part], imresize(lr, 4)[part])
        edges = [
            60.4 / 600,
            100 / 400,
            420.1 / 600,
            299.9 / 400,
        ]  # pixels that are seen in part count
        ((content, _),) = answers(slider, monkeypatch, {"psnr": [slider.version, *edges]})
        assert content == {"psnr": [slider.version, ["", f"PSNR {expected:.2f} dB", "identical"]]}


class TestDetail:
    @pytest.mark.parametrize("reduce", [1, 4])
    def test_it_is_where_first_and_last_differ_most(self, reduce):
        before = np.zeros((800, 1200, 3), np.uint8)
        after = before.copy()
        after[600:700, 900:1000] = 90  # a large part, and a brighter but tiny one
        after[100:108, 100:108] = 255
        slider = CompareSlider([before[::reduce, ::reduce], after], at_detail=True)
        assert slider.detail == pytest.approx((950 / 1200, 650 / 800), abs=0.06)
        assert CompareSlider([before, after]).detail is None


class TestStaticTwin:
    def test_a_page_without_a_kernel_has_a_picture(self):
        slider = CompareSlider([LR, SR], ["LR", "SR"])
        data, _ = slider._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in data
        assert decoded(base64.b64decode(data["image/png"])).shape[1] == pytest.approx(600, abs=2)

    def test_it_shows_what_is_in_view(self):
        slider = CompareSlider([LR, SR, LR], ["LR", "SR", "again"], zoom=2, center=(0.75, 0.25))
        first, second, *_ = slider.figure().axes
        assert np.array_equal(first.images[0].get_array(), LR[:6, 8:])
        assert np.array_equal(second.images[0].get_array(), SR[:24, 32:])
        assert [axis.get_title() for axis in slider.figure().axes][:3] == ["LR", "SR", "again"]

    def test_at_the_edge_and_from_afar(self):
        slider = CompareSlider([LR, SR], zoom=4, center=(1.0, 0.0))
        assert np.array_equal(slider.figure().axes[0].images[0].get_array(), LR[:2, 14:])
        slider.zoom = 0.5
        assert np.array_equal(slider.figure().axes[0].images[0].get_array(), LR)
