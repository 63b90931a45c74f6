"""Which network for this picture: measured on the sample photographs, by files of all kinds."""

import io
from functools import cache

import numpy as np
import pytest
from conftest import SAMPLES
from PIL import Image

from srlib.images.degrade import Degradation
from srlib.images.picture import ImageError, from_array, read_image, write_image
from srlib.images.resize import imresize
from srlib.metrics import PROTOCOLS
from srlib.upscaling.enlarge import upscale
from srlib.zoo.checkpoints import load_pretrained
from srlib.zoo.recommend import recommend_checkpoint, recommend_checkpoints

QUALITIES = (30, 50, 75, 85, 95)
SIDE = 96


@cache
def crop(name, scale):
    hr = read_image(SAMPLES / "DIV2K_valid_HR" / name).rgb
    return hr[: SIDE * scale, : SIDE * scale]


def encoded(rgb, kind, **options):
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, kind, **options)
    return stream.getvalue()


def decoded(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def files(lr):
    """The same small picture as people have it: clean, as JPEG, and a JPEG saved again."""
    yield "clean.png", encoded(lr, "PNG")
    for quality in QUALITIES:
        jpeg = encoded(lr, "JPEG", quality=quality)
        yield f"{quality}.jpg", jpeg
        yield f"{quality}.png", encoded(decoded(jpeg), "PNG")
        yield f"{quality}-cropped.png", encoded(decoded(jpeg)[3:, 5:], "PNG")
    for quality, again in ((75, 95), (75, 80), (90, 90)):
        jpeg = decoded(encoded(lr, "JPEG", quality=quality))
        yield f"{quality}-{again}.webp", encoded(jpeg, "WEBP", quality=again)


@pytest.mark.parametrize("scale", [2, 4])
def test_the_better_network_is_chosen(tmp_path, scale):
    """On at least 95 % of all files, and never where the wrong one costs more than half a decibel."""
    psnr = PROTOCOLS["benchmark-y"].psnr
    plain, photo = (load_pretrained(name, scale) for name in ("edsr-lite", "edsr-lite-photo"))
    measured = {}
    right = []
    for path in sorted((SAMPLES / "DIV2K_valid_HR").glob("*.png")):
        hr = crop(path.name, scale)
        for name, content in files(imresize(hr, 1 / scale)):
            (tmp_path / name).write_bytes(content)
            kind = name.split("-cropped")[0]  # a few pixels less at the border change nothing
            if kind == name:
                lr = decoded(content)
                if lr.tobytes() not in measured:
                    scores = [psnr(upscale(lr, m), hr, scale=scale) for m in (plain, photo)]
                    measured[lr.tobytes()] = scores[1] - scores[0]
                measured[path.name, kind.partition(".")[0]] = measured[lr.tobytes()]
                gain = measured[lr.tobytes()]
            else:
                gain = measured[path.name, kind]
            answer = recommend_checkpoint(tmp_path / name, scale)
            right.append((answer.name == "edsr-lite-photo") == (gain > 0))
            assert right[-1] or abs(gain) < 0.5, (path.name, name, answer.reason, gain)
            assert str(answer).startswith(f"{answer.name}, because it ")
    assert np.mean(right) >= 0.95


@pytest.fixture
def lr():
    return imresize(crop("0801.png", 2), 1 / 2)


def some_files(lr):
    """One of each kind, and a WebP file that lost nothing."""
    kinds = ("clean.png", "75.jpg", "50.png", "30-cropped.png", "75-80.webp")
    yield from ((name, content) for name, content in files(lr) if name in kinds)
    yield (
        "85-lossless.webp",
        encoded(decoded(encoded(lr, "JPEG", quality=85)), "WEBP", lossless=True),
    )


def test_a_picture_and_its_pixels_are_judged_like_its_file(tmp_path, lr):
    for name, content in some_files(lr):
        (tmp_path / name).write_bytes(content)
        answer = recommend_checkpoint(tmp_path / name, 2)
        assert recommend_checkpoint(str(tmp_path / name), 2) == answer
        assert recommend_checkpoint(decoded(content), 2) == answer
        assert recommend_checkpoint(from_array(decoded(content)), 2) == answer


def test_all_scales_at_once_are_judged_like_each(tmp_path, lr):
    for name, content in some_files(lr):
        (tmp_path / name).write_bytes(content)
        each = {scale: recommend_checkpoint(tmp_path / name, scale) for scale in (2, 3, 4)}
        assert recommend_checkpoints(tmp_path / name, (2, 3, 4)) == each


def test_a_turned_or_mirrored_picture_is_judged_like_it_was(lr):
    """The blocks of a compressed picture then begin elsewhere."""
    for _, content in some_files(lr):
        rgb = decoded(content)
        name = recommend_checkpoint(rgb, 2).name
        for turned in (rgb[:, ::-1], rgb[::-1], rgb.swapaxes(0, 1), rgb[6:, 1:]):
            assert recommend_checkpoint(np.ascontiguousarray(turned), 2).name == name


def test_blocks_that_nobody_sees_do_not_count(lr):
    opaque = np.ones(lr.shape[:2], bool)
    opaque[len(lr) // 2 :] = False
    rgb = np.where(opaque[..., None], lr, decoded(encoded(lr, "JPEG", quality=30)))
    assert recommend_checkpoint(np.dstack([rgb, np.uint8(255 * opaque)]), 2).name == "edsr-lite"
    assert recommend_checkpoint(rgb, 2).name == "edsr-lite-photo"


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_the_reason_names_what_was_done(kind):
    lr = imresize(crop("0803.png", 2), 1 / 2)
    rgb = decoded(encoded(lr, kind, quality=60))
    assert {"JPEG": "JPEG", "WEBP": "WebP"}[kind] in recommend_checkpoint(rgb, 2).reason


def test_noise_is_told_from_texture():
    for path in sorted((SAMPLES / "DIV2K_valid_HR").glob("*.png")):
        hr = crop(path.name, 2)
        assert recommend_checkpoint(Degradation(scale=2)(hr), 2).name == "edsr-lite"
        answer = recommend_checkpoint(Degradation(scale=2, noise=6)(hr), 2)
        assert answer.name == "edsr-lite-photo" and "noisy" in answer.reason


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 9), (8, 300, 3), (96, 96, 4), (500, 401, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_size_and_depth(shape, dtype):
    for value in (0, np.iinfo(dtype).max):
        assert recommend_checkpoint(np.full(shape, value, dtype), 3).name == "edsr-lite"


def test_deep_and_gray_pictures(tmp_path, lr):
    deep = write_image(
        tmp_path / "deep.tif", from_array(lr.astype(np.uint16) * 257)
    )  # none of Pillow's modes
    assert recommend_checkpoint(deep, 2).name == "edsr-lite"
    gray = decoded(encoded(lr[..., 1].copy(), "JPEG", quality=60))[..., 0]
    assert recommend_checkpoint(gray, 2).name == "edsr-lite-photo"
    assert recommend_checkpoint(lr.astype(np.uint16) * 257, 2).name == "edsr-lite"


def test_wrong_arguments(tmp_path, lr):
    with pytest.raises(ValueError, match="2, 3 or 4, not by 8"):
        recommend_checkpoint(lr, 8)
    with pytest.raises(FileNotFoundError):
        recommend_checkpoint(tmp_path / "none.png", 2)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ImageError):
        recommend_checkpoint(tmp_path / "text.png", 2)
