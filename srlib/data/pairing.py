"""Which HR and LR files belong together, by the names of their folders and files."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import islice, takewhile
from pathlib import Path

from srlib.errors import DataError

_HR_WORDS = {"hr", "gt", "hq"}
_LR_WORDS = {"lr", "lq", "lrbi"}
# these name a side only where none of the words above does
_WEAK_HR_WORDS = {"high", "highres", "original", "originals", "large", "full", "target", "targets"}
_WEAK_LR_WORDS = {"low", "lowres", "small", "input", "inputs", "bicubic", "downsampled", "degraded"}
_OTHER_TRACKS = {"unknown", "mild", "wild", "difficult"}  # of DIV2K, besides bicubic
_LAYOUT_WORDS = _HR_WORDS | _LR_WORDS | _OTHER_TRACKS | {"bicubic", "sub", "res", "resolution"}
_SPLIT = re.compile(r"train|val(?=id|$)|test")  # at the start of a word
_SAMPLE = 12  # HR names that are compared with all LR names to find a rule
_CANDIDATES = 60  # rules that are tried on all names

Items = Sequence[tuple[str, str, Path]]  # group, name without suffix, path


@dataclass(frozen=True)
class NameRule:
    """Patterns of HR and LR names without suffix, such as "*" and "*x4" for 0801 and 0801x4.

    "*" stands for the part that partners share.
    """

    hr: str = "*"
    lr: str = "*"

    def __str__(self) -> str:
        return f'hr_names="{self.hr}", lr_names="{self.lr}"'

    def partner(self, path: Path, side: str) -> str:
        """The name, without suffix, of the partner of a file of this side ("HR" or "LR")."""
        own, other = (self.hr, self.lr) if side == "HR" else (self.lr, self.hr)
        key = shared_part(own, path.stem)
        return other if key is None or other.count("*") != 1 else other.replace("*", key)


def name_rule(hr_names: str | None, lr_names: str | None) -> NameRule | None:
    """The rule of two patterns given by the user, or None without any."""
    return NameRule(hr_names or "*", lr_names or "*") if hr_names or lr_names else None


@dataclass
class PairedGroup:
    """Files of folders that belong together."""

    pairs: list[tuple[Path, Path]] = field(default_factory=list)  # HR, LR
    hr_alone: list[Path] = field(default_factory=list)
    lr_alone: list[Path] = field(default_factory=list)
    rule: NameRule | None = None  # pairs most of the files, or would pair them

    def patterns(self) -> str:
        """The rule for a message, or an example of one."""
        return str(self.rule or 'patterns, such as hr_names="*", lr_names="*x4"')


def shared_part(pattern: str, name: str) -> str | None:
    """The part of a name that "*" stands for, or None if the name does not fit the pattern."""
    expression = "(.*)".join(re.escape(text) for text in pattern.split("*"))
    match = re.fullmatch(expression, name, re.DOTALL)
    return "".join(match.groups()) if match else None


def pair_files(
    hr_files: Iterable[Path], lr_files: Iterable[Path], *, scale: int, rule: NameRule | None = None
) -> list[PairedGroup]:
    """Pair HR and LR files, given by their paths below a common root or two separate roots.

    Folders correspond if their names agree but for words such as HR, LR, X4 and bicubic, and for
    folders around all files. Names correspond by the rule, or else by the rule that pairs most of
    them. Files of train, valid and test folders are never mixed.

    LR files of another scale by their names (0801x2) are ignored, unless an HR file has the same
    name. If a rule is given, it is used, and files that do not fit it are ignored. A group without
    pairs has files on one side only, or its names do not correspond by any safe rule.
    """
    hr = list(hr_files)
    lr = _without_other_scales(lr_files, scale, hr_names={path.stem for path in hr})
    if rule:
        hr = [path for path in hr if shared_part(rule.hr, path.stem) is not None]
        lr = [path for path in lr if shared_part(rule.lr, path.stem) is not None]
    groups: list[PairedGroup] = []
    for group_of in (_folder_words, _last_folder_words, split_of, _anywhere):
        if group_of is _anywhere and len({split_of(path) for path in [*hr, *lr]} - {""}) > 1:
            break  # training and validation files may have the same names
        hr_items = [(group_of(path), path.stem, path) for path in hr]
        lr_items = [(group_of(path), path.stem, path) for path in lr]
        found: dict[str, PairedGroup] = {}
        for found_rule, pairs in _rounds(hr_items, lr_items, scale, rule):
            for pair in pairs:
                group = found.setdefault(group_of(pair[0]), PairedGroup(rule=found_rule))
                group.pairs.append(pair)
        partners = dict(pair for group in found.values() for pair in group.pairs)
        hr = [path for path in hr if path not in partners]
        paired_lr = set(partners.values())
        lr = [path for path in lr if path not in paired_lr]
        for name, group in found.items():
            group.hr_alone = [path for path in hr if group_of(path) == name]
            group.lr_alone = [path for path in lr if group_of(path) == name]
        groups += found.values()
        hr = [path for path in hr if group_of(path) not in found]
        lr = [path for path in lr if group_of(path) not in found]
    for split in sorted({split_of(path) for path in [*hr, *lr]}):
        group = PairedGroup(
            hr_alone=[path for path in hr if split_of(path) == split],
            lr_alone=[path for path in lr if split_of(path) == split],
        )
        group.rule = rule or _suggestion(group, scale)
        groups.append(group)
    return groups


def split_sides(files: Iterable[Path], *, scale: int) -> tuple[list[Path], list[Path]]:
    """Divide the files of a data folder into HR and LR files, by their folders or else by name.

    Files in folders of another scale are left out, and so are files outside the HR and LR folders.
    Of several tracks of DIV2K, the bicubic one is taken. Without any LR file, all are HR.
    """
    files = _in_folders_of_scale(files, scale)
    for hr_words, lr_words in _side_words(scale):
        for by_name in (False, True):
            sides: dict[str, list[Path]] = {"hr": [], "lr": [], "": []}
            for file in files:
                named = Path(file.stem) if by_name else file.parent
                sides[_side(named, hr_words, lr_words)].append(file)
            hr = sides["hr"] or sides[""]
            lr = sides["lr"]
            if lr and (not by_name or 2 * len(lr) >= len(hr)):  # a single name may mean anything
                return hr, _bicubic_first(lr)
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
    hr_dir = Path(os.path.abspath(Path(hr_dir).expanduser()))
    found = _lr_folders(hr_dir.parent, hr_dir.name, scale)
    if not found and _group_words(Path(hr_dir.parent.name)) == _group_words(Path(hr_dir.name)):
        found = _lr_folders(hr_dir.parent.parent, hr_dir.name, scale)  # hr_dir is nested
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


def _lr_folders(top: Path, hr_name: str, scale: int) -> list[Path]:
    """The LR folders of this scale for an HR folder of this name, of other tracks if need be."""
    for hr_words, lr_words in _side_words(scale):
        ignored = hr_words | lr_words
        found = []
        for folder in sorted(top.glob("*/")):
            same_group = _group_words(Path(folder.name), ignored) == _group_words(
                Path(hr_name), ignored
            )
            if same_group and _side(Path(folder.name), hr_words, lr_words) == "lr":
                folders = [folder, *sorted(folder.glob("*/")), *sorted(folder.glob("*/*/"))]
                scales = {path: _scales(Path(path.name)) for path in folders}
                of_this_scale = [path for path in folders if scale in scales[path]]
                if of_this_scale or not any(scales.values()):
                    found.append((of_this_scale or folders)[0])
        if found:
            bicubic = _bicubic_first([path.relative_to(top) / "*" for path in found])
            return [top / path.parent for path in bicubic]
    return []


def _side_words(scale: int) -> list[tuple[set[str], set[str]]]:
    """The words that name the HR and the LR side: first the clear ones, then all."""
    weak_lr_words = _LR_WORDS | _WEAK_LR_WORDS | {f"x{scale}", f"{scale}x"}
    return [(_HR_WORDS, _LR_WORDS), (_HR_WORDS | _WEAK_HR_WORDS, weak_lr_words)]


def _bicubic_first(files: list[Path]) -> list[Path]:
    """The files outside the folders of DIV2K's other tracks, or all files if there are none."""
    return [file for file in files if not _OTHER_TRACKS & set(_words(str(file.parent)))] or files


def split_of(path: Path) -> str:
    """Tell the split by the names of a file's folders: "train", "val", "test" or ""."""
    return (_splits(word for part in path.parent.parts for word in _words(part)) or [""])[-1]


def _splits(words: Iterable[str]) -> list[str]:
    return [match[0] for word in words if (match := _SPLIT.match(word))]


def _words(name: str) -> list[str]:
    """The words and numbers of a name in lower case: ["train", "lr", "x4"] for trainLRx4."""
    separated = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    scale = r"x\d+|\d+x(?![a-z])"
    return re.findall(rf"(?:\d+|[^\W\d_]+?)(?=x\d)|{scale}|\d+|[^\W\d_]+", separated)


def _scale_of(word: str) -> int | None:
    match = re.fullmatch(r"x([2-9]|16)|([2-9]|16)x", word)
    return int(match[1] or match[2]) if match else None


def _scales(path: Path) -> set[int]:
    scales = {_scale_of(word) for part in path.parts for word in _words(part)}
    return {scale for scale in scales if scale}


def _is_layout(word: str) -> bool:
    return word in _LAYOUT_WORDS or _scale_of(word) is not None


def _side(path: Path, hr_words: set[str], lr_words: set[str]) -> str:
    """Tell the side by the innermost part of a path that names only one: "hr", "lr" or ""."""
    for part in reversed(path.parts):
        words = set(_words(part))
        if bool(words & hr_words) != bool(words & lr_words):
            return "hr" if words & hr_words else "lr"
    return ""


def _group_words(folder: Path, ignored: Set[str] = frozenset()) -> str:
    """The words of a folder's path that tell it from others, without those for side and scale."""
    parts: list[str] = []
    for part in folder.parts:
        kept = [word for word in _words(part) if not _is_layout(word) and word not in ignored]
        words = "_".join(kept)
        if words and parts[-1:] != [words]:  # archives often hold a folder of their own name
            parts.append(words)
    return "/".join(parts)


# Groups of files, from folders that agree in all words to files that lie anywhere.


def _folder_words(path: Path) -> str:
    return _group_words(path.parent)


def _last_folder_words(path: Path) -> str:
    return _folder_words(path).rpartition("/")[2]


def _anywhere(path: Path) -> str:
    return ""


def _without_other_scales(files: Iterable[Path], scale: int, hr_names: Set[str]) -> list[Path]:
    """The files of this scale, by their folders and, if any name ends in it, by their names.

    A name that an HR file has too says nothing about the scale.
    """
    here = _in_folders_of_scale(files, scale)
    endings = {
        file: file.stem not in hr_names and re.search(r"x(\d)$", file.stem, re.IGNORECASE)
        for file in here
    }
    if not any(ending and int(ending[1]) == scale for ending in endings.values()):
        return here
    return [file for file, ending in endings.items() if not ending or int(ending[1]) == scale]


def _in_folders_of_scale(files: Iterable[Path], scale: int) -> list[Path]:
    """The files without those in folders of another scale, unless all are in such folders."""
    files = list(files)
    return [file for file in files if not _scales(file.parent) - {scale}] or files


def _rounds(
    hr: Items, lr: Items, scale: int, rule: NameRule | None
) -> list[tuple[NameRule, list[tuple[Path, Path]]]]:
    """The pairs of each rule, the best rule first; each one pairs files that are left."""
    found = []
    for spelling in (str, _plain_spelling):
        hr = [(group, spelling(name), path) for group, name, path in hr]
        lr = [(group, spelling(name), path) for group, name, path in lr]
        while hr and lr:
            rules = [rule] if rule else [NameRule(), NameRule("*", f"*x{scale}")]
            if rule and spelling is _plain_spelling:
                rules = [NameRule(spelling(rule.hr), spelling(rule.lr))]
            results = [(each, _apply(each, hr, lr)) for each in rules]
            if not rule and max(len(pairs) for _, pairs in results) < min(len(hr), len(lr)):
                safe = (each for each in _candidates(hr, lr) if _is_safe(each, scale))
                results += [(each, _apply(each, hr, lr)) for each in islice(safe, _CANDIDATES)]
            best, pairs = max(
                ((each, pairs) for each, pairs in results if len(pairs) > 1 or _is_usual(each)),
                key=lambda result: len(result[1]),
                default=(rules[0], []),
            )
            if not pairs:
                break
            found.append((best, pairs))
            paired_hr, paired_lr = map(set, zip(*pairs, strict=True))
            hr = [item for item in hr if item[2] not in paired_hr]
            lr = [item for item in lr if item[2] not in paired_lr]
    return found


def _plain_spelling(name: str) -> str:
    """The name in lower case, composed Unicode, and without leading zeros."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", unicodedata.normalize("NFC", name).casefold())


def _apply(rule: NameRule, hr: Items, lr: Items) -> list[tuple[Path, Path]]:
    """The pairs by a rule. Names that it makes equal are not paired."""
    sides = []
    for pattern, items in ((rule.hr, hr), (rule.lr, lr)):
        paths = defaultdict(list)
        for group, name, path in items:
            key = shared_part(pattern, name)
            if key:
                paths[group, key].append(path)
        sides.append({key: found[0] for key, found in paths.items() if len(found) == 1})
    return [(path, sides[1][key]) for key, path in sides[0].items() if key in sides[1]]


def _candidates(hr: Items, lr: Items) -> list[NameRule]:
    """Rules by which single names correspond, the most frequent first."""
    sample = hr[:: max(1, len(hr) // _SAMPLE)][:_SAMPLE]
    support: dict[NameRule, set[str]] = defaultdict(set)
    for group, hr_name, _ in sample:
        for lr_group, lr_name, _ in lr:
            if lr_group == group:
                for rule in _rules_for(hr_name, lr_name):
                    support[rule].add(hr_name)
    return sorted(support, key=lambda rule: (-len(support[rule]), len(rule.hr + rule.lr)))


def _rules_for(hr: str, lr: str) -> set[NameRule]:
    """The rules by which two names correspond: around the text they share, or within it."""
    rules = set()
    core = SequenceMatcher(None, hr, lr, autojunk=False).find_longest_match()
    if core.size:
        # the text they share may begin or end with letters that belong to the words around it
        shared = hr[core.a : core.a + core.size]
        first = re.match(r"[A-Za-z]*", shared).end()
        last = re.search(r"[A-Za-z]*$", shared).start()
        for start, end in ((0, core.size), (first, core.size), (0, last), (first, last)):
            if start < end:
                around_hr = f"{hr[: core.a + start]}*{hr[core.a + end :]}"
                around_lr = f"{lr[: core.b + start]}*{lr[core.b + end :]}"
                rules.add(NameRule(around_hr, around_lr))
    before = _shared_start(hr, lr)
    after = _shared_start(hr[before:][::-1], lr[before:][::-1])
    if before and after:
        left = re.search(r"[A-Za-z]*$", hr[:before]).start()
        right = re.match(r"[A-Za-z]*", hr[len(hr) - after :]).end()
        for start in {before, left}:
            for rest in {after, after - right}:
                middles = [f"*{name[start : len(name) - rest]}*" for name in (hr, lr)]
                rules.add(NameRule(*(middle.replace("**", "*") for middle in middles)))
    return rules


def _shared_start(one: str, other: str) -> int:
    """The number of characters with which both begin."""
    equal = takewhile(lambda both: both[0] == both[1], zip(one, other, strict=False))
    return len(list(equal))


def _keeps_meaning(rule: NameRule, scale: int) -> bool:
    """Whether a rule changes no number, scale or split: 1 and 14 are no partners."""
    for pattern in (rule.hr, rule.lr):
        bare = pattern.replace(f"*{scale}x", "*").replace(f"x{scale}*", "*")
        if re.search(r"\*\d|\d\*", bare):
            return False
    hr_words, lr_words = _rule_words(rule)
    if {_scale_of(word) for word in lr_words} - {None, scale}:
        return False
    hr_kept, lr_kept = (
        {*_splits(words), *filter(str.isdigit, words)} - {str(scale)}
        for words in (hr_words, lr_words)
    )
    return hr_kept <= lr_kept or lr_kept <= hr_kept


def _is_safe(rule: NameRule, scale: int) -> bool:
    """Whether partners by a rule can be trusted: cat_1 and dog_1 are none."""
    hr_words, lr_words = _rule_words(rule)
    if not _keeps_meaning(rule, scale) or lr_words & _HR_WORDS or hr_words & _LR_WORDS:
        return False
    usual_hr_words, usual_lr_words = _side_words(scale)[-1]
    names_a_side = hr_words & usual_hr_words or lr_words & usual_lr_words
    return bool(names_a_side) or not hr_words or not lr_words


def _is_usual(rule: NameRule) -> bool:
    """Whether a rule has no other words than the usual ones, so that one pair is enough."""
    words = set.union(*_rule_words(rule)) - _WEAK_HR_WORDS - _WEAK_LR_WORDS
    return all(_is_layout(word) or word.isdigit() for word in words)


def _rule_words(rule: NameRule) -> tuple[set[str], set[str]]:
    """The words of the HR pattern and of the LR pattern."""
    hr_words, lr_words = (set(_words(text.replace("*", " "))) for text in (rule.hr, rule.lr))
    return hr_words, lr_words


def _suggestion(group: PairedGroup, scale: int) -> NameRule | None:
    """The rule that would pair most files of a group without pairs, if it pairs half of them."""
    hr = [("", path.stem, path) for path in group.hr_alone]
    lr = [("", path.stem, path) for path in group.lr_alone]
    rules = (rule for rule in _candidates(hr, lr) if _keeps_meaning(rule, scale))
    counts = {rule: len(_apply(rule, hr, lr)) for rule in islice(rules, _CANDIDATES)}
    best = max(counts, key=counts.get, default=None)
    enough = best and counts[best] >= max(2, min(len(hr), len(lr)) / 2)
    return best if enough else None
