"""Recipes inside picture files: found again, invisible to decoders, and a seal on every byte."""

import imagecodecs
import numpy as np
import pytest
import tifffile

from srlib.files.recipe import read_recipe, write_recipe
from srlib.images.picture import read_image, write_image

STEPS = {"scale": 4, "method": "matlab", "source picture": "写" * 20}


@pytest.mark.parametrize(
    "suffix", [".png", ".jpg", ".tif", ".webp", ".bmp", ".gif", ".avif", ".jp2"]
)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_every_format_carries_one(tmp_path, photo, suffix, depth):
    path = write_image(tmp_path / f"a{suffix}", photo.astype(depth))
    before = read_image(path)
    assert read_recipe(path) is None
    write_recipe(path, STEPS)
    found = read_recipe(path)
    after = read_image(path)
    assert found == STEPS
    assert np.array_equal(before.rgb, after.rgb) and before.mode == after.mode


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_any_changed_or_missing_byte_is_noticed(tmp_path, photo, suffix, rng):
    path = write_image(tmp_path / f"a{suffix}", photo)
    write_recipe(path, STEPS)
    whole = path.read_bytes()
    for place in rng.integers(0, len(whole), 40):
        changed = bytearray(whole)
        changed[place] ^= 4
        for content in (changed, whole[:place], whole + whole[place:]):
            path.write_bytes(content)
            assert not read_recipe(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("missing", [1, 60])
def test_a_cut_recipe_is_still_one(tmp_path, photo, suffix, missing):
    path = write_image(tmp_path / f"a{suffix}", photo)
    write_recipe(path, STEPS)
    path.write_bytes(path.read_bytes()[:-missing])
    assert read_recipe(path) == {}


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"{}" * 20, b"freesrlib"]
)
def test_odd_files_have_none(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    assert read_recipe(tmp_path / "a.png") is None


@pytest.mark.parametrize(
    "text", [b"", b"[1]", b"{}", b'{"steps": 3}', b"null", b"\xff", b'{"steps": {}}']
)
def test_odd_recipes_are_not_intact(tmp_path, text):
    (tmp_path / "a.png").write_bytes(b"freesrlib recipe " + text)
    assert read_recipe(tmp_path / "a.png") == {}


def test_programs_that_others_wrote_read_the_picture(tmp_path, photo):
    """Each by a decoder of its own: libpng, libjpeg, libtiff and libwebp."""
    for suffix, decode in (
        (".png", imagecodecs.png_decode),
        (".jpg", imagecodecs.jpeg_decode),
        (".tif", tifffile.imread),
        (".webp", imagecodecs.webp_decode),
    ):
        path = write_image(tmp_path / f"a{suffix}", photo)
        before = read_image(path).rgb
        write_recipe(path, STEPS)
        read = decode(path.read_bytes() if suffix != ".tif" else path)
        assert np.abs(read.astype(int) - before).max() <= 1, suffix


def test_numbers_of_numpy_are_numbers(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"content")
    write_recipe(path, {"seed": np.int64(3), "noise": np.float32(0.5)})
    assert read_recipe(path) == {"seed": 3, "noise": 0.5}
