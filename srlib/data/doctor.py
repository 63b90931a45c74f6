"""The data doctor: the faults of a folder of training images, their effect, and their fix."""

import hashlib
import html
import os
import textwrap
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
from srlib.files.whole import as_path
from srlib.images.downscalers import identify_downscaler, jpeg_quality
from srlib.images.finder import list_pictures
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

    path: Path  # below the root of the data set
    side: str  # "hr" or "lr"
    error: str = ""  # why the file cannot be read
    height: int = 0
    width: int = 0
    gray: bool = False  # the three channels are equal
    alpha: bool = False
    deep: bool = False  # 16 bits per channel
    jpeg: bool = False  # an LR image stored as JPEG, or with traces of JPEG
    digest: str = ""  # hash of the pixels
    shape_bits: int | None = None  # shared with a copy, saved again or resized; None if flat


def _examine(root: Path, side: str, path: Path) -> Facts:
    """Decode an image, and tell its properties or the error."""
    try:
        picture = read_image(root / path)
    except ImageError as error:
        return Facts(path, side, error=str(error))
    rgb = np.ascontiguousarray(picture.rgb)
    eight_bit = rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)
    return Facts(
        path,
        side,
        height=rgb.shape[0],
        width=rgb.shape[1],
        gray=picture.mode == "L" or bool((rgb == rgb[..., :1]).all()),
        alpha=picture.alpha is not None,
        deep=rgb.dtype != np.uint8,
        jpeg=side == "lr" and _is_jpeg(path, eight_bit),
        digest=hashlib.blake2b(repr(rgb.shape).encode() + rgb.tobytes()).hexdigest(),
        shape_bits=_difference_hash(eight_bit),
    )


def _is_jpeg(path: Path, rgb: np.ndarray) -> bool:
    is_stored_so = path.suffix.lower() in (".jpg", ".jpeg")
    return is_stored_so or jpeg_quality(rgb[:192, :192]) is not None


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
_Finding = tuple[str, Iterable[Path | str], Mapping[str, object]]  # key of _TEXTS, files, values


def check_dataset(
    root: str | os.PathLike,
    *,
    scale: int,
    on_progress: Progress | None = None,
) -> DatasetReport:
    """Examine a folder of HR and LR images, and report its faults.

    HR and LR files are told apart by folders whose names have the word HR or LR. Partners are found
    as in `PairedImages`. Without LR files, all are HR. Every file is decoded on all cores, and a
    few once more. Faults are reported and not raised, even a missing folder.

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
    root = as_path(root)
    found: list[_Finding] = []
    files: list[Path] = []
    try:
        listing = list_pictures(root)
        files = listing.pictures
        reasons = Counter(listing.passed_over.values()).most_common()
        counts = ", ".join(f"{count} {reason}" for reason, count in reasons)
        found.append(("passed_over", listing.passed_over, {"reasons": counts}))
    except DataError as error:
        found.append(("no_images", [root], {"error": error}))
    hr_files, lr_files = split_sides(files, scale=scale)
    files = hr_files + lr_files
    sides = ["hr"] * len(hr_files) + ["lr"] * len(lr_files)
    facts: list[Facts] = []
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        for fact in executor.map(partial(_examine, root), sides, files):
            facts.append(fact)
            if on_progress:
                on_progress(len(facts), len(files))
    found += [("unreadable", [fact.path], {"error": fact.error}) for fact in facts if fact.error]
    readable = {fact.path: fact for fact in facts if not fact.error}
    twins = _same_names(files)
    found.append(("same_names", [f"{file} and {twin}" for file, twin in twins.items()], {}))
    pairing = pair_files(
        [file for file in hr_files if file not in twins],
        [file for file in lr_files if file not in twins],
        scale=scale,
    )
    found += _without_partner(pairing, readable)
    found += _single_images(list(readable.values()), scale)
    found += _copies([fact for fact in readable.values() if fact.side == "hr"])
    pairs = [
        (readable[lr], readable[hr]) for hr, lr in pairing.pairs if {hr, lr} <= readable.keys()
    ]
    found += _pairs(root, pairs, scale)
    return DatasetReport(root, scale, len(files), _table(found, scale))


def _table(found: list[_Finding], scale: int) -> pd.DataFrame:
    """The findings that concern a file, in words, the worst first."""
    rows = []
    for key, paths, values in found:
        if files := tuple(map(str, paths)):
            values = {"make": "create_low_res_images_recursive", "scale": scale, **values}
            values["patch"] = _PATCH * scale
            row = {column: text.format(**values) for column, text in _TEXTS[key].items()}
            rows.append(row | {"files": files})
    rows.sort(key=lambda row: _SEVERITIES.index(row["severity"]))
    return pd.DataFrame(rows, columns=_COLUMNS)


def _same_names(files: list[Path]) -> dict[Path, Path]:
    """The files that differ from another one in their suffix alone, with that other one."""
    by_name = {file.with_suffix(""): file for file in files}
    return {file: twin for file in files if (twin := by_name[file.with_suffix("")]) != file}


def _without_partner(pairing: Pairing, readable: dict[Path, Facts]) -> Iterator[_Finding]:
    """Images that are not paired. A damaged one is a finding already."""
    hr_alone = [path for path in pairing.hr_alone if path in readable]
    lr_alone = [path for path in pairing.lr_alone if path in readable]
    splits_with_lr = {split_of(path) for path in [lr for _, lr in pairing.pairs] + lr_alone}
    yield "no_lr_folder", [path for path in hr_alone if split_of(path) not in splits_with_lr], {}
    yield "no_lr_image", [path for path in hr_alone if split_of(path) in splits_with_lr], {}
    yield "no_hr_image", lr_alone, {}


def _single_images(facts: list[Facts], scale: int) -> Iterator[_Finding]:
    """Properties of an image by itself."""
    hr = [fact for fact in facts if fact.side == "hr"]
    patch = _PATCH * scale
    yield "small", [fact.path for fact in hr if min(fact.height, fact.width) < patch], {}
    yield "alpha", [fact.path for fact in facts if fact.alpha], {}
    yield "gray", [fact.path for fact in facts if fact.gray], {}
    yield "deep", [fact.path for fact in facts if fact.deep], {}
    yield "jpeg", [fact.path for fact in facts if fact.jpeg], {}
    cropped = [fact.path for fact in hr if fact.height % scale or fact.width % scale]
    yield "no_multiple", cropped, {}


def _copies(hr: list[Facts]) -> Iterator[_Finding]:
    """HR images that occur twice, in one split or in two."""
    files = defaultdict(list)
    for one, other in combinations(hr, 2):
        same = one.digest == other.digest
        if same or _difference(one, other) <= _COPY:
            splits = {split_of(fact.path) for fact in (one, other)} - {""}
            relation = "=" if same else "~"
            files[len(splits) == 2, same].append(f"{one.path} {relation} {other.path}")
    yield "leak", files[True, True], {}
    yield "perhaps_a_leak", files[True, False], {}
    yield "copy", files[False, True], {}
    yield "near_copy", files[False, False], {}


def _pairs(root: Path, pairs: _Pairs, scale: int) -> Iterator[_Finding]:
    """The size, the content and the downscaler of LR images, compared with their HR images."""
    wrong_size: dict[tuple[str, str], list[str]] = defaultdict(list)
    rounded_up = []
    wrong_content = []
    good: dict[Path, _Pairs] = defaultdict(list)
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
            good[lr.path.parent].append((lr, hr))
    for (fault, cure), files in wrong_size.items():
        yield "wrong_size", files, {"fault": fault, "cure": cure[0].upper() + cure[1:]}
    yield "wrong_content", wrong_content, {}
    yield "rounded_up", rounded_up, {}
    special = {"matlab-replicate": "old_matlab", "unknown": "unknown_downscaler"}
    for program, files in _downscalers(root, good, scale).items():
        if program != "matlab":
            yield special.get(program, "other_downscaler"), files, {"program": program}


def _downscalers(root: Path, folders: dict[Path, _Pairs], scale: int) -> dict[str, list[Path]]:
    """The LR images whose downscaler was looked for, a sample of each folder, by its name."""
    made_by = defaultdict(list)
    for folder in folders.values():
        pairs = [(lr, hr) for lr, hr in folder if not (lr.deep or hr.deep)]
        for lr, hr in pairs[:: max(1, -(-len(pairs) // _SAMPLE))]:
            lr_image, hr_image = (read_image(root / fact.path).rgb for fact in (lr, hr))
            lr_image = lr_image[: hr.height // scale, : hr.width // scale]
            name = identify_downscaler(lr_image, hr_image, scale=scale)
            # the JPEG has a finding of its own
            made_by[name.removesuffix(" + jpeg") if lr.jpeg else name].append(lr.path)
    return made_by
