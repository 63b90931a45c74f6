"""Faults of images, each with its cure: one list for the PSNR doctor and the check of pairs.

A fault is found by undoing it and measuring how much nearer the image comes to its reference.
Images here are float64 RGB (H, W, 3), values 0 to 255.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations

import numpy as np
from scipy.ndimage import shift
from skimage.color import rgb2ycbcr, ycbcr2rgb
from skimage.registration import phase_cross_correlation

from srlib.metrics.protocols import unchecked_psnr

_BEST_PSNR = 58.9  # dB of a rounding error; anything better counts as this


@dataclass(frozen=True)
class Fault:
    """A fault an image may have, with its cure."""

    name: str  # the end of a sentence, such as "is mirrored"
    advice: str  # an imperative
    undo: Callable[[np.ndarray], np.ndarray]
    handicap: float = 0.0  # dB to gain beyond others, for a cure with free parameters


def best_fault(
    faults: Iterable[Fault],
    images: Sequence[np.ndarray],
    references: Sequence[np.ndarray],
    *,
    least: float,
    border: int = 0,
) -> tuple[Fault | None, float]:
    """The fault that all images share and whose cure gains most, and the gain, both on average.

    The gain in PSNR to the references must be at least `least` dB; it is infinite where the shapes
    did not fit. A cure that gives another shape than the reference is skipped.
    """
    before = _mean_psnr(images, references, border)
    best = None
    best_score = before + least
    gain = 0.0
    for fault in faults:
        after = _mean_psnr([fault.undo(image) for image in images], references, border)
        if after - fault.handicap > best_score:
            best = fault
            best_score = after - fault.handicap
            gain = after - before
    return best, gain


def capped_psnr(image: np.ndarray, reference: np.ndarray, border: int = 0) -> float:
    """PSNR in dB inside the border, at most that of a rounding error, so that it has a mean."""
    inside = slice(border, -border or None)
    return min(_BEST_PSNR, unchecked_psnr(image[inside, inside], reference[inside, inside]))


def correlation(image: np.ndarray, reference: np.ndarray) -> float:
    """The correlation of two images, -1 to 1, whatever their brightness; 1 if one is flat."""
    if not (image.std() and reference.std()):
        return 1.0
    return float(np.corrcoef(image.ravel(), reference.ravel())[0, 1])


def as_rgb(image: np.ndarray) -> np.ndarray:
    """The image as float64 RGB; gray gets three equal channels."""
    image = np.atleast_3d(image.astype(np.float64))
    return image if image.shape[2] > 1 else image.repeat(3, axis=2)


def ends_at_one(image: np.ndarray, reference: np.ndarray) -> bool:
    """Whether the image has values from 0 to 1 where the reference has more."""
    return image.max() <= 1 < reference.max()


ORIENTATIONS = (
    Fault("is mirrored", "mirror it", np.fliplr),
    Fault("is upside down", "flip it", np.flipud),
    Fault("is turned by 180 degrees", "turn it back", partial(np.rot90, k=2)),
    Fault("is turned by 90 degrees clockwise", "turn it back", np.rot90),
    Fault("is turned by 90 degrees counterclockwise", "turn it back", partial(np.rot90, k=3)),
    Fault(
        "has its rows and columns exchanged", "transpose it", partial(np.swapaxes, axis1=0, axis2=1)
    ),
)
CHANNEL_ORDERS = tuple(
    Fault(
        f"has its channels in the order {''.join('RGB'[order.index(c)] for c in range(3))}",
        "write them as RGB",
        partial(np.take, indices=order, axis=2),
    )
    for order in permutations(range(3))
    if order != (0, 1, 2)
)
_RANGES = (
    Fault(
        "has the range 16 to 235", "expand it to 0 to 255", lambda image: (image - 16) * 255 / 219
    ),
    Fault("is YCbCr taken for RGB", "convert it to RGB", lambda image: 255 * ycbcr2rgb(image)),
)


def common_faults(
    images: Sequence[np.ndarray],
    references: Sequence[np.ndarray],
    *,
    pixel: int = 1,
    steps_per_pixel: int = 2,
    least_shift: float = 0.0,
) -> Iterator[Fault]:
    """The faults that images of one set, LR or SR, may share against their references.

    `pixel` counts HR pixels per pixel of the images, for the advice. A shift is measured in
    `steps_per_pixel`, and is a fault beyond `least_shift` pixels.
    """
    yield from CHANNEL_ORDERS
    yield from ORIENTATIONS
    offsets = [
        _offset(image, reference, steps_per_pixel)
        for image, reference in zip(images, references, strict=True)
    ]
    down, right = np.median(offsets, axis=0)
    if max(abs(down), abs(right)) > least_shift:
        yield Fault(
            "is shifted",
            f"move it {down * pixel:+g} HR pixels down and {right * pixel:+g} to the right",
            lambda image: shift(image, (down, right, 0), order=3, mode="nearest").clip(0, 255),
        )


def sr_faults(picture: np.ndarray, hr: np.ndarray, bicubic: np.ndarray) -> Iterator[Fault]:
    """The faults of SR images alone; in LR images, a network may learn to undo most of them.

    Bicubic, LR enlarged, stands in for values that a fault destroyed.
    """
    if ends_at_one(picture, hr):
        cast = np.array_equal(picture, np.rint(picture))
        yield Fault(
            "has values from 0 to 1 instead of 0 to 255",
            "multiply by 255 before rounding to uint8",
            lambda image: bicubic if cast else image * 255,
        )
    yield from _RANGES
    yield Fault(
        "has values that wrapped around at 0 and 255",
        "clip before the cast to uint8",
        lambda image: (image + 256 * np.rint((bicubic - image) / 256)).clip(0, 255),
    )
    if not np.ptp(picture, axis=2).any() and np.ptp(hr, axis=2).any():
        chroma = rgb2ycbcr(bicubic / 255)[..., 1:]
        yield Fault(
            "is Y alone (16 to 235) and HR is RGB",
            "compare Y with Y, or add the colour of LR enlarged",
            lambda image: 255 * ycbcr2rgb(np.dstack([image[..., 0], chroma])).clip(0, 1),
        )
    kept = (picture > 0) & (picture < 255)
    offset = ((hr - picture) * kept).sum((0, 1)) / np.maximum(kept.sum((0, 1)), 1)

    def lifted(image: np.ndarray) -> np.ndarray:
        """A value that was cut off at 0 or 255 goes on as far as bicubic does."""
        cured = image + offset
        cured = np.where(image <= 0, np.minimum(cured, bicubic), cured)
        return np.where(image >= 255, np.maximum(cured, bicubic), cured).clip(0, 255)

    yield Fault(
        "is too dark or too bright, as without the mean shift",
        f"add {', '.join(f'{value:+.0f}' for value in offset)} levels to R, G, B",
        lifted,
        handicap=0.2,
    )


def border_faults(picture: np.ndarray, bicubic: np.ndarray, scale: int) -> Iterator[Fault]:
    """Wrong outermost pixels, in rings from narrow to wide; bicubic's pixels are the cure."""
    for width in range(scale, 4 * scale + 1, scale):
        inside = np.zeros((*picture.shape[:2], 1), bool)
        inside[width:-width, width:-width] = True
        yield Fault(
            "is wrong along its border",
            f"drop at least {width} pixels per side, or pad the model's input by more",
            lambda image, inside=inside: np.where(inside, image, bicubic),
            handicap=0.1 * width / scale,  # or the widest ring would always win
        )


def _offset(image: np.ndarray, reference: np.ndarray, steps_per_pixel: int) -> np.ndarray:
    """Rows and columns by which `image` must move: the peak of the gradients' cross-correlation."""
    if min(image.shape[:2]) < 3:
        return np.zeros(2)
    window = np.outer(*(np.hanning(size) for size in image.shape[:2]))  # hides the edges
    gradients = []
    for picture in (reference, image):
        down, right = np.gradient(picture.mean(axis=2))
        gradients.append((right + 1j * down) * window)
    if not all(map(np.any, gradients)):
        return np.zeros(2)  # a flat image may lie anywhere
    # Without normalization, since the phases alone are noise where SR is blurred.
    options = {"upsample_factor": steps_per_pixel, "normalization": None}
    return phase_cross_correlation(*gradients, **options)[0]


def _mean_psnr(
    images: Sequence[np.ndarray], references: Sequence[np.ndarray], border: int
) -> float:
    """The mean of the capped PSNR; minus infinity unless all shapes fit."""
    pairs = list(zip(images, references, strict=True))
    if any(image.shape != reference.shape for image, reference in pairs):
        return -np.inf
    return float(np.mean([capped_psnr(image, reference, border) for image, reference in pairs]))
