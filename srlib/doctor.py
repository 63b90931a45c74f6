"""The data doctor: what is wrong with a folder of training pictures, what it does to training, and the fix (notebook 01)."""

from __future__ import annotations

import hashlib
import html
import os
import re
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

from srlib.downscalers import identify_downscaler, jpeg_quality
from srlib.images import SUFFIXES, ImageError, read_image

SEVERITIES = ("error", "warning", "info")  # training fails or learns the wrong thing; learns less; good to know
_PATCH = 48  # LR pixels a side, the patch of the EDSR paper
_NEAR = 4  # of 64 bits: what a copy that was saved anew or resized may differ in
_OTHER = 20  # bits: an LR image that is further from its HR image than this shows something else
_TRIED = 3  # pairs of a folder whose downscaler is looked at: a folder is made by one program


@dataclass(frozen=True)
class Finding:
    """severity: "error", "warning" or "info".  problem, effect (on training) and fix are sentences; files lie under the root."""

    severity: str
    problem: str
    files: tuple[str, ...]
    effect: str
    fix: str


@dataclass(frozen=True)
class DatasetReport:
    """What the doctor found, worst first.  Prints as text; a notebook shows a table."""

    root: Path
    scale: int
    pictures: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing worse than info was found."""
        return all(finding.severity == "info" for finding in self.findings)

    def _summary(self) -> str:
        counts = {severity: sum(f.severity == severity for f in self.findings) for severity in SEVERITIES}
        found = ", ".join(f"{count} {severity}{'s' * (count != 1 and severity != 'info')}" for severity, count in counts.items())
        return f"{self.root}, scale {self.scale}: {self.pictures} pictures; {found}."

    def __str__(self) -> str:
        lines = [self._summary()]
        for finding in self.findings:
            lines += ["", f"{finding.severity.upper()}: {finding.problem}"]
            parts = (("files", _some(finding.files)), ("effect", finding.effect), ("fix", finding.fix))
            for label, text in parts:
                lines += textwrap.wrap(text, 100, initial_indent=f"  {label + ':':8}", subsequent_indent=" " * 10)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            (finding.severity, finding.problem, _some(finding.files), finding.effect, finding.fix) for finding in self.findings
        ]
        head = "".join(
            f'<th style="text-align: left">{name}</th>' for name in ("severity", "problem", "files", "effect on training", "fix")
        )
        body = "".join(
            "<tr>" + "".join(f'<td style="text-align: left">{html.escape(cell)}</td>' for cell in row) + "</tr>" for row in rows
        )
        return f"<p>{html.escape(self._summary())}</p><table><tr>{head}</tr>{body}</table>"


@dataclass(frozen=True)
class _Facts:
    """One file as read.  side: "hr" or "lr".  group: the same for the two folders of a pair.  key: the name that pairs."""

    path: str
    side: str
    group: str
    key: str
    error: str = ""
    height: int = 0
    width: int = 0
    gray: bool = False
    alpha: bool = False
    deep: bool = False
    jpeg: bool = False
    digest: str = ""
    shape_bits: int | None = None  # difference hash, None for a flat picture

    @property
    def split(self) -> str:
        """ "train", "valid", "test" or "" by the folders' names."""
        words = re.findall(r"train|valid|val|test", str(Path(self.path).parent).lower())
        return {"val": "valid"}.get(words[-1], words[-1]) if words else ""


def check_dataset(root: str | os.PathLike, *, scale: int, on_progress: Callable[[int, int], None] | None = None) -> DatasetReport:
    """Examine a folder of HR and LR pictures, in any of the layouts people use, and say what to mend.

    Known are this course's DIV2K_train_HR with DIV2K_train_LR/X4, the official DIV2K_train_LR_bicubic/X4/0001x4.png, and plain
    hr and lr folders (train/hr, Set5/X4/HR and so on); a folder of pictures without such names is taken for HR.  Every file is
    decoded once, by all cores; on_progress(done, total) is called after each.  A broken folder is what this is for, so it is
    reported and not raised, down to a root that does not exist.  Raises ValueError for a scale that is not a whole number from 2.
    """
    if int(scale) != scale or scale < 2:
        raise ValueError(f"The scale of a data set is a whole number from 2, not {scale}.")
    root = Path(root)
    places = _places(root, scale)
    if not places:
        why = f"There are no pictures in {root}." if root.is_dir() else f"There is no folder {root}."
        looked = f"Give the folder above the HR and LR folders; {', '.join(sorted(SUFFIXES))} are looked for."
        finding = Finding("error", f"This is not a data set: {why}", (), "There is nothing to train on.", looked)
        return DatasetReport(root, scale, 0, (finding,))
    facts = []
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        for done, fact in enumerate(executor.map(partial(_examine, root), places), 1):
            facts.append(fact)
            if on_progress:
                on_progress(done, len(places))
    good = [fact for fact in facts if not fact.error]
    findings = [
        *_unreadable(facts), *_empty(root), *_names(facts), *_kinds(good, scale), *_copies(good), *_fits(root, good, scale),
    ]  # fmt: skip
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return DatasetReport(root, scale, len(facts), tuple(findings))


def _some(files: tuple[str, ...]) -> str:
    return ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")


def _places(root: Path, scale: int) -> list[_Facts]:
    """Every picture of this scale, with its side, group and key by its name."""
    files = sorted(p.relative_to(root) for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    places = []
    for file in files:
        if any(part.startswith(".") for part in file.parts):
            continue
        side, group, inner = "", [], []
        other_scale = False
        for part in file.parts[:-1]:
            words = re.split(r"[_\-. ]+", part.lower())
            other_scale |= any(re.fullmatch(r"x\d+", word) and word != f"x{scale}" for word in words)
            below = bool(side)  # the folder that says hr or lr is above this one
            if not below and (named := {"hr", "lr"} & set(words)):
                side = named.pop()
                words = [word for word in words if word not in ("hr", "lr", "bicubic", "unknown")]
            (inner if below else group).extend(word for word in words if word != f"x{scale}")
        if not other_scale:
            stem = file.stem.removesuffix(f"x{scale}") if side == "lr" else file.stem
            places.append(_Facts(file.as_posix(), side, "/".join(group), "/".join([*inner, stem])))
    lr_groups = {place.group for place in places if place.side == "lr"}
    if not lr_groups:
        return [replace(place, side="hr") for place in places]
    places = [place for place in places if place.side]  # pictures beside the HR and LR folders belong to neither
    if len(lr_groups) == len({place.group for place in places if place.side == "hr"}) == 1:
        return [replace(place, group="") for place in places]  # one folder of each: no doubt that they belong together
    return places


def _examine(root: Path, place: _Facts) -> _Facts:
    try:
        picture = read_image(root / place.path)
        with Image.open(root / place.path) as file:
            stored_as_jpeg = file.format == "JPEG"
    except (ImageError, OSError) as error:
        return replace(place, error=str(error))
    rgb, (height, width) = picture.rgb, picture.size
    eight = rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)
    gray = picture.mode == "L" or bool((rgb == rgb[..., :1]).all())
    digest = hashlib.blake2b(repr(rgb.shape).encode() + np.ascontiguousarray(rgb).tobytes(), digest_size=16).hexdigest()
    traces = place.side == "lr" and jpeg_quality([eight[:192, :192]]) is not None
    return replace(
        place, height=height, width=width, gray=gray, alpha=picture.alpha is not None, deep=rgb.dtype != np.uint8,
        jpeg=stored_as_jpeg or traces, digest=digest, shape_bits=_difference_hash(eight),
    )  # fmt: skip


def _difference_hash(rgb: np.ndarray) -> int | None:
    """64 bits: is each pixel of the picture, shrunk to 9 by 8 gray ones, lighter than its right neighbour?"""
    small = np.asarray(Image.fromarray(rgb).convert("L").resize((9, 8), Image.Resampling.BOX), np.int16)
    if np.ptp(small) < 8:
        return None
    return int.from_bytes(np.packbits(small[:, :-1] > small[:, 1:]).tobytes())


def _distance(one: _Facts, other: _Facts) -> int:
    if one.shape_bits is None or other.shape_bits is None:
        return 0 if one.shape_bits == other.shape_bits else _NEAR + 1
    return (one.shape_bits ^ other.shape_bits).bit_count()


def _finding(severity: str, problem: str, files: Iterable[str], effect: str, fix: str) -> list[Finding]:
    """A list of one, or of none if no file is concerned."""
    files = tuple(files)
    return [Finding(severity, problem, files, effect, fix)] if files else []


def _unreadable(facts: list[_Facts]) -> list[Finding]:
    effect, fix = "Training stops when it comes to this file.", "Copy or download it again, or delete it with its partner."
    return [Finding("error", f"A file cannot be read: {f.error}", (f.path,), effect, fix) for f in facts if f.error]


def _empty(root: Path) -> list[Finding]:
    folders = (p for p in sorted(root.rglob("*")) if p.is_dir() and not p.name.startswith(".") and not any(p.iterdir()))
    effect = "Whatever should be in there is missing from training."
    fix = "Fill them (was a download or an unpacking cut short?) or delete them."
    return _finding("warning", "Folders are empty.", (f"{p.relative_to(root).as_posix()}/" for p in folders), effect, fix)


def _names(facts: list[_Facts]) -> list[Finding]:
    """Pairing by name, group by group."""
    sides = {side: {(f.group, f.key): f for f in facts if f.side == side} for side in ("hr", "lr")}
    seen, twice = set(), []
    for fact in facts:
        twice += [fact.path] * ((fact.side, fact.group, fact.key) in seen)
        seen.add((fact.side, fact.group, fact.key))
    found = _finding(
        "error", "Two pictures in one folder have the same name but for the suffix.", twice,
        "It is chance which of them is paired.", "Rename or delete one of each.",
    )  # fmt: skip
    with_lr = {group for group, _ in sides["lr"]}
    no_lr = sorted(f.path for name, f in sides["hr"].items() if name not in sides["lr"] and name[0] in with_lr)
    only_hr = sorted(f.path for name, f in sides["hr"].items() if name[0] not in with_lr)
    no_hr = sorted(f.path for name, f in sides["lr"].items() if name not in sides["hr"])
    make = "create_low_res_images_recursive"
    found += _finding(
        "error", "HR pictures have no LR picture of the same name.", no_lr,
        "They cannot be paired, and loading the folder stops.", f"Make the missing LR images with {make}, or delete these.",
    )  # fmt: skip
    found += _finding(
        "error", "LR pictures have no HR picture of the same name.", no_hr,
        "They cannot be paired, and loading the folder stops.", "Bring the HR pictures, or delete these.",
    )  # fmt: skip
    return found + _finding(
        "info", "There are HR pictures without an LR folder of this scale.", only_hr,
        "LR images have to be made while training.", f"Nothing, or make them once with {make}.",
    )  # fmt: skip


def _kinds(facts: list[_Facts], scale: int) -> list[Finding]:
    """What single pictures are like."""
    patch = _PATCH * scale
    small = [f.path for f in facts if f.side == "hr" and min(f.height, f.width) < patch]
    odd = [f.path for f in facts if f.side == "hr" and (f.height % scale or f.width % scale)]
    jpeg = [f.path for f in facts if f.side == "lr" and f.jpeg]
    return [
        *_finding("warning", f"HR pictures are smaller than a patch of {patch} pixels.", small,
                  "No patch can be cut from them; training refuses them.", "Remove them, or train with a smaller patch_size."),
        *_finding("warning", "Pictures are transparent in part (alpha).", (f.path for f in facts if f.alpha),
                  "Colours under transparent pixels are arbitrary, and are learnt as if they were seen.",
                  "Put them on a plain background and save them without alpha."),
        *_finding("warning", "Pictures are gray.", (f.path for f in facts if f.gray),
                  "They are read as three equal channels; many of them teach the network nothing about colour.",
                  "Leave a few in; remove them if they are many and the model is for colour."),
        *_finding("warning", "Pictures have 16 bits a channel.", (f.path for f in facts if f.deep),
                  "Models and metrics here work with 8 bits; mixed depths do not train together.",
                  "Convert HR to 8 bits, then make the LR images again."),
        *_finding("warning", "LR pictures are JPEG, or were once stored as JPEG.", jpeg,
                  "The network learns to undo JPEG's blocks, and blurs clean pictures for it.",
                  "Make the LR images again from HR and save them as PNG, unless JPEG is what the model is meant for."),
        *_finding("info", f"The sides of HR pictures are not multiples of {scale}.", odd,
                  "None: the last rows and columns are cropped.", "Nothing has to be done."),
    ]  # fmt: skip


def _copies(facts: list[_Facts]) -> list[Finding]:
    """HR pictures that are there twice, in one split or, worse, in two."""
    found = defaultdict(list)
    for one, other in combinations([f for f in facts if f.side == "hr"], 2):
        same = one.digest == other.digest
        if same or (one.shape_bits is not None and _distance(one, other) <= _NEAR):
            leak = bool(one.split and other.split and one.split != other.split)
            found[leak, same].append(f"{one.path} = {other.path}" if same else f"{one.path} ~ {other.path}")
    cost = "Validation measures what was learnt by heart: its PSNR is too good, and early stopping comes too late."
    often = "These pictures count twice, which is a little waste and a little bias."
    return [
        *_finding("error", "The same picture is in two splits (a leak).", found[True, True], cost, "Delete it from one."),
        *_finding("warning", "Nearly the same picture is in two splits (a leak?).", found[True, False], cost,
                  "Look at them; if they show the same, delete one."),
        *_finding("warning", "The same picture is there twice.", found[False, True], often,
                  "Delete one of each, with its LR image."),
        *_finding("info", "Pictures are nearly the same.", found[False, False], often,
                  "Look at them; delete one if they show the same."),
    ]  # fmt: skip


def _fits(root: Path, facts: list[_Facts], scale: int) -> list[Finding]:
    """LR pictures beside their HR pictures: size, content and downscaler."""
    hr_facts = {(f.group, f.key): f for f in facts if f.side == "hr"}
    pairs = [(lr, hr_facts[lr.group, lr.key]) for lr in facts if lr.side == "lr" and (lr.group, lr.key) in hr_facts]
    fitting, wrong_size = defaultdict(list), []
    for lr, hr in pairs:
        if (lr.height, lr.width) == (hr.height // scale, hr.width // scale):
            fitting[lr.group].append((lr, hr))
        else:
            wrong_size.append(f"{lr.path} ({lr.width} x {lr.height} for {hr.width} x {hr.height})")
    others = [lr.path for group in fitting.values() for lr, hr in group if lr.shape_bits and _distance(lr, hr) > _OTHER]
    found = _finding(
        "error", f"LR pictures are not 1/{scale} of their HR pictures.", wrong_size,
        "Patches of the two do not fit; loading stops.",
        f"Is this the folder of scale {scale}?  If so, make these LR images again from HR.",
    ) + _finding(
        "error", "LR pictures show something else than the HR pictures of their name.", others,
        "The network learns to paint one picture from another.", "Find the right partners, or make the LR images again from HR.",
    )  # fmt: skip
    made = defaultdict(list)
    for group in fitting.values():
        alike = [pair for pair in group if not (pair[0].deep or pair[1].deep or pair[0].path in others)]
        for lr, hr in alike[:: max(1, -(-len(alike) // _TRIED))]:
            lr_image, hr_image = (read_image(root / f.path).array for f in (lr, hr))
            name = identify_downscaler(lr_image, hr_image, scale=scale)
            made[name.removesuffix(" + jpeg") if lr.jpeg else name].append(lr.path)  # that it is a JPEG was said already
    for name, files in made.items():
        found += _not_matlab(name, files)
    return found


def _not_matlab(name: str, files: list[str]) -> list[Finding]:
    again = "Make the LR images again with create_low_res_images_recursive, whose default is MATLAB's bicubic"
    if name == "matlab":
        return []
    if name == "matlab-replicate":
        effect = "None to speak of: only the outermost pixels differ.  The shared Set5 and Set14 pairs are like this."
        return _finding("info", "LR pictures were made by MATLAB's older bicubic.", files, effect, "Nothing has to be done.")
    if name == "unknown":
        effect = "The network learns to undo this degradation; on the field's test images it scores low, and nobody sees why."
        return _finding("warning", "It is not known what made the LR pictures.", files, effect, f"{again}, unless it is meant.")
    effect = (
        "The network learns to undo this downscaler; measured on images made by MATLAB's it scores too low, by 1 dB and more if"
    )
    effect += " the downscaler does not antialias (opencv, subsampling)."
    return _finding("warning", f"LR pictures were made by {name}, not by MATLAB's bicubic.", files, effect, f"{again}.")
