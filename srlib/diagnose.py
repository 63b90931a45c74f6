"""The PSNR doctor: traces too low a score to its cause by trying the cures (notebook 06)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from scipy.ndimage import shift
from skimage.color import rgb2ycbcr, ycbcr2rgb
from skimage.metrics import peak_signal_noise_ratio
from skimage.transform import resize

from srlib.downscalers import identify_downscaler, jpeg_quality
from srlib.resize import crop_to_multiple, imresize

_CLEAR = 0.3  # dB a cure must give back; less may be chance
_PLAUSIBLE = 2.0  # dB below bicubic that a cured picture may stay: some faults destroy a little
_CLEAR_BESIDE_LR = 1.0  # dB where LR explains a bad picture already
_CONSISTENT = 30.0  # dB between LR and a right SR shrunk again, at least: right pictures seen so far have 40 and more
_WINDOW = 192  # pixels a side of the part in which a shift is searched
_ROUNDS = 3  # faults that may lie on top of each other
_FEW_LEVELS = 64  # values a channel has at most when it was quantised twice
_ORDINARY = ("matlab", "matlab-replicate", "matlab-unrounded")  # downscalers that the published models expect


@dataclass(frozen=True)
class _Trial:
    """A cure tried: what is wrong, what to do, the picture after it.  handicap: dB against it, for cures with free parameters."""

    fault: str
    advice: str
    cured: np.ndarray
    handicap: float = 0.0


@dataclass(frozen=True)
class _Finding:
    text: str
    gain: float


def diagnose(
    sr: np.ndarray, hr: np.ndarray, lr: np.ndarray | None = None, *, scale: int | None = None, expected: float | None = None
) -> list[str]:
    """Why the PSNR of `sr` is too low: one sentence per fault, with the cure and the dB it gives back, largest first.

    sr: (H, W, 3) or (H, W), uint8 or float.  hr: uint8, (H, W, 3) or (H, W), cropped here to a multiple of the scale.  lr: uint8,
    the model's input; without it, faults of LR cannot be seen, and HR shrunk as MATLAB does stands in for it.  scale: only needed
    without lr.  expected: the score it should have, in dB on Y with a border of `scale` pixels; reached to 0.1 dB, nothing is
    said, and if it is missed and no cure helps, a sentence says so.  An empty list means that no fault was found.

    Each cure is really applied, and what it gives back is measured against HR, in RGB, 2 * scale pixels from the edge (the
    faults of the border: on the whole picture).  It is believed from 0.3 dB, and if the cured picture ends near bicubic or above.
    Where a fault destroyed values, bicubic's stand in, so what is given back is a lower bound; so it is for faults of LR.

    Raises ValueError when the scale is not known or the shapes of HR and LR do not fit, TypeError when hr or lr is not uint8.
    """
    scale = _scale(hr, lr, scale)
    hr = crop_to_multiple(hr, scale)
    shrunk = imresize(hr, 1 / scale, border="replicate")
    bicubic = imresize(shrunk if lr is None else lr, scale, border="replicate").astype(np.float64)
    findings, picture = _fitted(np.asarray(sr, np.float64), hr, scale)
    if expected is not None and not findings and _psnr_y(picture, hr, scale) >= expected - 0.1:
        return []
    lr_faults = [] if lr is None else _faults_of_lr(lr, hr, shrunk, scale)
    cures, cured = _cure(picture, hr, bicubic, scale, clear=_CLEAR_BESIDE_LR if lr_faults else _CLEAR)
    behind = _psnr(bicubic, hr, 2 * scale) - _psnr(cured, hr, 2 * scale)
    consistency = _consistency(cured, shrunk if lr is None else lr, scale)
    if behind <= (_PLAUSIBLE if cures else _CLEAR) or (lr_faults and consistency >= _CONSISTENT):
        findings += cures
    else:  # what a cure seems to give back to such a picture is chance
        findings.append(_worse_than_bicubic(picture, hr, bicubic, shrunk if lr is None else lr, scale))
    findings += lr_faults
    if not findings and expected is not None:
        missing = expected - _psnr_y(picture, hr, scale)
        return [
            f"The score is {missing:.2f} dB below the expected {expected:.2f} dB and no cure gives it back: "
            "the expected score may belong to other weights, to self-ensemble or to another protocol."
        ]
    return [finding.text for finding in sorted(findings, key=lambda finding: -finding.gain)]


def _scale(hr: np.ndarray, lr: np.ndarray | None, scale: int | None) -> int:
    for image in (hr, lr):
        if image is not None and image.dtype != np.uint8:
            raise TypeError(f"HR and LR images are uint8 arrays, not {image.dtype}.")
    if lr is None and scale is None:
        raise ValueError("Without the LR image the doctor cannot know the scale: give lr, or scale.")
    scale = scale or round(hr.shape[0] / lr.shape[0])
    if lr is not None and lr.shape != (hr.shape[0] // scale, hr.shape[1] // scale, *hr.shape[2:]):
        raise ValueError(f"An LR image {lr.shape} is not an HR image {hr.shape} shrunk by {scale}; are they one picture?")
    return scale


def _psnr(picture: np.ndarray, hr: np.ndarray, border: int) -> float:
    inside = slice(border, -border or None)
    a, b = hr[inside, inside].astype(np.float64), picture[inside, inside]
    return math.inf if np.array_equal(a, b) else peak_signal_noise_ratio(a, b, data_range=255)


def _psnr_y(picture: np.ndarray, hr: np.ndarray, border: int) -> float:
    if hr.ndim == 3:
        picture, hr = (rgb2ycbcr(image / 255)[..., 0] for image in (picture, hr))
    return _psnr(picture, hr, border)


def _fitted(sr: np.ndarray, hr: np.ndarray, scale: int) -> tuple[list[_Finding], np.ndarray]:
    """The SR picture in HR's shape, and what was wrong if it had another."""
    if sr.ndim == 2 and hr.ndim == 3:  # which fault that is, the trials find out
        sr = np.repeat(sr[..., None], 3, axis=2)
    if sr.shape == hr.shape:
        return [], sr
    if sr.swapaxes(0, 1).shape == hr.shape:
        fault, advice = "SR lies on its side", "turn it by 90 degrees or transpose it"
        fitted = max((np.rot90(sr), np.rot90(sr, 3), sr.swapaxes(0, 1)), key=lambda turned: _psnr(turned, hr, scale))
    else:
        ratio = sr.shape[0] * scale / hr.shape[0]
        fault, advice = f"SR is {ratio:.3g} times LR, not {scale} times", f"take the model of x{scale}, or crop HR to the scale"
        fitted = resize(sr, hr.shape, order=3, anti_aliasing=sr.shape[0] > hr.shape[0])
    text = f"{fault}: {advice}; as it is it cannot be compared, brought to HR's shape it has {_psnr(fitted, hr, scale):.2f} dB."
    return [_Finding(text, math.inf)], fitted


def _cure(
    picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray, scale: int, *, clear: float
) -> tuple[list[_Finding], np.ndarray]:
    """Apply the best cure, and then the best to what it leaves, while one clearly helps."""
    findings = []
    for _ in range(_ROUNDS):
        # The border comes last: every other fault is there too.
        best, gain = _best(_trials(picture, hr, bicubic, scale), picture, hr, 2 * scale, clear)
        if best is None:
            best, gain = _best(_border_trials(picture, hr, bicubic, scale), picture, hr, 0, clear)
        if best is None:
            break
        findings.append(_Finding(f"{best.fault}: {best.advice}; this gives back {gain:.2f} dB.", gain))
        picture = best.cured
    return findings, picture


def _best(
    trials: Iterator[_Trial], picture: np.ndarray, hr: np.ndarray, border: int, clear: float
) -> tuple[_Trial | None, float]:
    """The trial that gives back most, and how many dB; None where none gives back more than `clear`."""
    best, most, gain, before = None, clear, 0.0, _psnr(picture, hr, border)
    for trial in trials:
        given_back = _psnr(trial.cured, hr, border) - before
        if given_back - trial.handicap > most:
            best, most, gain = trial, given_back - trial.handicap, given_back
    return best, gain


def _trials(picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray, scale: int) -> Iterator[_Trial]:
    """Every cure that can be applied to the inside of the picture."""
    yield from _ranges(picture, hr, bicubic)
    yield from _colours(picture, hr, bicubic)
    yield from _geometry(picture, hr, scale)
    yield from _levels(picture, hr, bicubic)
    yield _shifted(picture, hr, scale)


def _border_trials(picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray, scale: int) -> Iterator[_Trial]:
    for width in range(scale, 4 * scale + 1, scale):
        inside = slice(width, -width)
        replaced = bicubic.copy()
        replaced[inside, inside] = picture[inside, inside]
        advice = f"drop at least {width} pixels per side, or pad the model's input by more"
        # Wider rings must earn their width, or the widest always wins.
        yield _Trial("SR is wrong along its border", advice, replaced, 0.1 * width / scale)


def _as_clipped(cured: np.ndarray, picture: np.ndarray, bicubic: np.ndarray) -> np.ndarray:
    """The cured picture, where values that were cut off at 0 and 255 may be anything beyond: as far as bicubic says."""
    cured = np.where(picture <= 0, np.minimum(cured, bicubic), cured)
    return np.where(picture >= 255, np.maximum(cured, bicubic), cured).clip(0, 255)


def _ranges(picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray) -> Iterator[_Trial]:
    if picture.max() <= 1 < hr.max():
        advice = "multiply by 255 before rounding to uint8"
        yield _Trial(
            "Values in [0, 1] are taken for [0, 255]",
            advice,
            bicubic if np.array_equal(picture, np.rint(picture)) else picture * 255,
        )
    yield _Trial("Values lie outside 0 to 255", "clip them", picture.clip(0, 255))
    wrapped = (picture + 256 * np.rint((bicubic - picture) / 256)).clip(0, 255)
    yield _Trial("Values wrapped around at 0 and 255", "clip before the cast to uint8", wrapped)
    yield _Trial("SR has the range 16 to 235", "expand it to 0 to 255", ((picture - 16) * 255 / 219).clip(0, 255))
    full = _as_clipped(picture * 219 / 255 + 16, picture, bicubic)
    yield _Trial("SR was expanded from 16 to 235 though it had the full range", "leave that out", full)
    values = picture.clip(0, 255) / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
    srgb = np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)
    yield _Trial("SR is in linear light, HR in sRGB", "apply sRGB's gamma", srgb * 255)
    yield _Trial("Gamma was applied twice", "leave out the conversion from linear light to sRGB", light * 255)


def _colours(picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray) -> Iterator[_Trial]:
    if hr.ndim == 2:
        return
    for order in permutations(range(3)):
        name = "".join("RGB"[order.index(channel)] for channel in range(3))
        if name != "RGB":
            yield _Trial(f"Channels are in the order {name}", "write them as RGB", picture[..., list(order)])
    yield _Trial("SR is YCbCr shown as RGB", "convert it to RGB", (255 * ycbcr2rgb(picture)).clip(0, 255))
    if np.ptp(picture, axis=2).max() == 0 < np.ptp(hr, axis=2).max():
        full, chroma = picture[..., :1] * 219 / 255 + 16, rgb2ycbcr(bicubic / 255)[..., 1:]
        for luma, kind in ((picture[..., :1], "Y alone (16 to 235)"), (full, "gray (0 to 255)")):
            coloured = (255 * ycbcr2rgb(np.concatenate([luma, chroma], axis=2))).clip(0, 255)
            yield _Trial(f"SR is {kind}, HR is RGB", "compare Y with Y, or add the colour of LR enlarged", coloured)


def _geometry(picture: np.ndarray, hr: np.ndarray, scale: int) -> Iterator[_Trial]:
    for turns, mirrored in product(range(4), (False, True)):
        turned = np.rot90(picture[:, ::-1] if mirrored else picture, turns)
        if (turns or mirrored) and turned.shape == hr.shape:
            how = " and ".join(["mirrored"] * mirrored + [f"turned by {90 * turns} degrees"] * bool(turns))
            yield _Trial("SR is mirrored or turned", f"it fits when {how}", turned)
    for times in range(2, scale + 1):
        small = picture[::times, ::times]
        if np.array_equal(small.repeat(times, 0).repeat(times, 1)[: len(picture), : picture.shape[1]], picture):
            larger = imresize(small.clip(0, 255).astype(np.uint8), times)[: len(picture), : picture.shape[1]]
            yield _Trial(f"SR was brought to its size by repeating each pixel {times} times", "do not resize", larger * 1.0)


def _levels(picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray) -> Iterator[_Trial]:
    values = _values(picture)
    if 2 < len(values) <= _FEW_LEVELS < len(_values(hr)):
        step, advice = np.median(np.diff(values)), "round once, to uint8, at the very end"
        for below in (0, step / 2):  # was it cut or rounded to these levels?
            restored = bicubic.clip(picture - below, picture - below + step)
            yield _Trial(f"SR has only {len(values)} levels", advice, restored.clip(0, 255))
        return
    kept = (picture > 0) & (picture < 255)
    offset = ((hr - picture) * kept).sum((0, 1)) / np.maximum(kept.sum((0, 1)), 1)
    amount = ", ".join(f"{value:+.0f}" for value in np.atleast_1d(offset))
    moved = _as_clipped(picture + offset, picture, bicubic)
    yield _Trial("Brightness is off, as when the mean shift is missing", f"add {amount} levels", moved, 0.2)


def _values(picture: np.ndarray) -> np.ndarray:
    """The integers 0 to 255 that occur in it."""
    return np.flatnonzero(np.bincount(np.rint(picture.clip(0, 255)).astype(np.uint8).ravel()))


def _shifted(picture: np.ndarray, hr: np.ndarray, scale: int) -> _Trial:
    """The best shift by up to `scale` pixels: whole pixels first, on the gray picture, then halves around the best of these."""
    gray, target = (_middle(image if image.ndim == 2 else image.mean(2)) for image in (picture, hr.astype(np.float64)))
    inside = np.s_[scale:-scale, scale:-scale]

    def error(by: tuple[float, float], order: int) -> float:
        moved = np.roll(gray, [int(v) for v in by], (0, 1)) if order == 0 else shift(gray, by, order=order, mode="nearest")
        return float(np.square(moved[inside] - target[inside]).mean())

    whole = min(product(range(-scale, scale + 1), repeat=2), key=lambda by: error(by, 0))
    around = [(whole[0] + down, whole[1] + right) for down, right in product((-0.5, 0, 0.5), repeat=2)]
    best = min(around, key=lambda by: error(by, 3))
    cured = shift(picture, (*best, *[0] * (picture.ndim - 2)), order=3, mode="nearest").clip(0, 255)
    return _Trial("SR is shifted", f"move it {best[0]:+g} pixels down and {best[1]:+g} to the right", cured)


def _middle(gray: np.ndarray) -> np.ndarray:
    top, left = (max(0, size - _WINDOW) // 2 for size in gray.shape)
    return gray[top : top + _WINDOW, left : left + _WINDOW]


def _consistency(picture: np.ndarray, lr: np.ndarray, scale: int) -> float:
    """PSNR between LR and the picture shrunk again, in dB."""
    shrunk = imresize(np.rint(picture.clip(0, 255)).astype(np.uint8), 1 / scale, border="replicate")
    return _psnr(shrunk.astype(np.float64), lr, 2)


def _worse_than_bicubic(picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray, lr: np.ndarray, scale: int) -> _Finding:
    gain = _psnr(bicubic, hr, 2 * scale) - _psnr(picture, hr, 2 * scale)
    consistency = _consistency(picture, lr, scale)
    return _Finding(
        f"SR is worse than bicubic, and shrunk again it is {consistency:.1f} dB from LR: check res_scale (32 x 256 needs 0.1), "
        f"the model's scale and whether all weights were loaded; bicubic alone gives back {gain:.2f} dB.",
        gain,
    )


def _faults_of_lr(lr: np.ndarray, hr: np.ndarray, shrunk: np.ndarray, scale: int) -> list[_Finding]:
    """What is wrong with LR.  What it costs is measured on bicubic; models, trained on MATLAB's LR images, lose more."""
    program, _, jpeg = identify_downscaler(lr, hr, scale=scale).partition(" + ")
    quality = jpeg_quality([lr]) if jpeg or program == "unknown" else None
    faults = [f"LR was made by {program}"] * (program not in (*_ORDINARY, "unknown"))
    faults += [f"LR was stored as JPEG (quality {quality})"] * (quality is not None)
    if not faults:
        return []
    right, wrong = (_psnr(imresize(image, scale, border="replicate") * 1.0, hr, 2 * scale) for image in (shrunk, lr))
    advice = "shrink HR by srlib.resize.imresize and keep it as PNG"
    return [_Finding(f"{' and '.join(faults)}: {advice}; this gives back {right - wrong:.2f} dB to bicubic.", right - wrong)]
