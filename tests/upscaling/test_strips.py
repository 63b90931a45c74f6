import contextlib
import io
import sys
from threading import Thread

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from srlib.images import codecs
from srlib.images.picture import ImageError, Picture, read_image, write_image
from srlib.model import count_macs
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.upscaling import precision, strips
from srlib.upscaling.enlarge import upscale
from srlib.upscaling.strips import upscale_to_tiff

TALL = 300  # LR rows: more than one strip of the tests


@pytest.fixture(autouse=True)
def low_strips(monkeypatch):
    monkeypatch.setattr(strips, "_STRIP_BYTES", 0)  # so that they have 256 rows


def tiny(scale: int) -> EDSR:
    torch.manual_seed(scale)
    return EDSR(EDSRConfig(scale, 1, 4)).eval()


def picture(kind: str) -> Picture:
    rng = np.random.default_rng(0)
    depth = np.uint16 if "16" in kind else np.uint8
    rgb = rng.integers(0, np.iinfo(depth).max, (TALL, 40, 3), dtype=depth)
    mode = "L" if "gray" in kind else "RGB"
    if mode == "L":
        rgb = np.repeat(rgb[..., :1], 3, axis=2)
    exif = Image.Exif()
    exif[0x010F] = "A maker"
    exif.get_ifd(0x8769)[0xA434] = "A lens"
    alpha = (
        rng.integers(0, np.iinfo(depth).max, (TALL, 40), dtype=depth) if "alpha" in kind else None
    )
    return Picture(rgb, alpha, mode, b"a profile", exif.tobytes())


@pytest.mark.parametrize(("scale", "big"), [(2, False), (3, False), (2, True)])
@pytest.mark.parametrize("kind", ["rgb", "gray", "rgb16 alpha", "gray16", "rgb alpha"])
def test_the_file_holds_what_upscale_gives(tmp_path, monkeypatch, kind, scale, big):
    monkeypatch.setattr(codecs, "CLASSIC_LIMIT", 0 if big else 4 * 10**9)
    lr = picture(kind)
    model = tiny(scale)
    expected = upscale(lr, model)
    path = upscale_to_tiff(lr, tmp_path / "a.tif", model)
    there = read_image(path)
    top = np.iinfo(lr.rgb.dtype).max // 255  # ties of rounding
    assert np.abs(there.rgb.astype(int) - expected.rgb).max() <= top and there.mode == lr.mode
    assert (there.rgb != expected.rgb).mean() < 0.01
    assert there.rgb.dtype == lr.rgb.dtype and there.icc_profile == b"a profile"
    assert (there.alpha is None) == (lr.alpha is None)
    if lr.alpha is not None:
        assert np.array_equal(there.alpha, expected.alpha)
    exif = Image.Exif()
    exif.load(there.exif)
    assert exif[0x010F] == "A maker" and exif.get_ifd(0x8769)[0xA434] == "A lens"
    with tifffile.TiffFile(path) as file:  # a reader with which nothing here was written
        assert file.pages.first.is_tiled and file.is_bigtiff == big
        array = file.pages.first.asarray()
    colours = 1 if lr.mode == "L" else 3
    assert np.array_equal(array.reshape(*there.size, -1)[..., :colours], there.rgb[..., :colours])


def test_progress_cancel_and_what_is_left(tmp_path):
    seen = []
    upscale_to_tiff(
        picture("rgb"), tmp_path / "a.tif", tiny(2), tile=64, on_progress=lambda *p: seen.append(p)
    )
    shares = [done / total for done, total in seen]
    assert shares == sorted(shares) and shares[-1] == 1 and len(set(shares)) == 5

    class Cancelled(Exception):
        pass

    def cancel(done, total):
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        upscale_to_tiff(picture("rgb"), tmp_path / "b.tif", tiny(2), tile=64, on_progress=cancel)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_all_strips_have_the_precision_of_upscale(tmp_path, monkeypatch):
    """The last strip alone, 44 rows, would not be worth a trial."""
    lr = picture("rgb")
    model = tiny(2)
    strip_macs = count_macs(model.config, 1, 1) * 44 * 40
    monkeypatch.setattr(precision, "_WORTH_A_TRIAL", 2 * strip_macs)
    monkeypatch.setattr(precision, "_bfloat16_pays", lambda n_feats: True)
    chosen = []
    upscale(lr, model, on_precision=chosen.append)
    upscale_to_tiff(lr, tmp_path / "a.tif", model, on_precision=chosen.append)
    assert chosen == ["bfloat16"] * 3


def test_nothing_is_overwritten_unasked(tmp_path):
    path = write_image(tmp_path / "a.tif", np.zeros((3, 3, 3), np.uint8))
    with pytest.raises(
        FileExistsError, match=r"a.tif exists; choose another name, or overwrite=True"
    ):
        upscale_to_tiff(picture("rgb"), path, tiny(2))
    assert read_image(path).size == (3, 3)
    assert read_image(upscale_to_tiff(picture("rgb"), path, tiny(2), overwrite=True)).size == (
        2 * TALL,
        80,
    )


def test_only_a_tiff(tmp_path):
    with pytest.raises(ImageError, match=r"a.png .*name it .tif"):
        upscale_to_tiff(picture("rgb"), tmp_path / "a.png", tiny(2))


@pytest.mark.skipif(
    sys.platform != "linux", reason="the gap of 4 GB takes no disk where files may have holes"
)
def test_tiles_beyond_four_gigabytes(tmp_path, monkeypatch):
    def after_a_gap(file, *_):
        file.seek(2**32 + 2)
        return iter(())

    monkeypatch.setattr(codecs, "CLASSIC_LIMIT", 0)
    monkeypatch.setattr(codecs, "_extra_tags", after_a_gap)
    tile = np.random.default_rng(0).integers(0, 2**16, (256, 256, 3), dtype=np.uint16)
    with open(tmp_path / "a.tif", "wb") as file:
        codecs.write_tiff(file, iter([tile, tile[:, :44]]), Picture(tile[:1]), (256, 300))
    with tifffile.TiffFile(tmp_path / "a.tif") as there:
        assert there.is_bigtiff and min(there.pages.first.dataoffsets) > 2**32
        assert np.array_equal(there.asarray(), np.hstack([tile, tile[:, :44]]))
    with Image.open(tmp_path / "a.tif") as image:
        assert image.size == (300, 256)


def test_what_may_not_fit_into_a_classic_tiff_is_big():
    """The header alone; a picture of 1.4 gigapixels would be no test."""
    for height, version in ((40_000, 42), (50_000, 43)):
        file = io.BytesIO()
        with contextlib.suppress(Stop):
            codecs.write_tiff(file, stopped(), picture("rgb"), (height, 30_000))
        assert version in file.getvalue()[2:4]


class Stop(Exception):
    pass


def stopped():
    raise Stop
    yield


def test_two_at_once_are_not_in_each_others_way(tmp_path):
    def another(done, total):
        if done == 1:
            thread = Thread(
                target=upscale_to_tiff,
                args=(picture("gray"), target, tiny(2)),
                kwargs={"overwrite": True},
            )
            thread.start()
            thread.join()
            assert read_image(target).mode == "L"

    target = tmp_path / "a.tif"
    upscale_to_tiff(picture("rgb"), target, tiny(2), overwrite=True, on_progress=another)
    assert read_image(target).mode == "RGB" and list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("padding", ["symmetric", "wrap"])
def test_alpha_of_strips_is_that_of_the_whole(padding, tmp_path):
    lr = picture("rgb alpha")
    model = tiny(2)
    there = read_image(upscale_to_tiff(lr, tmp_path / "a.tif", model, padding=padding))
    assert np.array_equal(there.alpha, upscale(lr, model, padding=padding).alpha)
