import io
import os
import struct
import tempfile
import warnings
import zlib

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from photo_files import camera_exif, chunk, deep_of, png16, profile, saved, tiff16
from PIL import Image, ImageOps
from skimage import io as skimage_io

from srlib.images import picture as images
from srlib.images.alpha import bleed, resample
from srlib.images.picture import (
    ImageError,
    Picture,
    encode,
    from_array,
    from_pil,
    read_image,
    to_pil,
    write_image,
)
from srlib.images.resize import imresize
from srlib.images.tensors import to_array, to_tensor


def samples_of(picture: Picture) -> np.ndarray:
    colour = picture.array if picture.mode == "RGB" else picture.array[..., None]
    return colour if picture.alpha is None else np.dstack([colour, picture.alpha])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(photo, orientation):
    exif = camera_exif(orientation)
    turned = ImageOps.exif_transpose(Image.open(saved(Image.fromarray(photo), exif=exif)))
    sources = {
        "PNG": saved(Image.fromarray(photo), exif=exif),
        "TIFF": saved(Image.fromarray(photo), "TIFF", exif=exif),
        "16-bit PNG": png16(photo.astype(np.uint16) * 257, chunk(b"eXIf", exif.tobytes()[6:])),
        "16-bit TIFF": tiff16(
            photo.astype(np.uint16) * 257, extratags=[(274, "H", 1, orientation, True)]
        ),
    }
    for name, stream in sources.items():
        picture = read_image(stream)
        expected = np.asarray(turned).astype(picture.rgb.dtype) * (257 if "16" in name else 1)
        assert np.array_equal(picture.rgb, expected), name
        for kind in ("PNG", "TIFF"):
            assert np.array_equal(read_image(io.BytesIO(encode(picture, kind))).rgb, expected), (
                name,
                kind,
            )


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
def test_profile_and_exif_survive(tmp_path, photo, suffix, depth):
    exif = camera_exif()
    icc = profile()
    if depth == np.uint8:
        stream = saved(Image.fromarray(photo), icc_profile=icc, exif=exif)
    else:
        before = chunk(b"iCCP", b"any name\0\0" + zlib.compress(icc))
        stream = png16(deep_of(photo, 3), before, after=chunk(b"eXIf", exif.tobytes()[6:]))
    written = write_image(tmp_path / f"a{suffix}", read_image(stream))
    assert read_image(written).icc_profile == icc
    with Image.open(written) as image:
        found = image.getexif()
        assert (
            image.info["icc_profile"] == icc
            and found[0x013B] == "A. Photographer"
            and 0x0112 not in found
        )
        assert found.get_ifd(0x8769)[0x829D] == 2.8 and found.get_ifd(0x8825)[1] == "N"
        assert 0xA002 not in found.get_ifd(0x8769)  # the width when it was taken
    again = write_image(
        tmp_path / f"b{suffix}", read_image(written)
    )  # nothing is lost or added the second time
    assert read_image(again).exif == read_image(written).exif


def test_storage_tags_of_a_tiff_do_not_pass_for_exif(tmp_path, photo):
    """Pillow gives all tags of a TIFF as EXIF; its width, written into an enlarged one, would spoil that."""
    for stream in (
        saved(Image.fromarray(photo), "TIFF", exif=camera_exif()),
        tiff16(deep_of(photo, 3), extratags=[(315, "s", 0, "A. Photographer", True)]),
    ):
        picture = read_image(stream)
        larger = Picture(picture.rgb.repeat(2, 0).repeat(2, 1), exif=picture.exif)
        for suffix in (".tif", ".png"):
            written = write_image(tmp_path / f"a{suffix}", larger)
            assert np.array_equal(read_image(written).rgb, larger.rgb)
            with Image.open(written) as image:
                assert (
                    image.size == larger.size[::-1] and image.getexif()[0x013B] == "A. Photographer"
                )
        assert len(picture.exif) < 500


@pytest.mark.parametrize(
    "broken",
    [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0junk that is no directory", b""],
)
def test_broken_exif_costs_no_picture(photo, broken):
    assert np.array_equal(read_image(saved(Image.fromarray(photo), exif=broken)).rgb, photo)
    stream = png16(deep_of(photo, 3), chunk(b"eXIf", broken[6:]))
    assert np.array_equal(read_image(stream).rgb, deep_of(photo, 3))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_sixteen_bits_of_others(photo, count):
    deep = deep_of(photo, count)
    planes = {"planarconfig": "separate"} if count > 2 else {}
    planar = (
        tiff16(
            np.moveaxis(deep, 2, 0),
            photometric="rgb",
            **planes,
            **({"extrasamples": [2]} if count == 4 else {}),
        )
        if planes
        else None
    )
    sources = [png16(deep)]
    if count != 2:  # Pillow opens no TIFF of 16-bit gray with alpha
        sources += [
            tiff16(deep),
            tiff16(deep, compression="lzw", predictor=True, byteorder=">"),
            tiff16(deep, compression="zlib", tile=(32, 32), bigtiff=True),
        ]
    for stream in sources + [planar] * bool(planes):
        picture = read_image(stream)
        assert np.array_equal(samples_of(picture), deep) and picture.rgb.dtype == np.uint16
        assert (picture.mode, picture.alpha is not None) == (
            "L" if count < 3 else "RGB",
            count in (2, 4),
        )


def test_sixteen_bit_specialities(photo):
    deep = deep_of(photo, 3)
    assert np.array_equal(
        read_image(tiff16(deep[..., :1], photometric="miniswhite")).array, 65535 - deep[..., 0]
    )
    two = io.BytesIO()
    tifffile.imwrite(two, np.stack([deep, deep[::-1]]), photometric="rgb")
    assert np.array_equal(read_image(two).rgb, deep)
    half = np.full((4, 6), 32768, np.uint16)
    stored = np.dstack([half // 2, half // 4, half * 0, half])  # colour times alpha
    assert read_image(tiff16(stored, extrasamples=["assocalpha"])).rgb[0, 0].tolist() == [
        32768,
        16384,
        0,
    ]
    assert read_image(tiff16(stored, extrasamples=["unspecified"])).alpha is None
    gray = io.BytesIO()
    both = np.dstack([half // 512, half // 256]).astype(np.uint8)
    tifffile.imwrite(gray, both, photometric="minisblack", extrasamples=["assocalpha"])
    assert read_image(gray).rgb[0, 0].tolist() == [127] * 3  # of 8 bits, 64 of 128
    assert read_image(gray).alpha[0, 0] == 128
    key = png16(deep, chunk(b"tRNS", struct.pack(">3H", *deep[5, 7])))
    assert np.array_equal(read_image(key).alpha == 0, (deep == deep[5, 7]).all(2))


def cmyk_profile() -> bytes:
    """An ICC profile (version 2, a table with two points an axis) by which black is black, cyan L* = 50, others white."""
    lab = [
        (0, 128, 128) if i % 2 else (128, 128, 128) if i & 8 else (255, 128, 128) for i in range(16)
    ]
    table = struct.pack(
        ">4s4xBBBx9i", b"mft1", 4, 3, 2, *(65536 if i % 4 == 0 else 0 for i in range(9))
    )
    table += bytes(range(256)) * 4 + b"".join(map(bytes, lab)) + bytes(range(256)) * 3
    white = struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061)
    tags = struct.pack(
        ">I4sII4sII", 2, b"A2B0", 156, len(table), b"wtpt", 156 + len(table), len(white)
    )
    size = 128 + len(tags) + len(table) + len(white)
    head = struct.pack(
        ">I4xI4s4s4s12x4s28xI3i",
        size,
        0x02400000,
        b"prtr",
        b"CMYK",
        b"Lab ",
        b"acsp",
        0,
        63190,
        65536,
        54061,
    )
    return head.ljust(128, b"\0") + tags + table + white


def test_cmyk_becomes_srgb_by_its_profile():
    ink = Image.new(
        "CMYK", (16, 8), (0, 255, 255, 0)
    )  # white by the profile, red by the plain formula
    ink.paste((255, 0, 0, 0), (8, 0, 16, 8))
    for kind in ("TIFF", "JPEG"):
        picture = read_image(
            saved(
                ink,
                kind,
                icc_profile=cmyk_profile(),
                **({"quality": 100} if kind == "JPEG" else {}),
            )
        )
        assert picture.icc_profile is None
        assert (
            np.abs(picture.rgb[4, 2] - 255.0).max() <= 2
            and np.abs(picture.rgb[4, 13] - 119.0).max() <= 2
        )  # L* = 50
    for useless in (b"no profile", profile()):
        picture = read_image(saved(ink, "TIFF", icc_profile=useless))
        assert picture.icc_profile is None and np.array_equal(
            picture.rgb, np.asarray(ink.convert("RGB"))
        )


def test_lab_becomes_srgb():
    lab = Image.new("LAB", (2, 2), (128, 128, 128))  # L* = 50.2, gray
    picture = read_image(saved(lab, "TIFF", icc_profile=profile("LAB")))
    assert picture.icc_profile is None and np.abs(picture.rgb - 119.5).max() <= 1.5


@pytest.mark.parametrize(
    ("value", "mode"),
    [(0.5, "F"), (-1, "I"), (70000, "I")],
)
def test_pixels_without_a_white_are_refused(tmp_path, value, mode):
    Image.new(mode, (3, 2), value).save(tmp_path / "numbers.tif")
    with pytest.raises(ImageError, match=r"^numbers\.tif has .*whose white is unknown"):
        read_image(tmp_path / "numbers.tif")
    assert from_pil(Image.new("I", (3, 2), 65535)).array.tolist() == [[65535] * 3] * 2


def test_plain_modes(photo):
    image = Image.fromarray(photo)
    bits = image.convert("1")
    assert (
        np.array_equal(read_image(saved(bits)).array, np.asarray(bits) * np.uint8(255))
        and read_image(saved(bits)).mode == "L"
    )
    clear = image.quantize(16)
    picture = read_image(saved(clear, transparency=3))
    assert np.array_equal(picture.alpha == 0, np.asarray(clear) == 3)
    assert np.array_equal(
        read_image(saved(image, transparency=tuple(photo[4, 4].tolist()))).alpha == 0,
        (photo == photo[4, 4]).all(2),
    )
    assert np.array_equal(
        read_image(saved(image.convert("L").convert("LA"))).alpha, np.full(photo.shape[:2], 255)
    )
    luma = image.convert("YCbCr")
    assert np.array_equal(read_image(saved(luma, "TIFF")).rgb, np.asarray(luma.convert("RGB")))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_of_several_frames_the_first(photo, kind):
    frames = [Image.fromarray(photo), Image.fromarray(photo[::-1].copy())]
    stream = saved(
        frames[0],
        kind,
        save_all=True,
        append_images=frames[1:],
        **({"lossless": True} if kind == "WEBP" else {}),
    )
    with Image.open(stream) as image:
        assert image.n_frames == 2
    assert np.array_equal(read_image(stream).rgb, photo)


def test_modes(photo):
    gray = photo[..., 1]
    alpha = photo[..., 2]
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
    assert (
        read_image(saved(Image.fromarray(photo).convert("CMYK"), "JPEG")).rgb.shape == photo.shape
    )
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
        ("cut.png", None, "cut short"),
        ("cut.jpg", None, "cut short"),
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
    assert "bytes" not in str(caught.value), "a decoder's language"


def test_bombs_are_refused(monkeypatch, photo):
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    for stream in (
        saved(Image.fromarray(photo)),
        png16(deep_of(photo, 3)),
        tiff16(deep_of(photo, 3)),
    ):
        with pytest.raises(ImageError, match=r"^The upload has 120 x 96 pixels; the limit is"):
            read_image(stream)


def test_bombs_are_refused_before_they_are_decoded(photo):
    deep = deep_of(photo, 3)
    liars = [png16(deep, size=(60_000, 60_000)), tiff16(deep, compression="zlib")]
    with tifffile.TiffFile(liars[1], mode="r+b") as tiff:
        for tag in ("ImageWidth", "ImageLength"):
            tiff.pages.first.tags[tag].overwrite(60_000)
    for stream in liars:
        with pytest.raises(ImageError, match=r"the limit is 150 megapixels"):
            read_image(stream)


@settings(max_examples=60)
@given(st.data())
def test_damaged_sixteen_bit_files_are_refused_or_read(data):
    deep = np.arange(5 * 4 * 3, dtype=np.uint16).reshape(5, 4, 3) * 997
    make = data.draw(st.sampled_from([png16, tiff16, lambda a: tiff16(a, compression="zlib")]))
    content = bytearray(make(deep).getvalue())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        picture = read_image(io.BytesIO(bytes(content)))
    except ImageError as error:
        assert str(error).startswith("The upload ") and str(error).endswith(".")
    else:
        assert picture.rgb.ndim == 3 and picture.rgb.size


def test_names_and_reasons(tmp_path):
    for name, says in (("folder.png", "Not a regular file"), ("bad.png", "not a picture")):
        (tmp_path / name).mkdir() if name == "folder.png" else (tmp_path / name).write_bytes(b"no")
        with pytest.raises(ImageError, match=f"^{name} .*{says}") as caught:
            read_image(tmp_path / name)
        assert str(tmp_path) not in str(caught.value)
    with open(tmp_path / "bad.png", "rb") as stream, pytest.raises(ImageError, match=r"^bad\.png "):
        read_image(stream)
    with tempfile.TemporaryFile() as stream, pytest.raises(ImageError, match=r"^The upload "):
        read_image(stream)


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


def test_permissions_are_the_usual_ones(tmp_path, photo):
    before = os.umask(0o027)
    try:
        assert write_image(tmp_path / "a.png", photo).stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".ppm"])
def test_without_alpha_it_lies_on_white(tmp_path, suffix):
    for depth, mode in ((np.uint8, "RGB"), (np.uint16, "L")):
        top = np.iinfo(depth).max
        alpha = np.repeat(np.array([[0] * 8 + [top // 5] * 8 + [top] * 8], depth), 8, axis=0)
        picture = read_image(
            write_image(tmp_path / f"a{suffix}", Picture(np.zeros((8, 24, 3), depth), alpha, mode))
        )
        assert picture.alpha is None and picture.mode == mode
        assert np.abs(picture.rgb[4, [3, 12, 20], 0].astype(int) - [255, 204, 0]).max() <= 3


def test_what_a_format_cannot_hold(tmp_path):
    with pytest.raises(
        ImageError,
        match=r"^wide\.webp cannot be written: WEBP cannot hold .* 20000 x 1 pixels .*use PNG\.$",
    ):
        write_image(tmp_path / "wide.webp", np.zeros((1, 20_000, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_unknown_suffix(tmp_path, photo):
    with pytest.raises(ImageError, match=r"\.png"):
        write_image(tmp_path / "a.xyz", photo)


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8), [1]]
)
def test_from_array_refuses(bad):
    with pytest.raises(ImageError):
        from_array(bad)


@st.composite
def pictures(draw):
    """Any size, depth and kind of picture, in arrays of any layout in memory."""
    height = draw(st.integers(1, 9))
    width = draw(st.integers(1, 9))
    count = draw(st.integers(1, 4))
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    step = draw(st.sampled_from([1, 2, -1]))
    stored = draw(arrays(dtype, (height * abs(step), count, width)))
    samples = stored[::step].swapaxes(1, 2)
    rgb = samples[..., :3] if count > 2 else np.repeat(samples[..., :1], 3, axis=2)
    return Picture(rgb, samples[..., -1] if count in (2, 4) else None, "RGB" if count > 2 else "L")


@given(pictures(), st.sampled_from(["PNG", "TIFF"]))
def test_round_trip_through_a_file(picture, kind):
    content = encode(picture, kind)
    back = read_image(io.BytesIO(content))
    if kind == "TIFF" and picture.alpha is not None:  # gray with alpha becomes RGBA
        picture = Picture(picture.rgb, picture.alpha)
    assert back.mode == picture.mode and back.rgb.dtype == picture.rgb.dtype
    assert np.array_equal(samples_of(back), samples_of(picture))
    if kind == "PNG":  # Pillow sees the upper byte
        seen = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))
        if samples_of(picture).shape[2] == 1 and picture.rgb.dtype == np.uint16:
            assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), picture.array)
        else:
            shift = 8 * (picture.rgb.itemsize - 1)
            assert np.array_equal(seen[..., :3], picture.rgb >> shift)
            assert (
                seen[..., 3] == (255 if picture.alpha is None else picture.alpha >> shift)
            ).all()
    else:
        assert np.array_equal(
            tifffile.imread(io.BytesIO(content)).reshape(samples_of(picture).shape),
            samples_of(picture),
        )
    again = from_pil(to_pil(picture))
    assert (
        again.mode == picture.mode
        and np.abs(again.rgb / np.iinfo(again.rgb.dtype).max - to_unit(picture)).max() <= 0.5 / 255
    )


def to_unit(picture: Picture) -> np.ndarray:
    return picture.rgb / np.iinfo(picture.rgb.dtype).max


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_scikit_image_reads_our_tiff(tmp_path, photo, count):
    deep = deep_of(photo, count)
    rgb = deep[..., :3] if count > 2 else deep[..., :1].repeat(3, 2)
    picture = Picture(
        rgb,
        deep[..., -1] if count in (2, 4) else None,
        "RGB" if count > 2 else "L",
        profile(),
        camera_exif().tobytes(),
    )
    written = write_image(tmp_path / "a.tif", picture)
    expected = deep[..., [0, 0, 0, 1]] if count == 2 else deep
    assert np.array_equal(skimage_io.imread(written).reshape(expected.shape), expected)
    with tifffile.TiffFile(written) as tiff:
        page = tiff.pages.first
        assert page.iccprofile == profile() and page.tags["Artist"].value == "A. Photographer"
        assert [int(extra) for extra in page.extrasamples] == ([2] if count in (2, 4) else [])


@given(arrays(np.uint8, (3, 5, 3)) | arrays(np.uint16, (3, 5, 3)))
def test_tensors_and_back(rgb):
    tensor = to_tensor(rgb)
    assert (
        tensor.shape == (3, 3, 5)
        and tensor.dtype == torch.float32
        and tensor.min() >= 0
        and tensor.max() <= 1
    )
    assert np.array_equal(to_array(tensor, rgb.dtype), rgb)


def test_to_array_clamps_and_rounds_half_up():
    values = torch.tensor([-1.0, 0.5 / 255, 1.49 / 255, 2.0]).view(1, 1, 4).expand(3, 1, 4)
    assert to_array(values)[0, :, 0].tolist() == [0, 1, 1, 255]


def test_to_array_of_nan_is_black_and_says_nothing():
    values = (
        torch.tensor([float("nan"), float("inf"), -float("inf"), 0.5]).view(1, 1, 4).expand(3, 1, 4)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert to_array(values)[0, :, 0].tolist() == [0, 255, 0, 128]
        assert to_array(values, np.uint16)[0, :, 0].tolist() == [0, 65535, 0, 32768]


def red_disc(dtype: type) -> Picture:
    """A red disc with a soft edge, on transparent black."""
    y, x = np.mgrid[:48, :48] - 23.5
    alpha = (np.clip(18 - np.hypot(x, y), 0, 1) * np.iinfo(dtype).max).astype(dtype)
    red = np.where(alpha > 0, np.iinfo(dtype).max, 0).astype(dtype)
    return Picture(np.dstack([red, red * 0, red * 0]), alpha)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("scale", [1 / 4, 1 / 2, 2, 3])
def test_no_dark_fringe(dtype, scale):
    disc = red_disc(dtype)
    top = np.iinfo(dtype).max

    def resize(array: np.ndarray) -> np.ndarray:
        return imresize(array, scale)

    result = resample(disc, resize)
    assert np.abs(result.alpha.astype(int) - resize(disc.alpha).astype(int)).max() <= top // 128
    seen = result.rgb[result.alpha > top // 50].astype(int)
    assert np.abs(seen - [top, 0, 0]).max() <= top // 128
    naive = resize(disc.rgb)[(result.alpha > top // 50)].astype(int)
    assert naive[:, 0].min() < 0.8 * top  # the fringe there would be
    around = bleed(disc)
    assert (around.rgb == [top, 0, 0]).all() and np.array_equal(around.alpha, disc.alpha)


@given(arrays(np.uint8, (4, 6, 4)))
def test_resample_weighs_colour_by_alpha(rgba):
    def halve(array: np.ndarray) -> np.ndarray:
        blocks = array.reshape(2, 2, 3, 2, *array.shape[2:]).astype(np.float64)
        return np.floor(blocks.mean((1, 3)) + 0.5).astype(array.dtype)

    picture = resample(from_array(rgba), halve)
    blocks = rgba.reshape(2, 2, 3, 2, 4).astype(np.float64)
    weight = blocks[..., 3:].sum((1, 3))
    expected = (blocks[..., :3] * blocks[..., 3:]).sum((1, 3)) / np.maximum(weight, 1)
    assert np.abs(picture.rgb - expected)[weight[..., 0] >= 8].max(initial=0) <= 1.01
    assert np.abs(picture.alpha - weight[..., 0] / 4).max() <= 0.51


def test_resample_without_transparency_is_resizing(photo):
    def halve(array: np.ndarray) -> np.ndarray:
        return imresize(array, 1 / 2)

    opaque = resample(Picture(photo, np.full(photo.shape[:2], 255, np.uint8)), halve)
    assert np.array_equal(opaque.rgb, halve(photo)) and (opaque.alpha == 255).all()
    assert np.array_equal(resample(Picture(photo), halve).rgb, halve(photo))
    empty = Picture(photo, np.zeros(photo.shape[:2], np.uint8))
    assert bleed(empty) is empty and not resample(empty, halve).alpha.any()


def test_to_pil_of_transparent_gray(photo):
    assert to_pil(Picture(np.repeat(photo[..., :1], 3, 2), photo[..., 1], "L")).mode == "LA"
