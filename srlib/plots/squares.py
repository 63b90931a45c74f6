"""Where to look: the square of a map with the highest mean."""

import numpy as np


def best_square(
    values: np.ndarray, side: int, *, step: int = 1, margin: int = 0
) -> tuple[int, int]:
    """Find the square whose mean is highest.

    Args:
        values: A map, (H, W). Pixels that are not finite count as the lowest value.
        side: Side of the square in pixels; the whole length where the map is smaller.
        step: left and top are multiples of it, such as the scale.
        margin: Pixels at the border of the map that the square must not touch, where it fits.

    Returns:
        (left, top), in pixels.

    Example:
        >>> values = np.zeros((20, 30))
        >>> values[8:12, 16:20] = 1
        >>> best_square(values, 4, step=4)
        (16, 8)
    """
    finite = np.isfinite(values)
    filled = np.where(finite, values, values[finite].min() if finite.any() else 0.0)
    total = np.pad(filled.astype(float).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    height, width = values.shape
    rows = _starts(height, side, step, margin)
    columns = _starts(width, side, step, margin)
    bottom = np.minimum(rows + side, height)
    right = np.minimum(columns + side, width)
    sums = total[np.ix_(bottom, right)] - total[np.ix_(rows, right)]
    sums -= total[np.ix_(bottom, columns)] - total[np.ix_(rows, columns)]
    row, column = np.unravel_index(sums.argmax(), sums.shape)
    return int(columns[column]), int(rows[row])


def _starts(length: int, side: int, step: int, margin: int) -> np.ndarray:
    """Where a square may begin along one axis."""
    starts = np.arange(-(-margin // step) * step, length - side - margin + 1, step)
    return starts if len(starts) else np.array([max(0, (length - side) // 2 // step * step)])
