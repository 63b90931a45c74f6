"""Recipes inside picture files: found again, invisible to decoders, and a seal on every byte."""

import numpy as np
import pytest

from srlib.files.recipe import read_recipe, write_recipe
from srlib.images.picture import SUFFIXES, read_image, write_image

STEPS = {"scale": 4, "method": "matlab", "source picture": "写" * 20}


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_every_format_carries_one(tmp_path, photo, suffix, depth):
    path = write_image(tmp_path / f"a{suffix}", photo.astype(depth))
    before = read_image(path)
    assert read_recipe(path) is None
    write_recipe(path, STEPS)
    found, after = read_recipe(path), read_image(path)
    assert found.steps == STEPS and found.intact
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
            found = read_recipe(path)
            assert found is None or not found.intact


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_cut_file_still_has_it(tmp_path, photo, suffix):
    path = write_image(tmp_path / f"a{suffix}", photo)
    write_recipe(path, STEPS)
    path.write_bytes(path.read_bytes()[:1000])
    assert read_recipe(path).steps == STEPS


def test_odd_files_have_none(tmp_path):
    path = tmp_path / "a.png"
    for content in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd8\xff\xfe\x00", b"{}" * 20,
                    b"\x89PNG\r\n\x1a\n" + bytes(40), b"\xff\xff\xff\xfffree", b"[1]\x00\x00\x00\x0bfree"):  # fmt: skip
        path.write_bytes(content)
        assert read_recipe(path) is None


def test_numbers_of_numpy_are_numbers(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"content")
    write_recipe(path, {"seed": np.int64(3), "noise": np.float32(0.5)})
    assert read_recipe(path).steps == {"seed": 3, "noise": 0.5}
