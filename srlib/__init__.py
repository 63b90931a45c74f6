"""Single-image super-resolution with EDSR: the package of the course, in ten rooms.

The names below are the ones people reach for first. Each is loaded when it is first used, so that
`import srlib` is quick and needs no PyTorch. Import everything else from its room, for example
`from srlib.data import check_dataset`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from srlib.errors import SRError

if TYPE_CHECKING:
    from srlib.images import imresize, read_image, write_image
    from srlib.metrics import evaluate, psnr, ssim
    from srlib.model import EDSR
    from srlib.training import TrainConfig, fine_tune
    from srlib.upscaling import upscale
    from srlib.zoo import load_pretrained

__version__ = "0.2.0"
__all__ = [
    "EDSR",
    "SRError",
    "TrainConfig",
    "evaluate",
    "fine_tune",
    "imresize",
    "load_pretrained",
    "psnr",
    "read_image",
    "ssim",
    "upscale",
    "write_image",
]

_ROOMS = {
    "EDSR": "model",
    "TrainConfig": "training",
    "evaluate": "metrics",
    "fine_tune": "training",
    "imresize": "images",
    "load_pretrained": "zoo",
    "psnr": "metrics",
    "read_image": "images",
    "ssim": "metrics",
    "upscale": "upscaling",
    "write_image": "images",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'srlib' has no attribute {name!r}")
    return getattr(importlib.import_module(f"srlib.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
