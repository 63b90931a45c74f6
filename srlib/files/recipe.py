"""The recipe of a result, inside its file: how it was made, from which source, and its hash."""

import hashlib
import json
import struct
from pathlib import Path

from srlib.files.whole import open_regular

# Decoders pass over what follows a picture. Formats that are made of boxes skip a "free" one.
_MARK = b"free" + b"srlib recipe "


def write_recipe(path: Path, steps: dict) -> None:
    """Append a recipe to a picture file; its values are JSON's, or numbers of NumPy."""
    steps = json.loads(json.dumps(steps, default=float))
    packed = _packed(steps, path.read_bytes())
    with open(path, "ab") as file:
        file.write(packed)


def read_recipe(path: Path) -> dict | None:
    """The recipe in a file, as given to `write_recipe`, or None if there is none.

    It is empty if the file is not to the last byte as it was made.
    """
    with open_regular(path) as file:
        content = file.read()
    mark = content.rfind(_MARK)
    if mark < 0:
        return None
    bare = content[: max(0, mark - 4)]
    try:
        steps = dict(json.loads(content[mark + len(_MARK) :])["steps"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return steps if content == bare + _packed(steps, bare) else {}


def _packed(steps: dict, content: bytes) -> bytes:
    """The box of a recipe, with a hash of it and of the file without it."""
    text = json.dumps(steps, sort_keys=True).encode()
    note = {"steps": steps, "sha256": hashlib.sha256(text + content).hexdigest()}
    box = _MARK + json.dumps(note, sort_keys=True).encode()
    return struct.pack(">I", 4 + len(box)) + box
