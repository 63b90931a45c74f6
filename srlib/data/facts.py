"""The images of a data folder: their sides, their partners and their properties."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from srlib.images.downscalers import jpeg_quality
from srlib.images.picture import SUFFIXES, ImageError, read_image


@dataclass(frozen=True)
class Facts:
    """An image file and its properties.

    Attributes:
        path: Below the root of the data set.
        side: "hr" or "lr".
        group: The same for two folders that belong together.
        key: The same for two images of a group that belong together.
        error: Why the file cannot be read, or "".
        height: In pixels.
        width: In pixels.
        gray: Its three channels are equal.
        alpha: It has an alpha channel.
        deep: It has 16 bits per channel.
        jpeg: It is stored as JPEG or, for an LR image, shows traces of JPEG.
        digest: A hash of its pixels.
        shape_bits: 64 bits that a copy shares, saved again or resized; None for a flat image.
    """

    path: str
    side: str
    group: str
    key: str
    error: str = ""
    height: int = 0
    width: int = 0
    gray: bool = False
    alpha: bool = False
    deep: bool = False
    jpeg: bool = False
    digest: str = ""
    shape_bits: int | None = None

    @property
    def split(self) -> str:
        """ "train", "valid", "test" or "", by the names of its folders."""
        words = re.findall(r"train|val|test", str(Path(self.path).parent).lower())
        return words[-1] if words else ""


def find_pictures(root: Path, scale: int) -> list[Facts]:
    """Every image of this scale, with its side, group and key by its name."""
    files = sorted(
        p.relative_to(root) for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()
    )
    places = []
    for file in files:
        if any(part.startswith(".") for part in file.parts):
            continue
        side = ""
        group = []
        inner = []
        other_scale = False
        for part in file.parts[:-1]:
            words = re.split(r"[_\-. ]+", part.lower())
            other_scale |= any(
                re.fullmatch(r"x\d+", word) and word != f"x{scale}" for word in words
            )
            below = bool(side)  # the folder that says hr or lr is above this one
            if not below and (named := {"hr", "lr"} & set(words)):
                side = named.pop()
                words = [word for word in words if word not in ("hr", "lr", "bicubic", "unknown")]
            (inner if below else group).extend(word for word in words if word != f"x{scale}")
        if not other_scale:
            stem = file.stem.removesuffix(f"x{scale}") if side == "lr" else file.stem
            places.append(Facts(file.as_posix(), side, "/".join(group), "/".join([*inner, stem])))
    lr_groups = {place.group for place in places if place.side == "lr"}
    if not lr_groups:
        return [replace(place, side="hr") for place in places]
    places = [place for place in places if place.side]
    if len(lr_groups) == len({place.group for place in places if place.side == "hr"}) == 1:
        return [replace(place, group="") for place in places]
    return places


def examine(root: Path, place: Facts) -> Facts:
    """Decode the image and fill in its properties, or the error."""
    path = root / place.path
    try:
        picture = read_image(path)
        with open(path, "rb") as file:
            is_jpeg = file.read(3) == b"\xff\xd8\xff"
        rgb = picture.rgb
        height, width = picture.size
        eight_bit = rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)
        if place.side == "lr" and jpeg_quality([eight_bit[:192, :192]]) is not None:
            is_jpeg = True
        pixels = np.ascontiguousarray(rgb)
        return replace(
            place,
            height=height,
            width=width,
            gray=picture.mode == "L" or bool((rgb == rgb[..., :1]).all()),
            alpha=picture.alpha is not None,
            deep=rgb.dtype != np.uint8,
            jpeg=is_jpeg,
            digest=hashlib.blake2b(repr(rgb.shape).encode() + pixels.tobytes()).hexdigest(),
            shape_bits=_difference_hash(eight_bit),
        )
    except (ImageError, OSError) as error:
        return replace(place, error=str(error))


def _difference_hash(rgb: np.ndarray) -> int | None:
    """A bit per pixel of the image shrunk to 9 x 8: it is brighter than its right neighbour."""
    gray = Image.fromarray(rgb).convert("L").resize((9, 8), Image.Resampling.BOX)
    small = np.asarray(gray, np.int16)
    if np.ptp(small) < 8:
        return None
    return int.from_bytes(np.packbits(small[:, :-1] > small[:, 1:]).tobytes())


def difference(one: Facts, other: Facts) -> int:
    """The number of shape bits that differ, of 64; flat images cannot be compared: 10 of 64."""
    if one.shape_bits is None or other.shape_bits is None:
        return 10
    return (one.shape_bits ^ other.shape_bits).bit_count()
