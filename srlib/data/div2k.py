"""Download DIV2K: only the archives asked for, verified by their hash."""

import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from srlib.files.download import PATIENCE, DownloadError, Patience, fetch
from srlib.files.progress import Progress
from srlib.files.whole import (
    as_path,
    hash_of,
    lock,
    need_folder,
    need_room,
    scratch_folder,
    writing,
)

MIRRORS = ("https://data.vision.ee.ethz.ch/cvl/DIV2K/", "http://data.vision.ee.ethz.ch/cvl/DIV2K/")
_IMAGE_NUMBERS = {"train": range(1, 801), "valid": range(801, 901)}
_UNPACKED = 1.2  # of the size of an archive, at most: PNG files hardly shrink in one


@dataclass(frozen=True)
class Archive:
    """A zip file of DIV2K."""

    name: str  # on the mirrors
    size: int  # in bytes, as in checksums.tsv of TensorFlow Datasets
    md5: str  # as in torchSR
    images: tuple[PurePosixPath, ...]  # in the archive and below the root, in a single folder

    @property
    def folder(self) -> PurePosixPath:
        return self.images[0].parent


def _archive(subset: str, track: str, size: int, md5: str) -> Archive:
    if track == "HR":
        folder = name = f"DIV2K_{subset}_HR"
        ending = ""
    else:
        kind, scale = track.split("_X")
        name = f"DIV2K_{subset}_LR_{track}"
        folder = f"DIV2K_{subset}_LR_{kind}/X{scale}"
        ending = f"x{scale}"
    images = [
        PurePosixPath(folder, f"{number:04d}{ending}.png") for number in _IMAGE_NUMBERS[subset]
    ]
    return Archive(f"{name}.zip", size, md5, tuple(images))


ARCHIVES = {
    (subset, track): _archive(subset, track, size, md5)
    for subset, track, size, md5 in (
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
    patience: Patience = PATIENCE,
) -> list[Path]:
    """Download and unpack DIV2K, which is for academic research only, in its official layout.

    The terms of DIV2K are at https://data.vision.ee.ethz.ch/cvl/DIV2K/. A call that was
    interrupted continues when it is made again. A folder gets its name when all its images are in
    it, and a complete folder is not downloaded again. An archive in `root` is used if its hash is
    right, and deleted once it is unpacked. The free disk space is checked first.

    Args:
        root: The folder to fill, with DIV2K_train_HR, DIV2K_train_LR_bicubic/X4 and so on.
        subset: "train" (images 0001 to 0800), "valid" (0801 to 0900) or "all".
        tracks: Any of "HR", "bicubic_X2", "bicubic_X3" and "bicubic_X4".
        on_progress: Called as on_progress(done, total) with the bytes downloaded and the bytes to
            download in all, and again after each image that is unpacked.
        mirrors: Addresses of folders with the archives, tried in order.
        patience: How long to wait for a mirror, and how often to try again.

    Returns:
        The folder of each track, subset by subset.

    Raises:
        DownloadError: The disk is too small, no mirror has an archive, an archive is damaged, or
            a folder has only some of its images.
        ValueError: The subset or a track is unknown.
    """
    archives = _select(subset, tracks)
    root = as_path(root)
    need_folder(root, DownloadError)
    missing = [archive for archive in archives if not _is_unpacked(archive, root)]
    total = sum(archive.size for archive in missing)
    need_room(root, _disk_needed(missing, root), "DIV2K", DownloadError)
    done_before = 0
    for archive in archives:

        def report(archive_done: int, archive_size: int | None, before: int = done_before) -> None:
            if on_progress:
                on_progress(before + archive_done, total)

        path = root / archive.name
        with lock(path.with_suffix("")):  # a second process waits, then finds the folder complete
            is_new = not _is_unpacked(archive, root)
            if is_new:
                fetch(
                    [f"{mirror.rstrip('/')}/{archive.name}" for mirror in mirrors],
                    path,
                    md5=archive.md5,
                    size=archive.size,
                    on_progress=report,
                    patience=patience,
                )
                _unpack(path, archive, root, on_image=report)
            # Another file of that name is the user's.
            is_ours = is_new or (path.is_file() and hash_of(path, "md5") == archive.md5)
            if is_ours:
                path.unlink()
        if archive in missing:
            done_before += archive.size
    return [root / archive.folder for archive in archives]


def _select(subset: str, tracks: Sequence[str]) -> list[Archive]:
    if subset not in (*_IMAGE_NUMBERS, "all"):
        raise ValueError(f'subset is "train", "valid" or "all", not {subset!r}.')
    known = list(dict.fromkeys(track for _, track in ARCHIVES))
    if isinstance(tracks, str) or not set(tracks) <= set(known):
        raise ValueError(f"tracks is a sequence with any of {', '.join(known)}, not {tracks!r}.")
    subsets = _IMAGE_NUMBERS if subset == "all" else (subset,)
    return [ARCHIVES[name, track] for name in subsets for track in dict.fromkeys(tracks)]


def _is_unpacked(archive: Archive, root: Path) -> bool:
    """Whether the folder is complete. Raises DownloadError if it has only some of its images."""
    folder = root / archive.folder
    if not folder.exists():
        return False
    present = {path.name for path in folder.iterdir()}
    missing = [image.name for image in archive.images if image.name not in present]
    if missing:
        raise DownloadError(
            f"{folder} lacks {len(missing)} of its {len(archive.images)} images, such as "
            f"{missing[0]}: rename the folder, then call again."
        )
    return True


def _disk_needed(missing: list[Archive], root: Path) -> int:
    """The bytes that downloading and unpacking take at most, besides what is downloaded already."""
    needed = int(_UNPACKED * sum(archive.size for archive in missing))
    needed += max((archive.size for archive in missing), default=0)
    present = [path for archive in missing for path in root.glob(f"{archive.name}*")]
    return max(needed - sum(path.stat().st_size for path in present), 0)


def _unpack(path: Path, archive: Archive, root: Path, on_image: Progress) -> None:
    """Unpack the images of an archive, and nothing else, into a folder named at the end."""
    target = root / archive.folder
    with scratch_folder(root) as scratch:
        unfinished = scratch / target.name
        unfinished.mkdir()
        try:
            with zipfile.ZipFile(path) as file:
                for image in archive.images:
                    content = file.read(str(image))
                    with writing(target, DownloadError, "the archive is kept"):
                        (unfinished / image.name).write_bytes(content)
                    on_image(archive.size, archive.size)
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError) as error:
            raise DownloadError(
                f"{path} cannot be unpacked ({error}): move it away, then call again."
            ) from error
        target.parent.mkdir(exist_ok=True)
        try:
            unfinished.rename(target)
        except OSError:  # a process that the lock did not stop may have been quicker
            if not _is_unpacked(archive, root):
                raise
