"""The files of a run: the lock, the state to resume from, the best weights, the history."""

from __future__ import annotations

import io
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from srlib.files.whole import hash_of, lock, need_folder, write_whole, writing
from srlib.images.tensors import to_array
from srlib.model.edsr import EDSR
from srlib.training.checks import TrainingError
from srlib.training.history import History
from srlib.zoo.checkpoints import save_weights
from srlib.zoo.reader import WeightsError, load_content, read_weights, tensors_sha256


class RunFolder:
    """The folder of a run. Each file in it is written whole or not at all.

    Every method raises TrainingError, with the name of the file, if it cannot be read or written.

    Attributes:
        path: The folder.
        last: last.pt, the state after the last finished epoch.
        best: best.safetensors, the best weights so far.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path).expanduser()
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

    def save_state(
        self, config: Any, history: History, *, identity: Mapping[str, Any], **parts: Any
    ) -> None:
        """Write last.pt. `identity` must be the same at a resume, and so must the config."""
        # In memory first: torch's error for a full disk does not mention the disk.
        content = io.BytesIO()
        state = {"config": asdict(config), "identity": identity, "history": asdict(history)}
        torch.save(state | parts, content)
        with _writing(self.last):
            write_whole(self.last, content.getbuffer(), to_disk=True)

    def load_state(self, config: Any, *, identity: Mapping[str, Any]) -> dict[str, Any]:
        """Read the parts given to `save_state` and "history".

        A setting that did not exist yet when the run was started counts as its default.
        """
        best = f"load_pretrained({str(self.best)!r})"
        go_on = f"start a new run from {best} in another run_dir"
        try:
            state, _ = load_content(self.last)
            settings = state["config"] | state["identity"]
            history = History.from_dict(state["history"])
        except (OSError, WeightsError, LookupError, TypeError) as error:
            cause = error.strerror if isinstance(error, OSError) else "it is damaged or cut short"
            raise TrainingError(
                f"{self.last} cannot be read: {cause}. To train its best weights further, {go_on}."
            ) from error
        asked = asdict(config) | dict(identity)
        stored = asdict(type(config)()) | dict(identity) | settings
        changes = [
            f"{key} {shorten(str(stored[key]), 90)} -> {shorten(str(asked.get(key)), 90)}"
            for key in sorted(stored)
            if stored[key] != asked.get(key)
        ]
        if changes:
            raise TrainingError(
                f"{self.path} was started with other settings ({'; '.join(changes)}): choose "
                f"another run_dir. To train its best weights further, {go_on}."
            )
        return state | {"history": history}

    def write_best(self, model: EDSR, own: Sequence[str]) -> None:
        """Write best.safetensors, unless it has these weights already.

        `own` holds `tensors_sha256` of all best weights of this run, the model's last. A file with
        other weights is copied to a name with its hash before it is replaced.
        """
        with _writing(self.best):
            if self.best.exists():
                found = _hash_of_file(self.best)
                if found == own[-1]:
                    return
                if found not in own:
                    shutil.copy2(self.best, self.best.with_stem(f"best_{hash_of(self.best)[:8]}"))
            save_weights(model, self.best)

    def write_history(self, history: History) -> None:
        """Write history.json and history.csv for the reader; a resume takes that in last.pt."""
        contents = {
            "history.json": json.dumps(_without_nan(asdict(history)), indent=1),
            "history.csv": history.table().to_csv(),
        }
        for name, text in contents.items():
            with _writing(self.path / name):
                write_whole(self.path / name, text.encode(), to_disk=True)

    def write_batch(self, name: str, lr: Tensor, hr: Tensor) -> None:
        """Write the patches of a batch side by side as PNG, the LR patches enlarged above HR."""
        scale = hr.shape[-1] // lr.shape[-1]
        large = lr.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        columns = torch.cat([large, hr], dim=2)  # (B, 3, 2 * size, size)
        png = io.BytesIO()
        Image.fromarray(to_array(torch.cat(list(columns), dim=2))).save(png, "PNG")
        with _writing(self.path / name):
            write_whole(self.path / name, png.getbuffer())


def _writing(path: Path) -> AbstractContextManager:
    return writing(path, TrainingError, "all files there are intact, and resume=True goes on")


def _without_nan(value: Any) -> Any:
    """The value with None for numbers that JSON does not know: NaN and infinity."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _hash_of_file(path: Path) -> str:
    try:
        weights, _ = read_weights(path)
    except WeightsError:
        return "damaged"
    return tensors_sha256(weights)
