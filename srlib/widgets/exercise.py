"""How an exercise is judged: "Right.", or "Not yet" with a hint that does not give the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

RIGHT = "Right."

Test = tuple[Callable[[Any], object], str]  # what must hold for the answer, and the hint if not


def judge(answer: Callable[[], Any], *tests: Test) -> str:
    """Compute the reader's answer and test it.

    Args:
        answer: Calls the reader's function.
        tests: In this order; the first one that fails gives its hint.

    Returns:
        RIGHT, or a sentence that begins with "Not yet".

    Example:
        >>> judge(lambda: 2 + 2, (lambda given: given == 4, "count again."))
        'Right.'
        >>> judge(lambda: 5, (lambda given: given == 4, "count again."))
        'Not yet: count again.'
    """
    try:
        given = answer()
        if given is None or given is ...:
            return "Not yet: the answer is still empty."
        failed = [hint for holds, hint in tests if not holds(given)]
    except Exception as error:  # whatever the reader's code raises
        return f"Not yet: the code stops with {type(error).__name__}: {error}"
    return f"Not yet: {failed[0]}" if failed else RIGHT
