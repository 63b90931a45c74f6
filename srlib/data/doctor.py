"""The data doctor: the faults of a folder of training images, their effect, and their fix."""

from __future__ import annotations

import html
import os
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from srlib.data.facts import Facts, difference, examine
from srlib.data.pairing import NameRule, PairedGroup, pair_files, split_of, split_sides
from srlib.errors import DataError
from srlib.files.progress import Progress
from srlib.images.downscalers import identify_downscaler
from srlib.images.finder import find_images
from srlib.images.picture import read_image

_SEVERITIES = ("error", "warning", "info")
_PATCH = 48  # LR pixels per side, the patch of the EDSR paper
_COPY = 4  # bits of 64 in which a copy that was saved again or resized may differ
_OTHER = 20  # bits in which an LR image differs from its HR image if it shows something else
_SAMPLE = 3  # pairs of a folder whose downscaler is identified, since one program made them all
_MAKE = "create_low_res_images_recursive"

Pairs = list[tuple[Facts, Facts]]  # LR first


class Finding(NamedTuple):
    """A row of the report."""

    severity: str
    problem: str
    files: tuple[str, ...]
    effect: str
    fix: str


@dataclass(frozen=True, eq=False, repr=False)
class DatasetReport:
    """The findings of the data doctor, the worst first. It prints as text and shows as a table.

    Attributes:
        root: The folder that was examined.
        scale: HR pixels per LR pixel, in each direction.
        pictures: The number of images that were examined.
        findings: A row per finding, with the columns severity ("error": training fails or learns
            the wrong thing; "warning": it learns less; "info": good to know), problem, files
            (paths below the root), effect (on training) and fix.
    """

    root: Path
    scale: int
    pictures: int
    findings: pd.DataFrame

    @property
    def ok(self) -> bool:
        """Whether there is neither an error nor a warning."""
        return bool((self.findings["severity"] == "info").all())

    @property
    def summary(self) -> str:
        """The folder, and the number of findings of each severity, in a sentence."""
        severities = self.findings["severity"].tolist()
        errors = severities.count("error")
        warnings = severities.count("warning")
        return (
            f"{self.root}, scale {self.scale}: {self.pictures} images; "
            f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}, "
            f"{severities.count('info')} info."
        )

    def __repr__(self) -> str:
        lines = [self.summary]
        for row in self.findings.itertuples():
            lines += ["", f"{row.severity.upper()}: {row.problem}"]
            for label, text in (
                ("files:", _first_three(row.files)),
                ("effect:", row.effect),
                ("fix:", row.fix),
            ):
                start = f"  {label:8}"
                lines += textwrap.wrap(
                    text, 100, initial_indent=start, subsequent_indent=" " * len(start)
                )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        table = self.findings.assign(files=self.findings["files"].map(_first_three))
        with pd.option_context("display.max_colwidth", None):
            centred = table.to_html(index=False, border=0, justify="left")
        left_aligned = centred.replace("<td>", '<td style="text-align: left">')
        return f"<p>{html.escape(self.summary)}</p>{left_aligned}"


def _first_three(files: tuple[str, ...]) -> str:
    rest = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return ", ".join(files[:3]) + rest


def check_dataset(
    root: str | os.PathLike,
    *,
    scale: int,
    on_progress: Progress | None = None,
    hr_names: str | None = None,
    lr_names: str | None = None,
) -> DatasetReport:
    """Examine a folder of HR and LR images, and report its faults.

    HR and LR files are told apart by folders whose names have the word HR or LR, or else by such
    words in the names of the files. Partners are found as in `PairedImages`. Without LR files, all
    are HR. Every file is decoded once, on all cores. Faults are reported and not raised, even a
    missing folder.

    Args:
        root: The folder above the HR and LR folders.
        scale: HR pixels per LR pixel, in each direction. Folders of other scales are ignored.
        on_progress: Called as on_progress(done, total) after each image.
        hr_names: A pattern of the names of HR files without suffix, such as "*_HR", in which "*"
            stands for the part that partners share. By default the rule is found by the names.
        lr_names: The same for LR files. Files that do not fit a pattern are not paired.

    Raises:
        ValueError: The scale is not a whole number from 2.

    Example:
        >>> report = check_dataset("no/such/folder", scale=4)
        >>> report.ok
        False
        >>> report.findings["severity"].tolist()
        ['error']
    """
    if int(scale) != scale or scale < 2:
        raise ValueError(f"The scale of a data set is a whole number from 2, not {scale}.")
    root = Path(root).expanduser()
    found: list[Finding] = []
    try:
        files = find_images(root)
    except DataError as error:
        files = []
        effect = "There is nothing to train on."
        fix = "Give the folder above the HR and LR folders."
        found.append(Finding("error", str(error), (), effect, fix))
    hr_files, lr_files = split_sides(files, scale=scale)
    places = [Facts(path.as_posix(), "hr") for path in hr_files]
    places += [Facts(path.as_posix(), "lr") for path in lr_files]
    facts = []
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        for fact in executor.map(partial(examine, root), places):
            facts.append(fact)
            if on_progress:
                on_progress(len(facts), len(places))
    readable = {fact.path: fact for fact in facts if not fact.error}
    found += _unreadable(facts)
    found += _empty_folders(root)
    rule = NameRule(hr_names or "*", lr_names or "*") if hr_names or lr_names else None
    found += _same_names(hr_files + lr_files)
    groups = pair_files(_by_name(hr_files), _by_name(lr_files), scale=scale, rule=rule)
    for group in groups:
        found += _names(group)
    found += _single_images(list(readable.values()), scale)
    found += _copies([fact for fact in readable.values() if fact.side == "hr"])
    pairs = [
        (readable[lr.as_posix()], readable[hr.as_posix()])
        for group in groups
        for hr, lr in group.pairs
        if {hr.as_posix(), lr.as_posix()} <= readable.keys()
    ]
    found += _pairs(root, pairs, scale)
    findings = pd.DataFrame(found, columns=Finding._fields)
    ranks = findings["severity"].map(_SEVERITIES.index)
    findings = findings.iloc[ranks.argsort(kind="stable")].reset_index(drop=True)
    return DatasetReport(root, scale, len(facts), findings)


def _finding(
    severity: str, problem: str, files: Iterable[str], effect: str, fix: str
) -> Iterator[Finding]:
    """The finding, or nothing if no file is concerned."""
    if concerned := tuple(files):
        yield Finding(severity, problem, concerned, effect, fix)


def _unreadable(facts: list[Facts]) -> Iterator[Finding]:
    for fact in facts:
        if fact.error:
            yield Finding(
                "error",
                f"A file cannot be read: {fact.error}",
                (fact.path,),
                "Training stops at this file.",
                "Copy or download it again, or move it and its partner out of the data set.",
            )


def _empty_folders(root: Path) -> Iterator[Finding]:
    empty = []
    for folder, subfolders, files in os.walk(root):
        if not subfolders and not files and folder != str(root):
            empty.append(f"{Path(folder).relative_to(root).as_posix()}/")
        subfolders[:] = sorted(name for name in subfolders if not name.startswith((".", "@")))
    yield from _finding(
        "warning",
        "Folders are empty.",
        empty,
        "Images that belong there are missing from training.",
        "Fill them if a download or an unpacking stopped early; otherwise they do no harm.",
    )


def _by_name(files: list[Path]) -> list[Path]:
    """The files, only one of those that differ in their suffix."""
    return list({file.with_suffix(""): file for file in files}.values())


def _same_names(files: list[Path]) -> Iterator[Finding]:
    kept = {file.with_suffix(""): file for file in files}
    yield from _finding(
        "error",
        "Two images in one folder differ only in their suffix.",
        (
            f"{file.as_posix()} and {kept[file.with_suffix('')].as_posix()}"
            for file in files
            if kept[file.with_suffix("")] != file
        ),
        "Either of them could be paired, so loading the folder fails.",
        "Rename one of the two.",
    )


def _names(group: PairedGroup) -> Iterator[Finding]:
    """Images without a partner."""
    effect = "They cannot be paired, and loading the folder fails."
    hr_alone = sorted(path.as_posix() for path in group.hr_alone)
    lr_alone = sorted(path.as_posix() for path in group.lr_alone)
    if not group.pairs and hr_alone and lr_alone:
        example = f"{hr_alone[0]} and {lr_alone[0]}"
        patterns = group.rule or 'patterns, such as hr_names="*", lr_names="*x4"'
        yield Finding(
            "error",
            f"No HR image pairs with an LR image by its name, such as {example}.",
            (*hr_alone, *lr_alone),
            effect,
            "The images may be fine, and only their names differ. If they belong together, pass "
            f"{patterns}; otherwise check the names of the folders.",
        )
    elif not group.pairs and hr_alone:
        yield Finding(
            "info",
            "HR images have no LR folder of this scale.",
            tuple(hr_alone),
            "LR images are made during training.",
            f"Nothing has to be done; {_MAKE} would make them once and for all.",
        )
    else:
        yield from _finding(
            "error",
            "HR images have no LR image of the same name.",
            hr_alone,
            effect,
            f"Make the missing LR images with {_MAKE}{_expected(group, 'HR')}.",
        )
        yield from _finding(
            "error",
            "LR images have no HR image of the same name.",
            lr_alone,
            effect,
            f"Add the missing HR images{_expected(group, 'LR')}.",
        )


def _expected(group: PairedGroup, side: str) -> str:
    """The name of a missing partner, by the rule of its group."""
    alone = group.hr_alone if side == "HR" else group.lr_alone
    if not alone or group.rule in (None, NameRule()):
        return ""
    partner = group.rule.partner(min(alone), side)
    return f": by the rule {group.rule}, {min(alone).name} needs {partner}"


def _single_images(facts: list[Facts], scale: int) -> Iterator[Finding]:
    """Properties of an image by itself."""
    hr = [fact for fact in facts if fact.side == "hr"]
    patch = _PATCH * scale
    yield from _finding(
        "warning",
        f"HR images are smaller than a patch of {patch} pixels.",
        (fact.path for fact in hr if min(fact.height, fact.width) < patch),
        "No patch can be cut from them, and training refuses them.",
        "Move them out of the data set, or train with a smaller patch_size.",
    )
    yield from _finding(
        "warning",
        "Images are partly transparent (alpha).",
        (fact.path for fact in facts if fact.alpha),
        "The colours of transparent pixels are arbitrary, and the network learns them.",
        "Train with copies on a plain background, saved without alpha.",
    )
    yield from _finding(
        "warning",
        "Images are gray.",
        (fact.path for fact in facts if fact.gray),
        "They are read as three equal channels, and teach the network nothing about colour.",
        "A few do no harm. If they are many, leave them out when you train for colour.",
    )
    yield from _finding(
        "warning",
        "Images have 16 bits per channel.",
        (fact.path for fact in facts if fact.deep),
        "Models and metrics work with 8 bits, and mixed depths do not train together.",
        "Train with copies of 8 bits, and make the LR images from these.",
    )
    yield from _finding(
        "warning",
        "LR images are JPEG, or were once stored as JPEG.",
        (fact.path for fact in facts if fact.side == "lr" and fact.jpeg),
        "The network learns to remove JPEG blocks, and blurs clean images.",
        "Make the LR images again from HR as PNG, unless the model is meant for JPEG.",
    )
    yield from _finding(
        "info",
        f"The sides of HR images are not multiples of {scale}.",
        (fact.path for fact in hr if fact.height % scale or fact.width % scale),
        "None: the last rows and columns are cropped.",
        "Nothing has to be done.",
    )


def _copies(hr: list[Facts]) -> Iterator[Finding]:
    """HR images that occur twice, in one split or in two."""
    files = defaultdict(list)
    for number, one in enumerate(hr):
        for other in hr[number + 1 :]:
            same = one.digest == other.digest
            if same or difference(one, other) <= _COPY:
                splits = {split_of(Path(fact.path)) for fact in (one, other)} - {""}
                relation = "=" if same else "~"
                files[len(splits) == 2, same].append(f"{one.path} {relation} {other.path}")
    leak_effect = (
        "Validation measures memory: its PSNR is too high, and early stopping comes too late."
    )
    copy_effect = "These images count twice, which is a small bias."
    yield from _finding(
        "error",
        "The same image is in two splits (a leak).",
        files[True, True],
        leak_effect,
        "Move it, with its LR image, out of one of them.",
    )
    yield from _finding(
        "warning",
        "Nearly the same image is in two splits (perhaps a leak).",
        files[True, False],
        leak_effect,
        "Compare them. If they show the same, move one out of its split.",
    )
    yield from _finding(
        "warning",
        "The same image occurs twice.",
        files[False, True],
        copy_effect,
        "Move one of each two, with its LR image, out of the data set.",
    )
    yield from _finding(
        "info",
        "Images are nearly the same.",
        files[False, False],
        copy_effect,
        "Compare them. If they show the same, move one out of the data set.",
    )


def _pairs(root: Path, pairs: Pairs, scale: int) -> Iterator[Finding]:
    """The size, the content and the downscaler of LR images, compared with their HR images."""
    wrong_size = []
    rounded_up = []
    wrong_content = []
    good: dict[str, Pairs] = defaultdict(list)
    for lr, hr in pairs:
        smallest = (hr.height // scale, hr.width // scale)
        largest = (-(-hr.height // scale), -(-hr.width // scale))
        if not (smallest[0] <= lr.height <= largest[0] and smallest[1] <= lr.width <= largest[1]):
            wrong_size.append(f"{lr.path} ({lr.width} x {lr.height} for {hr.width} x {hr.height})")
            continue
        if (lr.height, lr.width) != smallest:
            rounded_up.append(lr.path)
        if difference(lr, hr) > _OTHER:
            wrong_content.append(lr.path)
        else:
            good[lr.path.rpartition("/")[0]].append((lr, hr))
    yield from _finding(
        "error",
        f"LR images are not 1/{scale} of their HR images.",
        wrong_size,
        "Patches of the two do not match, and loading fails.",
        f"Check that this is the folder of scale {scale}. If so, make these LR images again.",
    )
    yield from _finding(
        "error",
        "LR images show something else than the HR images of their name.",
        wrong_content,
        "The network learns to paint one picture from another.",
        "Find the right partners, or make the LR images again from HR.",
    )
    yield from _finding(
        "info",
        "The sizes of LR images were rounded up.",
        rounded_up,
        "None: the last row or column, which covers only a part of HR, is cropped.",
        "Nothing has to be done.",
    )
    for downscaler, files in _downscalers(root, good, scale).items():
        yield from _downscaler_finding(downscaler, files)


def _downscalers(root: Path, folders: dict[str, Pairs], scale: int) -> dict[str, list[str]]:
    """The LR images whose downscaler was looked for, a sample of each folder, by its name."""
    made_by = defaultdict(list)
    for folder in folders.values():
        pairs = [(lr, hr) for lr, hr in folder if not (lr.deep or hr.deep)]
        for lr, hr in pairs[:: max(1, -(-len(pairs) // _SAMPLE))]:
            try:
                lr_image, hr_image = (read_image(root / fact.path).array for fact in (lr, hr))
                lr_image = lr_image[: hr.height // scale, : hr.width // scale]
                name = identify_downscaler(lr_image, hr_image, scale=scale)
            except (MemoryError, OSError, ValueError):  # a file may change, or memory run out
                continue
            # the JPEG has a finding of its own
            made_by[name.removesuffix(" + jpeg") if lr.jpeg else name].append(lr.path)
    return made_by


def _downscaler_finding(name: str, files: list[str]) -> Iterator[Finding]:
    again = f"Make the LR images again with {_MAKE}, which uses MATLAB's bicubic"
    if name == "matlab-replicate":
        yield from _finding(
            "info",
            "LR images were made by MATLAB's older bicubic.",
            files,
            "Hardly any: only the outermost pixels differ. The usual Set5 and Set14 are like this.",
            "Nothing has to be done.",
        )
    elif name == "unknown":
        yield from _finding(
            "warning",
            "It is unknown how the LR images were made.",
            files,
            "The network learns to undo this degradation, and scores low on the usual test sets.",
            f"{again}, unless the degradation is intended.",
        )
    elif name != "matlab":
        yield from _finding(
            "warning",
            f"LR images were made by {name}, not by MATLAB's bicubic.",
            files,
            "The network learns to undo this downscaler. On images made by MATLAB it scores too "
            "low, by 1 dB and more if the downscaler does not antialias (opencv, subsampling).",
            f"{again}.",
        )
