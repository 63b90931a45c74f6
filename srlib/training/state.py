"""The files of a run: the lock, the state to resume from, the best weights, the history."""

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch

from srlib.files.whole import as_path, hash_of, lock, need_folder, write_whole, writing
from srlib.model.edsr import EDSR
from srlib.training.checks import TrainingError
from srlib.training.history import History
from srlib.zoo.checkpoints import save_weights
from srlib.zoo.reader import WeightsError, load_content


class RunFolder:
    """The folder of a run. Each file in it is written whole or not at all.

    Every method raises TrainingError, with the name of the file, if it cannot be read or written.

    Attributes:
        path: The folder.
        last: last.pt, the state after the last finished epoch.
        best: best.safetensors, the best weights so far.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = as_path(path)
        self.last = self.path / "last.pt"
        self.best = self.path / "best.safetensors"

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Make the folder, and keep other trainings out until this process leaves it or ends."""
        need_folder(self.path, TrainingError)
        busy = (
            f"Another training is running in {self.path}: wait for its end, or choose another "
            "run_dir."
        )
        with lock(self.path / "run", TrainingError(busy)):
            yield

    def keep_other_weights(self) -> None:
        """Rename best.safetensors, which is another run's where there is no last.pt."""
        if self.best.exists():
            with _writing(self.best):
                os.replace(self.best, self.best.with_stem(f"best_{hash_of(self.best)[:8]}"))

    def save_state(self, settings: Mapping[str, Any], history: History, **parts: Any) -> None:
        """Write last.pt. The settings must be the same at a resume."""
        # In memory first: torch's error for a full disk does not mention the disk.
        content = io.BytesIO()
        torch.save({"settings": settings, "history": asdict(history)} | parts, content)
        with _writing(self.last):
            write_whole(self.last, content.getbuffer(), to_disk=True)

    def load_state(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Read the parts given to `save_state` and "history"."""
        go_on = (
            "To train its best weights further, start a new run from "
            f"load_pretrained({str(self.best)!r}) in another run_dir."
        )
        try:
            state, _ = load_content(self.last)
            stored = settings | state["settings"]  # older states lack what was added since
            history = History.from_dict(state["history"])
        except (WeightsError, LookupError, TypeError) as error:
            if isinstance(error.__cause__, OSError):
                raise TrainingError(f"{error} {go_on}") from error
            raise TrainingError(
                f"{self.last} cannot be read: it is damaged, or of another version. {go_on}"
            ) from error
        changes = [
            f"{name} {shorten(str(stored[name]), 90)} -> {shorten(str(value), 90)}"
            for name, value in settings.items()
            if stored[name] != value
        ]
        if changes:
            raise TrainingError(
                f"{self.path} was started with other settings ({'; '.join(changes)}): choose "
                f"another run_dir. {go_on}"
            )
        return state | {"history": history}

    def write_best(self, model: EDSR) -> None:
        """Write best.safetensors."""
        with _writing(self.best):
            save_weights(model, self.best)

    def write_history(self, history: History) -> None:
        """Write history.csv for the reader; a resume takes the history in last.pt."""
        path = self.path / "history.csv"
        with _writing(path):
            write_whole(path, history.table().to_csv().encode(), to_disk=True)


def _writing(path: Path) -> AbstractContextManager:
    return writing(path, TrainingError, "all files there are intact, and resume=True goes on")
