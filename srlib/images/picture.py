"""Reading and writing photographs faithfully, and the way between arrays and tensors."""

from __future__ import annotations

import io
import os
import struct
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageCms
from torch import Tensor

from srlib.files.whole import write_whole
from srlib.images.codecs import (
    Deep,
    encode_png,
    encode_tiff,
    exif_of,
    read_deep,
    take_apart,
    to_depth,
    upright,
)

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"}
MAX_PIXELS = 150_000_000  # a picture that claims more is taken for a decompression bomb


class ImageError(ValueError):
    """A picture cannot be read or written; the message is a finished sentence."""


@dataclass(frozen=True)
class Picture:
    """A photograph as decoded: upright pixels, and what has to come back when it is saved.

    rgb: uint8 or uint16, (H, W, 3).  alpha: the same depth, (H, W), or None.  mode: "RGB", or "L" for a gray picture (its
    three channels are equal).  icc_profile, exif: raw bytes or None; the EXIF orientation has been applied and removed.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    mode: str = "RGB"
    icc_profile: bytes | None = None
    exif: bytes | None = None

    @property
    def array(self) -> np.ndarray:
        """The pixels as they are compared: (H, W) for a gray picture, else (H, W, 3)."""
        return self.rgb[..., 0] if self.mode == "L" else self.rgb

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)"""
        return self.rgb.shape[:2]


def read_image(source: str | os.PathLike | BinaryIO) -> Picture:
    """The first picture in a file or binary stream, upright: EXIF orientation is applied, once, and taken out.

    16-bit gray and RGB of PNG and TIFF, with alpha or without, stay 16 bit; other formats' deeper colour becomes 8 bit.
    Gray and black-and-white stay gray.  A palette, YCbCr and HSV become RGB, with alpha where the file has transparency;
    premultiplied alpha is divided out.  CMYK becomes sRGB by its own profile, or by Pillow's plain formula without one, and
    Lab becomes sRGB; the profile, which would not fit, is dropped.  Of an animation the first frame is taken, of a TIFF the
    first page.  Floating-point pixels, and integers beyond 16 bits, are refused, since their white is anybody's guess.

    Raises FileNotFoundError, or ImageError for what is refused, is no picture, is cut short, or claims more than MAX_PIXELS.
    """
    if not isinstance(source, str | os.PathLike) and not hasattr(source, "seek"):
        hint = (
            "; io.BytesIO makes a stream of the bytes of a file"
            if isinstance(source, bytes | bytearray | memoryview)
            else ""
        )
        raise ImageError(
            f"A picture is read from a path or a binary stream, not from {type(source).__name__}{hint}."
        )
    name = _name_of(source)
    try:
        if isinstance(source, str | os.PathLike):
            with open(source, "rb") as stream:
                return _decode(stream, name)
        return _decode(source, name)
    except (FileNotFoundError, ImageError, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise ImageError(
            f"{name} claims so many pixels that it looks like a decompression bomb; it was not opened."
        ) from None
    except Image.UnidentifiedImageError:
        raise ImageError(
            f"{name} is not a picture that can be read (or is cut short at its very start)."
        ) from None
    except (
        Exception
    ) as error:  # decoders meet damage with any error, even TypeError and ZeroDivisionError
        if (
            isinstance(error, OSError) and error.strerror
        ):  # the system's: no permission, a folder, a disk that fails
            raise ImageError(f"{name} cannot be read: {error.strerror}.") from error
        raise ImageError(
            f"{name} cannot be read: {str(error).rstrip('.')}.  The file is damaged or incomplete."
        ) from error


def _name_of(source: str | os.PathLike | BinaryIO) -> str:
    path = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    return Path(path).name if isinstance(path, str | os.PathLike) else "The upload"


def _decode(stream: BinaryIO, name: str) -> Picture:
    def check_size(width: int, height: int) -> None:
        if width * height > MAX_PIXELS:
            raise ImageError(
                f"{name} has {width} x {height} pixels; the limit is {MAX_PIXELS / 1e6:.0f} megapixels."
            )

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # Pillow's, of size, where our own limit is the rule, and of EXIF, of which we keep the good
        stream.seek(0)
        if deep := read_deep(stream, check_size):
            return _from_deep(deep)
        stream.seek(0)
        with Image.open(stream) as image:
            check_size(image.width, image.height)
            return from_pil(image, name=name)


def _from_deep(deep: Deep) -> Picture:
    orientation, exif = take_apart(deep.exif)
    samples = np.ascontiguousarray(upright(deep.samples, orientation))
    colours = 3 if samples.shape[2] > 2 else 1
    alpha = samples[..., -1].copy() if samples.shape[2] > colours else None
    rgb = np.repeat(samples[..., :colours], 3 // colours, axis=2)
    return Picture(rgb, alpha, "RGB" if colours == 3 else "L", deep.icc_profile, exif)


def from_pil(image: Image.Image, *, name: str = "The picture") -> Picture:
    """The picture in a PIL image, upright; modes as for `read_image`.  name: how an ImageError calls it."""
    image.load()  # first: it may bring EXIF, and it applies a TIFF's orientation
    exif, profile = exif_of(image), image.info.get("icc_profile")
    if image.mode == "F":
        raise ImageError(
            f"{name} has floating-point pixels, whose white is not known; save it with 8 or 16 bits first."
        )
    if image.mode.startswith("I"):
        gray = np.asarray(image)[..., None]
        if gray.min() < 0 or gray.max() > 65535:
            raise ImageError(
                f"{name} has values from {gray.min()} to {gray.max()}; save it with 8 or 16 bits first."
            )
        return _from_deep(Deep(gray.astype(np.uint16), exif, profile))
    orientation, details = take_apart(exif)
    if image.mode in ("CMYK", "LAB"):
        image, profile = _to_srgb(image, profile), None
    elif image.mode == "La":
        image = image.convert("LA")
    has_alpha = image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info
    mode = "L" if image.mode in ("L", "LA", "1") else "RGB"
    pixels = np.ascontiguousarray(
        upright(np.array(image.convert("RGBA" if has_alpha else "RGB")), orientation)
    )
    if has_alpha:
        return Picture(pixels[..., :3].copy(), pixels[..., 3].copy(), mode, profile, details)
    return Picture(pixels, None, mode, profile, details)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode == "CMYK" and profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (
            OSError,
            ImageCms.PyCMSError,
        ):  # broken, or of another colour space than the pixels: as without one
            pass
    return image.convert("RGB")


def from_array(array: np.ndarray) -> Picture:
    """A picture of uint8 or uint16 pixels, (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA.  Raises ImageError for others."""
    if not isinstance(array, np.ndarray) or array.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"Pixels are uint8 or uint16 arrays, not {getattr(array, 'dtype', type(array).__name__)}."
        )
    if array.ndim == 2 and array.size:
        return Picture(np.repeat(array[..., None], 3, axis=2), None, "L")
    if array.ndim != 3 or array.shape[2] not in (3, 4) or array.size == 0:
        raise ImageError(f"Pixels are (H, W), (H, W, 3) or (H, W, 4), not {array.shape}.")
    return Picture(array[..., :3], array[..., 3] if array.shape[2] == 4 else None)


def to_pil(picture: Picture) -> Image.Image:
    """A PIL image: L, LA, RGB or RGBA, or I;16 for 16-bit gray.  Other 16-bit pictures, which PIL has no mode for, get 8.

    Profile and EXIF are in its `info`, as Pillow's own decoders leave them: `save` writes the profile, and the EXIF when told
    to, by `exif=image.getexif()`.
    """
    deep_gray = picture.rgb.dtype == np.uint16 and picture.mode == "L" and picture.alpha is None
    picture = picture if deep_gray else eight_bit(picture)
    image = Image.fromarray(np.ascontiguousarray(picture.array))
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(np.ascontiguousarray(picture.alpha)))
    image.info |= {"icc_profile": picture.icc_profile} if picture.icc_profile else {}
    image.info |= {"exif": picture.exif} if picture.exif else {}
    return image


def eight_bit(picture: Picture) -> Picture:
    """The picture with 8 bits, each value rounded to the nearest."""
    alpha = None if picture.alpha is None else to_depth(picture.alpha, np.uint8)
    return replace(picture, rgb=to_depth(picture.rgb, np.uint8), alpha=alpha)


def write_image(path: str | os.PathLike, picture: Picture | np.ndarray) -> Path:
    """Write atomically, in the format of the suffix; what is kept is told at `encode`.  Returns the path.

    A file under this name appears whole or not at all, with the usual permissions, and nothing else is left in the folder.
    Raises ImageError for an unknown suffix or a picture that the format cannot hold, OSError if the disk fails.
    """
    path = Path(path)
    picture = picture if isinstance(picture, Picture) else from_array(picture)
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in Image.SAVE:
        raise ImageError(
            f"{path.name} cannot be written: {path.suffix or 'no suffix'} is not a picture format; use .png."
        )
    try:
        content = encode(picture, kind)
    except ImageError as error:
        raise ImageError(f"{path.name} cannot be written: {error}") from error
    return write_whole(path, content)


def encode(picture: Picture, kind: str = "PNG") -> bytes:
    """The bytes of a file in one of Pillow's formats: "PNG", "JPEG", "TIFF", "WEBP" and so on.

    Profile and EXIF are kept where the format has them.  PNG and TIFF keep everything, 16 bits and transparency too; others
    get 8 bits.  In a format without alpha (JPEG, BMP, PPM) the picture is laid on white.  JPEG and WebP are written with
    quality 95, JPEG in full colour resolution.  Raises ImageError for what the format cannot hold.
    """
    if picture.rgb.dtype == np.uint16 and kind in ("PNG", "TIFF"):
        layers = [picture.rgb if picture.mode == "RGB" else picture.rgb[..., :1]]
        layers += [] if picture.alpha is None else [picture.alpha]
        encode_deep = encode_png if kind == "PNG" else encode_tiff
        return encode_deep(np.dstack(layers), picture.exif, picture.icc_profile)
    image = to_pil(eight_bit(picture))
    if picture.alpha is not None and kind in ("JPEG", "BMP", "PPM"):
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA")).convert(picture.mode)
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}.get(kind, {})
    stream = io.BytesIO()
    try:
        image.save(
            stream, kind, icc_profile=picture.icc_profile, exif=picture.exif or b"", **options
        )
    except (OSError, ValueError, struct.error) as error:
        size = f"{image.width} x {image.height} pixels"
        raise ImageError(
            f"{kind} cannot hold this picture of {size} ({str(error).rstrip('.')}); use PNG."
        ) from error
    return stream.getvalue()


def to_tensor(rgb: np.ndarray) -> Tensor:
    """uint8 or uint16 (H, W, 3) to float32 (3, H, W) in [0, 1]."""
    return (
        torch.from_numpy(rgb.astype(np.float32) / np.iinfo(rgb.dtype).max)
        .permute(2, 0, 1)
        .contiguous()
    )


def to_array(tensor: Tensor, dtype: type = np.uint8) -> np.ndarray:
    """float (3, H, W) to (H, W, 3) of uint8 (or uint16): clamped to [0, 1], scaled, rounded half up; NaN becomes 0."""
    top = np.iinfo(dtype).max
    values = tensor.detach().float().clamp(0, 1).nan_to_num_(nan=0.0).mul_(top).add_(0.5).floor_()
    return values.permute(1, 2, 0).cpu().numpy().astype(dtype)
