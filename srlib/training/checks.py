"""Before the first step: does LR show what HR shows?  Mistakes that a falling loss would hide, each by its name (notebook 04)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np
from scipy.ndimage import shift
from skimage.metrics import peak_signal_noise_ratio
from skimage.registration import phase_cross_correlation

from srlib.data.patches import Pair
from srlib.images.resize import imresize

_SAMPLES = 6  # pairs of a set that are looked at, spread over it
_CLEAR = 2.0  # dB that undoing a mistake must give back on average; JPEG, noise and blur stay as they are under all cures
_TOP = 50.0  # dB that count at most: an LR image made by our own bicubic fits without any error
_LIKENESS = 0.5  # correlation of LR with HR shrunk: unrelated photographs seen so far stay below 0.4, very noisy ones above 0.7
_FAR = 0.45  # LR pixels; a shift below it may belong to the task: cameras and simple downscalers make some


class TrainingError(RuntimeError):
    """Training cannot begin or go on; the message is a finished sentence."""


def check_pairs(pairs: Sequence[Pair], *, scale: int, kind: str) -> None:
    """Raise TrainingError, with the name of the mistake and the cure, unless LR images are what their HR images shrunk look like.

    A few pairs, spread over the set, are looked at.  HR is shrunk by bicubic, and the LR images must resemble that more as they
    are than with a mistake undone: channels in another order, a negative, mirrored or turned, shifted by half an LR pixel or
    more.  Values that end at 1, LR and HR in each other's place, another scale and pictures of something else are found too.  LR
    images that are blurred, noisy or went through JPEG pass: each is compared with itself.  kind: "training" or "validation".
    """
    if not len(pairs):
        raise TrainingError(f"There are no {kind} pairs.")
    sample = [pairs[i] for i in sorted({round(i) for i in np.linspace(0, len(pairs) - 1, _SAMPLES)})]
    for pair in sample:
        if wrong := _wrong_values(pair) or _wrong_size(pair, scale):
            raise TrainingError(f"{pair.name}, a {kind} pair: {wrong}")
    if max(image.max() for pair in sample for image in pair[:2]) <= 1:
        raise TrainingError(
            f"The {kind} pairs are black: no value in LR or HR is above 1, as if values from 0 to 1 had been cast to uint8.  "
            "Multiply by 255 and round first."
        )
    compared = [(_rgb(imresize(hr, 1 / scale)), _rgb(lr)) for hr, lr, _ in sample]
    as_it_is = [_psnr(lr, small) for small, lr in compared]
    gains = {
        fault: float(np.mean([_psnr(undo(lr), small) - before for (small, lr), before in zip(compared, as_it_is, strict=True)]))
        for fault, undo in _mistakes(compared, scale).items()
    }
    fault = max(gains, key=gains.get)
    found = f"an LR image has {np.mean(as_it_is):.1f} dB against its HR image shrunk by bicubic"
    if gains[fault] > _CLEAR:
        raise TrainingError(
            f"The {kind} pairs do not fit: {fault}.  As it is, {found}; with that undone {gains[fault]:.1f} dB more."
        )
    if np.median([_likeness(lr, small) for small, lr in compared]) < _LIKENESS:
        raise TrainingError(
            f"The {kind} pairs do not fit: LR shows other pictures than HR does ({found}).  Are both sorted by the same names?"
        )


def _wrong_values(pair: Pair) -> str | None:
    for name, image, other in (("LR", pair.lr, pair.hr), ("HR", pair.hr, pair.lr)):
        if image.dtype == np.uint8 and image.max() <= 1 < other.max():
            return (
                f"{name} ends at {image.max()}, as if values from 0 to 1 had been cast to uint8: multiply by 255 and round first."
            )
        if image.dtype != np.uint8:
            range_ = f"{name} has {image.dtype} values up to {image.max():.3g}, and training takes uint8, 0 to 255"
            return f"{range_}: {'multiply by 255, round and ' if image.max() <= 1 else ''}convert."
    return None


def _wrong_size(pair: Pair, scale: int) -> str | None:
    hr, lr = pair.hr.shape[:2], pair.lr.shape[:2]
    sizes = f"HR has {hr[1]} x {hr[0]} pixels and LR {lr[1]} x {lr[0]}"
    if hr == (lr[0] * scale, lr[1] * scale):
        return None
    if hr == (lr[1] * scale, lr[0] * scale):
        return f"{sizes}: one of them lies on its side; turn it by 90 degrees (a camera may have noted that in its EXIF data)."
    if lr[0] > hr[0] and lr[1] > hr[1]:
        return f"{sizes}: LR and HR are in each other's place; swap them."
    if lr == hr:
        return f"{sizes}: LR was enlarged already; pass the small images."
    ratio = hr[0] / lr[0]
    if math.isclose(ratio, hr[1] / lr[1], rel_tol=0.02) and round(ratio) != scale:
        cure = f"take LR images of x{scale}, or a model of x{ratio:.3g}"
        return f"{sizes}: that is scale {ratio:.3g}, and the model's is {scale}; {cure}."
    return f"{sizes}: that is not {scale} times; crop HR to {lr[1] * scale} x {lr[0] * scale}."


def _mistakes(compared: list[tuple[np.ndarray, np.ndarray]], scale: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """What may be wrong with all LR images of a set, and how each would be undone."""
    orders = {"".join("RGB"[i] for i in order): np.argsort(order) for order in permutations(range(3)) if order != (0, 1, 2)}
    mistakes = {f"LR's channels are in the order {name}": lambda lr, o=order: lr[..., o] for name, order in orders.items()}
    if np.median([_likeness(lr, small) for small, lr in compared]) < 0:  # of a bright picture made dark it is better too
        mistakes["LR is a negative"] = lambda lr: 255 - lr
    mistakes["LR is mirrored"] = lambda lr: lr[:, ::-1]
    mistakes["LR is upside down"] = lambda lr: lr[::-1]
    mistakes["LR is turned by 180 degrees"] = lambda lr: lr[::-1, ::-1]
    if all(lr.shape[0] == lr.shape[1] for _, lr in compared):
        mistakes["LR is turned by 90 degrees"] = lambda lr: np.rot90(lr)
        mistakes["LR is turned by 90 degrees the other way"] = lambda lr: np.rot90(lr, -1)
        mistakes["LR has rows and columns in each other's place"] = lambda lr: lr.swapaxes(0, 1)
    by = np.median([_shift(lr, small) for small, lr in compared], axis=0)
    if np.abs(by).max() >= _FAR:
        amount = f"LR must move {by[0] * scale:+.1f} HR pixels down and {by[1] * scale:+.1f} to the right"
        mistakes[f"LR and HR are misaligned: {amount}"] = lambda lr: shift(
            lr.astype(np.float64), (*by, 0), order=3, mode="nearest"
        )
    return mistakes


def _shift(lr: np.ndarray, small: np.ndarray) -> np.ndarray:
    """Rows and columns by which `lr` must move to lie on `small`, to an eighth of a pixel; by the phases of their spectra."""
    if not (lr.std() and small.std()):
        return np.zeros(2)  # a single colour may lie anywhere
    window = np.outer(*(np.hanning(size) for size in lr.shape[:2]))  # the edges of a picture are no part of it
    gray = [(image.mean(axis=2) - image.mean()) * window for image in (small, lr)]
    return phase_cross_correlation(*gray, upsample_factor=8)[0]


def _rgb(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def _psnr(image: np.ndarray, other: np.ndarray) -> float:
    if np.array_equal(image, other):
        return _TOP
    return min(_TOP, peak_signal_noise_ratio(other.astype(np.float64), image.astype(np.float64), data_range=255))


def _likeness(image: np.ndarray, other: np.ndarray) -> float:
    """Their correlation; 1 where one of them has a single colour and there is none."""
    a, b = (v.astype(np.float64) - v.mean() for v in (image, other))
    return float((a * b).mean() / (a.std() * b.std())) if a.std() and b.std() else 1.0
