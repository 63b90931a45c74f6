"""The recipe of a result, inside its file: how it was made, from which source, and its hash."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from srlib.files.whole import open_regular

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEAD = 33  # bytes: the signature and the chunk IHDR
# Lower case, upper case: not critical, private, and to be dropped by editors that change the pixels
_CHUNK = b"srRP"
_JPEG = b"\xff\xd8"
_COMMENT = b"\xff\xfe"
_BOX = b"free"  # a box of this name at the end is skipped by formats that are made of boxes
_TAIL = struct.Struct(">I4s")


@dataclass(frozen=True)
class Recipe:
    """The recipe found in a file.

    Attributes:
        steps: How the file was made, as given to `write_recipe`.
        intact: Whether the file is to the last byte as it was made.
    """

    steps: dict
    intact: bool


def write_recipe(path: Path, steps: dict) -> None:
    """Put a recipe into a picture file, where every decoder passes over it.

    PNG and JPEG get it near the start, so that it survives a cut; other formats at the end.

    Args:
        path: The file, which is rewritten in place.
        steps: How it was made; values that JSON knows.
    """
    content = path.read_bytes()
    place = _place(content)
    # default: numpy's numbers, which JSON does not know
    steps = json.loads(json.dumps(steps, default=float))
    note = {"srlib": steps, "sha256": _seal(steps, content)}
    packed = _pack(json.dumps(note, sort_keys=True).encode(), content)
    path.write_bytes(content[:place] + packed + content[place:])


def read_recipe(path: Path) -> Recipe | None:
    """The recipe in a file, or None if there is none.

    Raises:
        OSError: The file cannot be read.
    """
    with open_regular(path) as file:
        content = file.read()
    found = _unpack(content)
    if found is None:
        return None
    note, start, stop = found
    bare = content[:start] + content[stop:]
    return Recipe(note["srlib"], _seal(note["srlib"], bare) == note["sha256"])


def _seal(steps: dict, content: bytes) -> str:
    """The hash of a recipe and of the file without it."""
    text = json.dumps(steps, sort_keys=True).encode()
    return hashlib.sha256(text + content).hexdigest()


def _place(content: bytes) -> int:
    if content.startswith(_PNG):
        return _PNG_HEAD
    return len(_JPEG) if content.startswith(_JPEG) else len(content)


def _pack(text: bytes, content: bytes) -> bytes:
    if content.startswith(_PNG):
        checksum = zlib.crc32(_CHUNK + text)
        return struct.pack(">I", len(text)) + _CHUNK + text + struct.pack(">I", checksum)
    if content.startswith(_JPEG):
        return _COMMENT + struct.pack(">H", len(text) + 2) + text
    size = len(text) + 2 * _TAIL.size
    return _TAIL.pack(size, _BOX) + text + _TAIL.pack(size, _BOX)


def _unpack(content: bytes) -> tuple[dict, int, int] | None:
    """The note, and the first byte of its packing and the first one behind it."""
    start = _place(content)
    try:
        if content.startswith(_PNG):
            (length,) = struct.unpack_from(">I", content, start)
            text_start, text_stop, stop = start + 8, start + 8 + length, start + 12 + length
        elif content.startswith(_JPEG):
            (length,) = struct.unpack_from(">H", content, start + 2)
            text_start, text_stop, stop = start + 4, start + 2 + length, start + 2 + length
        else:
            size, _ = _TAIL.unpack(content[-_TAIL.size :])
            start, stop = len(content) - size, len(content)
            text_start, text_stop = start + _TAIL.size, stop - _TAIL.size
        note = json.loads(content[text_start:text_stop])
        return (note, start, stop) if note.keys() == {"srlib", "sha256"} else None
    except (struct.error, ValueError, AttributeError, IndexError):
        return None
