"""The checks of lesson 05's exercises, with a right answer and two typical wrong ones each."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata

from srlib.plots import best_square
from srlib.widgets import checks_05
from srlib.widgets.exercise import RIGHT


def worse_square(a, b, hr, side):
    return best_square((b - hr) ** 2 - (a - hr) ** 2, side)


def sharpened(image, amount, sigma=(2, 2, 0)):
    values = image.astype(float)
    return values + amount * (values - gaussian_filter(values, sigma))


def unsharp(image, amount, sigma=(2, 2, 0)):
    return np.uint8(np.clip(sharpened(image, amount, sigma) + 0.5, 0, 255))


def of_luma(image, amount):
    """The detail of the luma, added to each channel."""
    luma = image.mean(axis=2)
    detail = luma - gaussian_filter(luma, 2)
    return np.uint8(np.clip(image + amount * detail[..., None] + 0.5, 0, 255))


def beyond(a, b, given):
    r = np.corrcoef([a, b, given])
    return (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))


RIGHT_ANSWERS = [
    (checks_05.check_worse_square, worse_square),
    (checks_05.check_unsharp, unsharp),
    # some processors filter a flat 90 to 89.999…, and a student who truncates gets 89
    (checks_05.check_unsharp, lambda i, a: np.uint8(np.clip(sharpened(i, a) - 1e-9, 0, 255))),
    (checks_05.check_partial, beyond),
    (checks_05.check_finest, lambda scale: 0.5 / scale),
    (checks_05.check_without_hr, {"JPEG blocks"}),
]
WRONG_ANSWERS = [
    (checks_05.check_worse_square, lambda a, b, hr, side: worse_square(b, a, hr, side), "wrong"),
    (checks_05.check_worse_square, lambda *given: worse_square(*given)[::-1], "before top"),
    (checks_05.check_worse_square, lambda a, b, hr, n: best_square((b - hr) ** 2, n), "both"),
    (checks_05.check_unsharp, sharpened, "uint8"),
    (checks_05.check_unsharp, lambda i, a: sharpened(i, a).astype(int).astype(np.uint8), "wrap"),
    (
        checks_05.check_unsharp,
        lambda i, a: (sharpened(i, a) - 1e-9).astype(int).astype(np.uint8),
        "wrap",
    ),
    (checks_05.check_unsharp, lambda i, a: unsharp(i, -a), "brighter"),
    (checks_05.check_unsharp, lambda i, a: unsharp(i, 1.0), "twice"),
    (checks_05.check_unsharp, lambda i, a: unsharp(i, a, (2, 2, 2)), "flat"),
    (checks_05.check_unsharp, of_luma, "each colour"),
    (checks_05.check_partial, lambda a, b, given: np.corrcoef(a, b)[0, 1], "taken out"),
    (checks_05.check_partial, lambda a, b, given: 0.0, "too"),
    (checks_05.check_partial, lambda *arrays: beyond(*map(rankdata, arrays)), "ranks"),
    (checks_05.check_finest, lambda scale: 0.5 * scale, "less"),
    (checks_05.check_finest, lambda scale: 1 / scale, "crest"),
    (checks_05.check_without_hr, {"ringing", "JPEG blocks"}, "hint"),
    (checks_05.check_without_hr, {"aliasing", "JPEG blocks"}, "HR"),
    (checks_05.check_without_hr, {"blur"}, "names"),
]


@pytest.mark.parametrize(("check", "answer"), RIGHT_ANSWERS)
def test_right(check, answer):
    assert check(answer) == RIGHT


@pytest.mark.parametrize(("check", "answer", "hint"), WRONG_ANSWERS)
def test_wrong(check, answer, hint):
    verdict = check(answer)
    assert verdict.startswith("Not yet") and hint in verdict
