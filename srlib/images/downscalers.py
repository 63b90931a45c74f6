"""The program that made an LR image, recognised by the pixels."""

import io
from collections.abc import Callable
from functools import cache, partial

import numpy as np
from PIL import Image

from srlib.images.degrade import jpeg_round_trip, matlab, pillow, rounded
from srlib.images.picture import LUMA_WEIGHTS
from srlib.images.resize import bicubic, crop_to_multiple, imresize

_WINDOW = 256  # LR pixels a side: enough to tell the methods apart, whatever the picture's size
_MARGIN = 8  # LR pixels beside the window, so that filters, which reach 4, see what they saw
_SAME = 0.97  # share of equal values that names a method: the right one reaches 0.99, others 0.9
_SAME_JPEG = 0.9  # the same after JPEG, whose decoders differ in the last digit
_NOISE = 0.4  # standard deviation that the rounding of pixels gives to luma's DCT coefficients
_FLAT = 1.5  # larger DCT coefficients are not just rounding noise
_TRACE = 0.05  # log-likelihood per coefficient by which a JPEG table must beat no JPEG
_LEAST_COEFFICIENTS = 50
_NO_TRACE = 99  # from this quality on JPEG leaves no trace


def identify_downscaler(lr: np.ndarray, hr: np.ndarray, *, scale: int) -> str:
    """Name the program that made an LR image from its HR image.

    The upper left 256 x 256 LR pixels are compared with the result of each program:

    * "matlab", "matlab-replicate": `imresize` with the new and the old border; "matlab-unrounded":
      ports of it that do not round between the passes (BasicSR and others);
    * "pillow", "pillow-lanczos": `Image.resize`;
    * "opencv", "opencv-area": `cv2.resize` with INTER_CUBIC (no antialiasing, as torch's bicubic)
      and INTER_AREA; "subsampling": every scale-th pixel.

    Where two programs make the same, as MATLAB's two borders on a flat border, the first one in
    DOWNSCALERS is named.

    Args:
        lr: uint8, (H, W) or (H, W, 3).
        hr: uint8. It is cropped to a multiple of the scale.
        scale: A whole number from 2.

    Returns:
        The name, with " + jpeg" if the LR image was stored as JPEG in between. "unknown" stands for
        another program, a flat picture, and sizes or channels that do not fit.

    Raises:
        TypeError: An image is not a uint8 array.
        ValueError: The scale is not a whole number from 2.
    """
    for image in (lr, hr):
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            kind = getattr(image, "dtype", type(image).__name__)
            raise TypeError(f"Downscalers are recognised in uint8 arrays, not {kind}.")
    if int(scale) != scale or scale < 2:
        raise ValueError(f"The scale of an LR image is a whole number from 2, not {scale}.")
    hr = crop_to_multiple(hr, scale)
    if lr.size == 0 or hr.shape != (lr.shape[0] * scale, lr.shape[1] * scale, *lr.shape[2:]):
        return "unknown"
    target = lr[:_WINDOW, :_WINDOW]
    height, width = target.shape[:2]
    seen = hr[: (height + _MARGIN) * scale, : (width + _MARGIN) * scale]
    made = {name: shrink(seen, scale) for name, shrink in DOWNSCALERS.items()}
    made = {name: small[:height, :width] for name, small in made.items()}
    equal = {name: np.mean(small == target) for name, small in made.items()}
    best = max(equal, key=equal.get)
    if equal["matlab"] >= _SAME and equal["subsampling"] >= _SAME:
        return "unknown"  # a flat picture looks the same whoever shrank it
    if equal[best] >= _SAME:
        return best
    quality = jpeg_quality(target)
    if quality is None:
        return "unknown"
    equal = {name: _share_after_jpeg(small, target, quality) for name, small in made.items()}
    best = max(equal, key=equal.get)
    return f"{best} + jpeg" if equal[best] >= _SAME_JPEG else "unknown"


def _share_after_jpeg(small: np.ndarray, target: np.ndarray, quality: int) -> float:
    """The share of values that are those of the target, once the image was stored as JPEG."""
    return max(
        np.mean(jpeg_round_trip(small, quality, subsampling=subsampling) == target)
        for subsampling in ("4:2:0", "4:4:4")
    )


def jpeg_quality(image: np.ndarray) -> int | None:
    """Find the quality with which a picture was once stored as JPEG.

    The DCT coefficients of a decoded JPEG lie at multiples of the steps in its quantisation table.
    The likeliest of libjpeg's tables is taken: 1 to 98, or None without a trace of JPEG; 99 and 100
    leave none. The first pixel of the uint8 image is a corner of JPEG's blocks.
    """
    blocks = _luma_dct(image)
    # The hundred equal blocks of a ramp count as one.
    kinds = np.rint(blocks.reshape(-1, 64)[:, 1:])
    coefficients = blocks[np.unique(kinds, axis=0, return_index=True)[1]]
    telling = np.abs(coefficients) > _FLAT  # others are near zero with or without JPEG
    if np.count_nonzero(telling) < _LEAST_COEFFICIENTS:
        return None
    spread = np.maximum(np.abs(coefficients).mean(0), _NOISE)
    likelihood = np.array(
        [_log_likelihood(coefficients, table, spread)[telling].mean() for table in _luma_tables()]
    )
    best = int(likelihood.argmax()) + 1
    return best if best < _NO_TRACE and likelihood[best - 1] > likelihood[-1] + _TRACE else None


def _log_likelihood(coefficients: np.ndarray, table: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Log-likelihood of coefficients with a Laplace distribution, quantised by the table."""
    steps = np.abs(np.rint(coefficients / table))
    off = np.abs(coefficients) - steps * table
    ratio = table / spread
    stored_as_zero = np.log(-np.expm1(-ratio / 2))
    stored = np.log(-np.expm1(-ratio) / 2) - (steps - 0.5) * ratio
    noise = np.minimum(np.square(off) / (2 * _NOISE**2), 20)  # a few outliers must not decide
    return np.where(steps == 0, stored_as_zero, stored) - noise


def _luma_dct(image: np.ndarray) -> np.ndarray:
    """The DCT of luma, (blocks, 8, 8), without blocks that hide the steps by a clipped value."""
    from scipy.fft import dctn  # slow to import

    blocks = blocks_of(np.atleast_3d(image))
    clipped = ((blocks == 0) | (blocks == 255)).any((1, 2, 3))
    weights = LUMA_WEIGHTS if blocks.shape[3] == 3 else np.ones(1)
    return dctn(blocks[~clipped] @ weights - 128, axes=(1, 2), norm="ortho")


def blocks_of(values: np.ndarray) -> np.ndarray:
    """Cut the whole 8 by 8 blocks of an array, (H, W, ...): (blocks, 8, 8, ...)."""
    rows, columns = (size // 8 for size in values.shape[:2])
    whole = values[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8, *values.shape[2:])
    return whole.swapaxes(1, 2).reshape(-1, 8, 8, *values.shape[2:])


@cache
def _luma_tables() -> np.ndarray:
    """Libjpeg's quantisation tables of luma for qualities 1 to 100, (100, 8, 8)."""
    stream = io.BytesIO()
    Image.new("L", (8, 8)).save(stream, "JPEG", quality=50)
    with Image.open(stream) as saved:
        base = np.array(saved.quantization[0]).reshape(8, 8)
    quality = np.arange(1, 101)[:, None, None]
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.clip((base * percent + 50) // 100, 1, 255).astype(np.float32)


def _opencv(hr: np.ndarray, scale: int) -> np.ndarray:
    """The same four taps at every scale, hence aliasing; at an odd scale the middle pixel."""
    from scipy.ndimage import correlate1d  # slow to import

    values = hr.astype(np.float32)
    if scale % 2 == 0:
        for axis in (0, 1):  # Keys' kernel with a = -0.75
            values = correlate1d(values, (-3 / 32, 19 / 32, 19 / 32, -3 / 32), axis, mode="nearest")
    return rounded(values[scale // 2 :: scale, scale // 2 :: scale], np.uint8)


def _opencv_area(hr: np.ndarray, scale: int) -> np.ndarray:
    """Means of squares of pixels; OpenCV rounds halves up at scale 2, and to even at others."""
    height, width = (size // scale for size in hr.shape[:2])
    means = hr.reshape(height, scale, width, scale, *hr.shape[2:]).mean((1, 3))
    return rounded(means, np.uint8) if scale == 2 else np.rint(means).astype(np.uint8)


DOWNSCALERS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "matlab": matlab,
    "matlab-replicate": lambda hr, scale: imresize(hr, 1 / scale, border="replicate"),
    "matlab-unrounded": lambda hr, scale: rounded(bicubic(hr * np.float32(1), 1 / scale), np.uint8),
    "pillow": pillow,
    "pillow-lanczos": partial(pillow, method=Image.Resampling.LANCZOS),
    "opencv": _opencv,
    "opencv-area": _opencv_area,
    "subsampling": lambda hr, scale: hr[::scale, ::scale],
}
