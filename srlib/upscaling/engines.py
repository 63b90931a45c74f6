"""How a network is computed: by PyTorch or OpenVINO, in 32 bits or 16, with its tail folded."""

from __future__ import annotations

import copy
import importlib.util
import logging
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from numbers import Integral
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pixel_shuffle

from srlib.model import count_macs
from srlib.model.device import best_device, processor_seconds
from srlib.model.edsr import EDSR, TAIL_REACH, EDSRConfig, ResBlock, folded_tail

# (B, 3, H, W) in [0, 1] to (B, 3, scale * H, scale * W), as EDSR.forward
Network = Callable[[Tensor], Tensor]
ENGINES = ("auto", "torch", "openvino")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
PADDINGS = ("symmetric", "wrap")
_WORTH_A_TRIAL = 50e9  # multiply-accumulates: half a second on two cores
_WORTH_COMPILING = 100e9  # a second, of which compiling gives back more than it takes
_CLOSE = 0.1  # grey levels RMS: costs 0.01 dB at a PSNR of 42 dB, and less below
_SAME = 1e-3  # relative RMS difference of two orders of the same computation, TF32 included
_SAMPLE = 12  # LR pixels a side of the noise on which two networks are compared
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How a network is run over a picture.

    Attributes:
        tile: LR pixels per side of a tile, or "auto" to fit a quarter of the free memory. The
            result does not depend on it.
        device: "auto" (CUDA, then MPS, then CPU), or a PyTorch device.
        engine: "torch"; "openvino", which needs `pip install 'srlib[fast]'`; or "auto", which
            takes OpenVINO on a CPU for large enough pictures where it is installed.
        precision: "float32"; "bfloat16" or "float16" for the body of the network, with the rest
            in float32; or "auto", which takes 16 bits where they are faster and cost less than
            0.01 dB: float16 on CUDA, bfloat16 for large enough pictures on a CPU that has it.
        padding: The pixels beyond the border: "symmetric" mirrors the picture, "wrap" repeats it,
            for textures that tile.
        on_progress: Called with (tiles done, tiles in all) after each tile. It may raise to cancel.
        on_route: Called with the `Route`, which names engine and precision, before the first tile.

    Raises:
        ValueError: A name is unknown, or `tile` is below 1.
        TypeError: `tile` is neither a number nor "auto".
    """

    tile: int | str = "auto"
    device: str | torch.device = "auto"
    engine: str = "auto"
    precision: str = "auto"
    padding: str = "symmetric"
    on_progress: Callable[[int, int], None] | None = None
    on_route: Callable[[Route], None] | None = None

    def __post_init__(self):
        names = {"engine": ENGINES, "precision": PRECISIONS, "padding": PADDINGS}
        for option, allowed in names.items():
            value = getattr(self, option)
            if value not in allowed:
                raise ValueError(f"{option} is one of {', '.join(allowed)}, not {value!r}.")
        if self.tile == "auto":
            return
        if isinstance(self.tile, bool) or not isinstance(self.tile, Integral):
            raise TypeError(f'tile is a number of LR pixels or "auto", not {self.tile!r}.')
        if self.tile < 1:
            raise ValueError(f"A tile has at least one pixel a side, not {self.tile}.")


class Route(NamedTuple):
    """The way a network is computed: by "torch" or "openvino", in a precision of PRECISIONS."""

    engine: str
    precision: str


def choose_route(
    config: EDSRConfig, options: Options, lr_pixels: int, *, plain: bool = True
) -> Route:
    """Choose engine and precision. Little work is worth neither a trial nor a compilation.

    Args:
        config: The shape of the network.
        options: Names what is fixed; the rest is "auto".
        lr_pixels: Pixels of the picture.
        plain: Whether the network has the body of an EDSR; others only PyTorch computes.

    Raises:
        ValueError: OpenVINO is asked for by name and cannot be used.
    """
    device = best_device(options.device).type
    work = count_macs(config, 1, 1) * lr_pixels
    precision = options.precision
    if precision == "auto" and device == "cuda":
        precision = "float16"
    elif precision == "auto":
        trial = device == "cpu" and work > _WORTH_A_TRIAL
        precision = "bfloat16" if trial and _bfloat16_pays(config.n_feats) else "float32"
    installed = importlib.util.find_spec("openvino") is not None
    usable = installed and plain and device == "cpu" and precision != "float16"
    if options.engine == "openvino" and not usable:
        raise ValueError(
            "OpenVINO has to be installed (pip install 'srlib[fast]'), and computes only EDSR "
            "without changes and hooks, on a CPU, in float32 or bfloat16; take another engine."
        )
    engine = options.engine
    if engine == "auto":
        engine = "openvino" if usable and work > _WORTH_COMPILING else "torch"
    return Route(engine, precision)


def _bfloat16_pays(n_feats: int) -> bool:
    seconds = trial_on_cpu(n_feats)
    return seconds["bfloat16"] < 0.9 * seconds["float32"]


@lru_cache(maxsize=16)
def trial_on_cpu(n_feats: int) -> dict[str, float]:
    """Time a residual block in float32 and bfloat16: some 50 ms, once per process.

    Returns:
        The seconds of one thread for a multiply-accumulate, by precision.
    """
    side = min(192, max(24, math.isqrt(int(150e6 / (18 * n_feats**2)))))  # 150e6 operations
    features = torch.zeros(1, n_feats, side, side).to(memory_format=torch.channels_last)
    block = ResBlock(n_feats, 1.0)
    with torch.inference_mode():
        seconds = processor_seconds(
            {
                "float32": partial(block, features),
                "bfloat16": partial(_InHalf(block, torch.bfloat16), features),
            }
        )
    return {precision: taken / (18 * n_feats**2 * side**2) for precision, taken in seconds.items()}


def network_for(model: EDSR, options: Options, lr_pixels: int, piece: Tensor) -> Network:
    """Prepare a network for a picture, in the fastest way that gives the model's own answer.

    The answer may differ from `model(lr)` in the outer TAIL_REACH LR pixels. The model stays on its
    device and in its mode; weights of other precisions are computed in float32.

    Args:
        model: The network, which may be changed in any way: the folded tail and OpenVINO are taken
            only where they give the same answer to noise and skip no hooks.
        options: Names what is fixed; the rest is "auto".
        lr_pixels: Pixels of the picture.
        piece: A piece of the picture, (1, 3, H, W). With precision "auto" a fast route must agree
            with float32 on it, or float32 is taken.
    """
    device = best_device(options.device)
    model = _ready(model, device)
    with torch.inference_mode():
        exact = _folded(model)
        plain = isinstance(exact, _Folded) and _is_plain(model.body)
        route = choose_route(model.config, options, lr_pixels, plain=plain)
        network = exact
        if route != Route("torch", "float32"):
            twin = _with(model, body=_faster_body(model.body, route))
            network = _Folded(twin, *exact.tail) if isinstance(exact, _Folded) else twin
        if network is not exact and options.precision == "auto":
            piece = piece.to(device)
            error = (network(piece) - exact(piece)).square().mean().sqrt() * 255
            if not error <= _CLOSE:  # also if it is NaN
                network = exact
                route = Route("torch", "float32")
    _logger.info("%s: %s in %s on %s", model.config, route.engine, route.precision, device)
    if options.on_route:
        options.on_route(route)

    def finite_network(lr: Tensor) -> Tensor:
        sr = network(lr)
        return sr if network is exact or sr.isfinite().all() else exact(lr)

    return finite_network


def _ready(model: EDSR, device: torch.device) -> EDSR:
    """The model in float32 on the device; a copy where the caller's would have to be changed."""
    fits = all((w.device, w.dtype) == (device, torch.float32) for w in model.parameters())
    if fits and not any(part.training for part in model.modules()):
        return model
    kept = {}
    for part in model.modules():
        # The hooks are shared with the copy: their owner would not see what a copied hook records.
        kept |= {id(hooks): hooks for hooks in (part._forward_hooks, part._forward_pre_hooks)}
        # Pruning and the like keep a computed weight as an attribute, which cannot be copied.
        kept |= {id(x): x.detach() for x in vars(part).values() if isinstance(x, Tensor)}
    twin = copy.deepcopy(model, kept)
    return twin.to(device, torch.float32).to(memory_format=torch.channels_last).eval()


def _with(model: EDSR, **parts: nn.Module) -> EDSR:
    """The same model, weights shared, with other parts."""
    twin = copy.copy(model)
    twin._modules = model._modules | parts
    return twin


class _Folded(nn.Module):
    """The network with its tail as one convolution; other in the outer TAIL_REACH LR pixels."""

    def __init__(self, model: EDSR, weight: Tensor, bias: Tensor):
        super().__init__()
        self.model = model
        self.tail = (weight, bias)

    def forward(self, lr: Tensor) -> Tensor:
        pixels = conv2d(self.model.features(lr), *self.tail, padding=TAIL_REACH)
        return self.model.add_mean(pixel_shuffle(pixels, self.model.config.scale)) / 255


def _folded(model: EDSR) -> nn.Module:
    """The model with a folded tail, or as it is, where folding would change it."""
    if not isinstance(model, EDSR) or model._compiled_call_impl is not None:
        return model  # torch.compile has made its own code of it
    bare = _with(model, body=nn.Identity())  # whose hooks would be called by the comparison
    if _has_hooks(bare):
        return model
    try:
        # Of a copy: folding changes the biases for a moment, which other threads would see.
        tail = folded_tail(_with(model, tail=copy.deepcopy(model.tail)))
        edge = TAIL_REACH * model.config.scale
        inside = (..., slice(edge, -edge), slice(edge, -edge))
        same = all(
            _agree(_Folded(bare, *tail)(lr)[inside], bare(lr)[inside])
            for lr in _noise(3, model.head[0].weight)
        )
        return _Folded(model, *tail) if same else model
    except Exception:  # it has other parts
        return model


def _is_plain(body: nn.Module) -> bool:
    """Whether a body computes what `_InOpenVINO` makes of it, and nobody listens."""
    if _has_hooks(body):
        return False

    def plain_body(x: Tensor) -> Tensor:
        for block in body[:-1]:
            first, _, second = block.body
            inner = conv2d(x, first.weight, first.bias, padding=1).relu()
            x = x + conv2d(inner, second.weight, second.bias, padding=1) * block.res_scale
        return conv2d(x, body[-1].weight, body[-1].bias, padding=1)

    try:
        last = body[-1]
        return all(_agree(plain_body(x), body(x)) for x in _noise(last.in_channels, last.weight))
    except Exception:  # it has other parts
        return False


def _has_hooks(part: nn.Module) -> bool:
    return any(inner._forward_hooks or inner._forward_pre_hooks for inner in part.modules())


def _noise(channels: int, like: Tensor) -> list[Tensor]:
    """Weak and strong noise, which show any change, (1, channels, _SAMPLE, _SAMPLE)."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, channels, _SAMPLE, _SAMPLE, generator=generator).to(like.device)
    return [noise, 1000 * noise]


def _agree(answer: Tensor, expected: Tensor) -> bool:
    difference = (answer - expected).square().mean()
    return bool(difference <= _SAME**2 * expected.square().mean())


def _faster_body(body: nn.Module, route: Route) -> nn.Module:
    """The body computed by another route.

    Head, tail and mean shift stay in float32: bfloat16 has 8 bits, and would round the values of
    +-128 that they see by half a level.
    """
    if route.engine == "openvino":
        return _in_openvino(body, route.precision)
    return _InHalf(body, getattr(torch, route.precision))


class _InHalf(nn.Module):
    """A body computed in 16 bits by PyTorch, with input and answer in float32."""

    def __init__(self, body: nn.Module, dtype: torch.dtype):
        super().__init__()
        self.body = body
        self.dtype = dtype

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, self.dtype):
            return self.body(features.to(self.dtype)).float()


_compiled: WeakKeyDictionary[nn.Module, tuple[tuple, nn.Module]] = WeakKeyDictionary()


def _in_openvino(body: nn.Sequential, precision: str) -> nn.Module:
    """A body of residual blocks compiled by OpenVINO, once for a whole folder of pictures."""
    fingerprint = 0  # the weights may have been trained on since
    for weight in body.parameters():
        fingerprint = zlib.crc32(weight.detach().contiguous().numpy(), fingerprint)
    key = (fingerprint, precision, torch.get_num_threads())
    if body not in _compiled or _compiled[body][0] != key:
        _compiled[body] = key, _InOpenVINO(body, precision)
    return _compiled[body][1]


class _InOpenVINO(nn.Module):
    def __init__(self, body: nn.Sequential, precision: str):
        import openvino
        from openvino import opset13 as ops

        def convolution(x, layer: nn.Conv2d):
            weight = layer.weight.detach().contiguous().numpy()
            bias = layer.bias.detach().numpy().reshape(1, -1, 1, 1)
            return ops.add(ops.convolution(x, weight, [1, 1], [1, 1], [1, 1], [1, 1]), bias)

        super().__init__()
        features = ops.parameter([-1, body[-1].in_channels, -1, -1], np.float32)
        x = features
        for block in body[:-1]:
            inner = convolution(ops.relu(convolution(x, block.body[0])), block.body[2])
            x = ops.add(x, ops.multiply(inner, np.float32(block.res_scale)))
        graph = openvino.Model([convolution(x, body[-1])], [features])
        settings = {
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        self.compiled = openvino.Core().compile_model(graph, "CPU", settings)

    def forward(self, features: Tensor) -> Tensor:
        # A new request each time: short of memory, OpenVINO leaves the last answer in an old one.
        request = self.compiled.create_infer_request()
        try:
            values = features.contiguous().numpy()
            answer = request.infer([values], share_inputs=True, share_outputs=True)[0]
        finally:
            self.compiled.release_memory()  # or it keeps the most that it ever needed
        if answer.shape != values.shape:
            raise MemoryError("OpenVINO has no memory for this tile.")
        return torch.from_numpy(answer).to(memory_format=torch.channels_last)
