"""The state of a training on disk: written whole or not at all, and read back to the bit (notebook 04)."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from srlib.guards import TrainingError
from srlib.history import History
from srlib.whole import write_whole

LAST = "last.pt"  # the state after the last whole epoch


def save_state(run_dir: Path, config: Any, history: History, **parts: Any) -> None:
    """Write last.pt, with the config (a dataclass), the history and the state dicts in `parts`; history.json and history.csv.

    Each file takes the place of the old one in a single step, after its content has reached the disk: a process that is
    killed and a disk that is full leave the state before.  Raises TrainingError if something cannot be written.
    """
    state = io.BytesIO()  # torch would write in pieces, and its words for a full disk are not about disks
    torch.save({"config": asdict(config), "history": asdict(history), **parts}, state)
    written = {LAST: state.getbuffer(), "history.json": json.dumps(asdict(history), indent=1).encode()}
    written["history.csv"] = history.table().to_csv().encode()
    for name, content in written.items():
        try:
            write_whole(run_dir / name, content, to_disk=True)
        except OSError as error:
            raise TrainingError(
                f"{name} cannot be written to {run_dir} ({error.strerror}): what lies there is whole, from the epoch before.  "
                "Make room, then go on with resume=True."
            ) from error


def load_state(run_dir: Path, config: Any, *, device: str | torch.device = "cpu") -> dict[str, Any]:
    """What `save_state` wrote last: the parts, and "history".  Raises TrainingError for a run that had another config."""
    state = torch.load(run_dir / LAST, map_location=device, weights_only=True)
    stored, asked = state["config"], asdict(config)
    changed = [f"{k} {stored.get(k)} -> {asked.get(k)}" for k in stored.keys() | asked.keys() if stored.get(k) != asked.get(k)]
    if changed:
        raise TrainingError(f"{run_dir} was started with other settings ({', '.join(sorted(changed))}); choose another run_dir.")
    return state | {"history": History.from_dict(state["history"])}
