"""PSNR and SSIM by named protocol, and the agreement of an SR image with its LR image."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from srlib.images.resize import imresize

_LUMA = np.array([65.481, 128.553, 24.966]) / 255  # BT.601, from full-range RGB to 16..235
_WINDOWS = {  # as scikit-image takes them
    "gaussian": {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
    "uniform": {},
}
_WINDOW_SIZE = 11  # pixels a side of the larger one


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

    def border(self, scale: int) -> int:
        """The number of HR pixels dropped per side."""
        return self.border_per_scale * int(scale) + self.border_extra

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
        ValueError: The shapes differ, are no gray or RGB images, or floats end at 1 or below; or
            nothing is left inside the border.

    Example:
        >>> hr = np.full((8, 8, 3), 100, np.uint8)
        >>> round(psnr(hr + np.uint8(5), hr, border=0, luma=False), 2)
        34.15
    """
    sr, hr = (_compared(image, luma, round_luma) for image in _inside(sr, hr, border))
    return unchecked_psnr(sr, hr)


def unchecked_psnr(sr: np.ndarray, hr: np.ndarray) -> float:
    """PSNR of two arrays of one shape, whatever their values: the computation behind `psnr`."""
    error = np.square(sr.astype(np.float64) - hr).mean()
    return 10 * math.log10(255**2 / error) if error else math.inf


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

    This is scikit-image's structural_similarity, with the options of the window.

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
        TypeError: As for `psnr`.
        ValueError: As for `psnr`, or the window is unknown, or fewer than 11 x 11 pixels are left.

    Example:
        >>> hr = np.arange(144, dtype=np.uint8).reshape(12, 12)
        >>> round(ssim(hr // 2, hr, border=0, luma=False), 4)
        0.6574
    """
    if window not in _WINDOWS:
        raise ValueError(f'window is "gaussian" or "uniform", not {window!r}.')
    inside = _inside(sr, hr, border, least=_WINDOW_SIZE)
    sr, hr = (_compared(image, luma, round_luma) for image in inside)
    channel_axis = 2 if sr.ndim == 3 else None
    options = {"data_range": 255, "channel_axis": channel_axis, **_WINDOWS[window]}
    return float(structural_similarity(sr, hr, **options))


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


def _inside(
    sr: np.ndarray, hr: np.ndarray, border: int, least: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Both images without their border, after a check that they can be compared."""
    for name, image in (("SR", sr), ("HR", hr)):
        _check_image(name, image)
    if sr.shape != hr.shape:
        raise ValueError(
            f"Only images of one shape can be compared, not {sr.shape} and {hr.shape}; "
            "was HR cropped to the scale?"
        )
    height, width = (max(0, side - 2 * border) for side in sr.shape[:2])
    if min(height, width) < least:
        raise ValueError(
            f"{width} x {height} pixels are left inside a border of {border}, and "
            f"{least} x {least} are needed."
        )
    inside = slice(border, -border or None)
    return sr[inside, inside], hr[inside, inside]


def check_shape(name: str, image: np.ndarray) -> None:
    """Raise TypeError or ValueError unless the image is a gray or RGB array; name is its role."""
    takes = "metrics take NumPy arrays of shape (H, W) or (H, W, 3)"
    if not isinstance(image, np.ndarray):
        raise TypeError(f"{name} is a {type(image).__module__}.{type(image).__name__}; {takes}.")
    if image.ndim != 2 and not (image.ndim == 3 and image.shape[2] == 3):
        raise ValueError(f"{name} has the shape {image.shape}, and {takes}.")


def _check_image(name: str, image: np.ndarray) -> None:
    """Raise TypeError or ValueError unless it is a gray or RGB image in the range 0 to 255."""
    check_shape(name, image)
    if image.dtype == np.uint8:
        return
    if not np.issubdtype(image.dtype, np.floating):
        raise TypeError(f"{name} has {image.dtype} values; metrics take uint8 or floats in 0..255.")
    if (top := image.max(initial=0)) <= 1:
        raise ValueError(
            f"{name} ends at {top:.3g}, but floats are compared in 0 to 255: multiply it by 255."
        )


def check_uint8(**images: np.ndarray) -> None:
    """Raise TypeError or ValueError unless all are gray or RGB images of uint8."""
    for name, image in images.items():
        check_shape(name, image)
        if image.dtype != np.uint8:
            cure = "take copies of 8 bits"
            if not np.issubdtype(image.dtype, np.integer):
                cure = "clamp them to 0..255 and round first"
            raise TypeError(f"{name} has {image.dtype} values, not uint8: {cure}.")
