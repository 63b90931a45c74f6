"""What there is in a folder of pictures: which are HR and LR, which belong together, and what each is like (notebook 01)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from srlib.images.downscalers import jpeg_quality
from srlib.images.picture import SUFFIXES, ImageError, read_image

NEAR = 4  # of 64 bits: what a copy that was saved anew or resized may differ in


@dataclass(frozen=True)
class Facts:
    """One file as read.  side: "hr" or "lr".  group: the same for the two folders of a pair.  key: the name that pairs."""

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
    shape_bits: int | None = None  # difference hash, None for a flat picture

    @property
    def split(self) -> str:
        """ "train", "valid", "test" or "" by the folders' names."""
        words = re.findall(r"train|valid|val|test", str(Path(self.path).parent).lower())
        return {"val": "valid"}.get(words[-1], words[-1]) if words else ""


def find_pictures(root: Path, scale: int) -> list[Facts]:
    """Every picture of this scale, with its side, group and key by its name."""
    files = sorted(
        p.relative_to(root) for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()
    )
    places = []
    for file in files:
        if any(part.startswith(".") for part in file.parts):
            continue
        side, group, inner = "", [], []
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
    places = [
        place for place in places if place.side
    ]  # pictures beside the HR and LR folders belong to neither
    if len(lr_groups) == len({place.group for place in places if place.side == "hr"}) == 1:
        return [
            replace(place, group="") for place in places
        ]  # one folder of each: no doubt that they belong together
    return places


def examine(root: Path, place: Facts) -> Facts:
    try:
        picture = read_image(root / place.path)
        with Image.open(root / place.path) as file:
            stored_as_jpeg = file.format == "JPEG"
    except (ImageError, OSError) as error:
        return replace(place, error=str(error))
    rgb, (height, width) = picture.rgb, picture.size
    eight = rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)
    gray = picture.mode == "L" or bool((rgb == rgb[..., :1]).all())
    digest = hashlib.blake2b(
        repr(rgb.shape).encode() + np.ascontiguousarray(rgb).tobytes(), digest_size=16
    ).hexdigest()
    traces = place.side == "lr" and jpeg_quality([eight[:192, :192]]) is not None
    return replace(
        place, height=height, width=width, gray=gray, alpha=picture.alpha is not None, deep=rgb.dtype != np.uint8,
        jpeg=stored_as_jpeg or traces, digest=digest, shape_bits=_difference_hash(eight),
    )  # fmt: skip


def _difference_hash(rgb: np.ndarray) -> int | None:
    """64 bits: is each pixel of the picture, shrunk to 9 by 8 gray ones, lighter than its right neighbour?"""
    small = np.asarray(
        Image.fromarray(rgb).convert("L").resize((9, 8), Image.Resampling.BOX), np.int16
    )
    if np.ptp(small) < 8:
        return None
    return int.from_bytes(np.packbits(small[:, :-1] > small[:, 1:]).tobytes())


def distance(one: Facts, other: Facts) -> int:
    if one.shape_bits is None or other.shape_bits is None:
        return 0 if one.shape_bits == other.shape_bits else NEAR + 1
    return (one.shape_bits ^ other.shape_bits).bit_count()
