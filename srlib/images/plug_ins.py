"""HEIC and JPEG XL, which Pillow reads and writes by the plug-ins of others."""

import importlib
import math
import re

import numpy as np
from PIL import Image

from srlib.errors import ImageError

_PLUG_INS = {  # Pillow's name: the signature of the files, the module and the package
    "HEIF": (
        re.compile(rb"....ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)", re.DOTALL),
        "pillow_heif",
        "pillow-heif",
    ),
    "JXL": (re.compile(rb"\xff\n|\0\0\0\x0cJXL "), "pillow_jxl", "pillow-jxl-plugin"),
}
_JXL_STREAM = re.compile(rb"(?:^|jxlc(?:.{8})?|jxlp(?:.{8})?.{4})\xff\n(.{10})", re.DOTALL)
_JXL_BITS = (9, 13, 18, 30)
_JXL_RATIOS = (0, 1, 1.2, 4 / 3, 3 / 2, 16 / 9, 5 / 4, 2)  # width to height


def plug_in_for(head: bytes) -> str | None:
    """The format of a file that needs a plug-in, by its first 32 bytes; None for others."""
    for kind, (signature, _, _) in _PLUG_INS.items():
        if signature.match(head) and b"avif" not in head:
            return kind
    return None


def load_plug_in(kind: str, failure: str) -> None:
    """Register the plug-in of a format with Pillow, if the format has one that is not there yet.

    Raises:
        ImageError: It is not installed. The message begins with `failure`.
    """
    if kind not in _PLUG_INS or kind in Image.OPEN:
        return
    _, name, package = _PLUG_INS[kind]
    try:
        module = importlib.import_module(name)
    except ImportError:  # also a plug-in built for another system
        raise ImageError(
            f"{failure}: {kind} needs a plug-in of Pillow; pip install {package}."
        ) from None
    if kind == "HEIF":  # the other one registers itself
        module.register_heif_opener()


def jxl_size(content: bytes) -> tuple[int, int]:
    """The largest (width, height) that a JPEG XL claims; (1, 1) if no header is found.

    The plug-in decodes all pixels as it opens a file, which is too late for a limit.
    """
    sizes = [_codestream_size(stream[1]) for stream in _JXL_STREAM.finditer(content)]
    return max(sizes, key=math.prod, default=(1, 1))


def _codestream_size(header: bytes) -> tuple[int, int]:
    bits = iter(np.unpackbits(np.frombuffer(header, np.uint8), bitorder="little").tolist())

    def take(count: int) -> int:
        return sum(next(bits) << place for place in range(count))

    def take_side() -> int:
        return 8 * (take(5) + 1) if is_small else take(_JXL_BITS[take(2)]) + 1

    is_small = take(1) == 1
    height = take_side()
    ratio = _JXL_RATIOS[take(3)]
    return int(height * ratio) if ratio else take_side(), height
