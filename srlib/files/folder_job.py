"""One job over a folder: each picture becomes a file at the same place in a target folder."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from srlib.errors import DataError, printable, sentence
from srlib.files.progress import Progress
from srlib.files.recipe import read_recipe, write_recipe
from srlib.files.whole import hash_of, need_folder, scratch_folder

SOURCE = "source picture"  # the step of a recipe that names the source by its hash


@dataclass(frozen=True)
class FolderReport:
    """The outcome of a folder job, file by file.

    Attributes:
        written: Files that were made, relative to the target folder.
        skipped: Files that were there already, made from the same picture in the same way.
        failed: Pictures without a result, relative to the source folder, and the reason of each.
        passed_over: All else in the source folder that was not an ordinary file, and the reason.
    """

    written: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    passed_over: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        text = (
            f"{len(self.written)} written, {len(self.skipped)} already there, "
            f"{len(self.failed)} failed"
        )
        counts = Counter(self.passed_over.values()).most_common()
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts)
        return f"{text}; passed over: {reasons}" if reasons else text


@dataclass(frozen=True)
class FolderJob(ABC):
    """Makes one file from each picture of a folder; a subclass says how.

    The job is pickled for the workers of an executor, so it should be small.

    Attributes:
        source_dir: The folder of the pictures, seen by all workers under this path.
        target_dir: The folder of the results, likewise.
        suffix: The suffix of the results, such as ".png".
        overwrite: Replace files that are there already, whoever made them.
    """

    source_dir: Path
    target_dir: Path
    suffix: str
    overwrite: bool

    @abstractmethod
    def recipe(self) -> dict:
        """How the files are made, apart from their sources; values that JSON knows."""

    @abstractmethod
    def make(self, source: Path, name: str, result: Path) -> None:
        """Make the file `result` from the picture `source`, called `name` within the folder."""

    def for_workers(self, scratch: Path) -> FolderJob:
        """This job as it travels to an executor; `scratch` is a folder that all workers see."""
        return self

    def cancel(self) -> None:  # noqa: B027, a hook
        """Ask threads of this process to give up their work, at the end of a run."""

    def run(
        self,
        names: Sequence[Path],
        executor: Executor,
        on_progress: Progress | None = None,
        passed_over: Mapping[Path, str] | None = None,
    ) -> FolderReport:
        """Make all files that are not there yet.

        Names and folders are checked before the first write. Files appear whole under their names.
        A run that was killed can be started again, and ends with the same files.

        Args:
            names: The pictures, relative to the source folder.
            executor: Its workers make the files.
            on_progress: Called after each picture.
            passed_over: Goes into the report.

        Raises:
            DataError: One folder lies in the other, or the target cannot be written.
        """
        _refuse_overlap(self.source_dir, self.target_dir, names)
        need_folder(self.target_dir, DataError)
        report = FolderReport()
        report.passed_over.update(
            (printable(path), why) for path, why in (passed_over or {}).items()
        )
        # Asked once, here: a worker may have to make a file twice, if its first answer was lost.
        there = {name for name in names if os.path.lexists(self.target(name))}
        with scratch_folder(self.target_dir) as scratch:
            faults = self._faults_of_names(names)
            report.failed.update((printable(name), fault) for name, fault in faults.items())
            sound = [name for name in names if name not in faults]
            outcomes = self._outcomes(sound, scratch, executor)
            with closing(outcomes):  # cancels those not begun, if on_progress raises
                for done, (name, state, reason) in enumerate(outcomes, 1 + len(faults)):
                    if state == "failed":
                        report.failed[printable(name)] = printable(reason)
                    else:
                        kept = state == "skipped" and name in there
                        made = report.skipped if kept else report.written
                        made.append(printable(name.with_suffix(self.suffix)))
                    if on_progress:
                        on_progress(done, len(names))
        return report

    def target(self, name: Path) -> Path:
        """The path of the result of a picture."""
        return self.target_dir / name.with_suffix(self.suffix)

    def _faults_of_names(self, names: Sequence[Path]) -> dict[Path, str]:
        """The pictures whose results would replace another file, with the reasons."""
        place_of_results = f"{self.target_dir.resolve()}{os.sep}"
        results = Counter(map(self.target, names))
        faults = {}
        for name in names:
            if os.path.realpath(self.source_dir / name).startswith(place_of_results):
                faults[name] = "It is a link to a file of the target folder, where results go."
            elif results[self.target(name)] > 1:
                faults[name] = (
                    "Another picture in the same folder has this name with another suffix; rename "
                    "one."
                )
        return faults

    def _outcomes(
        self, names: Sequence[Path], scratch: Path, executor: Executor
    ) -> Iterator[tuple[Path, str, str]]:
        """(name, "written" | "skipped" | "failed", reason) of each picture, in their order."""
        job = self.for_workers(scratch)
        futures = [_submit(executor, job.attempt, name, scratch) for name in names]
        try:
            for name, future in zip(names, futures, strict=True):
                try:
                    yield future.result()
                except Exception as error:
                    yield name, "failed", f"The worker died, so call again ({sentence(error)})."
        finally:
            self.cancel()
            wait([future for future in futures if not future.cancel()])

    def attempt(self, name: Path, scratch: Path) -> tuple[Path, str, str]:
        """Keep or make one file, in a worker. Any exception becomes the reason of the failure."""
        half_made = scratch / f"{os.urandom(8).hex()}{self.suffix}"
        try:
            return name, self._keep_or_make(name, half_made), ""
        except Exception as error:  # one picture's trouble must not cost the others
            half_or_none = (str(half_made), None)  # a full disk names no file
            if isinstance(error, OSError) and error.strerror and error.filename in half_or_none:
                error.filename = str(self.target(name))
            return name, "failed", sentence(error)
        finally:
            half_made.unlink(missing_ok=True)

    def _keep_or_make(self, name: Path, half_made: Path) -> str:
        source = self.source_dir / name
        target = self.target(name)
        steps = self.recipe() | {SOURCE: hash_of(source)}
        if is_made(target, steps, overwrite=self.overwrite):
            return "skipped"
        target.parent.mkdir(parents=True, exist_ok=True)
        self.make(source, printable(name.with_suffix("").as_posix()), half_made)
        write_recipe(half_made, steps)
        os.replace(half_made, target)
        return "written"


def is_made(target: Path, steps: dict, *, overwrite: bool) -> bool:
    """Tell whether a file is there and was made by this recipe, so that it can be kept.

    Raises:
        DataError: There is another file, which may not be overwritten, or no regular one.
    """
    if not os.path.lexists(target):
        return False
    if not target.is_file():
        raise DataError(f"{target} is there and is not a regular file; rename it.")
    if overwrite:
        return False
    made = read_recipe(target)
    if made != steps:
        raise DataError(_difference(target, steps, made))
    return True


def _submit(executor: Executor, function: Callable, *args) -> Future:
    """`executor.submit`; for an executor whose workers have died, a future that says so."""
    try:
        return executor.submit(function, *args)
    except BrokenExecutor as error:
        future: Future = Future()
        future.set_exception(error)
        return future


def _difference(target: Path, steps: dict, made: dict | None) -> str:
    """The reason why a file that is there is neither kept as the result nor replaced."""
    if made is None:
        how = "does not say how it was made"
    elif not made:
        how = "was changed since it was made"
    else:
        names = [step for step in steps.keys() | made if steps.get(step) != made.get(step)]
        how = f"was made with another {' and another '.join(sorted(names))}"
    return (
        f"{target} is there already and {how}; use another folder, or overwrite=True to replace it."
    )


def _refuse_overlap(source_dir: Path, target_dir: Path, names: Sequence[Path]) -> None:
    """Raise DataError if pictures would be read from and written to one folder, or nested ones.

    Folders are compared by their identity on the disk, so that links, relative paths and letter
    case make no difference.
    """
    read = {source_dir, *(source_dir / name.parent for name in names)}
    written = {target_dir, *(target_dir / name.parent for name in names)}
    for inner, outer, problem in (
        (written, read, "the next run would take results for sources"),
        (read, written, "originals might be overwritten"),
    ):
        outer_ids = {_identity(folder): folder for folder in outer if folder.exists()}
        for folder in sorted(inner):
            place = folder.resolve()
            for around in (place, *place.parents):
                if around.exists() and _identity(around) in outer_ids:
                    other = outer_ids[_identity(around)]
                    relation = "is the same folder as" if around == place else "lies in"
                    raise DataError(
                        f"{folder} {relation} {other}: {problem}. "
                        "Choose a target outside the source and not around it."
                    )


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
