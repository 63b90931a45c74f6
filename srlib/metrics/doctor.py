"""The PSNR doctor: traces too low a score to its cause by trying the cures (notebook 06)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio
from skimage.transform import resize

from srlib.images.downscalers import identify_downscaler, jpeg_quality
from srlib.images.resize import crop_to_multiple, imresize
from srlib.metrics.cures import Trial, border_trials, trials
from srlib.metrics.protocols import lr_psnr

_CLEAR = 0.3  # dB a cure must give back; less may be chance
_PLAUSIBLE = 2.0  # dB below bicubic that a cured picture may stay: some faults destroy a little
_CLEAR_BESIDE_LR = 1.0  # dB where LR explains a bad picture already
_CONSISTENT = 30.0  # dB between LR and a right SR shrunk again, at least: right pictures seen so far have 40 and more
_ROUNDS = 3  # faults that may lie on top of each other
_ORDINARY = (
    "matlab",
    "matlab-replicate",
    "matlab-unrounded",
)  # downscalers that the published models expect


@dataclass(frozen=True)
class _Finding:
    text: str
    gain: float


def diagnose(
    sr: np.ndarray,
    hr: np.ndarray,
    lr: np.ndarray | None = None,
    *,
    scale: int | None = None,
    expected: float | None = None,
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
    cures, cured = _cure(
        picture, hr, bicubic, scale, clear=_CLEAR_BESIDE_LR if lr_faults else _CLEAR
    )
    behind = _psnr(bicubic, hr, 2 * scale) - _psnr(cured, hr, 2 * scale)
    consistency = _consistency(cured, shrunk if lr is None else lr)
    if behind <= (_PLAUSIBLE if cures else _CLEAR) or (lr_faults and consistency >= _CONSISTENT):
        findings += cures
    else:  # what a cure seems to give back to such a picture is chance
        findings.append(
            _worse_than_bicubic(picture, hr, bicubic, shrunk if lr is None else lr, scale)
        )
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
        raise ValueError(
            "Without the LR image the doctor cannot know the scale: give lr, or scale."
        )
    scale = scale or round(hr.shape[0] / lr.shape[0])
    if lr is not None and lr.shape != (hr.shape[0] // scale, hr.shape[1] // scale, *hr.shape[2:]):
        raise ValueError(
            f"An LR image {lr.shape} is not an HR image {hr.shape} shrunk by {scale}; are they one picture?"
        )
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
        fitted = max(
            (np.rot90(sr), np.rot90(sr, 3), sr.swapaxes(0, 1)),
            key=lambda turned: _psnr(turned, hr, scale),
        )
    else:
        ratio = sr.shape[0] * scale / hr.shape[0]
        fault, advice = (
            f"SR is {ratio:.3g} times LR, not {scale} times",
            f"take the model of x{scale}, or crop HR to the scale",
        )
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
        best, gain = _best(trials(picture, hr, bicubic, scale), picture, hr, 2 * scale, clear)
        if best is None:
            best, gain = _best(border_trials(picture, hr, bicubic, scale), picture, hr, 0, clear)
        if best is None:
            break
        findings.append(
            _Finding(f"{best.fault}: {best.advice}; this gives back {gain:.2f} dB.", gain)
        )
        picture = best.cured
    return findings, picture


def _best(
    tried: Iterator[Trial], picture: np.ndarray, hr: np.ndarray, border: int, clear: float
) -> tuple[Trial | None, float]:
    """The trial that gives back most, and how many dB; None where none gives back more than `clear`."""
    best, most, gain, before = None, clear, 0.0, _psnr(picture, hr, border)
    for trial in tried:
        given_back = _psnr(trial.cured, hr, border) - before
        if given_back - trial.handicap > most:
            best, most, gain = trial, given_back - trial.handicap, given_back
    return best, gain


def _consistency(picture: np.ndarray, lr: np.ndarray) -> float:
    return lr_psnr(np.rint(picture.clip(0, 255)).astype(np.uint8), lr)


def _worse_than_bicubic(
    picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray, lr: np.ndarray, scale: int
) -> _Finding:
    gain = _psnr(bicubic, hr, 2 * scale) - _psnr(picture, hr, 2 * scale)
    consistency = _consistency(picture, lr)
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
    right, wrong = (
        _psnr(imresize(image, scale, border="replicate") * 1.0, hr, 2 * scale)
        for image in (shrunk, lr)
    )
    advice = "shrink HR by srlib.resize.imresize and keep it as PNG"
    return [
        _Finding(
            f"{' and '.join(faults)}: {advice}; this gives back {right - wrong:.2f} dB to bicubic.",
            right - wrong,
        )
    ]
