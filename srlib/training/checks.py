"""Checks of the pairs before the first step, for mistakes that a falling loss would hide."""

from collections.abc import Sequence

import numpy as np

from srlib.data.pairs import Pair, size_fault
from srlib.errors import SRError
from srlib.images.resize import imresize
from srlib.metrics.faults import (
    as_rgb,
    best_fault,
    capped_psnr,
    common_faults,
    correlation,
    ends_at_one,
)

_SAMPLES = 6  # pairs that are checked, spread over the set
_CLEAR = 2.0  # dB that a cure must gain on average; none gains as much against JPEG, noise or blur
_LIKENESS = 0.5  # least correlation of LR with HR shrunk: below 0.4 for unrelated photographs and
# above 0.7 for very noisy pairs, in our tests
_TOLERATED_SHIFT = 0.44  # LR pixels, as cameras and simple downscalers shift them


class TrainingError(SRError, RuntimeError):
    """Training cannot begin or continue; the message says why."""


def check_pairs(pairs: Sequence[Pair], *, scale: int, kind: str) -> None:
    """Check that LR images look like their HR images shrunk, in a few pairs spread over the set.

    It finds values that end at 1, wrong sizes, LR and HR exchanged, channels in another order,
    images that are mirrored, turned or shifted by half an LR pixel or more, and LR images of
    another scene. Blur, noise, JPEG and a change of brightness pass, since a network may learn to
    undo them. Raises TrainingError if there are no pairs or they have a fault; the message calls
    the pairs by their kind, "training" or "validation", and names the fault and the cure.
    """
    if not len(pairs):
        raise TrainingError(f"There are no {kind} pairs.")
    places = np.linspace(0, len(pairs) - 1, _SAMPLES).round().astype(int)
    sample = [pairs[int(place)] for place in np.unique(places)]
    for pair in sample:
        if fault := _value_fault(pair) or _size_fault(pair, scale):
            raise TrainingError(f"{pair.name}, a {kind} pair: {fault}")
    small = [as_rgb(imresize(pair.hr, 1 / scale)) for pair in sample]
    lr = [as_rgb(pair.lr) for pair in sample]
    faults = common_faults(lr, small, pixel=scale, steps_per_pixel=8, least_shift=_TOLERATED_SHIFT)
    fault, gain = best_fault(faults, lr, small, least=_CLEAR)
    found = f"LR has {np.mean(list(map(capped_psnr, lr, small))):.1f} dB against HR shrunk"
    if fault:
        raise TrainingError(
            f"The {kind} pairs do not fit: LR {fault.name}; {fault.advice}. As it is, {found} by "
            f"bicubic, and {gain:.1f} dB more with that undone."
        )
    if np.median(list(map(correlation, lr, small))) < _LIKENESS:
        raise TrainingError(
            f"The {kind} pairs do not fit: LR shows other pictures than HR ({found} by bicubic). "
            "Are both sorted by the same names?"
        )


def _value_fault(pair: Pair) -> str:
    for name, image, other in (("LR", pair.lr, pair.hr), ("HR", pair.hr, pair.lr)):
        if image.dtype != np.uint8:
            return (
                f"{name} has {image.dtype} values up to {image.max():.3g}, and training takes "
                "uint8, 0 to 255."
            )
        if ends_at_one(image, other):
            return (
                f"{name} ends at {image.max()}, as if values from 0 to 1 had been cast to uint8: "
                "multiply by 255 and round first."
            )
    return ""


def _size_fault(pair: Pair, scale: int) -> str:
    hr_height, hr_width = pair.hr.shape[:2]
    height, width = pair.lr.shape[:2]
    sizes = f"HR has {hr_width} x {hr_height} pixels and LR {width} x {height}"
    if (hr_height, hr_width) == (height * scale, width * scale):
        return ""
    cropped = (f"that is not {scale} times", f"crop both until HR is {scale} times LR")
    fault, cure = size_fault((hr_height, hr_width), (height, width), scale) or cropped
    return f"{sizes}: {fault}; {cure}."
