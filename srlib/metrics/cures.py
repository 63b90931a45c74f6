"""What the PSNR doctor tries: each fault it knows, undone on the broken picture (notebook 06)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from scipy.ndimage import shift
from skimage.color import rgb2ycbcr, ycbcr2rgb

from srlib.images.resize import imresize

_WINDOW = 192  # pixels a side of the part in which a shift is searched
_FEW_LEVELS = 64  # values a channel has at most when it was quantised twice


@dataclass(frozen=True)
class Trial:
    """A cure tried: what is wrong, what to do, the picture after it.  handicap: dB against it, for cures with free parameters."""

    fault: str
    advice: str
    cured: np.ndarray
    handicap: float = 0.0


def trials(picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray, scale: int) -> Iterator[Trial]:
    """Every cure that can be applied to the inside of the picture.

    picture: float64 of HR's shape; hr: uint8; bicubic: float64, LR enlarged, which stands in for values that a fault destroyed.
    """
    yield from _ranges(picture, hr, bicubic)
    yield from _colours(picture, hr, bicubic)
    yield from _geometry(picture, hr, scale)
    yield from _levels(picture, hr, bicubic)
    yield _shifted(picture, hr, scale)


def border_trials(
    picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray, scale: int
) -> Iterator[Trial]:
    """The outermost pixels replaced by bicubic's, in rings from narrow to wide."""
    for width in range(scale, 4 * scale + 1, scale):
        inside = slice(width, -width)
        replaced = bicubic.copy()
        replaced[inside, inside] = picture[inside, inside]
        advice = f"drop at least {width} pixels per side, or pad the model's input by more"
        # Wider rings must earn their width, or the widest always wins.
        yield Trial("SR is wrong along its border", advice, replaced, 0.1 * width / scale)


def _as_clipped(cured: np.ndarray, picture: np.ndarray, bicubic: np.ndarray) -> np.ndarray:
    """The cured picture, where values that were cut off at 0 and 255 may be anything beyond: as far as bicubic says."""
    cured = np.where(picture <= 0, np.minimum(cured, bicubic), cured)
    return np.where(picture >= 255, np.maximum(cured, bicubic), cured).clip(0, 255)


def _ranges(picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray) -> Iterator[Trial]:
    if picture.max() <= 1 < hr.max():
        advice = "multiply by 255 before rounding to uint8"
        yield Trial(
            "Values in [0, 1] are taken for [0, 255]",
            advice,
            bicubic if np.array_equal(picture, np.rint(picture)) else picture * 255,
        )
    yield Trial("Values lie outside 0 to 255", "clip them", picture.clip(0, 255))
    wrapped = (picture + 256 * np.rint((bicubic - picture) / 256)).clip(0, 255)
    yield Trial("Values wrapped around at 0 and 255", "clip before the cast to uint8", wrapped)
    yield Trial(
        "SR has the range 16 to 235",
        "expand it to 0 to 255",
        ((picture - 16) * 255 / 219).clip(0, 255),
    )
    full = _as_clipped(picture * 219 / 255 + 16, picture, bicubic)
    yield Trial(
        "SR was expanded from 16 to 235 though it had the full range", "leave that out", full
    )
    values = picture.clip(0, 255) / 255
    light = np.where(
        values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4
    )  # IEC 61966-2-1
    srgb = np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)
    yield Trial("SR is in linear light, HR in sRGB", "apply sRGB's gamma", srgb * 255)
    yield Trial(
        "Gamma was applied twice", "leave out the conversion from linear light to sRGB", light * 255
    )


def _colours(picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray) -> Iterator[Trial]:
    if hr.ndim == 2:
        return
    for order in permutations(range(3)):
        name = "".join("RGB"[order.index(channel)] for channel in range(3))
        if name != "RGB":
            yield Trial(
                f"Channels are in the order {name}", "write them as RGB", picture[..., list(order)]
            )
    yield Trial(
        "SR is YCbCr shown as RGB", "convert it to RGB", (255 * ycbcr2rgb(picture)).clip(0, 255)
    )
    if np.ptp(picture, axis=2).max() == 0 < np.ptp(hr, axis=2).max():
        full, chroma = picture[..., :1] * 219 / 255 + 16, rgb2ycbcr(bicubic / 255)[..., 1:]
        for luma, kind in ((picture[..., :1], "Y alone (16 to 235)"), (full, "gray (0 to 255)")):
            coloured = (255 * ycbcr2rgb(np.concatenate([luma, chroma], axis=2))).clip(0, 255)
            yield Trial(
                f"SR is {kind}, HR is RGB",
                "compare Y with Y, or add the colour of LR enlarged",
                coloured,
            )


def _geometry(picture: np.ndarray, hr: np.ndarray, scale: int) -> Iterator[Trial]:
    for turns, mirrored in product(range(4), (False, True)):
        turned = np.rot90(picture[:, ::-1] if mirrored else picture, turns)
        if (turns or mirrored) and turned.shape == hr.shape:
            how = " and ".join(
                ["mirrored"] * mirrored + [f"turned by {90 * turns} degrees"] * bool(turns)
            )
            yield Trial("SR is mirrored or turned", f"it fits when {how}", turned)
    for times in range(2, scale + 1):
        small = picture[::times, ::times]
        if np.array_equal(
            small.repeat(times, 0).repeat(times, 1)[: len(picture), : picture.shape[1]], picture
        ):
            larger = imresize(small.clip(0, 255).astype(np.uint8), times)[
                : len(picture), : picture.shape[1]
            ]
            yield Trial(
                f"SR was brought to its size by repeating each pixel {times} times",
                "do not resize",
                larger * 1.0,
            )


def _levels(picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray) -> Iterator[Trial]:
    values = _values(picture)
    if 2 < len(values) <= _FEW_LEVELS < len(_values(hr)):
        step, advice = np.median(np.diff(values)), "round once, to uint8, at the very end"
        for below in (0, step / 2):  # was it cut or rounded to these levels?
            restored = bicubic.clip(picture - below, picture - below + step)
            yield Trial(f"SR has only {len(values)} levels", advice, restored.clip(0, 255))
        return
    kept = (picture > 0) & (picture < 255)
    offset = ((hr - picture) * kept).sum((0, 1)) / np.maximum(kept.sum((0, 1)), 1)
    amount = ", ".join(f"{value:+.0f}" for value in np.atleast_1d(offset))
    moved = _as_clipped(picture + offset, picture, bicubic)
    yield Trial(
        "Brightness is off, as when the mean shift is missing", f"add {amount} levels", moved, 0.2
    )


def _values(picture: np.ndarray) -> np.ndarray:
    """The integers 0 to 255 that occur in it."""
    return np.flatnonzero(np.bincount(np.rint(picture.clip(0, 255)).astype(np.uint8).ravel()))


def _shifted(picture: np.ndarray, hr: np.ndarray, scale: int) -> Trial:
    """The best shift by up to `scale` pixels: whole pixels first, on the gray picture, then halves around the best of these."""
    gray, target = (
        _middle(image if image.ndim == 2 else image.mean(2))
        for image in (picture, hr.astype(np.float64))
    )
    inside = np.s_[scale:-scale, scale:-scale]

    def error(by: tuple[float, float], order: int) -> float:
        moved = (
            np.roll(gray, [int(v) for v in by], (0, 1))
            if order == 0
            else shift(gray, by, order=order, mode="nearest")
        )
        return float(np.square(moved[inside] - target[inside]).mean())

    whole = min(product(range(-scale, scale + 1), repeat=2), key=lambda by: error(by, 0))
    around = [
        (whole[0] + down, whole[1] + right) for down, right in product((-0.5, 0, 0.5), repeat=2)
    ]
    best = min(around, key=lambda by: error(by, 3))
    cured = shift(picture, (*best, *[0] * (picture.ndim - 2)), order=3, mode="nearest").clip(0, 255)
    return Trial(
        "SR is shifted", f"move it {best[0]:+g} pixels down and {best[1]:+g} to the right", cured
    )


def _middle(gray: np.ndarray) -> np.ndarray:
    top, left = (max(0, size - _WINDOW) // 2 for size in gray.shape)
    return gray[top : top + _WINDOW, left : left + _WINDOW]
