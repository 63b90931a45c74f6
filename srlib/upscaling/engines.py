"""How the network is computed: the folded tail, by PyTorch or compiled by OpenVINO, in 32 bits or 16 (notebooks 00 and 03)."""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable
from copy import deepcopy
from functools import lru_cache
from types import SimpleNamespace
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pixel_shuffle

from srlib.model.cost import count_macs
from srlib.model.edsr import EDSR, TAIL_REACH, EDSRConfig, folded_tail

Network = Callable[
    [Tensor], Tensor
]  # (B, 3, H, W) in [0, 1] to (B, 3, scale * H, scale * W), as EDSR.forward
Engine = Callable[
    [Tensor], tuple[Tensor, Tensor]
]  # lr to the features, and what the folded tail makes of them
PRECISIONS = ("auto", "float32", "float16")
_WORTH_COMPILING = 100e9  # multiply-accumulates: a second on two cores, of which compiling gives back more than it takes


def network_for(
    model: EDSR, device: str | torch.device, precision: str = "auto", *, pixels: int
) -> Network:
    """`model` on `device`, computed in the fastest way that gives its own answer, for an image of `pixels` LR pixels.

    The model itself stays as it is, on its device and in its mode; weights of other precisions are computed in float32.

    precision: "float32" differs from model(lr) by float rounding, under a thousandth of a grey level.  "float16" is for GPUs;
    a tile that overflows in it is computed again in float32.  "auto" takes float16 on CUDA, where it costs less than 0.01 dB,
    and float32 elsewhere.  Raises ValueError for another one.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is one of {', '.join(PRECISIONS)}, not {precision!r}.")
    device, weight = (
        torch.empty(0, device=device).device,
        next(model.parameters()),
    )  # "cuda" is now "cuda:0", as a weight's is
    folds, compilable = _standard(model)
    changed_by_mode = model.training and not compilable  # EDSR's own layers do the same in training
    if (weight.device, weight.dtype) != (device, torch.float32) or changed_by_mode:
        model = _copy(model).to(device, torch.float32, memory_format=torch.channels_last).eval()
    compiled = compilable and (model in _compiled or compiles(model.config, device, pixels))
    exact = _joined(model, _openvino_engine(model)) if compiled else _by_torch(model, folds)
    if precision == "float32" or (precision == "auto" and device.type != "cuda"):
        return exact
    quick = _by_torch(_copy(model).half(), folds)

    def network(lr: Tensor) -> Tensor:
        sr = quick(lr.half()).float()
        return sr if sr.isfinite().all() else exact(lr)

    return network


def _standard(model: EDSR) -> tuple[bool, bool]:
    """Whether the tail may be folded, and whether all of the network may be compiled, with the same answer.

    What a subclass or exchanged layers compute otherwise, and hooks, which want to be called, only PyTorch does; a `forward`
    of its own, or another tail, only as it is written.
    """
    whole, tail = _layers(model.config)
    watched = [part for part in model.modules() if part._forward_hooks or part._forward_pre_hooks]
    own_forward = getattr(model.forward, "__func__", None) is not EDSR.forward
    folds = (
        not own_forward
        and str(model.tail) == tail
        and not {model, *model.tail.modules()} & set(watched)
    )
    return folds, folds and type(model) is EDSR and str(model) == whole and not watched


@lru_cache(maxsize=8)
def _layers(config: EDSRConfig) -> tuple[str, str]:
    """The layers of the network, and of its tail, in words."""
    with torch.device("meta"):
        model = EDSR(config)
    return str(model), str(model.tail)


def _copy(model: EDSR) -> EDSR:
    """The caller's model is left on its device and in its mode.  Hooks are the same ones, not copies, which no one would hear."""
    hooks = [
        hooks
        for part in model.modules()
        for hooks in (part._forward_hooks, part._forward_pre_hooks)
    ]
    return deepcopy(model, {id(each): each for each in hooks})


def _by_torch(model: EDSR, folds: bool) -> Network:
    return _joined(model, _torch_engine(model)) if folds else model


def _joined(model: EDSR, engine: Engine) -> Network:
    """The engine's answer, with the border that folding gets wrong computed by the tail itself, in four strips."""
    scale, deep, wrong = model.config.scale, 2 * TAIL_REACH, TAIL_REACH * model.config.scale

    def network(lr: Tensor) -> Tensor:
        features, pixels = engine(lr)
        sr = pixel_shuffle(pixels, scale)
        sr[:, :, :wrong] = model.tail(features[:, :, :deep])[:, :, :wrong]
        sr[:, :, -wrong:] = model.tail(features[:, :, -deep:])[:, :, -wrong:]
        sr[:, :, :, :wrong] = model.tail(features[:, :, :, :deep])[:, :, :, :wrong]
        sr[:, :, :, -wrong:] = model.tail(features[:, :, :, -deep:])[:, :, :, -wrong:]
        return model.add_mean(sr) / 255

    return network


@torch.no_grad()
def _folded_tail(model: EDSR) -> tuple[Tensor, Tensor]:
    """Of a copy: other biases are put into the tail for a moment, which other threads would compute with, and even keep."""
    return folded_tail(
        SimpleNamespace(config=model.config, head=model.head, tail=deepcopy(model.tail))
    )


def _torch_engine(model: EDSR) -> Engine:
    weight, bias = _folded_tail(model)

    def engine(lr: Tensor) -> tuple[Tensor, Tensor]:
        features = model.features(lr)
        return features, conv2d(features, weight, bias, padding=TAIL_REACH)

    return engine


_compiled: WeakKeyDictionary[EDSR, tuple[int, Engine]] = (
    WeakKeyDictionary()
)  # compiling once is enough for a whole folder


def compiles(config: EDSRConfig, device: str | torch.device, pixels: int) -> bool:
    """Whether OpenVINO computes it: on a CPU, where it is installed, for work that takes longer than compiling."""
    here = torch.device(device).type == "cpu" and importlib.util.find_spec("openvino")
    return bool(here) and count_macs(config, 1, 1) * pixels > _WORTH_COMPILING


def _openvino_engine(model: EDSR) -> Engine:
    weights = model.state_dict()
    fingerprint = 0  # the weights may have been trained on since
    for value in weights.values():
        fingerprint = zlib.crc32(value.contiguous().numpy(), fingerprint)
    if model not in _compiled or _compiled[model][0] != fingerprint:
        _compiled[model] = fingerprint, _compile(model, weights)
    return _compiled[model][1]


def _compile(model: EDSR, weights: dict[str, Tensor]) -> Engine:
    """The network with its folded tail as OpenVINO's graph, for any image size."""
    import openvino
    from openvino import opset13 as ops

    def convolution(x, weight: Tensor, bias: Tensor):
        reach = weight.shape[-1] // 2
        y = ops.convolution(x, weight.numpy(), [1, 1], [reach, reach], [reach, reach], [1, 1])
        return ops.add(y, bias.numpy().reshape(1, -1, 1, 1))

    def layer(x, name: str):
        return convolution(x, weights[f"{name}.weight"].contiguous(), weights[f"{name}.bias"])

    config = model.config
    lr = ops.parameter([-1, 3, -1, -1], np.float32)
    x = head = layer(layer(ops.multiply(lr, np.float32(255)), "sub_mean"), "head.0")
    for block in range(config.n_resblocks):
        inner = layer(ops.relu(layer(x, f"body.{block}.body.0")), f"body.{block}.body.2")
        x = ops.add(x, ops.multiply(inner, np.float32(config.res_scale)))
    features = ops.add(head, layer(x, f"body.{config.n_resblocks}"))
    pixels = convolution(features, *(value.contiguous() for value in _folded_tail(model)))
    # In full precision: where a processor has bfloat16, it would be taken without asking.
    exactly = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = openvino.Core().compile_model(
        openvino.Model([features, pixels], [lr]), "CPU", exactly
    )

    def engine(lr: Tensor) -> tuple[Tensor, Tensor]:
        try:  # a request of its own, which starts empty: where memory is short OpenVINO leaves what was there, and says nothing
            answers = compiled.create_infer_request().infer(
                [lr.contiguous().numpy()], share_inputs=True, share_outputs=True
            )
            if answers[0].shape[2:] != lr.shape[2:]:
                raise MemoryError(
                    f"OpenVINO has no memory for a tile of {lr.shape[-1]} x {lr.shape[-2]} pixels."
                )
        finally:
            compiled.release_memory()  # else it keeps the most that it ever needed
        features, pixels = (torch.from_numpy(answer) for answer in answers.values())
        # in PyTorch's other layout `add_mean` would take five times the memory, padding 3 channels to 16
        return features, pixels.contiguous(memory_format=torch.channels_last)

    return engine
