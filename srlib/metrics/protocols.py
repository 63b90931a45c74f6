"""PSNR and SSIM by named protocol, and the agreement of an SR image with its LR image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from srlib.errors import SRError
from srlib.images.resize import imresize

_LUMA = np.array([65.481, 128.553, 24.966]) / 255  # BT.601, from full-range RGB to 16..235
_GAUSSIAN = np.exp(-((np.arange(-5, 6) / 1.5) ** 2) / 2)
_WINDOWS = {  # see _weights
    "gaussian": (_GAUSSIAN / _GAUSSIAN.sum(), 1.0),
    "uniform": (np.full(7, 1 / 7), 49 / 48),
}
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2
_STRIP = 32  # rows at a time, so that the arrays stay in the processor's cache


class ImageTooSmallError(SRError, ValueError):
    """Too few pixels are left inside the border for a metric."""


def _weights(window: str) -> tuple[np.ndarray, float]:
    """The weights of an SSIM window, and the factor from population to sample covariance."""
    if window not in _WINDOWS:
        raise ValueError(f'window is "gaussian" or "uniform", not {window!r}.')
    return _WINDOWS[window]


@dataclass(frozen=True)
class Protocol:
    """The rules by which two images are compared.

    The same SR images read 34.6 or 36.1 dB by protocol alone, so a protocol always has a name. It
    compares uint8 images, as papers do: clamp and round a model's floats first.

    Attributes:
        name: The name that is quoted with the numbers.
        luma: Compare Y of BT.601 instead of RGB.
        round_luma: Round Y to integers first, as MATLAB's rgb2ycbcr does on uint8 images.
        border_per_scale: HR pixels dropped per side, as a multiple of the scale.
        border_extra: HR pixels dropped per side in addition.
        window: The window of SSIM. "gaussian" is that of Wang et al. 2004 (11 pixels, sigma 1.5,
            population covariance), "uniform" is scikit-image's default (7 pixels, sample
            covariance).
    """

    name: str
    luma: bool
    round_luma: bool = False
    border_per_scale: int = 1
    border_extra: int = 0
    window: str = "gaussian"

    def __post_init__(self):
        _weights(self.window)  # raises ValueError for a window that does not exist

    def border(self, scale: int) -> int:
        """The number of HR pixels dropped per side."""
        return self.border_per_scale * scale + self.border_extra

    def psnr(self, sr: np.ndarray, hr: np.ndarray, *, scale: int) -> float:
        """PSNR in dB of two uint8 images by this protocol, see `psnr`."""
        check_uint8(SR=sr, HR=hr)
        return psnr(sr, hr, **self._options(scale))

    def ssim(self, sr: np.ndarray, hr: np.ndarray, *, scale: int) -> float:
        """SSIM of two uint8 images by this protocol, see `ssim`."""
        check_uint8(SR=sr, HR=hr)
        return ssim(sr, hr, window=self.window, **self._options(scale))

    def _options(self, scale: int) -> dict[str, Any]:
        return {"border": self.border(scale), "luma": self.luma, "round_luma": self.round_luma}


_NAMED = (
    Protocol("benchmark-y", luma=True),  # most papers, BasicSR, torchSR
    Protocol("benchmark-y-matlab", luma=True, round_luma=True),  # the EDSR paper's MATLAB script
    Protocol("div2k-rgb", luma=False, border_extra=6),  # EDSR on DIV2K
    Protocol("rgb", luma=False),  # BasicSR's RGB tables
    Protocol("skimage-rgb", luma=False, border_per_scale=0, window="uniform"),  # scikit-image
)
PROTOCOLS = {protocol.name: protocol for protocol in _NAMED}


def find_protocol(protocol: str | Protocol) -> Protocol:
    """Return the protocol of a name in PROTOCOLS; a `Protocol` of your own is returned as it is.

    Raises:
        ValueError: The name is unknown; the message lists the names.
    """
    if isinstance(protocol, Protocol):
        return protocol
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol is one of {', '.join(PROTOCOLS)}, not {protocol!r}.")
    return PROTOCOLS[protocol]


def luma(rgb: np.ndarray) -> np.ndarray:
    """Y of BT.601, as MATLAB's rgb2ycbcr computes it.

    Args:
        rgb: (H, W, 3), values 0 to 255.

    Returns:
        float64 (H, W), values 16 to 235, not rounded.
    """
    return rgb.astype(np.float64) @ _LUMA + 16


def psnr(
    sr: np.ndarray, hr: np.ndarray, *, border: int, luma: bool, round_luma: bool = False
) -> float:
    """Peak signal-to-noise ratio in dB: 10 log10(255^2 / MSE).

    Args:
        sr: (H, W, 3) RGB or (H, W) gray; uint8, or floats in 0 to 255, which are neither rounded
            nor clamped.
        hr: The true image, of the same shape.
        border: Pixels dropped per side.
        luma: Compare Y of BT.601 instead of RGB. Gray values are always compared as they are.
        round_luma: Round the compared values to integers first.

    Returns:
        The PSNR; infinity for equal images.

    Raises:
        TypeError: An image is no NumPy array, or has integers other than uint8.
        ValueError: The shapes differ, are no gray or RGB images, or floats are not in 0 to 255.
        ImageTooSmallError: Nothing is left inside the border.

    Example:
        >>> hr = np.full((8, 8, 3), 100, np.uint8)
        >>> round(psnr(hr + np.uint8(5), hr, border=0, luma=False), 2)
        34.15
    """
    return unchecked_psnr(*_inside(sr, hr, border), luma=luma, round_luma=round_luma)


def unchecked_psnr(
    sr: np.ndarray, hr: np.ndarray, *, luma: bool = False, round_luma: bool = False
) -> float:
    """PSNR of two arrays of one shape, whatever their values: the computation behind `psnr`."""
    squares = 0.0
    for top in range(0, len(sr), _STRIP):
        rows = slice(top, top + _STRIP)
        difference = _compared(sr[rows], luma, round_luma) - _compared(hr[rows], luma, round_luma)
        squares += float(np.vdot(difference, difference))
    values = sr.shape[0] * sr.shape[1] if luma else sr.size
    return 10 * math.log10(255**2 * values / squares) if squares else math.inf


def ssim(
    sr: np.ndarray,
    hr: np.ndarray,
    *,
    border: int,
    luma: bool,
    round_luma: bool = False,
    window: str = "gaussian",
) -> float:
    """Structural similarity (Wang et al. 2004), the mean over all windows inside the image.

    The value is that of scikit-image's structural_similarity, to rounding, in less time.

    Args:
        sr: As for `psnr`, and so are hr, border, luma and round_luma.
        hr: The true image.
        border: Pixels dropped per side.
        luma: Compare Y instead of RGB, whose three values are averaged.
        round_luma: Round the compared values to integers first.
        window: "gaussian" or "uniform", as in `Protocol`.

    Returns:
        The SSIM; 1 for equal images.

    Raises:
        TypeError, ValueError: As for `psnr`, or the window is unknown.
        ImageTooSmallError: No window fits inside the border.

    Example:
        >>> hr = np.arange(144, dtype=np.uint8).reshape(12, 12)
        >>> round(ssim(hr // 2, hr, border=0, luma=False), 4)
        0.6574
    """
    sr, hr = _inside(sr, hr, border)
    weights, sample = _weights(window)
    size = len(weights)
    if min(sr.shape[:2]) < size:
        raise ImageTooSmallError(
            f"SSIM needs {size} x {size} pixels inside the border, and only "
            f"{sr.shape[1]} x {sr.shape[0]} are left."
        )
    x = np.atleast_3d(_compared(sr, luma, round_luma))
    y = np.atleast_3d(_compared(hr, luma, round_luma))
    channels = [_mean_ssim(x[..., c], y[..., c], weights, sample) for c in range(x.shape[2])]
    return float(np.mean(channels))


def _mean_ssim(x: np.ndarray, y: np.ndarray, weights: np.ndarray, sample: float) -> float:
    """The mean SSIM of two float64 (H, W) arrays.

    The window is separable, and each direction is a product with a matrix that has the weights
    along its diagonal. That multiplies many zeros and still takes half the time of scipy's filters.
    """
    reach = len(weights) - 1
    band = sum(w * np.eye(_STRIP, _STRIP + reach, place) for place, w in enumerate(weights))
    total = 0.0
    for top in range(0, len(x) - reach, _STRIP):
        a = x[top : top + _STRIP + reach]
        b = y[top : top + _STRIP + reach]
        down = band[: len(a) - reach, : len(a)] @ np.stack([a, b, a * a + b * b, a * b])
        rows = down.reshape(-1, x.shape[1])
        strips = [
            rows[:, left : left + _STRIP + reach] for left in range(0, x.shape[1] - reach, _STRIP)
        ]
        across = [s @ band[: s.shape[1] - reach, : s.shape[1]].T for s in strips]
        filtered = np.concatenate(across, axis=1).reshape(4, down.shape[1], -1)
        mean_a, mean_b, mean_squares, mean_product = filtered
        product = mean_a * mean_b
        squares = mean_a**2 + mean_b**2
        brightness = (2 * product + _C1) / (squares + _C1)
        covariance = 2 * sample * (mean_product - product) + _C2
        total += float((brightness * covariance / (sample * (mean_squares - squares) + _C2)).sum())
    return total / ((x.shape[0] - reach) * (x.shape[1] - reach))


def lr_psnr(sr: np.ndarray, lr: np.ndarray) -> float:
    """PSNR in dB between LR and the SR image shrunk again by MATLAB's bicubic.

    It needs no HR image, so any photograph can be measured. SR images that could be the truth
    reach 45 dB and more (LR-PSNR in Lugmayr et al., NTIRE 2021 challenge on learning the
    super-resolution space). RGB, without the two outermost LR pixels per side, where the versions
    of MATLAB differ.

    Args:
        sr: uint8 (scale * h, scale * w, 3) or gray.
        lr: uint8 (h, w, 3) or gray.

    Raises:
        ValueError: SR is not a whole multiple of LR.
    """
    check_uint8(SR=sr, LR=lr)
    scale = sr.shape[0] // max(1, lr.shape[0])
    if sr.shape != (lr.shape[0] * scale, lr.shape[1] * scale, *lr.shape[2:]) or scale < 1:
        raise ValueError(
            f"An SR image {sr.shape} is not a whole multiple of an LR image {lr.shape}; "
            "are they one picture?"
        )
    return psnr(imresize(sr, 1 / scale, border="replicate"), lr, border=2, luma=False)


def _compared(image: np.ndarray, use_luma: bool, round_luma: bool) -> np.ndarray:
    """The float64 values that are compared."""
    values = luma(image) if use_luma and image.ndim == 3 else image.astype(np.float64)
    return np.floor(values + 0.5) if round_luma else values


def _inside(sr: np.ndarray, hr: np.ndarray, border: int) -> tuple[np.ndarray, np.ndarray]:
    """Both images without their border, after a check that they can be compared."""
    for name, image in (("SR", sr), ("HR", hr)):
        _check_image(name, image)
    if sr.shape != hr.shape:
        raise ValueError(
            f"Only images of one shape can be compared, not {sr.shape} and {hr.shape}; "
            "was HR cropped to the scale?"
        )
    if border < 0:
        raise ValueError(f"border is a number of pixels from 0, not {border}.")
    if min(sr.shape[:2]) <= 2 * border:
        raise ImageTooSmallError(
            f"Nothing is left of {sr.shape[1]} x {sr.shape[0]} pixels after dropping {border} "
            "per side."
        )
    inside = slice(border, -border or None)
    return sr[inside, inside], hr[inside, inside]


def check_shape(name: str, image: np.ndarray) -> None:
    """Raise TypeError or ValueError unless the image is a gray or RGB array; name is its role."""
    takes = "metrics take NumPy arrays of shape (H, W) or (H, W, 3)"
    # NumPy's masked arrays and matrices compute otherwise than arrays.
    if not isinstance(image, np.ndarray) or isinstance(image, np.ma.MaskedArray | np.matrix):
        raise TypeError(f"{name} is a {type(image).__module__}.{type(image).__name__}; {takes}.")
    if image.ndim != 2 and not (image.ndim == 3 and image.shape[2] == 3):
        cures = {1: ": drop the last axis", 4: ": drop the alpha channel"}
        cure = cures.get(image.shape[2], "") if image.ndim == 3 else ""
        raise ValueError(f"{name} has the shape {image.shape}, and {takes}{cure}.")


def _check_image(name: str, image: np.ndarray) -> None:
    """Raise TypeError or ValueError unless it is a gray or RGB image in the range 0 to 255."""
    check_shape(name, image)
    if image.dtype == np.uint8:
        return
    if not np.issubdtype(image.dtype, np.floating):
        raise TypeError(f"{name} has {image.dtype} values; metrics take uint8 or floats in 0..255.")
    if not np.isfinite(image).all():
        raise ValueError(f"{name} has values that are not finite (NaN or infinity).")
    if (top := image.max(initial=0)) <= 1:
        raise ValueError(
            f"{name} ends at {top:.3g}, but floats are compared in 0 to 255: multiply it by 255."
        )


def check_uint8(**images: np.ndarray) -> None:
    """Raise TypeError or ValueError unless all are gray or RGB images of uint8."""
    for name, image in images.items():
        check_shape(name, image)
        if image.dtype != np.uint8:
            raise TypeError(
                f"{name} has {image.dtype} values, not uint8: clamp them to 0..255 and round first."
            )
