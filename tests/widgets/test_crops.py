"""The crop explorer and the blind test without a browser: what they accept, measure and say."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

from srlib.images.resize import imresize
from srlib.metrics import psnr
from srlib.widgets import BlindTest, CropExplorer


@pytest.fixture(scope="module")
def images(photo):
    lr = imresize(photo, 1 / 4)
    return {"LR": lr, "bicubic": imresize(lr, 4), "HR": photo}


def test_sends_every_pixel_as_it_is(images):
    explorer = CropExplorer(images)
    assert explorer.labels == ["LR", "bicubic", "HR"] and explorer.center == (60, 48)
    for png, image in zip(explorer.pictures, images.values(), strict=True):
        with Image.open(io.BytesIO(png)) as sent:
            assert np.array_equal(np.asarray(sent), image)


@pytest.mark.parametrize(
    ("center", "magnification", "crop"),
    [
        ((60, 48), 4, (24, 72, 36, 84)),
        ((0, 0), 8, (0, 24, 0, 24)),
        ((500, 500), 16, (84, 96, 108, 120)),
        ((60, 48), 1, (0, 96, 12, 108)),
    ],
)
def test_the_crop_stays_inside_and_is_what_is_measured(images, center, magnification, crop):
    explorer = CropExplorer(images)
    explorer.center = center
    explorer.magnification = magnification
    top, bottom, left, right = crop
    assert explorer.crop == (slice(top, bottom), slice(left, right))
    expected = psnr(
        images["bicubic"][top:bottom, left:right],
        images["HR"][top:bottom, left:right],
        border=0,
        luma=True,
    )
    assert explorer.scores[0] == "each pixel covers 4 x 4" and explorer.scores[2] == "the original"
    assert explorer.scores[1].startswith(f"{expected:.1f} dB, SSIM 0.")


def test_shows_other_pictures_at_a_place(images):
    explorer = CropExplorer(images, center=(20, 20), magnification=16)
    assert explorer.center == (20, 20)
    explorer.show({"same": images["HR"][:48], "HR": images["HR"][:48]}, center=(30, 30))
    assert (
        explorer.scores == ["equal to HR", "the original"]
        and explorer.center == (30, 30)
        and explorer.magnification == 16
    )


def test_refuses_what_is_not_one_scene(images):
    with pytest.raises(ValueError, match='called "HR"'):
        CropExplorer({"LR": images["LR"]})
    with pytest.raises(ValueError, match="119 x 96 pixels and HR 120 x 96"):
        CropExplorer({"odd": images["HR"][:, 1:], "HR": images["HR"]})


def tiles(values):
    return [np.full((16, 16, 3), value, np.uint8) for value in values]


def test_the_blind_test_counts_and_says_how_lucky_it_was():
    game = BlindTest(tiles(range(8)), tiles(range(100, 108)), seed=3)
    sides = []
    for number in range(8):
        sides.append(game.real)
        assert (
            game.pair["AB".index(game.real)] < 8
        ).all()  # the photograph is where it is said to be
        game.answer(game.real if number != 5 else "BA"["AB".index(game.real)])
        game.answer(game.real)  # too late
        game.next()
    assert game.right == 7 and set(sides) == {"A", "B"}
    luck = binomtest(7, 8, 0.5, alternative="greater").pvalue
    assert "7 of 8" in game.sentence and f"in {luck:.0%} of all games" in game.sentence


def test_the_blind_test_does_not_go_on_unanswered_and_refuses_odd_tiles():
    game = BlindTest(tiles([1, 2]), tiles([3, 4]))
    game.next()
    assert game.round == 0
    for real, made in (([], []), (tiles([1]), tiles([2, 3]))):
        with pytest.raises(ValueError, match="as many real tiles as made ones"):
            BlindTest(real, made)
