"""The data doctor: the faults of a folder of training images, their effect, and their fix."""

from __future__ import annotations

import hashlib
import html
import os
import textwrap
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from srlib.data.pairing import Pairing, pair_files, split_of, split_sides
from srlib.data.pairs import size_fault
from srlib.errors import DataError, printable
from srlib.files.progress import Progress
from srlib.images.downscalers import identify_downscaler, jpeg_quality
from srlib.images.finder import find_images, list_pictures
from srlib.images.picture import ImageError, read_image

_TEXTS = tomllib.loads(Path(__file__).with_name("findings.toml").read_text(encoding="utf-8"))
_COLUMNS = ("severity", "problem", "files", "effect", "fix")
_SEVERITIES = ("error", "warning", "info")
_PATCH = 48  # LR pixels per side, the patch of the EDSR paper
_COPY = 4  # bits of 64 in which a copy that was saved again or resized may differ
_OTHER = 20  # bits in which an LR image differs from its HR image if it shows something else
_SAMPLE = 3  # pairs of a folder whose downscaler is identified, since one program made them all


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
            f"{printable(self.root)}, scale {self.scale}: {self.pictures} images; "
            f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}, "
            f"{severities.count('info')} info."
        )

    def __repr__(self) -> str:
        lines = [self.summary]
        for row in self._shown().itertuples():
            lines += ["", f"{row.severity.upper()}: {row.problem}"]
            for label in ("files", "effect", "fix"):
                start = f"  {label + ':':8}"
                indent = " " * len(start)
                text = getattr(row, label)
                lines += textwrap.wrap(text, 100, initial_indent=start, subsequent_indent=indent)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        with pd.option_context("display.max_colwidth", None):
            centred = self._shown().to_html(index=False, border=0, justify="left")
        left_aligned = centred.replace("<td>", '<td style="text-align: left">')
        return f"<p>{html.escape(self.summary)}</p>{left_aligned}"

    def _shown(self) -> pd.DataFrame:
        """The findings with the first three files of each, as text that can be shown."""
        findings = self.findings.assign(files=self.findings["files"].map(_first_three))
        return findings.map(printable)


def _first_three(files: tuple[str, ...]) -> str:
    rest = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return ", ".join(files[:3]) + rest


@dataclass(frozen=True)
class Facts:
    """An image file and its properties."""

    path: str  # below the root of the data set
    side: str  # "hr" or "lr"
    error: str = ""  # why the file cannot be read
    height: int = 0
    width: int = 0
    gray: bool = False  # the three channels are equal
    alpha: bool = False
    deep: bool = False  # 16 bits per channel
    jpeg: bool = False  # stored as JPEG, or LR with traces of JPEG
    digest: str = ""  # hash of the pixels
    shape_bits: int | None = None  # shared with a copy, saved again or resized; None if flat


def _examine(root: Path, place: Facts) -> Facts:
    """Decode the image and fill in its properties, or the error."""
    path = root / place.path
    try:
        picture = read_image(path)
        with open(path, "rb") as file:
            is_jpeg = file.read(3) == b"\xff\xd8\xff"
        rgb = picture.rgb
        height, width = picture.size
        eight_bit = rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)
        if place.side == "lr" and jpeg_quality([eight_bit[:192, :192]]) is not None:
            is_jpeg = True
        pixels = np.ascontiguousarray(rgb)
        return replace(
            place,
            height=height,
            width=width,
            gray=picture.mode == "L" or bool((rgb == rgb[..., :1]).all()),
            alpha=picture.alpha is not None,
            deep=rgb.dtype != np.uint8,
            jpeg=is_jpeg,
            digest=hashlib.blake2b(repr(rgb.shape).encode() + pixels.tobytes()).hexdigest(),
            shape_bits=_difference_hash(eight_bit),
        )
    except ImageError as error:
        return replace(place, error=str(error))
    except Exception as error:  # no file may stop the report on the others
        reason = str(error) or type(error).__name__
        if isinstance(error, MemoryError):
            reason = "it needs more memory than there is"
        return replace(place, error=f"{place.path}: {reason}.")


def _difference_hash(rgb: np.ndarray) -> int | None:
    """A bit per pixel of the image shrunk to 9 x 8: it is brighter than its right neighbour."""
    gray = Image.fromarray(rgb).convert("L").resize((9, 8), Image.Resampling.BOX)
    small = np.asarray(gray, np.int16)
    if np.ptp(small) < 8:
        return None
    return int.from_bytes(np.packbits(small[:, :-1] > small[:, 1:]).tobytes())


def _difference(one: Facts, other: Facts) -> int:
    """The number of shape bits that differ, of 64; flat images cannot be compared: 10 of 64."""
    if one.shape_bits is None or other.shape_bits is None:
        return 10
    return (one.shape_bits ^ other.shape_bits).bit_count()


_Pairs = list[tuple[Facts, Facts]]  # LR first
# key of _TEXTS, files, its values
_Found = Iterator[tuple[str, Iterable[str], Mapping[str, object]]]


def check_dataset(
    root: str | os.PathLike,
    *,
    scale: int,
    on_progress: Progress | None = None,
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
    found: list[tuple[str, Iterable[str], Mapping[str, object]]] = []
    files: list[Path] = []
    try:
        files = find_images(root)
        passed_over = list_pictures(root).passed_over
        reasons = Counter(passed_over.values()).most_common()
        counts = ", ".join(f"{count} {reason}" for reason, count in reasons)
        found.append(("passed_over", map(Path.as_posix, passed_over), {"reasons": counts}))
    except DataError as error:
        found.append(("no_images", [root.as_posix()], {"error": error}))
    hr_files, lr_files = split_sides(files, scale=scale)
    places = [Facts(path.as_posix(), "hr") for path in hr_files]
    places += [Facts(path.as_posix(), "lr") for path in lr_files]
    facts: dict[str, Facts] = {}
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        for fact in executor.map(partial(_examine, root), places):
            facts[fact.path] = fact
            if on_progress:
                on_progress(len(facts), len(places))
    for path, fact in facts.items():
        if fact.error:
            found.append(("unreadable", [path], {"error": fact.error}))
    readable = {path: fact for path, fact in facts.items() if not fact.error}
    found.append(("same_names", _same_names(hr_files + lr_files), {}))
    pairing = pair_files(_by_name(hr_files), _by_name(lr_files), scale=scale)
    found += _without_partner(pairing, readable)
    found += _single_images(list(readable.values()), scale)
    found += _copies([fact for fact in readable.values() if fact.side == "hr"])
    pairs = [
        (readable[lr.as_posix()], readable[hr.as_posix()])
        for hr, lr in pairing.pairs
        if {hr.as_posix(), lr.as_posix()} <= readable.keys()
    ]
    found += _pairs(root, pairs, scale)
    return DatasetReport(root, scale, len(facts), _table(found, scale))


def _table(found: Iterable, scale: int) -> pd.DataFrame:
    """The findings that concern a file, in words, the worst first."""
    rows = []
    for key, paths, values in found:
        if files := tuple(paths):
            values = {"make": "create_low_res_images_recursive", "scale": scale, **values}
            values["patch"] = _PATCH * scale
            row = {column: text.format(**values) for column, text in _TEXTS[key].items()}
            rows.append(row | {"files": files})
    rows.sort(key=lambda row: _SEVERITIES.index(row["severity"]))
    return pd.DataFrame(rows, columns=_COLUMNS)


def _by_name(files: list[Path]) -> list[Path]:
    """The files, only one of those that differ in their suffix."""
    return list({file.with_suffix(""): file for file in files}.values())


def _same_names(files: list[Path]) -> Iterator[str]:
    kept = {file.with_suffix(""): file for file in _by_name(files)}
    for file in files:
        if kept[file.with_suffix("")] != file:
            yield f"{file.as_posix()} and {kept[file.with_suffix('')].as_posix()}"


def _without_partner(pairing: Pairing, readable: dict[str, Facts]) -> _Found:
    """Images that are not paired. A damaged one is a finding already."""
    splits_with_lr = {split_of(lr) for _, lr in pairing.pairs}
    splits_with_lr |= {split_of(lr) for lr in pairing.lr_alone}
    alone: dict[str, list[str]] = {"no_lr_folder": [], "no_lr_image": [], "no_hr_image": []}
    for hr in pairing.hr_alone:
        key = "no_lr_image" if split_of(hr) in splits_with_lr else "no_lr_folder"
        alone[key].append(hr.as_posix())
    alone["no_hr_image"] = [lr.as_posix() for lr in pairing.lr_alone]
    for key, files in alone.items():
        yield key, sorted(readable.keys() & set(files)), {}


def _single_images(facts: list[Facts], scale: int) -> _Found:
    """Properties of an image by itself."""
    hr = [fact for fact in facts if fact.side == "hr"]
    jpeg = [fact for fact in facts if fact.side == "lr" and fact.jpeg]
    patch = _PATCH * scale
    yield "small", [fact.path for fact in hr if min(fact.height, fact.width) < patch], {}
    yield "alpha", [fact.path for fact in facts if fact.alpha], {}
    yield "gray", [fact.path for fact in facts if fact.gray], {}
    yield "deep", [fact.path for fact in facts if fact.deep], {}
    yield "jpeg", [fact.path for fact in jpeg], {}
    cropped = [fact.path for fact in hr if fact.height % scale or fact.width % scale]
    yield "no_multiple", cropped, {}


def _copies(hr: list[Facts]) -> _Found:
    """HR images that occur twice, in one split or in two."""
    files = defaultdict(list)
    for one, other in combinations(hr, 2):
        same = one.digest == other.digest
        if same or _difference(one, other) <= _COPY:
            splits = {split_of(Path(fact.path)) for fact in (one, other)} - {""}
            relation = "=" if same else "~"
            files[len(splits) == 2, same].append(f"{one.path} {relation} {other.path}")
    yield "leak", files[True, True], {}
    yield "perhaps_a_leak", files[True, False], {}
    yield "copy", files[False, True], {}
    yield "near_copy", files[False, False], {}


def _pairs(root: Path, pairs: _Pairs, scale: int) -> _Found:
    """The size, the content and the downscaler of LR images, compared with their HR images."""
    wrong_size: dict[tuple[str, str], list[str]] = defaultdict(list)
    rounded_up = []
    wrong_content = []
    good: dict[str, _Pairs] = defaultdict(list)
    for lr, hr in pairs:
        if fault := size_fault((hr.height, hr.width), (lr.height, lr.width), scale):
            sizes = f"{lr.width} x {lr.height} for {hr.width} x {hr.height}"
            wrong_size[fault].append(f"{lr.path} ({sizes})")
            continue
        if (lr.height, lr.width) != (hr.height // scale, hr.width // scale):
            rounded_up.append(lr.path)
        if _difference(lr, hr) > _OTHER:
            wrong_content.append(lr.path)
        else:
            good[lr.path.rpartition("/")[0]].append((lr, hr))
    for (fault, cure), files in wrong_size.items():
        yield "wrong_size", files, {"fault": fault, "cure": cure[0].upper() + cure[1:]}
    yield "wrong_content", wrong_content, {}
    yield "rounded_up", rounded_up, {}
    special = {"matlab-replicate": "old_matlab", "unknown": "unknown_downscaler"}
    for program, files in _downscalers(root, good, scale).items():
        if program != "matlab":
            yield special.get(program, "other_downscaler"), files, {"program": program}


def _downscalers(root: Path, folders: dict[str, _Pairs], scale: int) -> dict[str, list[str]]:
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
