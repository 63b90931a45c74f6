"""The state of a training on disk: written whole or not at all, and read back to the bit (notebook 04)."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from textwrap import shorten
from typing import Any

import torch
from filelock import FileLock, Timeout
from PIL import Image
from torch import Tensor

from srlib.training.checks import TrainingError
from srlib.training.history import History
from srlib.images.tensors import to_array
from srlib.files.whole import write_whole

LAST, BEST = "last.pt", "best.safetensors"  # the state after the last whole epoch, and the best weights so far


@contextmanager
def claimed(run_dir: Path) -> Iterator[None]:
    """Make run_dir, and keep other trainings out of it; the system ends that with the process, however it ends.

    Raises TrainingError if another training is in there, or if the folder cannot be made.
    """
    with writing(run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(run_dir / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise TrainingError(
                f"Another training is running in {run_dir}: wait for its end, or choose another run_dir."
            ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raises TrainingError, a sentence with the file's name, for an OSError inside."""
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"{path.name} cannot be written to {path.parent} ({error.strerror or error}).  What lies there is whole: make room, "
            "then go on with resume=True."
        ) from error


def save_state(run_dir: Path, config: Any, history: History, *, identity: Mapping[str, Any], **parts: Any) -> None:
    """Write last.pt, with the config (a dataclass), what else makes the run this one, the history and the state dicts in `parts`.

    It takes the place of the old one in a single step, after its content has reached the disk: a process that is killed and a
    disk that is full leave the state before.  Raises TrainingError if it cannot be written.
    """
    state = io.BytesIO()  # torch would write in pieces, and its words for a full disk are not about disks
    torch.save({"config": asdict(config), "identity": dict(identity), "history": asdict(history), **parts}, state)
    with writing(run_dir / LAST):
        write_whole(run_dir / LAST, state.getbuffer(), to_disk=True)


def load_state(run_dir: Path, config: Any, *, identity: Mapping[str, Any], device: str | torch.device = "cpu") -> dict[str, Any]:
    """What `save_state` wrote last: the parts, and "history".

    A setting that was not there yet when the run was begun had its default.  Raises TrainingError for a run that had another
    config or another identity, and for a damaged file.
    """
    try:
        state = torch.load(run_dir / LAST, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        raise TrainingError(
            f"{run_dir / LAST} cannot be read ({shorten(str(error), 80)}).  If it is damaged, delete it to begin again; the best "
            f"weights so far are beside it, in {BEST}."
        ) from error
    asked = asdict(config) | dict(identity)
    stored = asdict(type(config)()) | dict(identity) | state["config"] | state.get("identity", {})
    told = {key: [shorten(str(of.get(key)), 90) for of in (stored, asked)] for key in stored if stored[key] != asked.get(key)}
    if told:
        changes = "; ".join(f"{key} {before} -> {now}" for key, (before, now) in sorted(told.items()))
        raise TrainingError(f"{run_dir} was started with other settings ({changes}); choose another run_dir.")
    return state | {"history": History.from_dict(state["history"])}


def write_history(run_dir: Path, history: History) -> None:
    """Write history.json and history.csv, which are there to be read: a resume takes the history in last.pt."""
    written = {"history.json": json.dumps(asdict(history), indent=1), "history.csv": history.table().to_csv()}
    for name, text in written.items():
        with writing(run_dir / name):
            write_whole(run_dir / name, text.encode(), to_disk=True)


def write_batch(path: Path, lr: Tensor, hr: Tensor) -> None:
    """The patches of a batch side by side, LR above HR: is there something odd in them, or is it the learning rate?"""
    repeat, png = hr.shape[-1] // lr.shape[-1], io.BytesIO()
    both = torch.cat([lr.repeat_interleave(repeat, 2).repeat_interleave(repeat, 3), hr], dim=2)
    Image.fromarray(to_array(torch.cat(list(both), dim=2))).save(png, "PNG")
    with writing(path):
        write_whole(path, png.getbuffer())
