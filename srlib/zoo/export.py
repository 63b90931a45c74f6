"""Networks as ONNX files, for browsers, phones and other runtimes."""

import copy
import importlib.util
import io
import os
import warnings
from pathlib import Path

import torch

from srlib.errors import SRError
from srlib.files.whole import as_path, write_whole
from srlib.model.edsr import EDSR
from srlib.zoo.layouts import PLAIN

_OPSET = 17  # read by ONNX Runtime Web, TensorRT, Core ML's and OpenVINO's converters


class ExportError(SRError, ImportError):
    """A network cannot be exported, since a package is missing; the message names it."""


def export_onnx(model: EDSR, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
    """Write a network as an ONNX file.

    The file holds the whole network, mean shift included. Its input "lr" is float32 RGB in [0, 1],
    (B, 3, H, W) of any size; its output "sr", (B, 3, scale * H, scale * W), is that of `model(lr)`:
    not clamped, and with zeros beyond the border. Mirror the picture by some 8 pixels first, and
    crop the answer, to get the edges of `upscale`.

    Args:
        model: The network, changed in any way that PyTorch can trace. It stays as it is.
        path: The file to write, usually with the suffix .onnx. It appears whole or not at all.
        overwrite: Replace a file that is there.

    Returns:
        The path.

    Raises:
        ExportError: The package onnx is not installed.
        FileExistsError: The file is there and `overwrite` is not set.
        OSError: The file cannot be written.
    """
    path = as_path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; choose another name, or overwrite=True.")
    if importlib.util.find_spec("onnx") is None:
        raise ExportError("ONNX files are made with the package onnx: pip install onnx.")
    twin = copy.deepcopy(model).to("cpu", torch.float32).eval()
    names = ("batch", "height", "width")
    axes = {
        side: dict(zip((0, 2, 3), (f"{side} {n}" for n in names), strict=True))
        for side in ("lr", "sr")
    }
    content = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), torch.no_grad():
        # The older of PyTorch's exporters: it needs no package besides onnx, and its graph of
        # convolutions and DepthToSpace runs everywhere.
        torch.onnx.export(
            twin,
            (torch.rand(1, 3, 8, 8, **PLAIN),),
            content,
            dynamo=False,
            opset_version=_OPSET,
            input_names=["lr"],
            output_names=["sr"],
            dynamic_axes=axes,
        )
    return write_whole(path, content.getbuffer(), to_disk=True)
