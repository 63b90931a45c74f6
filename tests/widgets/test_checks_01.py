"""The checks of lesson 01: the right answer passes, typical wrong ones get a hint."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srlib.images import cubic
from srlib.widgets import checks_01 as checks
from srlib.widgets.exercise import RIGHT


def enlarge(
    image, scale, *, centre=lambda i, s: (i + 0.5) / s - 0.5, stretch=1.0, mode="symmetric"
):
    old = np.arange(-4, len(image) + 4)
    padded = np.pad(image, [(4, 4)] + [(0, 0)] * (image.ndim - 1), mode=mode)
    rows = []
    for i in range(len(image) * scale):
        weights = cubic((old - centre(i, scale)) / stretch)
        rows.append(np.tensordot(weights / weights.sum(), padded, axes=1))
    return np.array(rows)


def test_enlarge_rows():
    assert checks.check_enlarge_rows(enlarge) == RIGHT
    wrong = {
        "half a pixel off": lambda image, s: enlarge(image, s, centre=lambda i, s: i / s),
        "stretched": lambda image, s: enlarge(image, s, stretch=1.3),
        "another border": lambda image, s: enlarge(image, s, mode="edge"),
        "repeated": lambda image, s: np.repeat(image, s, axis=0),
        "a stub": lambda image, s: None,
    }
    for name, function in wrong.items():
        assert checks.check_enlarge_rows(function).startswith("Not yet"), name


def test_rows_reached():
    for scale, rows in ((2, 1), (3, 1), (4, 2)):
        assert checks.check_rows_reached(rows, scale) == RIGHT
        for wrong in (0, 3 - rows, 2 * scale, ...):
            assert checks.check_rows_reached(wrong, scale).startswith("Not yet")


def cubic_a(t, a=-0.75):
    t = np.abs(t)
    inner = (a + 2) * t**3 - (a + 3) * t**2 + 1
    outer = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
    return np.where(t <= 1, inner, np.where(t < 2, outer, 0))


def test_cubic_a():
    assert checks.check_cubic_a(cubic_a) == RIGHT
    assert checks.check_cubic_a(lambda t, a=-0.5: cubic_a(t, a)).startswith("Not yet")
    assert checks.check_cubic_a(lambda t, a=-0.75: cubic(t)).startswith("Not yet")
    no_abs = lambda t, a=-0.75: np.where(t <= 1, (a + 2) * t**3 - (a + 3) * t**2 + 1, 0)  # noqa: E731
    assert checks.check_cubic_a(no_abs).startswith("Not yet")
    fixed = lambda t, a=-0.75: np.where(np.abs(t) <= 1, cubic(t), cubic_a(t, a))  # noqa: E731
    assert checks.check_cubic_a(fixed).startswith("Not yet")


def false_period(period, step):
    cycles = step / period
    return step / abs(cycles - round(cycles))


def test_false_period():
    assert checks.check_false_period(false_period) == RIGHT
    assert checks.check_false_period(lambda period, step: period).startswith("Not yet")
    assert checks.check_false_period(lambda p, s: s / abs(s / p - 1)).startswith("Not yet")
    assert checks.check_false_period(lambda p, s: s / (s / p % 1)).startswith("Not yet")


def unpaired(hr_dir, lr_dir, scale, *, pattern="**/*", sizes=slice(2), crop=True, suffix=True):
    found = []
    for file in Path(hr_dir).glob(pattern):
        if file.is_file():
            name = file.relative_to(hr_dir)
            twin = lr_dir / (name.with_suffix(".png") if suffix else name)
            with Image.open(file) as hr:
                wanted = tuple(side // scale if crop else side / scale for side in hr.size)
            if not twin.exists() or Image.open(twin).size[sizes] != wanted[sizes]:
                found.append(name)
    return found


@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        ({"pattern": "*"}, "sub-folder"),
        ({"sizes": slice(0)}, "sides"),
        ({"sizes": slice(1)}, "sides"),
        ({"crop": False}, "cropped"),
        ({"suffix": False}, "JPEG"),
    ],
)
def test_unpaired(fault, hint):
    assert checks.check_unpaired(unpaired) == RIGHT
    answer = checks.check_unpaired(lambda *given: unpaired(*given, **fault))
    assert answer.startswith("Not yet") and hint in answer
