"""The data doctor: what is wrong with a folder of training pictures, what it does to training, and the fix (notebook 01)."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations
from pathlib import Path

from srlib.data.facts import NEAR, Facts, distance, examine, find_pictures
from srlib.data.findings import SEVERITIES, DatasetReport, Finding, finding
from srlib.images.downscalers import identify_downscaler
from srlib.images.picture import SUFFIXES, read_image

_PATCH = 48  # LR pixels a side, the patch of the EDSR paper
_OTHER = 20  # bits: an LR image that is further from its HR image than this shows something else
_TRIED = 3  # pairs of a folder whose downscaler is looked at: a folder is made by one program


def check_dataset(
    root: str | os.PathLike, *, scale: int, on_progress: Callable[[int, int], None] | None = None
) -> DatasetReport:
    """Examine a folder of HR and LR pictures, in any of the layouts people use, and say what to mend.

    Known are this course's DIV2K_train_HR with DIV2K_train_LR/X4, the official DIV2K_train_LR_bicubic/X4/0001x4.png, and plain
    hr and lr folders (train/hr, Set5/X4/HR and so on); a folder of pictures without such names is taken for HR.  Every file is
    decoded once, by all cores; on_progress(done, total) is called after each.  A broken folder is what this is for, so it is
    reported and not raised, down to a root that does not exist.  Raises ValueError for a scale that is not a whole number from 2.
    """
    if int(scale) != scale or scale < 2:
        raise ValueError(f"The scale of a data set is a whole number from 2, not {scale}.")
    root = Path(root)
    places = find_pictures(root, scale)
    if not places:
        why = (
            f"There are no pictures in {root}." if root.is_dir() else f"There is no folder {root}."
        )
        looked = f"Give the folder above the HR and LR folders; {', '.join(sorted(SUFFIXES))} are looked for."
        nothing = Finding(
            "error", f"This is not a data set: {why}", (), "There is nothing to train on.", looked
        )
        return DatasetReport(root, scale, 0, (nothing,))
    facts = []
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        for done, fact in enumerate(executor.map(partial(examine, root), places), 1):
            facts.append(fact)
            if on_progress:
                on_progress(done, len(places))
    good = [fact for fact in facts if not fact.error]
    findings = [
        *_unreadable(facts), *_empty(root), *_names(facts), *_kinds(good, scale), *_copies(good), *_fits(root, good, scale),
    ]  # fmt: skip
    findings.sort(key=lambda found: SEVERITIES.index(found.severity))
    return DatasetReport(root, scale, len(facts), tuple(findings))


def _unreadable(facts: list[Facts]) -> list[Finding]:
    effect, fix = (
        "Training stops when it comes to this file.",
        "Copy or download it again, or delete it with its partner.",
    )
    return [
        Finding("error", f"A file cannot be read: {f.error}", (f.path,), effect, fix)
        for f in facts
        if f.error
    ]


def _empty(root: Path) -> list[Finding]:
    folders = (
        p
        for p in sorted(root.rglob("*"))
        if p.is_dir() and not p.name.startswith(".") and not any(p.iterdir())
    )
    effect = "Whatever should be in there is missing from training."
    fix = "Fill them (was a download or an unpacking cut short?) or delete them."
    return finding(
        "warning",
        "Folders are empty.",
        (f"{p.relative_to(root).as_posix()}/" for p in folders),
        effect,
        fix,
    )


def _names(facts: list[Facts]) -> list[Finding]:
    """Pairing by name, group by group."""
    sides = {side: {(f.group, f.key): f for f in facts if f.side == side} for side in ("hr", "lr")}
    seen, twice = set(), []
    for fact in facts:
        twice += [fact.path] * ((fact.side, fact.group, fact.key) in seen)
        seen.add((fact.side, fact.group, fact.key))
    found = finding(
        "error", "Two pictures in one folder have the same name but for the suffix.", twice,
        "It is chance which of them is paired.", "Rename or delete one of each.",
    )  # fmt: skip
    with_lr = {group for group, _ in sides["lr"]}
    no_lr = sorted(
        f.path for name, f in sides["hr"].items() if name not in sides["lr"] and name[0] in with_lr
    )
    only_hr = sorted(f.path for name, f in sides["hr"].items() if name[0] not in with_lr)
    no_hr = sorted(f.path for name, f in sides["lr"].items() if name not in sides["hr"])
    make = "create_low_res_images_recursive"
    found += finding(
        "error", "HR pictures have no LR picture of the same name.", no_lr,
        "They cannot be paired, and loading the folder stops.", f"Make the missing LR images with {make}, or delete these.",
    )  # fmt: skip
    found += finding(
        "error", "LR pictures have no HR picture of the same name.", no_hr,
        "They cannot be paired, and loading the folder stops.", "Bring the HR pictures, or delete these.",
    )  # fmt: skip
    return found + finding(
        "info", "There are HR pictures without an LR folder of this scale.", only_hr,
        "LR images have to be made while training.", f"Nothing, or make them once with {make}.",
    )  # fmt: skip


def _kinds(facts: list[Facts], scale: int) -> list[Finding]:
    """What single pictures are like."""
    patch = _PATCH * scale
    small = [f.path for f in facts if f.side == "hr" and min(f.height, f.width) < patch]
    odd = [f.path for f in facts if f.side == "hr" and (f.height % scale or f.width % scale)]
    jpeg = [f.path for f in facts if f.side == "lr" and f.jpeg]
    return [
        *finding("warning", f"HR pictures are smaller than a patch of {patch} pixels.", small,
                  "No patch can be cut from them; training refuses them.", "Remove them, or train with a smaller patch_size."),
        *finding("warning", "Pictures are transparent in part (alpha).", (f.path for f in facts if f.alpha),
                  "Colours under transparent pixels are arbitrary, and are learnt as if they were seen.",
                  "Put them on a plain background and save them without alpha."),
        *finding("warning", "Pictures are gray.", (f.path for f in facts if f.gray),
                  "They are read as three equal channels; many of them teach the network nothing about colour.",
                  "Leave a few in; remove them if they are many and the model is for colour."),
        *finding("warning", "Pictures have 16 bits a channel.", (f.path for f in facts if f.deep),
                  "Models and metrics here work with 8 bits; mixed depths do not train together.",
                  "Convert HR to 8 bits, then make the LR images again."),
        *finding("warning", "LR pictures are JPEG, or were once stored as JPEG.", jpeg,
                  "The network learns to undo JPEG's blocks, and blurs clean pictures for it.",
                  "Make the LR images again from HR and save them as PNG, unless JPEG is what the model is meant for."),
        *finding("info", f"The sides of HR pictures are not multiples of {scale}.", odd,
                  "None: the last rows and columns are cropped.", "Nothing has to be done."),
    ]  # fmt: skip


def _copies(facts: list[Facts]) -> list[Finding]:
    """HR pictures that are there twice, in one split or, worse, in two."""
    found = defaultdict(list)
    for one, other in combinations([f for f in facts if f.side == "hr"], 2):
        same = one.digest == other.digest
        if same or (one.shape_bits is not None and distance(one, other) <= NEAR):
            leak = bool(one.split and other.split and one.split != other.split)
            found[leak, same].append(
                f"{one.path} = {other.path}" if same else f"{one.path} ~ {other.path}"
            )
    cost = "Validation measures what was learnt by heart: its PSNR is too good, and early stopping comes too late."
    often = "These pictures count twice, which is a little waste and a little bias."
    return [
        *finding("error", "The same picture is in two splits (a leak).", found[True, True], cost, "Delete it from one."),
        *finding("warning", "Nearly the same picture is in two splits (a leak?).", found[True, False], cost,
                  "Look at them; if they show the same, delete one."),
        *finding("warning", "The same picture is there twice.", found[False, True], often,
                  "Delete one of each, with its LR image."),
        *finding("info", "Pictures are nearly the same.", found[False, False], often,
                  "Look at them; delete one if they show the same."),
    ]  # fmt: skip


def _fits(root: Path, facts: list[Facts], scale: int) -> list[Finding]:
    """LR pictures beside their HR pictures: size, content and downscaler."""
    hr_facts = {(f.group, f.key): f for f in facts if f.side == "hr"}
    pairs = [
        (lr, hr_facts[lr.group, lr.key])
        for lr in facts
        if lr.side == "lr" and (lr.group, lr.key) in hr_facts
    ]
    fitting, wrong_size = defaultdict(list), []
    for lr, hr in pairs:
        if (lr.height, lr.width) == (hr.height // scale, hr.width // scale):
            fitting[lr.group].append((lr, hr))
        else:
            wrong_size.append(f"{lr.path} ({lr.width} x {lr.height} for {hr.width} x {hr.height})")
    others = [
        lr.path
        for group in fitting.values()
        for lr, hr in group
        if lr.shape_bits and distance(lr, hr) > _OTHER
    ]
    found = finding(
        "error", f"LR pictures are not 1/{scale} of their HR pictures.", wrong_size,
        "Patches of the two do not fit; loading stops.",
        f"Is this the folder of scale {scale}?  If so, make these LR images again from HR.",
    ) + finding(
        "error", "LR pictures show something else than the HR pictures of their name.", others,
        "The network learns to paint one picture from another.", "Find the right partners, or make the LR images again from HR.",
    )  # fmt: skip
    made = defaultdict(list)
    for group in fitting.values():
        alike = [
            pair for pair in group if not (pair[0].deep or pair[1].deep or pair[0].path in others)
        ]
        for lr, hr in alike[:: max(1, -(-len(alike) // _TRIED))]:
            lr_image, hr_image = (read_image(root / f.path).array for f in (lr, hr))
            name = identify_downscaler(lr_image, hr_image, scale=scale)
            made[name.removesuffix(" + jpeg") if lr.jpeg else name].append(
                lr.path
            )  # that it is a JPEG was said already
    for name, files in made.items():
        found += _not_matlab(name, files)
    return found


def _not_matlab(name: str, files: list[str]) -> list[Finding]:
    again = "Make the LR images again with create_low_res_images_recursive, whose default is MATLAB's bicubic"
    if name == "matlab":
        return []
    if name == "matlab-replicate":
        effect = "None to speak of: only the outermost pixels differ.  The shared Set5 and Set14 pairs are like this."
        return finding(
            "info",
            "LR pictures were made by MATLAB's older bicubic.",
            files,
            effect,
            "Nothing has to be done.",
        )
    if name == "unknown":
        effect = "The network learns to undo this degradation; on the field's test images it scores low, and nobody sees why."
        return finding(
            "warning",
            "It is not known what made the LR pictures.",
            files,
            effect,
            f"{again}, unless it is meant.",
        )
    effect = "The network learns to undo this downscaler; measured on images made by MATLAB's it scores too low, by 1 dB and more if"
    effect += " the downscaler does not antialias (opencv, subsampling)."
    return finding(
        "warning",
        f"LR pictures were made by {name}, not by MATLAB's bicubic.",
        files,
        effect,
        f"{again}.",
    )
