import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from srlib.images import Picture, read_image, to_tensor, write_image
from srlib.model import EDSR, EDSRConfig
from srlib.resize import imresize
from srlib.upscale import _spans, super_resolve, upscale
from srlib.zoo import load_pretrained


def tiny(scale: int) -> EDSR:
    """Two blocks with weights strong enough that a wrong border or seam is seen: not near the identity."""
    torch.manual_seed(scale)
    return EDSR(EDSRConfig(scale, 2, 8)).eval()


def plain(model: EDSR, rgb: np.ndarray) -> np.ndarray:
    """The whole image at once, through the network as it is written, in float: (H, W, 3) in grey levels."""
    with torch.inference_mode():
        return model(to_tensor(rgb)[None])[0].clamp(0, 1).mul(255).permute(1, 2, 0).numpy()


@settings(max_examples=25)
@given(st.sampled_from([2, 3, 4]), st.integers(1, 40), st.integers(1, 40), st.integers(1, 50), st.integers(0, 9))
def test_tiled_and_folded_equals_the_network_as_written(scale, height, width, tile, seed):
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    model = tiny(scale)
    answer, exact = super_resolve(rgb, model, tile=tile), plain(model, rgb)
    assert answer.shape == (height * scale, width * scale, 3)
    assert np.abs(answer - exact).max() <= 0.5 + 1e-3  # the rounding to uint8, and a thousandth of a grey level


@given(st.integers(1, 500), st.integers(1, 200), st.integers(0, 40))
def test_tiles_cover_every_pixel_once(size, tile, halo):
    spans = _spans(size, tile, halo)
    covered = [i for _, _, place in spans for i in range(place.start, place.stop)]
    assert covered == list(range(size))
    for seen, kept, place in spans:
        assert 0 <= seen.start <= max(0, place.start - halo) and place.stop <= seen.stop <= size
        assert seen.start + kept.start == place.start and seen.start + kept.stop == place.stop
        assert place.stop - place.start <= tile


def test_what_comes_in_goes_out(photo, tmp_path):
    model, lr = tiny(2), photo[:30, :40]
    gray = np.ascontiguousarray(lr[..., 0])
    assert upscale(lr, model).shape == (60, 80, 3)
    assert upscale(gray, model).shape == (60, 80)
    assert upscale(gray.astype(np.uint16) * 257, model).dtype == np.uint16
    assert upscale(np.dstack([lr, gray]), model).shape == (60, 80, 4)
    image = upscale(Image.fromarray(lr), model)
    assert isinstance(image, Image.Image) and image.size == (80, 60) and image.mode == "RGB"
    assert upscale(Image.fromarray(gray), model).mode == "L"
    path = write_image(tmp_path / "a.png", lr)
    for source in (path, str(path), read_image(path)):
        assert isinstance(upscale(source, model), Picture)
    assert np.array_equal(upscale(path, model).rgb, upscale(lr, model))


def test_profile_and_exif_go_along(photo):
    picture = Picture(photo[:20, :20], icc_profile=b"profile", exif=b"exif")
    larger = upscale(picture, tiny(2))
    assert (larger.icc_profile, larger.exif, larger.size) == (b"profile", b"exif", (40, 40))


def test_sixteen_bits_are_used(photo):
    lr, model = photo[:20, :20], tiny(2)
    eight, sixteen = upscale(lr, model), upscale(lr.astype(np.uint16) * 257, model)
    assert np.abs(sixteen / 257 - eight).max() <= 0.51
    assert len(np.unique(sixteen)) > 256


@pytest.mark.parametrize("scale", [1, 1.5, 2, 3.7, 8])
def test_any_factor_is_the_model_then_bicubic(photo, scale):
    lr, model = photo[:21, :33], tiny(2)
    answer = upscale(lr, model, scale=scale)
    assert answer.shape == (int(np.ceil(21 * scale)), int(np.ceil(33 * scale)), 3)
    expected = super_resolve(lr, model) if scale == 2 else imresize(super_resolve(lr, model), scale / 2)
    assert np.array_equal(answer, expected)
    alpha = upscale(np.dstack([lr, lr[..., 0]]), model, scale=scale)
    assert alpha.shape == (*answer.shape[:2], 4)


@pytest.mark.parametrize("scale", [1.5, 2])
def test_no_dark_fringe_around_what_is_cut_out(scale):
    """A red disc on transparent black: wherever it can be seen it stays red."""
    y, x = np.mgrid[-20:20, -20:20]
    disc = np.zeros((40, 40, 4), np.uint8)
    disc[np.hypot(x, y) < 14] = (255, 0, 0, 255)
    answer = upscale(disc, load_pretrained("edsr-lite", 2), scale=scale)
    seen = answer[answer[..., 3] > 0]
    assert 0 < len(seen) < answer[..., 3].size and (seen[:, 0] > 235).all() and (seen[:, 1:3] < 20).all()


def test_progress_and_cancel(photo):
    seen = []
    upscale(photo, tiny(2), tile=50, on_progress=lambda *p: seen.append(p))
    assert seen == [(i, 6) for i in range(1, 7)]

    class Cancelled(Exception):
        pass

    def cancel(done, total):
        seen.append(done)
        if done == 2:
            raise Cancelled

    seen.clear()
    with pytest.raises(Cancelled):
        upscale(photo, tiny(2), tile=50, on_progress=cancel)
    assert seen == [1, 2]


@pytest.mark.parametrize("options", [{"scale": 0.5}, {"scale": 9}, {"tile": 0}])
def test_impossible_requests(photo, options):
    with pytest.raises(ValueError, match=r"scale is|tile has"):
        upscale(photo, tiny(2), **options)
