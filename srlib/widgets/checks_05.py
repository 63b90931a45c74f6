"""Checks of the exercises of lesson 05."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

from srlib.widgets.exercise import exercise, judge


@exercise
def check_worse_square(worse_square: Callable) -> str:
    """worse_square(a, b, hr, side): (left, top) where a is nearer to hr than b by the most."""
    hr = np.full((40, 60), 100.0)
    a = hr + 3
    b = hr + 2
    b[20:28, 32:40] += 12
    a[4:12, 8:16] += 30
    a[28:36, 4:12] += 50
    b[28:36, 4:12] += 40
    return judge(
        lambda: tuple(worse_square(a, b, hr, 8)),
        (lambda given: given != (8, 4), "that is where the first picture is wrong, not right."),
        (lambda given: given != (20, 32), "left comes before top."),
        (lambda given: given != (4, 28), "both are wrong there, and the first more so."),
        (lambda given: given == (32, 20), "compare squared errors, and take the largest lead."),
    )


@exercise
def check_unsharp(unsharp: Callable) -> str:
    """unsharp(image, amount): the picture plus `amount` times its own detail."""
    flat = np.full((16, 16, 3), (90, 40, 200), np.uint8)
    step = np.zeros((16, 16, 3), np.uint8)
    step[:, 8:] = 255
    soft = np.uint8(60 + 0.5 * gaussian_filter(step.astype(float), (2, 2, 0)))
    soft[..., 1:] = 128  # an edge in red alone

    def nearly(given, wanted):  # a student who truncates may get 89 for 89.999
        return given.shape == wanted.shape and np.all(np.abs(given.astype(int) - wanted) <= 1)

    return judge(
        lambda: [
            *(np.asarray(unsharp(image, 0.5)) for image in (flat, step, soft)),
            np.asarray(unsharp(soft, 1.0)),
        ],
        (lambda given: given[0].dtype == np.uint8, "the result should be uint8 again."),
        (lambda given: nearly(given[0], flat), "a flat picture has no detail to add."),
        (
            lambda given: given[2][8, 9, 0] > soft[8, 9, 0] and given[2][8, 6, 0] < soft[8, 6, 0],
            "the bright side of an edge should get brighter, the dark side darker.",
        ),
        (
            lambda given: nearly(given[1], step),
            "do values below 0 or above 255 wrap around?",
        ),
        (
            lambda given: nearly(given[2][..., 1:], soft[..., 1:]),
            "each colour has its own detail, and here only red has any.",
        ),
        (
            lambda given: np.abs(2 * given[2].astype(int) - soft - given[3]).max() <= 3,
            "twice the amount should add twice the detail.",
        ),
    )


@exercise
def check_partial(beyond: Callable) -> str:
    """beyond(a, b, given): the partial correlation of a and b, by Pearson."""
    x, noise, other = np.random.default_rng(0).normal(size=(3, 20000))

    def answers():
        return [
            float(beyond(x + noise, x + other, x)),
            float(beyond(x + noise, x + noise + other, x)),
            float(beyond(noise, noise + other, x)),
            float(beyond(noise**3, noise, x)),
        ]

    return judge(
        answers,
        (lambda given: abs(given[0]) < 0.05, "what the third explains is to be taken out of both."),
        (lambda given: abs(given[1] - 0.7071) < 0.03, "too much was taken out, or too little."),
        (lambda given: abs(given[2] - 0.7071) < 0.03, "nothing to take out: that is plain r."),
        (lambda given: abs(given[3] - 0.775) < 0.03, "Pearson takes the values, not their ranks."),
    )


@exercise
def check_finest(finest: Callable) -> str:
    """finest(scale): the highest frequency that LR can hold, in cycles per HR pixel."""
    return judge(
        lambda: [float(finest(scale)) for scale in (1, 2, 4)],
        (lambda given: given[1] < given[0], "a smaller picture holds less, not more."),
        (lambda given: np.isclose(given[0], 0.5), "a wave needs a pixel for its crest, and …?"),
        (lambda given: np.allclose(given, (0.5, 0.25, 0.125)), "count in HR pixels."),
    )


@exercise
def check_without_hr(faults) -> str:
    """The faults of the lesson that can be proved without HR, as a set of names."""
    names = {"over-smoothing", "ringing", "aliasing", "colour error", "jpeg blocks"}
    return judge(
        lambda: {str(fault).lower() for fault in faults},
        (lambda given: given <= names, f"the names are {', '.join(sorted(names))}."),
        (lambda given: "jpeg blocks" in given, "one of them has a period that no scene has."),
        (
            lambda given: not given & {"over-smoothing", "aliasing", "colour error"},
            "how would you know what HR looked like there?",
        ),
        (
            lambda given: given == {"jpeg blocks"},
            "a line that follows an edge is a strong hint, but a scene can have one, too.",
        ),
    )
