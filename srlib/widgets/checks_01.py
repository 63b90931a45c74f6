"""Checks of the exercises of lesson 01."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from srlib.images import cubic, imresize, write_image
from srlib.widgets.exercise import exercise, judge


@exercise
def check_enlarge_rows(enlarge_rows: Callable) -> str:
    """enlarge_rows(image, scale): every new row as a weighted average of old rows."""
    ramp = np.repeat(np.arange(12.0)[:, None] * 10, 2, axis=1)
    noise = np.random.default_rng(0).integers(70, 180, (8, 9, 3)).astype(np.uint8)

    def answers():
        return {s: np.asarray(enlarge_rows(ramp, s)) for s in (2, 3)}

    def on_a_ramp(given):
        wanted = {s: (np.arange(12 * s) + 0.5) / s * 10 - 5 for s in given}
        inner = slice(9, -9)  # away from the edges
        return all(np.allclose(given[s][inner, 0], wanted[s][inner]) for s in given)

    def as_imresize(given):
        for s in given:
            rows = _rounded(enlarge_rows(noise, s))
            both = _rounded(enlarge_rows(rows.swapaxes(0, 1), s)).swapaxes(0, 1)
            if not np.array_equal(both, imresize(noise, s)):
                return False
        return True

    return judge(
        answers,
        (
            lambda given: all(len(given[s]) == 12 * s for s in given),
            "the result should have scale times as many rows.",
        ),
        (on_a_ramp, "an even slope should stay one. Look again at the centre of new row i."),
        (
            as_imresize,
            "the positions are right, the weights are not. How wide is the kernel when it "
            "enlarges, what lies beyond the edge, and do the weights add up to 1?",
        ),
    )


@exercise
def check_rows_reached(rows: int, scale: int) -> str:
    """The number of LR rows at the top that depend on the kind of border."""
    centres = (np.arange(4) + 0.5) * scale - 0.5
    differ = np.count_nonzero(centres < 2 * scale - 2)
    return judge(
        lambda: rows,
        (lambda given: given <= 2, "the kernel reaches 2 × scale pixels of HR. How many of LR?"),
        (lambda given: given >= 1, "the outermost row certainly sees beyond the edge."),
        (
            lambda given: given == differ,
            "the first pixel beyond the edge is the same, mirrored or repeated. Which rows see "
            "the second one?",
        ),
    )


@exercise
def check_cubic_a(cubic_a: Callable) -> str:
    """cubic_a(t, a): Keys' curve with a free parameter."""
    t = np.linspace(-2.5, 2.5, 101)
    return judge(
        lambda: np.asarray(cubic_a(t, -0.5)),
        (lambda given: np.allclose(given, given[::-1]), "left and right should be the same."),
        (lambda given: not given[np.abs(t) >= 2].any(), "from a distance of 2 on it is zero."),
        (
            lambda given: np.allclose(given, cubic(t)),
            "with a = -0.5 it should be the curve of the lesson. Compare the two pieces.",
        ),
        (
            lambda given: np.allclose(cubic_a(np.array([0.5, 1.5])), (0.59375, -0.09375)),
            "a = -0.5 works. Is a used in every term, and -0.75 its default?",
        ),
    )


@exercise
def check_false_period(false_period: Callable) -> str:
    """false_period(period, step): the period that is seen, in HR pixels."""
    return judge(
        lambda: [false_period(period, step) for period, step in ((8, 2), (3, 4), (5, 4), (7, 4))],
        (lambda given: np.isclose(given[0], 8), "a slow pattern should keep its period."),
        (
            lambda given: np.isclose(given[1], 12) and np.isclose(given[2], 20),
            "count in cycles for each sample: whole cycles between two samples are invisible.",
        ),
        (
            lambda given: np.isclose(given[3], 28 / 3),
            "more than half a cycle between samples looks like less than half, backwards.",
        ),
    )


@exercise
def check_unpaired(unpaired: Callable[[Path, Path, int], Iterable]) -> str:
    """unpaired(hr_dir, lr_dir, scale): the HR pictures without an LR picture of the right size."""
    with tempfile.TemporaryDirectory() as folder:
        hr_dir = Path(folder, "HR")
        lr_dir = Path(folder, "LR")
        sizes = {
            "good.png": (9, 13),
            "trip/lost.png": None,
            "trip/fine.jpg": (9, 13),
            "low.png": (8, 13),
            "narrow.png": (9, 12),
        }
        for name, size in sizes.items():
            for parent in (hr_dir, lr_dir):
                (parent / name).parent.mkdir(parents=True, exist_ok=True)
            write_image(hr_dir / name, np.zeros((29, 40, 3), np.uint8))
            if size:
                small = np.zeros((*size, 3), np.uint8)
                write_image((lr_dir / name).with_suffix(".png"), small)

        def found():
            names = unpaired(hr_dir, lr_dir, 3)
            return {Path(name).with_suffix("").name for name in names}

        return judge(
            found,
            (lambda given: "lost" in given, "a picture in a sub-folder has no partner."),
            (
                lambda given: "good" not in given,
                "HR may be a pixel or two larger than scale times LR: it is cropped first.",
            ),
            (lambda given: "fine" not in given, "HR may be a JPEG; its LR picture is a PNG."),
            (
                lambda given: {"low", "narrow"} <= given,
                "an LR picture has the wrong size if one of its sides is wrong.",
            ),
        )


def _rounded(values) -> np.ndarray:
    return np.clip(np.floor(np.asarray(values) + 0.5), 0, 255).astype(np.uint8)
