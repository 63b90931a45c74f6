"""The parameters of a notebook: converted and checked in the cell after them, all at once."""

import ast
import math
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from srlib.errors import SRError
from srlib.files.whole import as_path, need_folder, need_short_name
from srlib.images.codecs import is_deep
from srlib.images.finder import find_images
from srlib.images.picture import ImageError, read_image

_DEFAULTS = ("runs/latest", "data/sample")  # of the course, in the repository
_ROOT = Path(__file__).resolve().parents[2]


class ParameterError(SRError, ValueError):
    """A notebook was given parameters that it cannot use; the message has a line for each."""


def check_parameters(given: Mapping, **rules: object) -> dict:
    """Convert and check the parameters of a notebook. Every fault is named, not only the first.

    Args:
        given: The notebook's `globals()`.
        rules: One for each parameter: a tuple of the values to choose from ("4" is taken for 4,
            and 803 for "0803"), a range of whole numbers, `float`, `str`, or a function of this
            module: `at_least_0`, `data_folder`, `output_folder`, `output_file`, `existing_path`,
            `photo_in`, `optional`.

    Returns:
        The converted values, for `globals().update(...)`.

    Raises:
        ParameterError: A value does not fit, or papermill has set a name without a rule.

    Example:
        >>> check_parameters({"scale": "4", "weight": 1}, scale=(2, 3, 4), weight=float)
        {'scale': 4, 'weight': 1.0}
    """
    known = ", ".join(rules)
    unknown = [name for name in _set_by_papermill(given) if name not in rules]
    faults = [f"{name}: there is no such parameter, only {known}." for name in unknown]
    checked = {}
    for name, rule in rules.items():
        try:
            checked[name] = _apply(rule, given[name])
        except ValueError as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise ParameterError("\n".join(["These parameters cannot be used.", *faults]))
    return checked


def optional(rule: object) -> Callable:
    """Make a rule that takes None and "" for None, and passes everything else to another rule."""
    return lambda value: None if value in (None, "", "None") else _apply(rule, value)


def at_least_0(value: object) -> float:
    """Turn text into a number that is not negative."""
    number = _as_number(value)
    if number is None or number < 0:
        raise ValueError(f"a number from 0 is needed, not {value}.")
    return number


def existing_path(value: object) -> Path:
    """Turn text into the path of a file or folder that is there."""
    path = _located(value)
    if not os.path.exists(path):  # unlike Path.exists, this takes names of any length
        raise ValueError(f"there is no {path}.")
    return path


def output_folder(value: object) -> Path:
    """Turn text into the path of a folder to write to, and make it if it is not there."""
    folder = _located(value)
    need_folder(folder, ParameterError)
    return folder


def output_file(value: object) -> Path:
    """Turn text into the path of a file to write, and make its folder if it is not there."""
    path = _located(value)
    need_folder(path.parent, ParameterError)
    need_short_name(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; a file is needed.")
    return path


def data_folder(value: object) -> Path:
    """Turn text into the path of a folder with 8-bit DIV2K_train_HR and DIV2K_valid_HR."""
    folder = existing_path(value)
    if folder.is_file():
        raise ValueError(f"{folder} is a file; unpack it if it is an archive, and name the folder.")
    parts = ("DIV2K_train_HR", "DIV2K_valid_HR")
    if folder.name in parts and (folder.parent / parts[0]).is_dir():
        raise ValueError(f"{folder} is too deep; name the folder above, {folder.parent}.")
    for part in parts:
        if not (folder / part).is_dir():
            raise ValueError(
                f"{folder} has no folder {part}; make it, and put photographs into it "
                '("make course DATA=…" divides any folder of photographs).'
            )
        for name in find_images(folder / part):
            if is_deep(folder / part / name):
                raise ValueError(
                    f"{folder / part / name} has 16 bits per channel, and the lessons take 8: save "
                    'it with 8 bits ("make course DATA=…" makes copies of loose photographs).'
                )
    return folder


def photo_in(data_dir: object, default: str) -> Callable:
    """Make a rule that turns a name into the file of that photograph in DIV2K_valid_HR.

    The name may have its suffix. Where there is no photograph of the default's name, it stands
    for the first readable one.
    """

    def find(value: object) -> Path:
        folder = existing_path(data_dir) / "DIV2K_valid_HR"
        files = {file.with_suffix("").as_posix(): folder / file for file in find_images(folder)}
        if folder / str(value) in files.values():
            return folder / str(value)
        if _same(value, (default,)) and not _same(value, tuple(files)):
            for file in files.values():
                with suppress(ImageError):
                    read_image(file)
                    return file
            raise ValueError(f"no photograph in {folder} can be read.")
        return files[_choose(value, tuple(files))]

    return find


def _apply(rule, value: object) -> object:
    if isinstance(rule, tuple):
        return _choose(value, rule)
    if isinstance(rule, range):
        number = _as_number(value)
        if number is None or number % 1 or int(number) not in rule:
            raise ValueError(f"a whole number from {rule[0]} to {rule[-1]} is needed, not {value}.")
        return int(number)
    if rule is float and _as_number(value) is None:
        raise ValueError(f"a number is needed, not {value}.")
    return rule(value)


def _choose(value: object, choices: tuple) -> object:
    same = _same(value, choices)
    if not same:
        listed = ", ".join(map(str, choices[:12])) + (" …" if len(choices) > 12 else "")
        raise ValueError(f"choose one of {listed}, not {str(value).strip() or 'empty'}.")
    return same[0]


def _same(value: object, choices: tuple) -> list:
    """The choices that are written so, then those that are the same number."""
    number = _as_number(value)
    same = [c for c in choices if str(c) == str(value).strip()]
    return same + [c for c in choices if number is not None and _as_number(c) == number]


def _as_number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _located(value: object) -> Path:
    """A path; the course's own folders are found from wherever papermill was started."""
    text = str(value)
    if value is None or not text.strip():
        raise ValueError("a path is needed, and none is given.")
    in_repository = text.replace("../", "")
    if in_repository in _DEFAULTS and Path.cwd().name not in ("notebooks", "solutions"):
        return _ROOT / in_repository
    return as_path(text)


def _set_by_papermill(given: Mapping) -> list[str]:
    """The names that papermill's own cell assigns; IPython keeps the source of every cell."""
    injected = [cell for cell in given.get("In", ()) if cell.startswith("# Parameters\n")]
    nodes = ast.walk(ast.parse("\n".join(injected)))
    return [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
