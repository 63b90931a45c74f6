"""DIV2K from its home: only the archives asked for, checked, and unpacked without trusting what is in them (notebook 01)."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from srlib.files.download import fetch, lock
from srlib.files.progress import Meter
from srlib.files.transfer import PATIENCE, DownloadError, Patience, need_room

MIRRORS = ("https://data.vision.ee.ethz.ch/cvl/DIV2K/", "http://data.vision.ee.ethz.ch/cvl/DIV2K/")
TERMS = "DIV2K is for academic research only; its terms are at https://data.vision.ee.ethz.ch/cvl/DIV2K/."
_IMAGES = {"train": range(1, 801), "valid": range(801, 901)}
_SWELLS = 1.2  # PNG files hardly shrink in an archive: one that unpacks to more than this times its size is none of these

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Archive:
    """One zip file of DIV2K: size in bytes; pictures: their paths in it and, unpacked, under the root, all in one folder."""

    name: str
    size: int
    md5: str
    pictures: tuple[PurePosixPath, ...]

    @property
    def folder(self) -> PurePosixPath:
        return self.pictures[0].parent

    @property
    def unpacked(self) -> int:
        """The most bytes that it may unpack to."""
        return int(self.size * _SWELLS)


def _archive(subset: str, track: str, size: int, md5: str) -> Archive:
    if track == "HR":
        name, folder, suffix = f"DIV2K_{subset}_HR", f"DIV2K_{subset}_HR", ""
    else:
        kind, factor = track.split("_X")
        name, folder, suffix = (
            f"DIV2K_{subset}_LR_{track}",
            f"DIV2K_{subset}_LR_{kind}/X{factor}",
            f"x{factor}",
        )
    return Archive(
        f"{name}.zip",
        size,
        md5,
        tuple(PurePosixPath(folder, f"{n:04d}{suffix}.png") for n in _IMAGES[subset]),
    )


# md5 as in torchSR, sizes as in TensorFlow Datasets (its checksums.tsv for div2k)
ARCHIVES = {
    row[:2]: _archive(*row)
    for row in (
        ("train", "HR", 3_530_603_713, "bdc2d9338d4e574fe81bf7d158758658"),
        ("train", "bicubic_X2", 925_390_592, "9a637d2ef4db0d0a81182be37fb00692"),
        ("train", "bicubic_X3", 427_847_282, "ad80b9fe40c049a07a8a6c51bfab3b6d"),
        ("train", "bicubic_X4", 246_914_039, "76c43ec4155851901ebbe8339846d93d"),
        ("valid", "HR", 448_993_893, "9fcdda83005c5e5997799b69f955ff88"),
        ("valid", "bicubic_X2", 117_763_600, "1512c9a3f7bde2a1a21a73044e46b9cb"),
        ("valid", "bicubic_X3", 54_513_392, "18b1d310f9f88c13618c287927b29898"),
        ("valid", "bicubic_X4", 31_505_881, "21962de700c8d368c6ff83314480eff0"),
    )
}


def download_div2k(
    root: str | os.PathLike,
    *,
    subset: str = "train",
    tracks: Sequence[str] = ("HR", "bicubic_X4"),
    on_progress: Progress | None = None,
    mirrors: Sequence[str] = MIRRORS,
    keep_archives: bool = False,
    patience: Patience = PATIENCE,
) -> list[Path]:
    """Fetch and unpack DIV2K, which is for academic research only, in its official layout; returns the folders, subset by subset.

    subset: "train" (pictures 0001 to 0800), "valid" (0801 to 0900) or "all".  tracks: any of "HR", "bicubic_X2", "bicubic_X3" and
    "bicubic_X4".  The folders are root/DIV2K_train_HR, root/DIV2K_train_LR_bicubic/X4 and so on; each gets its name when all its
    pictures are in it, and one that has them already costs nothing.  Interrupted at any moment, it goes on when called again.
    An archive is looked for in root first (fetch it by hand if you must), and deleted once unpacked unless `keep_archives`.
    mirrors: folders on the web, tried in order; size and md5 decide.  on_progress(bytes fetched, bytes in all, text): the first
    text states the terms, the others name the file, the rate and the time left.  The free disk is checked before anything is
    fetched.  Raises DownloadError for that, for mirrors that fail, for an archive that is not what it should be, and for a folder
    with only some of the pictures; ValueError for an unknown subset or track.
    """
    archives = _chosen(subset, tracks)
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    tell = on_progress or (lambda done, total, text: None)
    to_do = [archive for archive in archives if not _is_unpacked(archive, root)]
    total = sum(archive.size for archive in to_do)
    need_room(root, _disk_needed(to_do, root, keep_archives), "DIV2K, fetched and unpacked,")
    tell(0, total, TERMS)
    done = 0
    for archive in archives:
        meter = Meter()

        def fetching(
            have: int, size: int | None, *, before=done, archive=archive, meter=meter
        ) -> None:
            tell(before + have, total, f"{archive.name}: {meter(have, size)}")

        def unpacking(count: int, *, after=done + archive.size, archive=archive) -> None:
            tell(
                after,
                total,
                f"{archive.name}: {count} of {len(archive.pictures)} pictures unpacked",
            )

        path = root / archive.name
        with lock(root / archive.folder):  # a second process waits, and then finds it done
            if not _is_unpacked(archive, root):
                urls = [f"{mirror.rstrip('/')}/{archive.name}" for mirror in mirrors]
                fetch(
                    urls,
                    path,
                    md5=archive.md5,
                    size=archive.size,
                    on_progress=fetching,
                    patience=patience,
                )
                _unpack(path, archive, root, unpacking)
            if not keep_archives:
                path.unlink(missing_ok=True)
        done += archive.size if archive in to_do else 0
    return [root / archive.folder for archive in archives]


def _chosen(subset: str, tracks: Sequence[str]) -> list[Archive]:
    if subset not in (*_IMAGES, "all"):
        raise ValueError(f'The subset is "train", "valid" or "all", not {subset!r}.')
    known = list(dict.fromkeys(track for _, track in ARCHIVES))
    unknown = (
        [tracks] if isinstance(tracks, str) else [track for track in tracks if track not in known]
    )
    if unknown:
        raise ValueError(
            f"tracks is a sequence of any of {', '.join(known)}; {unknown[0]!r} is not."
        )
    subsets = list(_IMAGES) if subset == "all" else [subset]
    return [ARCHIVES[name, track] for name in subsets for track in dict.fromkeys(tracks)]


def _is_unpacked(archive: Archive, root: Path) -> bool:
    """Is the folder there, with all its pictures?  Raises DownloadError for one with only some: it is not ours to overwrite."""
    folder = root / archive.folder
    if not folder.exists():
        return False
    there = {path.name for path in folder.iterdir()}
    missing = [picture.name for picture in archive.pictures if picture.name not in there]
    if missing:
        lacks = f"{folder} lacks {len(missing)} of its {len(archive.pictures)} pictures ({missing[0]} is the first)"
        raise DownloadError(f"{lacks}: rename or delete the folder, then call again.")
    return True


def _disk_needed(to_do: list[Archive], root: Path, keep_archives: bool) -> int:
    """The most bytes that fetching and unpacking one archive after the other takes at any time, beside what is there."""
    used = most = 0
    for archive in to_do:
        there = sum(
            path.stat().st_size
            for path in (root / archive.name, *root.glob(f"{archive.name}.*.part"))
            if path.is_file()
        )
        most = max(most, used + archive.size - there + archive.unpacked)
        used += archive.unpacked - there + (archive.size if keep_archives else 0)
    return max(most, 0)


def _unpack(path: Path, archive: Archive, root: Path, on_picture: Callable[[int], None]) -> None:
    """The pictures of the archive, all of them and nothing else, into a folder that gets its name at the end."""
    half_made = root / f".{archive.name}.unpacking"
    shutil.rmtree(half_made, ignore_errors=True)  # of a process that was killed
    try:
        with zipfile.ZipFile(path) as file:
            entries = _trusted(file, archive, root)
            half_made.mkdir()
            for count, picture in enumerate(archive.pictures, 1):
                with (
                    file.open(entries[picture]) as source,
                    open(half_made / picture.name, "wb") as target,
                ):
                    shutil.copyfileobj(source, target)
                on_picture(count)
        (root / archive.folder).parent.mkdir(exist_ok=True)
        os.rename(half_made, root / archive.folder)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DownloadError(
            f"{path} cannot be unpacked ({error}): delete it, then call again."
        ) from error
    finally:
        shutil.rmtree(half_made, ignore_errors=True)


def _trusted(
    file: zipfile.ZipFile, archive: Archive, root: Path
) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """The entries by path.  Raises DownloadError for one that leads out of the folder, a link, a bomb, or a missing picture."""
    entries = {PurePosixPath(entry.filename): entry for entry in file.infolist()}
    doubt = None
    for name, entry in entries.items():
        if (
            name.is_absolute()
            or ".." in name.parts
            or "\\" in entry.orig_filename
            or ":" in entry.filename
        ):
            doubt = f"{entry.orig_filename!r} in it leads out of its folder"
        elif stat.S_ISLNK(entry.external_attr >> 16):
            doubt = f"{entry.filename!r} in it is a link"
        elif entry.flag_bits & 1 or entry.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            doubt = f"{entry.filename!r} in it is encrypted or packed in an unusual way"
    size = sum(entry.file_size for entry in file.infolist())
    missing = [picture for picture in archive.pictures if picture not in entries]
    if size > archive.unpacked:
        doubt = f"its {archive.size:,} bytes claim to unpack to {size:,}"
    elif missing:
        doubt = doubt or f"{missing[0]} is not in it"
    if doubt:
        raise DownloadError(
            f"{file.filename} is not unpacked, because {doubt}: delete it and get it from another mirror."
        )
    need_room(root, size, f"Unpacking {archive.name}")
    return entries
