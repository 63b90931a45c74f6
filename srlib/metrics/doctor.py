"""The PSNR doctor: traces a low score to its cause by trying the cures."""

import math
from collections.abc import Iterator

import numpy as np
from skimage.transform import resize

from srlib.images.downscalers import identify_downscaler, jpeg_quality
from srlib.images.resize import crop_to_multiple, imresize
from srlib.metrics.faults import (
    ORIENTATIONS,
    Fault,
    as_rgb,
    best_fault,
    border_faults,
    capped_psnr,
    common_faults,
    sr_faults,
)
from srlib.metrics.protocols import check_shape, check_uint8

_CLEAR = 0.3  # dB a cure must give back; less may be chance
_CLEAR_BESIDE_LR = 1.0  # dB where faults of LR already explain a bad picture
_PLAUSIBLE = 2.0  # dB by which a cured picture may stay below bicubic: some faults destroy a little
_ROUNDS = 3  # faults that may lie on top of each other
_ORDINARY = ("matlab", "matlab-replicate", "matlab-unrounded")  # what published models expect

_Finding = tuple[float, str]  # the dB given back, and the sentence


def diagnose(sr: np.ndarray, hr: np.ndarray, lr: np.ndarray) -> list[str]:
    """Find out why the PSNR of an SR image is too low.

    Each cure is applied, and its gain is measured against HR in RGB, without the outer 2 * scale
    pixels (on the whole picture for faults of the border). A cure is believed if it gains 0.3 dB
    and the cured picture comes near bicubic or above. Where a fault destroyed values, bicubic's
    stand in, so the gain is a lower bound. Faults of LR are measured on bicubic.

    Args:
        sr: (H, W, 3) or (H, W), uint8 or float.
        hr: uint8 (H, W, 3) or (H, W); it is cropped to a multiple of the scale.
        lr: The model's input, uint8.

    Returns:
        One sentence per fault, with the cure and the dB it gives back, the largest first. An empty
        list if no fault was found.

    Raises:
        ValueError: HR and LR do not fit together, or SR is not finite.
        TypeError: HR or LR is not uint8.
    """
    scale = _checked_scale(sr, hr, lr)
    hr = crop_to_multiple(hr, scale)
    lr_faults = _lr_faults(lr, hr, scale)
    lr = as_rgb(lr).astype(np.uint8)
    hr = as_rgb(hr)
    picture = as_rgb(sr)
    bicubic = imresize(lr, scale, border="replicate").astype(np.float64)
    least = _CLEAR_BESIDE_LR if lr_faults else _CLEAR
    findings, cured = _cure(picture, hr, bicubic, scale, least)
    behind = capped_psnr(bicubic, hr, 2 * scale) - capped_psnr(cured, hr, 2 * scale)
    if behind > (_PLAUSIBLE if findings else _CLEAR) and not lr_faults:
        # Such gains are chance, apart from those of a wrong shape.
        findings = [(gain, text) for gain, text in findings if gain == math.inf]
        worse = (
            "SR is worse than bicubic: check res_scale (32 x 256 needs 0.1), the model's scale and "
            f"whether all weights were loaded; bicubic alone gives back {behind:.2f} dB."
        )
        findings.append((behind, worse))
    findings += lr_faults
    return [text for _, text in sorted(findings, key=lambda finding: -finding[0])]


def _checked_scale(sr: np.ndarray, hr: np.ndarray, lr: np.ndarray) -> int:
    """The scale, after a check that the images fit together."""
    check_shape("SR", sr)
    if not np.isfinite(sr).all():
        raise ValueError("SR has values that are not finite (NaN or infinity).")
    check_uint8(HR=hr, LR=lr)
    scale = round(hr.shape[0] / max(1, lr.shape[0]))
    if scale < 1 or lr.shape != (hr.shape[0] // scale, hr.shape[1] // scale, *hr.shape[2:]):
        raise ValueError(
            f"An LR image {lr.shape} is not an HR image {hr.shape} shrunk by {scale}; "
            "are they one picture?"
        )
    if min(hr.shape[:2]) <= 4 * scale:
        raise ValueError(f"More than {4 * scale} pixels a side are needed, and HR is {hr.shape}.")
    return scale


def _cure(
    picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray, scale: int, least: float
) -> tuple[list[_Finding], np.ndarray]:
    """Apply the best cure, then the best one to the result, as long as one clearly helps."""
    findings = []
    while len(findings) < _ROUNDS:
        if picture.shape != hr.shape:
            faults = _shape_faults(picture, hr, scale)
            fault, gain = best_fault(faults, [picture], [hr], least=least)
        else:
            faults = [*common_faults([picture], [hr]), *sr_faults(picture, hr, bicubic)]
            fault, gain = best_fault(faults, [picture], [hr], least=least, border=2 * scale)
        if fault is None:  # the border comes last, since every other fault is there too
            faults = border_faults(picture, bicubic, scale)
            fault, gain = best_fault(faults, [picture], [hr], least=least)
        if fault is None:
            break
        picture = fault.undo(picture)
        effect = f"gives back {gain:.2f} dB" if gain < math.inf else "makes it comparable at all"
        findings.append((gain, f"SR {fault.name}: {fault.advice}; this {effect}."))
    return findings, picture


def _shape_faults(picture: np.ndarray, hr: np.ndarray, scale: int) -> Iterator[Fault]:
    yield from ORIENTATIONS
    ratio = picture.shape[0] * scale / hr.shape[0]
    shrinking = picture.shape[0] > hr.shape[0]
    yield Fault(
        f"is {ratio:.3g} times LR, not {scale} times",
        f"take the model of x{scale}, or crop HR to the scale",
        lambda image: resize(image, hr.shape, order=3, anti_aliasing=shrinking),
    )


def _lr_faults(lr: np.ndarray, hr: np.ndarray, scale: int) -> list[_Finding]:
    """The faults of LR, with their price for bicubic; a model pays more."""
    program, _, jpeg = identify_downscaler(lr, hr, scale=scale).partition(" + ")
    quality = jpeg_quality(lr) if jpeg or program == "unknown" else None
    faults = []
    if program not in (*_ORDINARY, "unknown"):
        faults.append(f"LR was made by {program}")
    if quality is not None:
        faults.append(f"LR was stored as JPEG (quality {quality})")
    if not faults:
        return []
    shrunk = imresize(hr, 1 / scale, border="replicate")
    right, wrong = (
        capped_psnr(imresize(image, scale, border="replicate"), hr, 2 * scale)
        for image in (shrunk, lr)
    )
    advice = "shrink HR by srlib.images.imresize and keep it as PNG"
    gain = right - wrong
    return [(gain, f"{' and '.join(faults)}: {advice}; this gives back {gain:.2f} dB to bicubic.")]
