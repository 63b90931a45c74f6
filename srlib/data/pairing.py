"""Which HR and LR files belong together, by the names of their folders and files."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import NamedTuple

from srlib.errors import DataError
from srlib.files.whole import as_path

_HR_WORDS = {"hr", "gt", "hq"}
_LR_WORDS = {"lr", "lq", "lrbi", "lrbic"}
# these name a side only where none of the words above does
_WEAK_HR_WORDS = {"high", "highres", "original", "originals", "large", "full", "target", "targets"}
_WEAK_LR_WORDS = {"low", "lowres", "small", "input", "inputs", "bicubic", "downsampled", "degraded"}
_OTHER_TRACKS = {"unknown", "mild", "wild", "difficult"}  # of DIV2K, besides bicubic
_LAYOUT_WORDS = set.union(
    _HR_WORDS,
    _LR_WORDS,
    _WEAK_HR_WORDS,
    _WEAK_LR_WORDS,
    _OTHER_TRACKS,
    {"sub", "res", "resolution"},
)
_SPLIT = re.compile(r"train|val(?=id|$)|test")  # at the start of a word
_LETTER = r"[^\s\d!-/:-@\[-`{-~]"  # of any alphabet: neither a digit, nor a space, nor a mark

_Keys = list[dict[Path, Hashable]]  # of HR files and of LR files


class Pairing(NamedTuple):
    """HR and LR files that belong together, and those without a partner."""

    pairs: list[tuple[Path, Path]]  # HR, LR
    hr_alone: list[Path]
    lr_alone: list[Path]


def pair_files(hr_files: Iterable[Path], lr_files: Iterable[Path], *, scale: int) -> Pairing:
    """Pair HR and LR files, given by their paths below a common root or two separate roots.

    Two files are partners if their names are equal, or else equal without the words of the layout
    (HR, LR, x4, bicubic and so on), or also without words that all names of one side alone have:
    whichever pairs most. The same goes for their folders. LR files of another scale by their names
    (0801x2) are ignored.
    """
    sides = [list(hr_files), list(lr_files)]
    stems = [{path: path.stem for path in files} for files in sides]
    words = [{path: _kept_words(path.stem, scale) for path in files} for files in sides]
    parents = [{path: path.parent for path in files} for files in sides]
    parent_words = [{path: _folder_words(path, scale) for path in files} for files in sides]
    places = [parents, parent_words, _without_own_words(parent_words)]
    namings = (stems, words, _without_own_words(words))
    partners = max((_partners(names, places, scale) for names in namings), key=len)
    hr_alone = [path for path in sides[0] if path not in partners]
    lr_alone = sorted(set(sides[1]) - set(partners.values()))
    lr_alone = [path for path in lr_alone if not _has_another_scale(path, scale)]
    return Pairing(list(partners.items()), hr_alone, lr_alone)


def split_sides(files: Iterable[Path], *, scale: int) -> tuple[list[Path], list[Path]]:
    """Divide the files of a data folder into HR and LR files, by their folders.

    Files in folders of another scale are left out, and so are files outside the HR and LR folders.
    Of several tracks of DIV2K, the bicubic one is taken. Without any LR file, all are HR.
    """
    files = list(files)
    files = [file for file in files if not _has_another_scale(file.parent, scale)] or files
    for hr_words, lr_words in _side_words(scale):
        sides: dict[str, list[Path]] = {"hr": [], "lr": [], "": []}
        for file in files:
            sides[_side(file.parent, hr_words, lr_words)].append(file)
        if lr := sides["lr"]:
            bicubic = [file for file in lr if not _is_of_other_track(file.parent)]
            return sides["hr"] or sides[""], bicubic or lr
    return files, []


def find_lr_dir(hr_dir: str | os.PathLike, *, scale: int) -> Path:
    """Find the folder of LR images that belongs to a folder of HR images, by its name.

    DIV2K_train_HR goes with DIV2K_train_LR_bicubic/X4 (the official archives) or DIV2K_train_LR/X4
    (as made in this course), hr with lr/x4 or lr, and high_res with low_res. Archives unpacked into
    a folder of their own name are found too. Other tracks, such as DIV2K_train_LR_unknown, are
    taken if there is no bicubic one.

    Raises:
        DataError: There is no LR folder, or more than one.
    """
    hr_dir = Path(os.path.abspath(as_path(hr_dir)))
    wanted = _kept_words(hr_dir.name, scale)
    found = _lr_folders(hr_dir.parent, wanted, scale)
    if not found and _kept_words(hr_dir.parent.name, scale) == wanted:
        found = _lr_folders(hr_dir.parent.parent, wanted, scale)  # hr_dir is nested
    if not found:
        name = re.sub(r"(?i)[ _-]*hr$", "", hr_dir.name)
        example = hr_dir.parent / f"{name}_LR_bicubic".lstrip("_") / f"X{scale}"
        raise DataError(
            f"There is no LR folder of scale {scale} for {hr_dir}, such as {example}: make the LR "
            "images (lesson 01), or name their folder."
        )
    if len(found) > 1:
        raise DataError(
            f"{hr_dir} has two LR folders, {found[0]} and {found[1]}: name one of them."
        )
    return found[0]


def split_of(path: Path) -> str:
    """Tell the split by the names of a file's folders: "train", "val", "test" or ""."""
    words = [word for part in path.parent.parts for word in _words(part)]
    splits = [match[0] for word in words if (match := _SPLIT.match(word))]
    return splits[-1] if splits else ""


def _partners(names: _Keys, places: list[_Keys], scale: int) -> dict[Path, Path]:
    """The LR files of HR files, by names that occur once in equal places, tried in order."""
    hr_names, lr_names = names
    partners: dict[Path, Path] = {}
    for hr_places, lr_places in places:
        hr = _unique({path: (hr_places[path], name) for path, name in hr_names.items()})
        lr = _unique({path: (lr_places[path], name) for path, name in lr_names.items()})
        found = {path: lr[key] for key, path in hr.items() if key in lr}
        partners |= found
        paired = set(found.values())
        hr_names = {path: name for path, name in hr_names.items() if path not in found}
        # Another scale is allowed where a folder or name of HR has it too.
        lr_names = {
            path: name
            for path, name in lr_names.items()
            if path not in paired and not _has_another_scale(path, scale)
        }
    return partners


def _unique(keys: dict[Path, Hashable]) -> dict[Hashable, Path]:
    """The files by their keys, where no other file has the key."""
    counts = Counter(keys.values())
    return {key: path for path, key in keys.items() if counts[key] == 1}


def _without_own_words(words: list[dict[Path, tuple[str, ...]]]) -> _Keys:
    """The words of HR and LR, without those that all files of one side have and the other lacks.

    If each side has such words, they are kept: DSC and IMG are two cameras.
    """
    common = [_words_of_all(list(side.values())) for side in words]
    own = [common[0] - common[1], common[1] - common[0]]
    if all(own):
        return words
    return [
        {path: tuple(word for word in found if word not in ignored) for path, found in side.items()}
        for side, ignored in zip(words, own, strict=True)
    ]


def _words_of_all(names: list[tuple[str, ...]]) -> set[str]:
    """The words, but for scales, that all names have, if there are several names."""
    if len(names) < 2:
        return set()
    return {word for word in set.intersection(*map(set, names)) if not _scale_of(word)}


def _lr_folders(top: Path, wanted: tuple[str, ...], scale: int) -> list[Path]:
    """The LR folders of this scale with these words, of other tracks if need be."""
    for hr_words, lr_words in _side_words(scale):
        found = []
        for folder in sorted(top.glob("*/")):
            is_lr = _side(Path(folder.name), hr_words, lr_words) == "lr"
            if is_lr and _kept_words(folder.name, scale) == wanted:
                folders = [folder, *sorted(folder.glob("*/")), *sorted(folder.glob("*/*/"))]
                scales = {path: _scales(path.name) for path in folders}
                of_this_scale = [path for path in folders if scale in scales[path]]
                if of_this_scale or not any(scales.values()):
                    found.append((of_this_scale or folders)[0])
        if found:
            tracks = [path for path in found if not _is_of_other_track(path.relative_to(top))]
            return tracks or found
    return []


def _side_words(scale: int) -> list[tuple[set[str], set[str]]]:
    """The words that name the HR and the LR side: first the clear ones, then all."""
    weak_lr_words = _LR_WORDS | _WEAK_LR_WORDS | {f"x{scale}", f"{scale}x"}
    return [(_HR_WORDS, _LR_WORDS), (_HR_WORDS | _WEAK_HR_WORDS, weak_lr_words)]


def _side(path: Path, hr_words: set[str], lr_words: set[str]) -> str:
    """Tell the side by the innermost part of a path that names only one: "hr", "lr" or ""."""
    for part in reversed(path.parts):
        words = set(_words(part))
        if bool(words & hr_words) != bool(words & lr_words):
            return "hr" if words & hr_words else "lr"
    return ""


def _is_of_other_track(folder: Path) -> bool:
    return bool(_OTHER_TRACKS & set(_words(str(folder))))


def _folder_words(path: Path, scale: int) -> tuple[str, ...]:
    """The kept words of a file's folders, each once: archives hold a folder of their own name."""
    return tuple(dict.fromkeys(_kept_words(str(path.parent), scale)))


def _kept_words(name: str, scale: int) -> tuple[str, ...]:
    """The words of a name that tell it from others, without those for layout and scale."""
    words = _words(name)
    return tuple(word for word in words if word not in _LAYOUT_WORDS and _scale_of(word) != scale)


def _words(name: str) -> list[str]:
    """The words and numbers of a name in lower case: ["train", "lr", "x4"] for trainLRx4."""
    separated = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFC", name))
    scale = r"x\d+[md]?(?![a-z])|\d+x(?![a-z])"  # DIV2K's tracks mild and difficult: x4m, x4d
    word = rf"(?:\d+|{_LETTER}+?)(?=x\d)|{scale}|\d+|{_LETTER}+"
    return re.findall(word, separated.casefold())


def _scale_of(word: str) -> int | None:
    match = re.fullmatch(r"x([2-9]|16)[md]?|([2-9]|16)x", word)
    return int(match[1] or match[2]) if match else None


def _scales(name: str) -> set[int]:
    return {scale for word in _words(name) if (scale := _scale_of(word))}


def _has_another_scale(path: Path, scale: int) -> bool:
    return bool(_scales(str(path)) - {scale})
