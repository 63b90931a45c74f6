"""PSNR and SSIM by named protocol, and how well an SR image agrees with its LR image (notebook 06)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from srlib.images.resize import imresize

_C1, _C2 = (
    (0.01 * 255) ** 2,
    (0.03 * 255) ** 2,
)  # of SSIM: they keep the division calm in flat areas
_STRIP = 32  # rows
_LUMA = np.array([65.481, 128.553, 24.966]) / 255  # BT.601, from full-range RGB to 16..235


def luma(rgb: np.ndarray) -> np.ndarray:
    """Y of BT.601, as MATLAB's rgb2ycbcr: (H, W, 3) in 0 to 255 to float64 (H, W) in 16 to 235, not rounded."""
    return rgb.astype(np.float64) @ _LUMA + 16


@dataclass(frozen=True)
class Protocol:
    """How two images are compared.  The same model reads 34.6 or 36.1 dB by protocol alone, so it always has a name.

    luma: compare Y instead of RGB.  round_luma: Y as integers.  border: HR pixels dropped per side are
    `border_per_scale * scale + border_extra`.  window: "gaussian" for the SSIM of Wang et al. 2004 (11 pixels, sigma 1.5,
    population covariance), "uniform" for scikit-image's default (7 pixels, sample covariance).  A protocol compares uint8
    images, as papers do, and raises TypeError for others: a model's floats are clamped and rounded first.
    """

    name: str
    luma: bool
    round_luma: bool = False
    border_per_scale: int = 1
    border_extra: int = 0
    window: str = "gaussian"

    def border(self, scale: int) -> int:
        return self.border_per_scale * scale + self.border_extra

    def psnr(self, sr: np.ndarray, hr: np.ndarray, *, scale: int) -> float:
        _only_uint8(sr, hr)
        return psnr(sr, hr, border=self.border(scale), luma=self.luma, round_luma=self.round_luma)

    def ssim(self, sr: np.ndarray, hr: np.ndarray, *, scale: int) -> float:
        _only_uint8(sr, hr)
        return ssim(
            sr,
            hr,
            border=self.border(scale),
            luma=self.luma,
            round_luma=self.round_luma,
            window=self.window,
        )


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("benchmark-y", luma=True),  # most papers, BasicSR, torchSR
        Protocol(
            "benchmark-y-matlab", luma=True, round_luma=True
        ),  # the EDSR paper's own MATLAB script
        Protocol("div2k-rgb", luma=False, border_extra=6),  # EDSR on DIV2K
        Protocol("rgb", luma=False),  # BasicSR's RGB tables
        Protocol(
            "skimage-rgb", luma=False, border_per_scale=0, window="uniform"
        ),  # what a beginner computes
    )
}


def psnr(
    sr: np.ndarray, hr: np.ndarray, *, border: int, luma: bool, round_luma: bool = False
) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(255^2 / MSE); infinite for equal images.

    sr, hr: uint8, or floats in 0 to 255 which are neither rounded nor clamped; (H, W, 3), or (H, W) gray, whose gray values are
    compared whatever `luma` says.  border: pixels dropped per side.  Raises ValueError when the two do not fit together, floats
    end at 1 or are not finite; TypeError for other integers, whose range is not 0 to 255.
    """
    sr, hr = _inside(sr, hr, border)
    squares, values = 0.0, 0
    for top in range(
        0, len(sr), _STRIP
    ):  # bands stay in the processor's cache, and need no memory to speak of
        a, b = (_as_compared(image[top : top + _STRIP], luma, round_luma) for image in (sr, hr))
        difference = (a - b).ravel()
        squares, values = squares + float(difference @ difference), values + difference.size
    return math.inf if squares == 0 else 10 * math.log10(255**2 * values / squares)


def ssim(
    sr: np.ndarray,
    hr: np.ndarray,
    *,
    border: int,
    luma: bool,
    round_luma: bool = False,
    window: str = "gaussian",
) -> float:
    """Structural similarity (Wang et al. 2004), 1 for equal images; the mean over the channels for RGB.

    Arguments as for `psnr`; window as in `Protocol`.  Only windows inside the image count.  The value is that of scikit-image's
    structural_similarity, to rounding, in less time (speed/metrics.md).
    """
    sr, hr = (_as_compared(image, luma, round_luma) for image in _inside(sr, hr, border))
    size = 11 if window == "gaussian" else 7
    if min(sr.shape[:2]) < size:
        raise ValueError(
            f"SSIM needs {size} x {size} pixels inside the border; {sr.shape[1]} x {sr.shape[0]} are left."
        )
    channels = (
        ((sr, hr),) if sr.ndim == 2 else ((sr[..., c], hr[..., c]) for c in range(sr.shape[2]))
    )
    return float(
        np.mean(
            [
                _mean_ssim(np.ascontiguousarray(x), np.ascontiguousarray(y), window)
                for x, y in channels
            ]
        )
    )


def _mean_ssim(x: np.ndarray, y: np.ndarray, window: str) -> float:
    """The mean SSIM of two float64 (H, W), in strips of rows that stay in the processor's cache.

    The window is separable, and each of its two directions a product with a matrix that has the weights along its diagonal:
    many products with zero, and yet half of the time that scipy's filters take.
    """
    places = (
        np.arange(-5, 6) if window == "gaussian" else np.zeros(7)
    )  # a uniform window has seven equal weights
    weights = np.exp(-((places / 1.5) ** 2) / 2)
    weights /= weights.sum()
    sample = 1.0 if window == "gaussian" else 49 / 48  # makes a sample covariance of a population's
    beside, total = len(weights) - 1, 0.0
    filters = sum(
        weight * np.eye(_STRIP, _STRIP + beside, place) for place, weight in enumerate(weights)
    )

    def filtered(columns: np.ndarray) -> np.ndarray:
        return columns @ filters[: columns.shape[1] - beside, : columns.shape[1]].T

    for top in range(0, len(x) - beside, _STRIP):
        a, b = (image[top : top + _STRIP + beside] for image in (x, y))
        down = filters[: len(a) - beside, : len(a)] @ np.stack([a, b, a * a + b * b, a * b])
        rows = down.reshape(-1, x.shape[1])
        pieces = [
            filtered(rows[:, left : left + _STRIP + beside])
            for left in range(0, x.shape[1] - beside, _STRIP)
        ]
        mean_a, mean_b, squares, product = np.concatenate(pieces, axis=1).reshape(
            4, down.shape[1], -1
        )
        means, both = mean_a * mean_b, mean_a**2 + mean_b**2
        structure = (2 * sample * (product - means) + _C2) / (sample * (squares - both) + _C2)
        total += float(((2 * means + _C1) / (both + _C1) * structure).sum())
    return total / ((x.shape[0] - beside) * (x.shape[1] - beside))


def lr_psnr(sr: np.ndarray, lr: np.ndarray) -> float:
    """How well SR agrees with the image it was made from: PSNR, in dB, between LR and SR shrunk again by MATLAB's bicubic.

    It asks nothing of HR, so it can be had for any photograph; the SR images that could be the truth have some 45 dB and more
    (LR-PSNR, Lugmayr et al., NTIRE 2021 challenge on learning the super-resolution space).  sr: uint8 (scale * h, scale * w, 3)
    or gray; lr: uint8 (h, w, 3) or gray.  RGB, without the two outermost LR pixels per side, where MATLAB's versions differ.
    Raises ValueError when the sizes do not fit.
    """
    scale = sr.shape[0] / lr.shape[0]
    if scale != round(scale) or sr.shape[1] != lr.shape[1] * scale:
        raise ValueError(
            f"An SR image {sr.shape} is not a whole multiple of an LR image {lr.shape}; are they one picture?"
        )
    return psnr(imresize(sr, 1 / scale, border="replicate"), lr, border=2, luma=False)


def _inside(sr: np.ndarray, hr: np.ndarray, border: int) -> tuple[np.ndarray, np.ndarray]:
    """The two without their border, if they can be compared."""
    if sr.shape != hr.shape:
        raise ValueError(
            f"Only images of one shape can be compared, not {sr.shape} and {hr.shape}; was HR cropped to the scale?"
        )
    for image in (sr, hr):
        if image.dtype != np.uint8:
            _check_floats(image)
    if min(sr.shape[:2]) <= 2 * border:
        raise ValueError(
            f"Nothing is left of {sr.shape[1]} x {sr.shape[0]} pixels after dropping {border} per side."
        )
    inside = slice(border, -border or None)
    return sr[inside, inside], hr[inside, inside]


def _as_compared(image: np.ndarray, use_luma: bool, round_luma: bool) -> np.ndarray:
    values = luma(image) if use_luma and image.ndim == 3 else image.astype(np.float64)
    return np.floor(values + 0.5) if round_luma else values


def _check_floats(image: np.ndarray) -> None:
    if not np.issubdtype(image.dtype, np.floating):
        raise TypeError(
            f"Only uint8 images, and floats in 0 to 255, can be compared, not {image.dtype}."
        )
    if not np.isfinite(image).all():
        raise ValueError("An image has values that are not finite (NaN or infinity).")
    if image.max(initial=0) <= 1:
        raise ValueError(
            f"Float images are compared in 0 to 255, but one ends at {image.max():.3g}: multiply it by 255."
        )


def _only_uint8(sr: np.ndarray, hr: np.ndarray) -> None:
    if sr.dtype != np.uint8 or hr.dtype != np.uint8:
        raise TypeError(
            f"The protocols compare uint8 images, not {sr.dtype} and {hr.dtype}: clamp to 0..255 and round first."
        )
