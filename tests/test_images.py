import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from srlib import images
from srlib.images import ImageError, Picture, encode, from_array, read_image, to_array, to_pil, to_tensor, write_image


def saved(image: Image.Image, kind: str = "PNG", **options) -> io.BytesIO:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    stream.seek(0)
    return stream


def test_exif_orientation_is_applied_once(photo):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: shown upright after a quarter turn clockwise
    picture = read_image(saved(Image.fromarray(photo), exif=exif))
    assert np.array_equal(picture.rgb, np.rot90(photo, -1))
    again = read_image(io.BytesIO(encode(picture)))
    assert np.array_equal(again.rgb, picture.rgb)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
def test_profile_and_exif_survive(tmp_path, photo, suffix):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x013B] = "A. Photographer"
    stream = saved(Image.fromarray(photo), icc_profile=profile, exif=exif)
    written = write_image(tmp_path / f"a{suffix}", read_image(stream))
    back = read_image(written)
    assert back.icc_profile == profile
    with Image.open(written) as image:
        assert image.getexif()[0x013B] == "A. Photographer"


def test_modes(photo):
    gray, alpha = photo[..., 1], photo[..., 2]
    assert read_image(saved(Image.fromarray(gray))).mode == "L"
    assert np.array_equal(read_image(saved(Image.fromarray(gray))).array, gray)
    rgba = np.dstack([photo, alpha])
    picture = read_image(saved(Image.fromarray(rgba)))
    assert np.array_equal(picture.rgb, photo) and np.array_equal(picture.alpha, alpha)
    deep = (gray.astype(np.uint16) << 8) | 7
    picture = read_image(saved(Image.fromarray(deep)))
    assert picture.rgb.dtype == np.uint16 and np.array_equal(picture.array, deep)
    palette = Image.fromarray(photo).quantize(16)
    assert np.array_equal(read_image(saved(palette)).rgb, np.asarray(palette.convert("RGB")))
    assert read_image(saved(Image.fromarray(photo).convert("CMYK"), "JPEG")).rgb.shape == photo.shape
    frames = [Image.fromarray(photo).quantize(16), Image.new("P", photo.shape[1::-1])]
    first = read_image(saved(frames[0], "GIF", save_all=True, append_images=frames[1:])).rgb
    assert np.array_equal(first, np.asarray(frames[0].convert("RGB")))


def png(array: np.ndarray) -> bytes:
    return saved(Image.fromarray(array)).getvalue()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.png", b"", "not a picture"),
        ("notes.png", b"%PDF-1.7 not a picture at all", "not a picture"),
        ("cut.png", None, "damaged or incomplete"),
        ("cut.jpg", None, "damaged or incomplete"),
    ],
)
def test_bad_files_are_named(tmp_path, photo, name, content, says):
    if content is None:
        whole = saved(Image.fromarray(photo), "PNG" if name.endswith("png") else "JPEG").getvalue()
        content = whole[: len(whole) // 2]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=says) as caught:
        read_image(tmp_path / name)
    assert name in str(caught.value)


def test_bombs_are_refused(monkeypatch, photo):
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    with pytest.raises(ImageError, match="limit"):
        read_image(saved(Image.fromarray(photo)))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "nothing.png")


def test_a_failed_write_leaves_the_old_file(tmp_path, photo, monkeypatch):
    target = write_image(tmp_path / "a.png", photo)
    before = target.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(images.os, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_image(target, photo[::-1])
    assert target.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_unknown_suffix(tmp_path, photo):
    with pytest.raises(ImageError, match=r"\.png"):
        write_image(tmp_path / "a.xyz", photo)


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8), [1]])
def test_from_array_refuses(bad):
    with pytest.raises(ImageError):
        from_array(bad)


pictures = st.tuples(
    st.integers(1, 9), st.integers(1, 9), st.sampled_from([(), (3,), (4,)]), st.sampled_from([np.uint8, np.uint16])
).flatmap(lambda s: arrays(s[3], (s[0], s[1], *s[2])))


@given(pictures)
def test_round_trip_through_a_file(array):
    picture = from_array(array)
    back = read_image(io.BytesIO(encode(picture)))
    keeps_depth = array.dtype == np.uint8 or array.ndim == 2
    expected = array if keeps_depth else (array >> 8).astype(np.uint8)
    assert np.array_equal(back.array, expected[..., :3] if array.ndim == 3 else expected)
    if array.ndim == 3 and array.shape[2] == 4:
        assert np.array_equal(back.alpha, expected[..., 3])


@given(arrays(np.uint8, (3, 5, 3)) | arrays(np.uint16, (3, 5, 3)))
def test_tensors_and_back(rgb):
    tensor = to_tensor(rgb)
    assert tensor.shape == (3, 3, 5) and tensor.dtype == torch.float32 and tensor.min() >= 0 and tensor.max() <= 1
    assert np.array_equal(to_array(tensor, rgb.dtype), rgb)


def test_to_array_clamps_and_rounds_half_up():
    values = torch.tensor([-1.0, 0.5 / 255, 1.49 / 255, 2.0]).view(1, 1, 4).expand(3, 1, 4)
    assert to_array(values)[0, :, 0].tolist() == [0, 1, 1, 255]


def test_to_pil_of_transparent_gray(photo):
    assert to_pil(Picture(np.repeat(photo[..., :1], 3, 2), photo[..., 1], "L")).mode == "LA"
