"""How an exercise is judged: "Right.", or "Not yet" with a hint that does not give the answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

RIGHT = "Right."
EMPTY = "Not yet: the answer is still empty."

Test = tuple[Callable[[Any], object], str]  # what must hold for the answer, and the hint if not


class _Empty(Exception):
    """The reader's function returned nothing."""


def exercise(check: Callable[..., str]) -> Callable[..., str]:
    """Make a check say that an answer is still empty: `...`, or a function that returns nothing."""

    @wraps(check)
    def checked(*answers: Any) -> str:
        if any(_is_stub(answer) for answer in answers):
            return EMPTY
        return check(*(_filled(answer) if callable(answer) else answer for answer in answers))

    return checked


def _is_stub(answer: Any) -> bool:
    parts = answer if isinstance(answer, list | set | tuple) else [answer]
    return any(part is ... for part in parts)  # `in` would compare with arrays


def _filled(function: Callable) -> Callable:
    def called(*args: Any) -> Any:
        answer = function(*args)
        if answer is None or answer is ...:
            raise _Empty
        return answer

    return called


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
        failed = [hint for holds, hint in tests if not holds(given)]
    except _Empty:
        return EMPTY
    except Exception as error:  # whatever the reader's code raises
        return f"Not yet: the code stops with {type(error).__name__}: {error}"
    return f"Not yet: {failed[0]}" if failed else RIGHT
