"""Reading and writing photographs faithfully, and the way between arrays and tensors."""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

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
    """The picture in a file or binary stream, upright.

    Gray stays gray; 16-bit gray stays 16 bit; a palette becomes RGB; CMYK becomes RGB and loses its profile, which would
    not fit; of an animation the first frame is taken.  Raises FileNotFoundError, or ImageError for what is no picture, is cut
    short, or claims more than MAX_PIXELS.
    """
    name = str(source) if isinstance(source, str | os.PathLike) else getattr(source, "name", "The upload")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit, below, is the rule
            with Image.open(source) as image:
                if image.width * image.height > MAX_PIXELS:
                    size = f"{image.width} x {image.height} pixels"
                    raise ImageError(f"{name} has {size}; the limit is {MAX_PIXELS / 1e6:.0f} megapixels.")
                image.load()
                return _to_picture(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(f"{name} claims so many pixels that it looks like a decompression bomb; it was not opened.") from None
    except Image.UnidentifiedImageError:
        raise ImageError(f"{name} is not a picture that can be read (or is cut short at its very start).") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(f"{name} cannot be read: {str(error).rstrip('.')}.  The file is damaged or incomplete.") from error


def _to_picture(image: Image.Image) -> Picture:
    exif = image.getexif().tobytes() if image.getexif() else None
    profile = image.info.get("icc_profile")
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        gray = np.asarray(image).astype(np.uint16)
        return Picture(np.repeat(gray[..., None], 3, axis=2), None, "L", profile, exif)
    if image.mode == "CMYK":
        profile = None
    has_alpha = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    mode = "L" if image.mode in ("L", "LA", "La", "1") else "RGB"
    if not has_alpha:
        return Picture(np.array(image.convert("RGB")), None, mode, profile, exif)
    rgba = np.array(image.convert("RGBA"))
    return Picture(rgba[..., :3].copy(), rgba[..., 3].copy(), mode, profile, exif)


def from_array(array: np.ndarray) -> Picture:
    """A picture of uint8 or uint16 pixels, (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA.  Raises ImageError for others."""
    if not isinstance(array, np.ndarray) or array.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"Pixels are uint8 or uint16 arrays, not {getattr(array, 'dtype', type(array).__name__)}.")
    if array.ndim == 2 and array.size:
        return Picture(np.repeat(array[..., None], 3, axis=2), None, "L")
    if array.ndim != 3 or array.shape[2] not in (3, 4) or array.size == 0:
        raise ImageError(f"Pixels are (H, W), (H, W, 3) or (H, W, 4), not {array.shape}.")
    return Picture(array[..., :3], array[..., 3] if array.shape[2] == 4 else None)


def from_pil(image: Image.Image) -> Picture:
    """The picture in a PIL image, upright."""
    return _to_picture(ImageOps.exif_transpose(image))


def to_pil(picture: Picture) -> Image.Image:
    """A PIL image: L, LA, RGB or RGBA, or I;16 for 16-bit gray.  16-bit colour, which PIL has no mode for, becomes 8 bit."""
    if picture.rgb.dtype == np.uint16 and picture.mode == "L" and picture.alpha is None:
        return Image.fromarray(picture.array)
    image = Image.fromarray(_eight_bit(picture.array))
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(_eight_bit(picture.alpha)))
    return image


def _eight_bit(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values if values.dtype == np.uint8 else (values >> 8).astype(np.uint8))


def write_image(path: str | os.PathLike, picture: Picture | np.ndarray) -> Path:
    """Write atomically, in the format of the suffix, with profile, EXIF and alpha where the format has them.

    A file under this name appears whole or not at all.  Raises ImageError for an unknown suffix.
    """
    path = Path(path)
    picture = picture if isinstance(picture, Picture) else from_array(picture)
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in Image.SAVE:
        raise ImageError(f"{path.name} cannot be written: {path.suffix or 'no suffix'} is not a picture format; use .png.")
    if kind == "JPEG":
        picture = replace(picture, alpha=None, rgb=_eight_bit(picture.rgb))
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        scratch.write_bytes(encode(picture, kind))
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
    return path


def encode(picture: Picture, kind: str = "PNG") -> bytes:
    """The bytes of a file in one of Pillow's formats: "PNG", "JPEG" (quality 95, full colour resolution), "TIFF" and so on."""
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    stream = io.BytesIO()
    to_pil(picture).save(stream, kind, icc_profile=picture.icc_profile, exif=picture.exif or b"", **options)
    return stream.getvalue()


def to_tensor(rgb: np.ndarray) -> Tensor:
    """uint8 or uint16 (H, W, 3) to float32 (3, H, W) in [0, 1]."""
    return torch.from_numpy(rgb.astype(np.float32) / np.iinfo(rgb.dtype).max).permute(2, 0, 1).contiguous()


def to_array(tensor: Tensor, dtype: type = np.uint8) -> np.ndarray:
    """float (3, H, W) to (H, W, 3) of uint8 (or uint16): clamped to [0, 1], scaled, rounded half up."""
    top = np.iinfo(dtype).max
    values = tensor.detach().float().clamp(0, 1).mul(top).add_(0.5).floor_()
    return values.permute(1, 2, 0).cpu().numpy().astype(dtype)
