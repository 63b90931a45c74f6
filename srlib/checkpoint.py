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

from srlib.guards import TrainingError
from srlib.history import History
from srlib.whole import write_whole

LAST = "last.pt"  # the state after the last whole epoch


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


def save_state(run_dir: Path, config: Any, history: History, *, identity: Mapping[str, str], **parts: Any) -> None:
    """Write last.pt, with the config (a dataclass), what else makes the run this one, the history and the state dicts in `parts`.

    It takes the place of the old one in a single step, after its content has reached the disk: a process that is killed and a
    disk that is full leave the state before.  Raises TrainingError if it cannot be written.
    """
    state = io.BytesIO()  # torch would write in pieces, and its words for a full disk are not about disks
    torch.save({"config": asdict(config), "identity": dict(identity), "history": asdict(history), **parts}, state)
    with writing(run_dir / LAST):
        write_whole(run_dir / LAST, state.getbuffer(), to_disk=True)


def load_state(run_dir: Path, config: Any, *, identity: Mapping[str, str], device: str | torch.device = "cpu") -> dict[str, Any]:
    """What `save_state` wrote last: the parts, and "history".

    A setting that was not there yet when the run was begun had its default.  Raises TrainingError for a run that had another
    config or another identity, and for a damaged file.
    """
    try:
        state = torch.load(run_dir / LAST, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        raise TrainingError(
            f"{run_dir / LAST} cannot be read ({shorten(str(error), 80)}).  If it is damaged, delete it to begin again; the best "
            "weights so far are beside it, in best.safetensors."
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
