"""How a network is computed: in 32 bits or 16, with its tail folded."""

import copy
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from numbers import Integral
from threading import Lock

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pixel_shuffle

from srlib.model import count_macs
from srlib.model.device import best_device
from srlib.model.edsr import (
    EDSR,
    TAIL_REACH,
    EDSRConfig,
    ResBlock,
    folded_tail,
    has_hooks,
    is_plain,
)

# (B, 3, H, W) in [0, 1] to (B, 3, scale * H, scale * W), as EDSR.forward
Network = Callable[[Tensor], Tensor]
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
PADDINGS = ("symmetric", "wrap")
_WORTH_A_TRIAL = 50e9  # multiply-accumulates: half a second on two cores
_CLOSE = 0.1  # grey levels RMS: costs 0.01 dB at a PSNR of 42 dB, and less below
_BAND_BYTES = 8 * 1024**2  # of the rows of a map that are computed at once
_BLOCK_REACH = 2  # rows that a residual block sees above and below
_logger = logging.getLogger(__name__)
_timing = Lock()  # the number of threads is one for the whole process


@dataclass(frozen=True)
class Options:
    """How a network is run over a picture.

    Attributes:
        tile: LR pixels per side of a tile, or "auto" to fit a quarter of the free memory. The
            result does not depend on it.
        device: "auto" (CUDA, then MPS, then CPU), or a PyTorch device.
        precision: "float32"; "bfloat16" or "float16" for the body of the network, with the rest
            in float32; or "auto", which takes 16 bits where they are faster and cost less than
            0.01 dB: float16 on CUDA, bfloat16 for large enough pictures on a CPU that has it.
        padding: The pixels beyond the border: "symmetric" mirrors the picture, "wrap" repeats it,
            for textures that tile.
        on_progress: Called with (tiles done, tiles in all) after each block of the network, with
            fractions of a tile; after each tile only if the network was changed or has hooks. A
            tile that begins again for lack of memory lowers the share. It may raise to cancel.
        on_precision: Called with the name of the precision that was chosen, before the first tile.

    Raises:
        ValueError: A name is unknown, or `tile` is neither a number from 1 nor "auto".
    """

    tile: int | str = "auto"
    device: str | torch.device = "auto"
    precision: str = "auto"
    padding: str = "symmetric"
    on_progress: Callable[[float, int], None] | None = None
    on_precision: Callable[[str], None] | None = None

    def __post_init__(self):
        names = {"precision": PRECISIONS, "padding": PADDINGS}
        for option, allowed in names.items():
            value = getattr(self, option)
            if value not in allowed:
                raise ValueError(f"{option} is one of {', '.join(allowed)}, not {value!r}.")
        if self.tile != "auto" and not (isinstance(self.tile, Integral) and self.tile >= 1):
            raise ValueError(f'tile is a number of LR pixels or "auto", not {self.tile!r}.')


def choose_precision(config: EDSRConfig, options: Options, lr_pixels: int) -> str:
    """Choose "float32", "bfloat16" or "float16". Little work is not worth a trial."""
    if options.precision != "auto":
        return options.precision
    device = best_device(options.device)
    if device.type == "cuda":
        return "float16"
    worth_it = device.type == "cpu" and count_macs(config, 1, 1) * lr_pixels > _WORTH_A_TRIAL
    return "bfloat16" if worth_it and _bfloat16_pays(config.n_feats) else "float32"


def _bfloat16_pays(n_feats: int) -> bool:
    seconds = trial(n_feats, torch.device("cpu"))
    return seconds["bfloat16"] < 0.9 * seconds["float32"]


@lru_cache(maxsize=16)
def trial(n_feats: int, device: torch.device) -> dict[str, float]:
    """Time a residual block in 32 and 16 bits: some 50 ms, once per process.

    Returns:
        The seconds for a multiply-accumulate by precision; on a CPU those of one thread.
    """
    on_cpu = device.type == "cpu"
    macs = 18 * n_feats**2  # for a pixel
    side = max(24, math.isqrt(int((150e6 if on_cpu else 5e9) / macs)))  # a GPU has to be filled
    features = torch.zeros(1, n_feats, side, side, dtype=torch.float32, device=device)
    features = features.to(memory_format=torch.channels_last)
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they are
        block = ResBlock(n_feats, 1.0).to(device, torch.float32)
    half = torch.bfloat16 if on_cpu else torch.float16

    def compute(dtype: torch.dtype) -> None:
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            block(features.to(dtype))[0, 0, 0, 0].item()  # waits for a GPU

    ways = {
        str(dtype).removeprefix("torch."): partial(compute, dtype)
        for dtype in (torch.float32, half)
    }
    with torch.inference_mode():
        seconds = best_seconds(ways, time.thread_time if on_cpu else time.perf_counter)
    return {precision: taken / (macs * side**2) for precision, taken in seconds.items()}


def best_seconds(
    ways: Mapping[str, Callable[[], object]], clock: Callable[[], float] = time.thread_time
) -> dict[str, float]:
    """Time ways of computing, by name, so that other work on the machine does not decide.

    They take turns, and the best of five rounds counts. On a CPU one thread computes, and its
    processor time is taken: threads that wait for each other, or for the processor, do not count.
    """
    best = dict.fromkeys(ways, math.inf)
    with _timing:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for _ in range(5):
                for name, compute in ways.items():
                    started = clock()
                    compute()
                    best[name] = min(best[name], clock() - started)
        finally:
            torch.set_num_threads(threads)
    return best


def network_for(
    model: EDSR, options: Options, lr_pixels: int, piece: Tensor, on_block: Callable[[], None]
) -> Network:
    """Prepare a network for a picture, in the fastest way that gives the model's own answer.

    The answer may differ from `model(lr)` in the outer TAIL_REACH LR pixels. The model stays on its
    device and in its mode. A network that was changed, or has hooks, is computed as it is written,
    in float32.

    With precision "auto" 16 bits must agree with float32 on a piece of the picture, (1, 3, H, W),
    or float32 is taken. `on_block` is called after each residual block, unless the network is
    computed as written.
    """
    device = best_device(options.device)
    model = _ready(model, device)
    precision = choose_precision(model.config, options, lr_pixels)
    exact: Network = model
    network = exact
    if is_plain(model) and not has_hooks(model):
        with torch.inference_mode():
            run = partial(_by_folded_tail, model, folded_tail(model), on_block)
        exact = network = partial(run, torch.float32)
        if precision != "float32":
            network = partial(run, getattr(torch, precision))
    on_trial = network is not exact and options.precision == "auto"
    if on_trial and not _close(network, exact, piece.to(device)):
        network = exact
    if network is exact:
        precision = "float32"
    _logger.info("%s: %s on %s", model.config, precision, device)
    if options.on_precision:
        options.on_precision(precision)

    def finite_network(lr: Tensor) -> Tensor:
        sr = network(lr)
        return sr if network is exact or sr.isfinite().all() else exact(lr)

    return finite_network


@torch.inference_mode()
def _close(network: Network, exact: Network, piece: Tensor) -> bool:
    error = (network(piece) - exact(piece)).square().mean().sqrt() * 255
    return bool(error <= _CLOSE)  # not if it is NaN


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


def _by_folded_tail(
    model: EDSR,
    tail: tuple[Tensor, Tensor],
    on_block: Callable[[], None],
    dtype: torch.dtype,
    lr: Tensor,
) -> Tensor:
    """The network with its tail as one convolution; other in the outer TAIL_REACH LR pixels.

    Only the body is computed in `dtype`: bfloat16 has 8 bits, and would round the values of +-128
    that head, tail and mean shift see by half a level.

    On a CPU all but the head goes in bands of rows: the system would clear new pages for each map
    that is as large as the picture.
    """
    scale = model.config.scale
    head = model.head(model.sub_mean(lr * 255))
    body = _body(model.body, on_block, head.to(dtype, copy=True))
    batch, _, height, width = lr.shape
    sr = lr.new_empty(batch, 3, scale * height, scale * width)
    for seen, kept, place in _bands(head, TAIL_REACH):
        rows = conv2d(head[:, :, seen] + body[:, :, seen], *tail, padding=TAIL_REACH)[:, :, kept]
        place = slice(scale * place.start, scale * place.stop)
        sr[:, :, place] = model.add_mean(pixel_shuffle(rows, scale)).div_(255)
    return sr


def _body(body: nn.Sequential, on_block: Callable[[], None], x: Tensor) -> Tensor:
    """EDSR's body, from the features in x, which are overwritten."""
    y = torch.empty_like(x)
    low = partial(torch.autocast, x.device.type, x.dtype, enabled=x.dtype != torch.float32)
    for block in body[:-1]:
        with low():
            for seen, kept, place in _bands(x, _BLOCK_REACH):
                residual = block.body(x[:, :, seen])[:, :, kept]
                torch.add(x[:, :, place], residual, alpha=block.res_scale, out=y[:, :, place])
        x, y = y, x
        on_block()
    with low():
        for seen, kept, place in _bands(x, _BLOCK_REACH):
            y[:, :, place] = body[-1](x[:, :, seen])[:, :, kept]
    return y


def _bands(features: Tensor, reach: int) -> Iterator[tuple[slice, slice, slice]]:
    """Cut a map into bands of rows, one for a GPU.

    Yields:
        The rows of the map that a part of the network sees, those of its answer that count, and
        their place in the map.
    """
    height = features.shape[2]
    on_cpu = features.device.type == "cpu"
    band = max(1, _BAND_BYTES // features[:, :, :1].nbytes) if on_cpu else height
    for top in range(0, height, band):
        start = max(0, top - reach)
        bottom = min(top + band, height)
        yield slice(start, bottom + reach), slice(top - start, bottom - start), slice(top, bottom)
