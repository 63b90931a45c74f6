"""Photographs as people have them: their metadata, unusual files, and damage."""

import io
import os
import struct
import subprocess
import sys
import zlib
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
import tifffile
from photo_files import camera_exif, chunk, deep_of, profile, saved, tiff16
from PIL import Image, PngImagePlugin
from PIL.ExifTags import GPS, IFD, Base

from srlib.images import picture as images
from srlib.images.picture import (
    FORMATS,
    SUFFIXES,
    ImageError,
    Picture,
    encode,
    from_array,
    from_pil,
    read_image,
    write_image,
)
from srlib.images.plug_ins import jxl_size, load_plug_in

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" tiff:Orientation="6" xmp:Rating="4">'
    b"<exif:PixelXDimension>4000</exif:PixelXDimension></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def source(photo: np.ndarray, kind: str, **options) -> io.BytesIO:
    return saved(Image.fromarray(photo), kind, **options)


@pytest.mark.parametrize("out", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_resolution_survives(photo, kind, out):
    dpi = (300, 150)
    picture = read_image(source(photo, kind, dpi=dpi))
    assert picture.dpi == pytest.approx(dpi, abs=0.02)
    for depth in (1, 257):
        deep = Picture(
            picture.rgb.astype(np.uint8 if depth == 1 else np.uint16) * depth, dpi=picture.dpi
        )
        content = encode(deep, out)
        assert read_image(io.BytesIO(content)).dpi == pytest.approx(dpi, abs=0.02), depth
        assert Image.open(io.BytesIO(content)).info["dpi"] == pytest.approx(dpi, abs=0.02)


def test_resolution_of_exif_and_centimetres(photo):
    exif = Image.Exif()
    exif[282] = 118.11
    exif[283] = 118.11
    exif[296] = 3
    assert read_image(source(photo, "JPEG", exif=exif)).dpi == pytest.approx((300, 300), abs=0.01)
    deep = tiff16(deep_of(photo, 3), resolution=(118.11, 118.11), resolutionunit="CENTIMETER")
    assert read_image(deep).dpi == pytest.approx((300, 300), abs=0.01)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_no_resolution_is_invented(photo, kind):
    for picture in (
        read_image(source(photo, kind)),
        read_image(source(photo, kind, exif=camera_exif())),
    ):
        again = read_image(io.BytesIO(encode(picture, kind)))
        assert picture.dpi is again.dpi is None and again.exif == picture.exif


@pytest.mark.parametrize("bad", [0, -1, float("nan"), 1e9])
def test_nonsense_for_a_resolution_is_dropped(photo, bad):
    image = Image.fromarray(photo)
    image.info["dpi"] = (bad, bad)
    assert from_pil(image).dpi is None


@pytest.mark.parametrize("out", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_xmp_survives_without_what_is_no_longer_true(photo, kind, out):
    options = {"xmp": XMP}
    if kind == "PNG":
        options = {"pnginfo": PngImagePlugin.PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    elif kind == "TIFF":
        options = {"tiffinfo": {700: XMP}}
    picture = read_image(source(photo, kind, **options))
    upright = picture.rgb.shape[:2]
    for depth in (np.uint8, np.uint16):
        content = encode(Picture(picture.rgb.astype(depth), xmp=picture.xmp), out)
        again = read_image(io.BytesIO(content))
        assert b'xmp:Rating="4"' in again.xmp
        assert b"Orientation" not in again.xmp and b"PixelX" not in again.xmp
        assert again.rgb.shape[:2] == upright


def test_what_a_jpeg_cannot_hold_does_not_stop_it(photo):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x927C] = bytes(70_000)
    picture = Picture(photo, exif=exif.tobytes(), xmp=b"<x>" + bytes(70_000))
    assert read_image(io.BytesIO(encode(picture, "JPEG"))).xmp is None
    assert len(read_image(io.BytesIO(encode(picture, "TIFF"))).exif) > 70_000


@pytest.mark.parametrize("out", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_an_artist_with_an_umlaut(photo, out):
    exif = Image.Exif()
    exif[0x013B] = "J. Müller".encode()
    picture = read_image(source(photo, "JPEG", exif=exif.tobytes()))
    picture = Picture(photo, exif=picture.exif, dpi=(300, 300))
    assert "J. Müller".encode() in encode(picture, out)


@pytest.mark.parametrize("out", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_the_text_of_camera_and_place_keeps_its_umlauts(photo, out):
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif)[Base.CameraOwnerName] = "J. MUUller"
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSMapDatum] = "PotsdUUm"
    stored = exif.tobytes().replace(b"UU", "ü".encode())  # of equal length, so places stay
    picture = read_image(source(photo, "JPEG", exif=stored))
    content = encode(picture, out)
    assert "J. Müller".encode() in content and "Potsdüm".encode() in content
    again = Image.open(io.BytesIO(content)).getexif()
    assert again.get_ifd(IFD.Exif)[Base.CameraOwnerName].encode("latin-1") == "J. Müller".encode()


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (np.zeros((8, 9, 3), np.float32), {"photometric": "rgb"}),
        (np.zeros((8, 9, 5), np.uint8), {"photometric": "minisblack"}),
        (np.zeros((8, 9, 7), np.uint16), {"photometric": "minisblack"}),
        (np.zeros((8, 9, 3), np.uint32), {"photometric": "rgb"}),
        (np.zeros((8, 9), np.float64), {}),
        (np.zeros((8, 9), np.float16), {}),
        (np.zeros((8, 9), np.complex64), {}),
    ],
)
def test_a_tiff_that_is_no_photograph_is_refused(tmp_path, array, options):
    contig = "contig" if array.ndim == 3 else None
    tifffile.imwrite(tmp_path / "a.tif", array, planarconfig=contig, **options)
    with pytest.raises(ImageError, match=r"^a\.tif .*8 or 16 bits") as caught:
        read_image(tmp_path / "a.tif")
    assert "damaged" not in str(caught.value)


def test_twelve_bits_have_their_own_white(photo):
    twelve = deep_of(photo, 1) >> 4
    picture = read_image(tiff16(twelve, bitspersample=12))
    assert np.array_equal(picture.samples, np.floor(twelve * (65535 / 4095) + 0.5))


def test_a_broken_tiff_of_usual_pixels_is_not_called_unusual(photo):
    content = tiff16(deep_of(photo, 3)).getvalue()
    with pytest.raises(ImageError, match=r"damaged|not a picture"):
        read_image(io.BytesIO(content[: len(content) // 2]))


def test_a_jpeg_keeps_all_of_the_colour():
    stripes = np.tile(np.array([[255, 0, 0], [0, 0, 255]], np.uint8), (16, 8, 1))
    assert (
        np.abs(
            read_image(io.BytesIO(encode(images.from_array(stripes), "JPEG"))).rgb.astype(int)
            - stripes
        ).max()
        < 20
    )


def test_two_jpegs_in_one_file(tmp_path, photo):
    pair = [Image.fromarray(photo), Image.fromarray(photo[::-1].copy())]
    pair[0].save(tmp_path / "a.mpo", "MPO", save_all=True, append_images=pair[1:], quality=95)
    picture = read_image(tmp_path / "a.mpo")
    assert np.abs(picture.rgb.astype(int) - photo).mean() < 5


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.99])
def test_a_cut_jpeg_is_still_refused(photo, kept):
    whole = source(photo, "JPEG", quality=95).getvalue()
    with pytest.raises(ImageError, match="cut short"):
        read_image(io.BytesIO(whole[: int(len(whole) * kept)]))


def test_every_way_to_damage_a_file_is_an_image_error(photo, rng):
    """Each format cut anywhere, and with bytes changed anywhere."""
    small = Image.fromarray(photo[:24, :32])
    frames = {"save_all": True, "append_images": [small.rotate(90)]}
    files = {
        kind: saved(small.quantize(16) if kind == "GIF" else small, kind, **(frames if kind == "GIF" else {})).getvalue()
        for kind in FORMATS if kind in Image.SAVE and kind in Image.OPEN
    }  # fmt: skip
    assert len(files) > 10
    for kind, whole in files.items():
        for _ in range(40):
            content = bytearray(
                whole[: rng.integers(1, len(whole))] if rng.random() < 0.5 else whole
            )
            for place in rng.integers(0, len(content), rng.integers(0, 9)):
                content[place] = rng.integers(256)
            try:
                read_image(io.BytesIO(content))
            except ImageError as error:
                assert str(error).startswith("The upload "), kind


@pytest.mark.parametrize(
    "error", [EOFError, IndexError, KeyError, RecursionError, SyntaxError, ZeroDivisionError]
)
def test_any_exception_of_a_decoder_is_an_image_error(tmp_path, photo, monkeypatch, error):
    def broken(self):
        raise error

    path = write_image(tmp_path / "a.gif", photo)
    monkeypatch.setattr("PIL.GifImagePlugin.GifImageFile.load", broken)
    with pytest.raises(ImageError, match=r"^a\.gif cannot be read"):
        read_image(path)
    with pytest.raises(ImageError, match=r"^a\.gif cannot be read"):
        from_pil(Image.open(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    code = f"from srlib.images import read_image; read_image({str(tmp_path / 'a.png')!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60, check=False, text=True
    )
    assert "ImageError: a.png cannot be read: Not a regular file" in done.stderr
    for device in ("/dev/zero", "/dev/null"):
        with pytest.raises(ImageError, match="Not a regular file"):
            read_image(device)


def test_a_path_that_no_file_can_have():
    with pytest.raises(ImageError, match="cannot be read"):
        read_image("a\0.png")


def test_luma_is_that_of_jpeg(photo):
    assert (
        np.abs(
            images.to_gray(photo).astype(int) - np.asarray(Image.fromarray(photo).convert("L"))
        ).max()
        <= 1
    )
    gray = np.repeat(photo[..., :1], 3, axis=2)
    assert np.array_equal(images.to_gray(gray), photo[..., 0])
    deep = gray.astype(np.uint16) * 257
    assert np.array_equal(images.to_gray(deep), deep[..., 0])


PLUG_INS = {".heic": "pillow_heif", ".jxl": "pillow_jxl"}
HEADS = {
    "photo.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "pillow-heif"),
    "photo.jpg": (
        b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic",
        "pillow-heif",
    ),  # a HEIC under a wrong name
    "photo.jxl": (b"\xff\x0a" + bytes(40), "pillow-jxl-plugin"),
    "box.jxl": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "pillow-jxl-plugin"),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_missing_plug_in_is_named(tmp_path, monkeypatch, photo, name):
    for kind, module in (("HEIF", "pillow_heif"), ("JXL", "pillow_jxl")):
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.delitem(Image.OPEN, kind, raising=False)
    head, package = HEADS[name]
    (tmp_path / name).write_bytes(head)
    with pytest.raises(ImageError, match=f"^{name} .*pip install {package}"):
        read_image(tmp_path / name)
    if name.endswith(("heic", "jxl")):
        with pytest.raises(ImageError, match=f"^new{name} .*pip install {package}"):
            write_image(tmp_path / f"new{name}", photo)


@pytest.mark.parametrize("suffix", PLUG_INS)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_heic_and_jpeg_xl_keep_the_photograph(tmp_path, photo, suffix, mode):
    pytest.importorskip(PLUG_INS[suffix])
    pixels = {"L": photo[..., 0], "RGB": photo, "RGBA": np.dstack([photo, photo[::-1, :, 0]])}[mode]
    picture = replace(from_array(pixels), icc_profile=profile(), exif=camera_exif().tobytes())
    there = read_image(write_image(tmp_path / f"a{suffix}", picture))
    assert np.abs(there.samples.astype(int) - picture.samples).mean() < 4
    assert there.mode == picture.mode
    assert there.exif and there.icc_profile


@pytest.mark.parametrize("suffix", PLUG_INS)
def test_heic_and_jpeg_xl_are_turned_upright_once(tmp_path, photo, suffix):
    pytest.importorskip(PLUG_INS[suffix])
    kind = {".heic": "HEIF", ".jxl": "JXL"}[suffix]
    load_plug_in(kind, "")
    there = read_image(source(photo, kind, quality=95, exif=camera_exif(6).tobytes()))
    assert np.abs(there.rgb.astype(int) - np.rot90(photo, -1)).mean() < 4
    again = read_image(write_image(tmp_path / f"b{suffix}", there))
    assert again.size == there.size


@pytest.mark.parametrize("suffix", PLUG_INS)
def test_a_damaged_heic_or_jpeg_xl_is_named(tmp_path, photo, suffix, rng):
    pytest.importorskip(PLUG_INS[suffix])
    path = write_image(tmp_path / f"a{suffix}", photo)
    whole = path.read_bytes()
    for place in rng.integers(1, len(whole), 20):
        path.write_bytes(whole[:place])
        with pytest.raises(ImageError, match=rf"^a\{suffix} [^\n]*$"):
            read_image(path)


@pytest.mark.parametrize(
    "size", [(8, 8), (256, 128), (1, 1), (600, 800), (37, 5000), (90, 160), (1080, 1920)]
)
@pytest.mark.parametrize("container", [False, True])
def test_the_size_of_a_jpeg_xl_is_in_its_head(size, container):
    """Files by libjxl itself."""
    content = imagecodecs.jpegxl_encode(np.zeros(size, np.uint8), usecontainer=container)
    assert jxl_size(content) == size[::-1]


def test_a_jpeg_xl_of_too_many_pixels_is_not_decoded(monkeypatch):
    pytest.importorskip("pillow_jxl")
    monkeypatch.setattr("pillow_jxl.JpegXLImagePlugin.Decoder", None)
    huge = imagecodecs.jpegxl_encode(np.zeros((20_000, 20_000), np.uint8), effort=1)
    with pytest.raises(ImageError, match="20000 x 20000 pixels; the limit is 150 megapixels"):
        read_image(io.BytesIO(huge))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_suffix_is_read(tmp_path, photo, kind):
    Image.init()
    if kind not in Image.SAVE or kind not in Image.OPEN:
        pytest.skip(f"Pillow cannot write {kind} here")
    for suffix in FORMATS[kind]:
        saved_as = tmp_path / f"a{suffix}"
        Image.fromarray(photo).save(saved_as, kind)
        picture = read_image(saved_as)
        assert picture.size == photo.shape[:2]
        assert write_image(tmp_path / f"b{suffix}", picture).stat().st_size


def test_no_photograph_that_pillow_reads_is_forgotten():
    """Each suffix that Pillow opens is read here, or belongs to a vector, video, icon, data or antique format."""
    Image.init()
    left = {
        kind
        for suffix, kind in Image.registered_extensions().items()
        if suffix not in SUFFIXES and kind in Image.OPEN
    }
    assert left <= {
        "BLP", "BUFR", "CUR", "DCX", "EPS", "FITS", "FLI", "FTEX", "GBR", "GRIB", "HDF5", "ICNS", "ICO", "IM", "IPTC",
        "DIB", "MPEG", "MSP", "PCD", "PIXAR", "PPM", "SUN", "WMF", "XBM", "XPM",
    }  # fmt: skip


def test_the_limit_is_read_before_the_pixels(photo, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    for kind in ("JPEG", "GIF", "WEBP", "AVIF"):
        with pytest.raises(ImageError, match="the limit is"):
            read_image(source(photo, kind))


@pytest.mark.parametrize("packed", [False, True])
def test_a_png_with_long_text_is_read(packed):
    """As ComfyUI and others store a whole workflow."""
    text = PngImagePlugin.PngInfo()
    text.add_text("workflow", "a node, " * 400_000, zip=packed)
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, "PNG", pnginfo=text)
    assert read_image(io.BytesIO(stream.getvalue())).size == (4, 4)


@pytest.mark.parametrize("tag", [(254, "I", 1, 1), (50706, "B", 4, (1, 4, 0, 0))])
def test_a_cameras_raw_file_is_not_taken_for_its_preview(tmp_path, photo, tag):
    """As in NEF and DNG: the first page is a preview, and a sub-directory holds the photograph."""
    file = tmp_path / "DSC_0001.nef"
    with tifffile.TiffWriter(file) as tiff:
        kind = {"subfiletype": 1} if tag[0] == 254 else {"extratags": [(*tag, True)]}
        tiff.write(photo[:12, :16], subifds=1, photometric="rgb", metadata=None, **kind)
        tiff.write(photo, photometric="rgb", metadata=None)
    with pytest.raises(ImageError, match=r"DSC_0001.nef is a camera's raw file.*develop"):
        read_image(file)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_transparent_level_of_few_bits(bits):
    """A PNG by the book: two gray pixels, of the lowest level and of the highest, which is clear."""
    highest = 2**bits - 1
    row = bytes([highest << (8 - 2 * bits)]) if bits < 8 else bytes([0, highest])
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 2, 1, bits, 0, 0, 0, 0)),
        (b"tRNS", struct.pack(">H", highest)),
        (b"IDAT", zlib.compress(b"\0" + row)),
        (b"IEND", b""),
    ]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
    picture = read_image(io.BytesIO(png))
    assert picture.rgb[0, :, 0].tolist() == [0, 255]
    assert picture.alpha.tolist() == [[255, 0]]


@pytest.mark.parametrize("ending", ["png", "tif", "webp", "jpg"])
@pytest.mark.parametrize("clear", [False, True])
def test_a_gray_profile_goes_into_gray_files_only(tmp_path, photo, ending, clear):
    """The profile's colour space is in its bytes 16 to 20, and must be that of the pixels."""
    profile = bytes(16) + b"GRAY" + bytes(108)
    gray = np.repeat(photo[..., :1], 3, axis=2)
    alpha = photo[..., 1].copy() if clear else None
    file = write_image(tmp_path / f"gray.{ending}", Picture(gray, alpha, "L", profile))
    with Image.open(file) as stored:
        is_gray = stored.mode in ("L", "LA")
        assert stored.info.get("icc_profile") == (profile if is_gray else None)


def test_a_picture_of_pillow_is_no_file_to_read(photo):
    with pytest.raises(ImageError, match=r"path or a binary stream, not from Image"):
        read_image(Image.fromarray(photo))
