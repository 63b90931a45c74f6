"""Which program made an LR image: the downscalers people use, and how to tell them by their pixels (notebook 01)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import cache, partial

import numpy as np
from PIL import Image

from srlib.images.resize import crop_to_multiple, cubic, imresize

Windows = list[np.ndarray]

_WINDOW = 96  # LR pixels a side: enough values to tell all methods, and a 2K picture costs no more than a small one
_MARGIN = 8  # LR pixels around a window, so that its pixels see what they saw in the whole picture; filters reach 4
_MCU = 16  # JPEG's blocks repeat every 16 pixels when colour is halved, so windows start at multiples of that
_SAME = 0.97  # share of equal values that names a method; right ones reach 0.99, the nearest wrong one (rounding) 0.9
_SAME_JPEG = 0.9  # the same after JPEG, whose encoders and decoders differ in the last digit
_NOISE = (
    0.4  # standard deviation of luma's DCT coefficients through the rounding of the decoded pixels
)
_FLAT = 1.5  # DCT coefficients above this are not zeros with rounding noise
_TRACE = (
    0.05  # by how much a table must be likelier (logarithm, per coefficient) than no JPEG at all
)


def identify_downscaler(lr: np.ndarray, hr: np.ndarray, *, scale: int) -> str:
    """Name the program that made an LR image from its HR image, or "unknown".

    lr, hr: uint8, (H, W) or (H, W, 3); hr is cropped to a multiple of `scale`, a whole number from 2, as the field does.

    * "matlab", "matlab-replicate": imresize, new and old border; "matlab-unrounded": its ports that do not round between the
      passes (BasicSR's and others);
    * "pillow", "pillow-lanczos", "pillow-bilinear", "pillow-box", "pillow-hamming": Image.resize; "torch-antialias":
      interpolate(mode="bicubic", antialias=True), which is Pillow's bicubic in floats;
    * "opencv", "opencv-linear", "opencv-area": cv2.resize with INTER_CUBIC (no antialias, like torch's bicubic), INTER_LINEAR
      and INTER_AREA; "subsampling": every scale-th pixel.

    Some are the same thing: at odd scales INTER_CUBIC and INTER_LINEAR both take the middle pixel ("opencv"); at scale 2
    INTER_LINEAR is INTER_AREA; where a picture's whole border is flat, both borders of MATLAB are "matlab".  " + jpeg" is
    appended if the LR image was stored as JPEG in between.  "unknown" is the answer for everything else, for a flat picture, and
    for sizes or channels that do not fit.  Two windows of 96 LR pixels, at opposite corners, are looked at, and more only to
    tell MATLAB's borders apart.

    Raises TypeError for other depths, ValueError for a scale that is not a whole number from 2.
    """
    for image in (lr, hr):
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            raise TypeError(
                f"Downscalers are told by uint8 arrays, not {getattr(image, 'dtype', type(image).__name__)}."
            )
    if int(scale) != scale or scale < 2:
        raise ValueError(f"The scale of an LR image is a whole number from 2, not {scale}.")
    hr = crop_to_multiple(hr, scale)
    if lr.size == 0 or hr.shape != (lr.shape[0] * scale, lr.shape[1] * scale, *lr.shape[2:]):
        return "unknown"
    target, made = _windows(lr, hr, scale)
    equal = {name: _share_equal(windows, target) for name, windows in made.items()}
    if equal["matlab"] >= _SAME and equal["subsampling"] >= _SAME:
        return "unknown"  # a flat picture looks the same whoever shrank it
    best = max(equal, key=equal.get)
    if (
        best == "matlab" and equal[best] == equal["matlab-replicate"]
    ):  # flat at these corners; not along the whole border?
        best = max(
            "matlab",
            "matlab-replicate",
            key=lambda name: _share_equal([DOWNSCALERS[name](hr, scale)], [lr]),
        )
    if equal[best] >= _SAME:
        return best
    quality = jpeg_quality(target)
    if quality is None:
        return "unknown"
    answers = {}
    for subsampling in (2, 0):  # Pillow's numbers for 4:2:0 and 4:4:4
        for name, windows in made.items():
            saved = [_jpeg(window, quality, subsampling) for window in windows]
            answers[name] = max(answers.get(name, 0), _share_equal(saved, target))
    best = max(answers, key=answers.get)
    return f"{best} + jpeg" if answers[best] >= _SAME_JPEG else "unknown"


def jpeg_quality(windows: Windows) -> int | None:
    """The quality, 1 to 98 on libjpeg's scale, that uint8 pictures were once stored with as JPEG, or None for no trace of it.

    Each picture's first pixel must be a corner of JPEG's blocks.  Decoded JPEGs have DCT coefficients at multiples of the steps
    in the quantisation table; the likeliest of libjpeg's is taken.  99 and 100 leave no trace worth telling.
    """
    coefficients = _different(np.concatenate([_luma_dct(window) for window in windows]))
    tells = np.abs(coefficients) > _FLAT  # in a smooth picture the rest is near zero, JPEG or not
    if np.count_nonzero(tells) < 50:
        return None
    spread = np.maximum(np.abs(coefficients).mean(0), _NOISE)
    likelihood = np.array(
        [_log_likelihood(coefficients, table, spread)[tells].mean() for table in _luma_tables()]
    )
    best = int(likelihood.argmax())
    return best + 1 if best < 98 and likelihood[best] > likelihood[99] + _TRACE else None


def _different(blocks: np.ndarray) -> np.ndarray:
    """One of each kind of block, brightness apart: the hundred equal blocks of a ramp are one witness, not a hundred."""
    ac = np.rint(blocks.reshape(-1, 64)[:, 1:])
    return blocks[np.unique(ac, axis=0, return_index=True)[1]]


def _log_likelihood(coefficients: np.ndarray, table: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Logarithm of the likelihood that Laplacian coefficients of this spread, stored in these steps, are read as these."""
    steps = np.abs(np.rint(coefficients / table))
    off = np.abs(coefficients) - steps * table
    ratio = table / spread
    stored_as_zero = np.log(-np.expm1(-ratio / 2))
    stored = np.log(-np.expm1(-ratio) / 2) - (steps - 0.5) * ratio
    noise = np.minimum(np.square(off) / (2 * _NOISE**2), 20)  # a few far off must not decide alone
    return np.where(steps == 0, stored_as_zero, stored) - noise


def _windows(lr: np.ndarray, hr: np.ndarray, scale: int) -> tuple[Windows, dict[str, Windows]]:
    """The windows of the LR image, and for each method what it makes there."""
    target, made = [], {name: [] for name in DOWNSCALERS}
    for rows, columns in _corners(*lr.shape[:2]):
        target.append(lr[rows, columns])
        top, left = max(0, rows.start - _MARGIN), max(0, columns.start - _MARGIN)
        seen = hr[
            top * scale : (rows.stop + _MARGIN) * scale,
            left * scale : (columns.stop + _MARGIN) * scale,
        ]
        inside = np.s_[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
        for name, shrink in DOWNSCALERS.items():
            made[name].append(shrink(np.ascontiguousarray(seen), scale)[inside])
    return target, made


def _corners(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """The window at the top left, and the one at the bottom right unless it is the same: both borders, and more to see."""
    starts = {(0, 0), tuple(-(-max(0, size - _WINDOW) // _MCU) * _MCU for size in (height, width))}
    for top, left in sorted(starts):
        yield slice(top, min(top + _WINDOW, height)), slice(left, min(left + _WINDOW, width))


def _share_equal(some: Windows, others: Windows) -> float:
    equal = sum(np.count_nonzero(a == b) for a, b in zip(some, others, strict=True))
    return equal / sum(window.size for window in others)


def _jpeg(image: np.ndarray, quality: int, subsampling: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(stream) as saved:
        return np.asarray(saved)


def _blocks(channel: np.ndarray) -> np.ndarray:
    """The whole 8 by 8 blocks of an (H, W) array, (blocks, 8, 8)."""
    rows, columns = (size // 8 for size in channel.shape)
    return (
        channel[: rows * 8, : columns * 8]
        .reshape(rows, 8, columns, 8)
        .swapaxes(1, 2)
        .reshape(-1, 8, 8)
    )


def _luma_dct(image: np.ndarray) -> np.ndarray:
    """The orthonormal DCT of luma in the blocks without a clipped value, which would hide the steps: (blocks, 8, 8)."""
    channels = image.reshape(*image.shape[:2], -1)
    luma = channels @ (np.array([0.299, 0.587, 0.114]) if channels.shape[2] == 3 else np.ones(1))
    clipped = _blocks(((channels == 0) | (channels == 255)).any(2)).any((1, 2))
    frequency, position = np.mgrid[:8, :8]
    basis = np.cos(np.pi * (2 * position + 1) * frequency / 16) * np.where(
        frequency, 0.5, np.sqrt(0.125)
    )
    return basis @ (_blocks(luma)[~clipped] - 128) @ basis.T


@cache
def _luma_tables() -> np.ndarray:
    """libjpeg's quantisation tables of luma at qualities 1 to 100, (100, 8, 8): as Pillow writes them."""
    tables = []
    for quality in range(1, 101):
        stream = io.BytesIO()
        Image.new("L", (8, 8)).save(stream, "JPEG", quality=quality)
        with Image.open(stream) as saved:
            tables.append(saved.quantization[0])
    return np.array(tables, np.float32).reshape(-1, 8, 8)


def _pillow(hr: np.ndarray, scale: int, *, method: Image.Resampling) -> np.ndarray:
    return np.asarray(
        Image.fromarray(hr).resize((hr.shape[1] // scale, hr.shape[0] // scale), method)
    )


def _filter(
    hr: np.ndarray, scale: int, *, taps: Callable[[int], np.ndarray], border: str
) -> np.ndarray:
    """Shrink along both axes with one row of weights, in floats, rounded only at the end.

    taps: scale -> weights, centred on the output pixel.  border: of np.pad; "constant" leaves out what lies outside.
    """
    weights = taps(scale)
    values = hr.astype(np.float32)
    for axis in (0, 1):
        values = _filter_rows(values.swapaxes(0, axis), scale, weights, border).swapaxes(0, axis)
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)


def _filter_rows(values: np.ndarray, scale: int, weights: np.ndarray, border: str) -> np.ndarray:
    size, reach = len(values), max(0, (len(weights) - scale) // 2)
    first = max(
        0, (scale - len(weights)) // 2
    )  # a short filter sees only the middle of the source pixels
    padded = np.pad(values, [(reach, reach)] + [(0, 0)] * (values.ndim - 1), border)
    total = sum(
        weight * padded[first + k :: scale][: size // scale] for k, weight in enumerate(weights)
    )
    if border != "constant":
        return total
    inside = np.pad(np.ones(size), reach)
    used = sum(
        weight * inside[first + k :: scale][: size // scale] for k, weight in enumerate(weights)
    )
    return total / used.astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))


def _linear_taps(scale: int) -> np.ndarray:
    return np.ones(1, np.float32) if scale % 2 else np.full(2, 0.5, np.float32)


def _sharp_cubic_taps(scale: int) -> np.ndarray:
    """Keys' kernel with a = -0.75 at its own four pixels, however small the picture gets: hence the aliasing."""
    return np.ones(1, np.float32) if scale % 2 else np.array([-3, 19, 19, -3], np.float32) / 32


def _cubic_taps(scale: int) -> np.ndarray:
    count = 4 * scale - scale % 2  # the outermost weights of an odd scale are zero
    weights = cubic((np.arange(count) - (count - 1) / 2) / scale)
    return (weights / weights.sum()).astype(np.float32)


def _matlab(hr: np.ndarray, scale: int, *, border: str) -> np.ndarray:
    return imresize(hr, 1 / scale, border=border)


def _area(hr: np.ndarray, scale: int) -> np.ndarray:
    """Means of squares of pixels, halves rounded as OpenCV does: up at scale 2, to even at others."""
    height, width = (size // scale for size in hr.shape[:2])
    means = hr.reshape(height, scale, width, scale, *hr.shape[2:]).mean((1, 3))
    return (np.floor(means + 0.5) if scale == 2 else np.rint(means)).astype(np.uint8)


def _subsample(hr: np.ndarray, scale: int) -> np.ndarray:
    return hr[::scale, ::scale]


# In the order of preference where two are the same.
DOWNSCALERS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "matlab": partial(_matlab, border="symmetric"),
    "matlab-replicate": partial(_matlab, border="replicate"),
    "matlab-unrounded": partial(_filter, taps=_cubic_taps, border="symmetric"),
    "pillow": partial(_pillow, method=Image.Resampling.BICUBIC),
    "torch-antialias": partial(_filter, taps=_cubic_taps, border="constant"),
    "opencv": partial(_filter, taps=_sharp_cubic_taps, border="edge"),
    "opencv-area": _area,
    "opencv-linear": partial(_filter, taps=_linear_taps, border="edge"),
    "pillow-lanczos": partial(_pillow, method=Image.Resampling.LANCZOS),
    "pillow-bilinear": partial(_pillow, method=Image.Resampling.BILINEAR),
    "pillow-box": partial(_pillow, method=Image.Resampling.BOX),
    "pillow-hamming": partial(_pillow, method=Image.Resampling.HAMMING),
    "subsampling": _subsample,
}
