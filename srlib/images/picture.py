"""Reading and writing photographs without losing anything that the format can hold."""

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from srlib.errors import ImageError
from srlib.files.whole import open_regular, write_whole
from srlib.images.codecs import deep_samples, encode_png, has_deep_pixels, to_depth, write_tiff
from srlib.images.metadata import metadata_of, profile_of_rgb
from srlib.images.plug_ins import jxl_size, load_plug_in, plug_in_for

# The formats that are read, by Pillow's names, with their suffixes. Pillow knows more, such as EPS,
# which runs Ghostscript, videos and icons. The last two need a plug-in.
FORMATS = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),  # .mpo: several JPEGs, by 3D cameras
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif", ".avifs"),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "PSD": (".psd",),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "PCX": (".pcx",),
    "DDS": (".dds",),
    "QOI": (".qoi",),
    "HEIF": (".heic", ".heif", ".hif", ".heics", ".heifs"),
    "JXL": (".jxl",),
}
SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)
# For folders of results: formats that every program reads and that hold a photograph well.
RESULT_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
MAX_PIXELS = 150_000_000  # a file that claims more is taken for a decompression bomb
LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114])  # BT.601, full range
_QUARTER_TURNS = {3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}  # by EXIF orientation, after mirroring
_MIRRORED = (2, 4, 5, 7)
_WITHOUT_ALPHA = ("JPEG", "BMP", "PPM")
_LOSSY = ("JPEG", "WEBP", "AVIF", "HEIF", "JXL")
_SUBFILE_TYPE = 254  # of a TIFF; its lowest bit marks a preview
_DNG = 50706
_JPEG_SEGMENT = 65_000  # bytes of EXIF or XMP that a JPEG can hold

# Some programs keep whole workflows in a PNG, and Pillow refuses text that unpacks to more than
# 1 MB. All texts of a file together stay limited to 64 MB.
PngImagePlugin.MAX_TEXT_CHUNK = 16 * 2**20
# Pillow and its plug-ins warn of sizes below our own limit and of broken EXIF, which costs nothing.
warnings.filterwarnings("ignore", module=r"(PIL|pillow_\w+)\b")


@dataclass(frozen=True)
class Picture:
    """A photograph: its pixels, upright, and everything that is saved with them.

    Attributes:
        rgb: uint8 or uint16, (H, W, 3).
        alpha: Opacity in the same depth, (H, W), or None.
        mode: "RGB", or "L" for a gray picture, whose three channels are equal.
        icc_profile: The colour profile, raw, or None.
        exif: EXIF, raw, or None. The orientation has been applied and removed.
        xmp: XMP, raw, or None, without orientation and size.
        dpi: Pixels per inch of the print, across and down, or None.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    mode: str = "RGB"
    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None

    @property
    def array(self) -> np.ndarray:
        """The pixels without alpha: (H, W) for a gray picture, else (H, W, 3)."""
        return self.rgb[..., 0] if self.mode == "L" else self.rgb

    @property
    def samples(self) -> np.ndarray:
        """All channels: (H, W, 1) gray, (H, W, 2) gray and alpha, (H, W, 3) RGB, (H, W, 4) RGBA."""
        colour = self.rgb[..., :1] if self.mode == "L" else self.rgb
        layers = [colour] if self.alpha is None else [colour, self.alpha]
        return np.ascontiguousarray(np.dstack(layers))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.rgb.shape[:2]


AnyImage = Image.Image | np.ndarray | Picture | str | os.PathLike


def read_image(source: str | os.PathLike | BinaryIO) -> Picture:
    """Read the first picture in a file or binary stream, upright.

    The EXIF orientation is applied once and removed. 16-bit gray and RGB of PNG and TIFF keep 16
    bits; deeper colour of other formats becomes 8 bits. Gray and black-and-white stay gray. A
    palette, YCbCr and HSV become RGB, with alpha where the file has transparency; premultiplied
    alpha is divided out. CMYK becomes sRGB by its own profile, or by Pillow's plain formula
    without one, and Lab becomes sRGB; their profiles are dropped, since they no longer fit. Of an
    animation the first frame is read, of a TIFF the first page.

    Args:
        source: A path, or a binary stream that can seek.

    Raises:
        FileNotFoundError: There is no such file.
        ImageError: The file is no picture, is damaged or cut short, claims more than MAX_PIXELS, or
            has floating-point pixels or integers beyond 16 bits, whose white is unknown.

    Example:
        >>> import io
        >>> red = np.full((2, 4, 3), (255, 0, 0), np.uint8)
        >>> read_image(io.BytesIO(encode(from_array(red)))).size
        (2, 4)
    """
    if not (isinstance(source, str | os.PathLike) or hasattr(source, "read")):
        is_content = isinstance(source, bytes | bytearray | memoryview)
        hint = "; io.BytesIO makes a stream of it" if is_content else ""
        raise ImageError(
            "A picture is read from a path or a binary stream, "
            f"not from {type(source).__name__}{hint}."
        )
    path = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    name = Path(path).name if isinstance(path, str | os.PathLike) else "The upload"
    with _decoder_errors(name):
        if hasattr(source, "seek"):
            return _decode(source, name)
        with open_regular(source) as stream:
            return _decode(stream, name)


def _decode(stream: BinaryIO, name: str) -> Picture:
    def check_size(width: int, height: int) -> None:
        if not 0 < width * height <= MAX_PIXELS:
            limit = f"the limit is {MAX_PIXELS / 1e6:.0f} megapixels"
            raise ImageError(f"{name} has {width} x {height} pixels; {limit}.")

    Image.init()
    stream.seek(0)
    if plug_in := plug_in_for(stream.read(32)):
        load_plug_in(plug_in, f"{name} cannot be read")
    stream.seek(0)
    if plug_in == "JXL":
        check_size(*jxl_size(stream.read()))
        stream.seek(0)
    image = Image.open(stream, formats=[kind for kind in FORMATS if kind in Image.OPEN])
    check_size(image.width, image.height)
    if image.format == "TIFF" and (image.tag_v2.get(_SUBFILE_TYPE, 0) & 1 or _DNG in image.tag_v2):
        raise ImageError(
            f"{name} is a camera's raw file, of which only the preview could be read: develop it "
            "to TIFF or JPEG first."
        )
    _scale_transparency(image)
    if has_deep_pixels(image):
        samples = deep_samples(image, stream)
        return _picture(samples, *metadata_of(image))
    return from_pil(image, name=name)


def _scale_transparency(image: Image.Image) -> None:
    """Scale the transparent level of a PNG of 2 or 4 bits as Pillow scales its pixels, to 255."""
    bits = {"L;2": 2, "L;4": 4}.get(str(image.tile[0].args) if image.tile else "")
    if image.format == "PNG" and bits and "transparency" in image.info:
        image.info["transparency"] *= 255 // (2**bits - 1)


def as_picture(image: AnyImage) -> Picture:
    """Make a Picture of a PIL image, an array or a file. Raises ImageError for anything else."""
    if isinstance(image, Picture):
        return image
    if isinstance(image, np.ndarray):
        return from_array(image)
    return from_pil(image) if isinstance(image, Image.Image) else read_image(image)


@contextmanager
def _decoder_errors(name: str) -> Iterator[None]:
    """Turn any error of a decoder into an ImageError with the file's name."""
    try:
        yield
    except (FileNotFoundError, ImageError, MemoryError):
        raise
    except Image.DecompressionBombError:
        limit = f"the limit is {MAX_PIXELS / 1e6:.0f} megapixels"
        raise ImageError(f"{name} claims to be very large; {limit}.") from None
    except Image.UnidentifiedImageError:
        raise ImageError(
            f"{name} is not a picture that can be read: it is empty, of another kind, or cut short "
            "at its very start, or does not have 8 or 16 bits for each colour."
        ) from None
    except Exception as error:  # damage causes any error, even TypeError
        if "truncated" in str(error).lower():
            reason = "is cut short: its end is missing. Copy or download it again"
        elif isinstance(error, OSError) and error.strerror:  # no permission, a failing disk
            reason = f"cannot be read: {error.strerror}"
        else:
            reason = f"cannot be read: {_reason(error)}. The file is damaged or incomplete"
        raise ImageError(f"{name} {reason}.") from error


def _reason(error: Exception) -> str:
    """The first sentence of another library's message, without its full stop."""
    text = str(error).strip().split("\n")[0].split(". ")[0].rstrip(".")
    return text or type(error).__name__


def _picture(samples: np.ndarray, orientation: int, metadata: dict[str, Any]) -> Picture:
    """Make an upright picture of samples, (H, W, 1 to 4)."""
    if orientation in _MIRRORED:
        samples = samples[:, ::-1]
    samples = np.rot90(samples, _QUARTER_TURNS.get(orientation, 0))
    channels = samples.shape[2]
    alpha = samples[..., -1].copy() if channels in (2, 4) else None
    if channels < 3:
        return Picture(np.repeat(samples[..., :1], 3, axis=2), alpha, "L", **metadata)
    return Picture(samples[..., :3].copy(), alpha, "RGB", **metadata)


def from_pil(image: Image.Image, *, name: str | None = None) -> Picture:
    """Convert a PIL image of any mode to a picture, upright, as `read_image` does.

    Args:
        image: The image.
        name: Its name in the message of an ImageError; that of its file if None.

    Raises:
        ImageError: The pixels are floating-point numbers, integers beyond 16 bits, or damaged.
    """
    name = name or Path(getattr(image, "filename", "")).name or "The picture"
    with _decoder_errors(name):
        image.load()  # first: it may bring EXIF, and it applies a TIFF's orientation
    orientation, metadata = metadata_of(image)
    if image.mode[0] in "FI":
        gray = np.asarray(image)[..., None]
        if image.mode == "F" or gray.min() < 0 or gray.max() > 65535:
            raise ImageError(
                f"{name} has floating-point pixels or values beyond 16 bits, whose white is "
                "unknown; save it with 8 or 16 bits."
            )
        return _picture(gray.astype(np.uint16), orientation, metadata)
    if image.mode in ("CMYK", "LAB"):
        image = _to_srgb(image, image.info.get("icc_profile"))
        metadata["icc_profile"] = None
    if image.mode == "La":
        image = image.convert("LA")
    alpha = "A" if image.has_transparency_data else ""
    colour = "L" if image.mode in ("L", "LA", "1") else "RGB"
    samples = np.asarray(image.convert(colour + alpha))
    return _picture(samples.reshape(*samples.shape[:2], -1), orientation, metadata)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode == "CMYK" and profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            return ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
        except (OSError, ImageCms.PyCMSError):
            pass  # the profile is broken, or of another colour space than the pixels
    return image.convert("RGB")


def from_array(array: np.ndarray) -> Picture:
    """Make a picture of uint8 or uint16 pixels: (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA.

    Raises:
        ImageError: The array has another shape or dtype.
    """
    if not isinstance(array, np.ndarray) or array.dtype not in (np.uint8, np.uint16):
        kind = getattr(array, "dtype", type(array).__name__)
        raise ImageError(f"Pixels are uint8 or uint16 arrays, not {kind}.")
    if array.ndim == 2 and array.size:
        return Picture(np.repeat(array[..., None], 3, axis=2), mode="L")
    if array.ndim != 3 or array.shape[2] not in (3, 4) or array.size == 0:
        raise ImageError(f"Pixels are (H, W), (H, W, 3) or (H, W, 4), not {array.shape}.")
    return Picture(array[..., :3], array[..., 3] if array.shape[2] == 4 else None)


def to_pil(picture: Picture) -> Image.Image:
    """Convert a picture to a PIL image: L, LA, RGB or RGBA, or I;16 for 16-bit gray.

    PIL has no mode for other 16-bit pictures; they get 8 bits. Profile, EXIF, XMP and dpi are in
    the image's `info`, where Pillow's own decoders leave them: `save` writes the profile, and the
    others if it is given them, as by `exif=image.getexif()`.
    """
    deep_gray = picture.rgb.dtype == np.uint16 and picture.mode == "L" and picture.alpha is None
    samples = (picture if deep_gray else eight_bit(picture)).samples
    image = Image.fromarray(
        np.ascontiguousarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    )
    metadata = {name: getattr(picture, name) for name in ("icc_profile", "exif", "xmp", "dpi")}
    image.info |= {name: value for name, value in metadata.items() if value}
    return image


def eight_bit(picture: Picture) -> Picture:
    """Reduce a picture to 8 bits, each value rounded to the nearest."""
    alpha = None if picture.alpha is None else to_depth(picture.alpha, np.uint8)
    return replace(picture, rgb=to_depth(picture.rgb, np.uint8), alpha=alpha)


def to_gray(rgb: np.ndarray) -> np.ndarray:
    """Convert (H, W, 3) colour to gray, (H, W), of the same dtype: its luma, rounded half up."""
    return np.floor(rgb @ LUMA_WEIGHTS + 0.5).astype(rgb.dtype)


def write_image(path: str | os.PathLike, picture: Picture | np.ndarray) -> Path:
    """Write a picture in the format of the suffix, whole or not at all; `encode` says what is kept.

    Args:
        path: Where to write. A file that is there is replaced once the new one is complete.
        picture: A picture, or an array as for `from_array`.

    Returns:
        The path.

    Raises:
        ImageError: The suffix is unknown, or the format cannot hold the picture.
        OSError: The disk fails.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_image(folder / "gray.png", np.zeros((2, 4), np.uint8)).name
        'gray.png'
    """
    path = Path(path)
    picture = picture if isinstance(picture, Picture) else from_array(picture)
    suffix = path.suffix.lower()
    kind = next((kind for kind, suffixes in FORMATS.items() if suffix in suffixes), None)
    Image.init()
    if kind:
        load_plug_in(kind, f"{path.name} cannot be written")
    if kind not in Image.SAVE:
        raise ImageError(
            f"{path.name} cannot be written: {suffix or 'no suffix'} is not a format that can be "
            "written; use .png."
        )
    try:
        content = encode(picture, kind)
    except ImageError as error:
        raise ImageError(f"{path.name} cannot be written: {error}") from error
    return write_whole(path, content)


def encode(picture: Picture, kind: str = "PNG") -> bytes:
    """Encode a picture as the bytes of a file.

    Kept in all formats for which Pillow can write it: the profile, EXIF, XMP and the resolution
    (dpi). 16 bits are kept in PNG and TIFF; other formats get 8. Transparency is kept but in JPEG,
    BMP and PPM, where the picture is laid on white, and in GIF, where a pixel is seen or not.

    Not kept: orientation, since the pixels have been turned; the sizes in EXIF and XMP; a profile
    of CMYK or Lab; a PNG's gamma and text; embedded thumbnails; IPTC, comments, further frames,
    pages, layers and depth maps; EXIF or XMP of more than 65,000 bytes in JPEG.

    JPEG, WebP, AVIF, HEIC and JPEG XL are written with quality 95, JPEG in full colour resolution.

    Args:
        picture: The picture.
        kind: One of FORMATS: "PNG", "JPEG", "TIFF", "WEBP" and so on.

    Raises:
        ImageError: The format cannot hold the picture.
    """
    try:
        return _encoded(picture, kind)
    except MemoryError:
        raise
    except Exception as error:  # an encoder refuses with OSError, ValueError, struct.error
        height, width = picture.size
        hint = "" if kind == "PNG" else "; use PNG"
        raise ImageError(
            f"{kind} cannot hold this picture of {width} x {height} pixels "
            f"({_reason(error)}){hint}."
        ) from error


def _encoded(picture: Picture, kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "TIFF":
        write_tiff(stream, picture.samples, picture)
        return stream.getvalue()
    deep = kind == "PNG" and picture.rgb.dtype == np.uint16
    image = Image.new("L", (1, 1)) if deep else to_pil(eight_bit(picture))
    if picture.alpha is not None and kind in _WITHOUT_ALPHA:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA")).convert(picture.mode)
    image.save(stream, kind, **_save_options(picture, kind))
    return encode_png(picture.samples, stream.getvalue()) if deep else stream.getvalue()


def _save_options(picture: Picture, kind: str) -> dict[str, Any]:
    """Quality and metadata as Pillow's encoders take them."""
    profile = picture.icc_profile
    options: dict[str, Any] = {
        "icc_profile": profile_of_rgb(profile) if kind == "WEBP" else profile
    }
    for name in ("exif", "xmp", "dpi"):
        value = getattr(picture, name)
        if value and not (kind == "JPEG" and len(value) > _JPEG_SEGMENT):
            options[name] = value
    if kind in _LOSSY:
        options["quality"] = 95
    if kind == "JPEG":
        options["subsampling"] = "4:4:4"
    if kind == "PNG" and picture.xmp:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", picture.xmp.decode(errors="replace"))
    return options
