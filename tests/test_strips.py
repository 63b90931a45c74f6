import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from srlib import strips
from srlib.images import ImageError, Picture, read_image, write_image
from srlib.model import EDSR, EDSRConfig
from srlib.strips import upscale_to_tiff
from srlib.upscale import upscale

TALL = 300  # LR rows: more than one strip of the tests


@pytest.fixture(autouse=True)
def low_strips(monkeypatch):
    monkeypatch.setattr(strips, "_STRIP", 256)


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
    exif[0x010F], exif.get_ifd(0x8769)[0xA434] = "A maker", "A lens"
    alpha = rng.integers(0, np.iinfo(depth).max, (TALL, 40), dtype=depth) if "alpha" in kind else None
    return Picture(rgb, alpha, mode, b"a profile", exif.tobytes())


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("kind", ["rgb", "gray", "rgb16 alpha", "gray16", "rgb alpha"])
def test_the_file_holds_what_upscale_gives(tmp_path, kind, scale):
    lr, model = picture(kind), tiny(scale)
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
        assert file.pages.first.is_tiled
        array = file.pages.first.asarray()
    colours = 1 if lr.mode == "L" else 3
    assert np.array_equal(array.reshape(*there.size, -1)[..., :colours], there.rgb[..., :colours])


def test_progress_cancel_and_what_is_left(tmp_path):
    seen = []
    upscale_to_tiff(picture("rgb"), tmp_path / "a.tif", tiny(2), tile=64, on_progress=lambda *p: seen.append(p))
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1)) and seen[-1][0] == seen[-1][1]

    class Cancelled(Exception):
        pass

    def cancel(done, total):
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        upscale_to_tiff(picture("rgb"), tmp_path / "b.tif", tiny(2), tile=64, on_progress=cancel)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_nothing_is_overwritten_unasked(tmp_path):
    path = write_image(tmp_path / "a.tif", np.zeros((3, 3, 3), np.uint8))
    with pytest.raises(FileExistsError, match=r"a.tif exists; choose another name, or overwrite=True"):
        upscale_to_tiff(picture("rgb"), path, tiny(2))
    assert read_image(path).size == (3, 3)
    assert read_image(upscale_to_tiff(picture("rgb"), path, tiny(2), overwrite=True)).size == (2 * TALL, 80)


def test_only_a_tiff(tmp_path):
    with pytest.raises(ImageError, match=r"a.png cannot be written by strips: name it .tif"):
        upscale_to_tiff(picture("rgb"), tmp_path / "a.png", tiny(2))


def test_a_result_beyond_four_gigabytes_is_refused(tmp_path):
    class Far:
        """A file that is already long."""

        def __init__(self, file):
            self.file = file

        def tell(self):
            return self.file.tell() + 2**32

        def __getattr__(self, name):
            return getattr(self.file, name)

    strip = np.zeros((256, 40, 3), np.uint8)
    with open(tmp_path / "a.tif", "wb") as file, pytest.raises(ImageError, match=r"larger than the 4 GB"):
        strips.write_tiff(Far(file), iter([strip]), 256, 40, Picture(strip), alpha=False)
