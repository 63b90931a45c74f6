"""Every precision gives the network's own answer, also where someone has changed the network."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from types import MethodType

import numpy as np
import pytest
import torch
from conftest import SAMPLES
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from srlib.images.degrade import Degradation
from srlib.images.picture import read_image
from srlib.images.tensors import to_array, to_tensor
from srlib.metrics import PROTOCOLS
from srlib.model.edsr import EDSR, EDSRConfig, ResBlock, Upsampler
from srlib.upscaling import precision as module
from srlib.upscaling.enlarge import super_resolve
from srlib.upscaling.precision import Options, best_seconds, choose_precision
from srlib.upscaling.tiling import MARGIN
from srlib.zoo.checkpoints import load_pretrained

BASELINE = EDSRConfig(4)


def strong(scale: int, **shape) -> EDSR:
    """Weights large enough that a wrong border, or a lost digit, is seen."""
    torch.manual_seed(scale)
    model = EDSR(EDSRConfig(scale, 2, 8, **shape)).eval()
    for values in model.tail.parameters():
        values.data.mul_(3)
    return model


def as_written(model: nn.Module, rgb: np.ndarray) -> np.ndarray:
    """The answer of the network itself for the picture with its mirrored margin."""
    lr = to_tensor(np.pad(rgb, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), "symmetric"))
    with torch.inference_mode():
        sr = to_array(model(lr[None])[0])
    edge = MARGIN * model.config.scale
    return sr[edge:-edge, edge:-edge]


def off(sr: np.ndarray, expected: np.ndarray) -> int:
    return int(np.abs(sr.astype(int) - expected).max())


# Changes of a network, each a function that changes a plain one.


class Loud(EDSR):
    def forward(self, lr):
        return 1 - super().forward(lr)


class TanhUpsampler(Upsampler):
    def forward(self, features):
        return torch.tanh(super().forward(features) / 20) * 20


class OwnBlock(ResBlock):
    def forward(self, x):
        return x - self.body(x)


class Noisy(nn.Module):
    """A layer with a buffer that it uses."""

    def __init__(self):
        super().__init__()
        self.register_buffer("gain", torch.linspace(0.5, 2, 8).view(1, 8, 1, 1))

    def forward(self, x):
        return x * self.gain


class QuantisedConv(nn.Conv2d):
    def forward(self, x):
        step = self.weight.abs().max() / 3
        return self._conv_forward(x, (self.weight / step).round() * step, self.bias)


class EightBits(nn.Module):
    """A convolution whose weight is an int8 buffer."""

    def __init__(self, layer):
        super().__init__()
        self.step = layer.weight.abs().max().item() / 3
        self.register_buffer("steps", (layer.weight.detach() / self.step).round().char())
        self.bias = layer.bias

    def forward(self, x):
        return nn.functional.conv2d(x, self.steps.float() * self.step, self.bias, padding=1)


class Adapter(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.down = nn.Conv2d(8, 2, 3, padding=1)
        self.up = nn.Conv2d(2, 8, 1)

    def forward(self, x):
        return self.layer(x) + 9 * self.up(self.down(x))


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


def subclass(model):
    model.__class__ = Loud


def own_upsampler(model):
    model.tail[0].__class__ = TanhUpsampler


def own_block(model):
    model.body[0].__class__ = OwnBlock


def res_scale(model):
    model.body[1].res_scale = 0.25


def another_activation(model):
    model.body[0].body[1] = nn.PReLU(init=0.9)


def activation_with_a_limit(model):
    """As ReLU for small features."""
    model.body[0].body[1] = nn.ReLU6()


def own_forward_of_a_block(model):
    """As written for features above zero."""
    original = model.body[0].forward
    model.body[0].forward = lambda features: original(features.abs())


def longer_tail(model):
    model.tail.append(nn.Tanh())


def identity_block(model):
    model.body[0] = nn.Identity()


def block_in_block(model):
    model.body[0] = nn.Sequential(model.body[0], model.body[1])


def buffer_in_the_tail(model):
    model.tail.insert(0, Noisy())


def hooks(model):
    model.register_forward_hook(lambda module, inputs, answer: answer / 3)
    model.head.register_forward_pre_hook(lambda module, inputs: (inputs[0] * 2,))


def hook_on_the_tail(model):
    model.tail[1].register_forward_hook(lambda module, inputs, answer: answer.clamp(-9, 9))


def hook_with_keywords(model):
    model.tail[0].register_forward_pre_hook(
        lambda module, inputs, keywords: ((inputs[0].abs(),), {}), with_kwargs=True
    )


def own_forward(model):
    model.forward = MethodType(lambda self, lr: 1 - EDSR.forward(self, lr), model)


def own_features(model):
    model.features = lambda lr: EDSR.features(model, lr).abs()


def own_forward_of_a_layer(model):
    original = model.tail[1].forward
    model.tail[1].forward = lambda features: original(features).clamp(-9, 9)


def own_convolution(model):
    layer = model.tail[0][0]
    original = layer._conv_forward
    layer._conv_forward = lambda *arguments: original(*arguments).relu()


def other_borders_in_the_tail(model):
    for layer in (model.tail[0][0], model.tail[1]):
        layer.padding_mode = "circular"
        layer._reversed_padding_repeated_twice = [1, 1, 1, 1]


def no_padding_at_all(model):
    model.tail[1].padding = (0, 0)
    model.tail.append(nn.ReplicationPad2d(1))


def wider_kernel(model):
    model.tail[1] = nn.Conv2d(8, 3, 5, padding=2)


def dilated(model):
    model.tail[1].dilation = (2, 2)
    model.tail[1].padding = (2, 2)


def no_bias(model):
    model.tail[1].bias = None


def spectral_norm(model):
    parametrizations.spectral_norm(model.tail[1])
    parametrizations.spectral_norm(model.body[0].body[0])
    model.eval()


def old_spectral_norm(model):
    nn.utils.spectral_norm(model.tail[1])
    model.eval()


def weight_norm(model):
    parametrizations.weight_norm(model.tail[0][0])
    model.tail[0][0].parametrizations.weight.original0.data.mul_(1.5)


def pruned(model):
    for layer in (model.tail[1], model.body[0].body[0]):
        prune.l1_unstructured(layer, "weight", amount=0.5)


def parametrized(model):
    parametrize.register_parametrization(model.tail[1], "weight", Doubled())


def quantised(model):
    model.tail[1].__class__ = QuantisedConv
    model.body[0].body[2].__class__ = QuantisedConv


def scripted(model):
    model.tail = torch.jit.script(model.tail.append(nn.Tanh()))
    model.body[0] = torch.jit.script(nn.Sequential(model.body[0], nn.Tanh()))


def stored_in_eight_bits(model):
    model.tail[1] = EightBits(model.tail[1])
    model.body[0].body[0] = EightBits(model.body[0].body[0])


def low_rank_adapter(model):
    model.body[0].body[0] = Adapter(model.body[0].body[0])


def own_mean(model):
    model.add_mean = nn.Hardtanh(-20, 20)


def frozen_wrong_mean(model):
    model.add_mean.weight.data.mul_(0.5)


CHANGES = [
    subclass, own_upsampler, own_block, res_scale, another_activation, activation_with_a_limit, own_forward_of_a_block,
    longer_tail, identity_block, block_in_block,
    buffer_in_the_tail, hooks, hook_on_the_tail, hook_with_keywords, own_forward, own_features, own_forward_of_a_layer,
    own_convolution, other_borders_in_the_tail, no_padding_at_all, wider_kernel, dilated, no_bias, spectral_norm,
    old_spectral_norm, weight_norm, pruned, parametrized, quantised,
    scripted, stored_in_eight_bits, low_rank_adapter, own_mean, frozen_wrong_mean,
]  # fmt: skip
SEEN_IN_THE_MARGIN_ONLY = [other_borders_in_the_tail, no_padding_at_all]


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_changed_network_is_computed_as_it_is_written(photo, monkeypatch, change, precision):
    monkeypatch.setattr(module, "_BAND_BYTES", 5000)  # 3 to 7 rows
    lr = photo[:20, :24]
    model = strong(2)
    model.tail[1].bias.data += 30
    before = as_written(model, lr)
    change(model)
    expected = as_written(model, lr)
    if change not in SEEN_IN_THE_MARGIN_ONLY:
        assert off(before, expected) > 20  # else the test would show nothing
    for tile in (16, 100):
        sr = super_resolve(lr, model, precision=precision, tile=tile)
        assert off(sr, expected) <= (1 if precision == "float32" else 10)


@pytest.mark.parametrize("rows", [1, 7, 20, 64])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_bands_join_to_the_whole(photo, monkeypatch, rows, precision):
    lr = photo[:41, :24].copy()
    model = strong(2, res_scale=0.5)
    bytes_of_a_row = (24 + 2 * MARGIN) * model.config.n_feats * 4
    monkeypatch.setattr(module, "_BAND_BYTES", rows * bytes_of_a_row)
    sr = super_resolve(lr, model, precision=precision)
    assert off(sr, as_written(model, lr)) <= (1 if precision == "float32" else 10)


def test_a_trial_leaves_the_random_numbers_of_the_caller():
    module.trial.cache_clear()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    module.trial(4, torch.device("cpu"))
    assert torch.equal(torch.get_rng_state(), before)


def with_dropout(model):
    model.tail.insert(0, nn.Dropout2d(0.5))
    model.body[0].body.append(nn.Dropout(0.5))


def with_batch_norm(model):
    model.body[0].body.insert(1, nn.BatchNorm2d(8))


def unchanged(model):
    pass


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "change", [unchanged, with_dropout, with_batch_norm, pruned, spectral_norm, old_spectral_norm]
)
def test_a_model_in_training_answers_as_in_eval_mode(photo, change):
    """Also after a step, which has left gradients, masks and running means."""
    lr = photo[:20, :24]
    model = strong(2)
    change(model)
    model.train()
    model(torch.rand(4, 3, 8, 8)).square().mean().backward()
    sr = super_resolve(lr, model, precision="float32")
    assert model.training
    assert off(sr, as_written(model.eval(), lr)) <= 1


def test_a_compiled_model_is_called_as_compiled(photo):
    model = strong(2)
    called = []

    def backend(graph, inputs):
        called.append(len(inputs))
        return graph.forward

    compiled = torch.compile(model, backend=backend)
    lr = photo[:20, :24]
    assert off(super_resolve(lr, compiled), as_written(model, lr)) <= 1 and called
    called.clear()
    torch._dynamo.reset()
    model.compile(backend=backend)
    assert off(super_resolve(lr, model), as_written(model, lr)) <= 1 and called


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("kind", [EDSR, Loud])
def test_the_model_stays_as_it_was(photo, kind, dtype):
    model = kind(EDSRConfig(2, 2, 8)).to(dtype)
    model.body[0].eval()
    weights = model.state_dict()
    modes = [part.training for part in model.modules()]
    for precision in ("float32", "bfloat16"):
        sr = super_resolve(photo[:20, :20], model, device="cpu", precision=precision)
        same = super_resolve(photo[:20, :20], deepcopy(model).float(), precision=precision)
        assert np.array_equal(sr, same)
    assert [part.training for part in model.modules()] == modes
    for name, value in model.state_dict().items():
        assert (value.device.type, value.dtype, value.stride()) == (
            "cpu",
            dtype,
            weights[name].stride(),
        )
        assert value.data_ptr() == weights[name].data_ptr()


def test_threads_share_a_model(photo):
    model = strong(2)
    lr = photo[:9, :9]
    biases = [values.clone() for values in model.tail.parameters()]
    expected = super_resolve(lr, model)
    with ThreadPoolExecutor(4) as executor:
        answers = list(executor.map(lambda _: super_resolve(lr, model), range(200)))
    assert all(np.array_equal(answer, expected) for answer in answers)
    assert all(torch.equal(*pair) for pair in zip(biases, model.tail.parameters(), strict=True))


def test_hooks_hear_once_of_a_model_that_had_to_be_copied(photo, monkeypatch):
    monkeypatch.setattr(module, "_BAND_BYTES", 5000)  # 3 to 7 rows

    class Ear:
        heard = 0

        def hear(self, *_):
            self.heard += 1

    for precision in ("float32", "bfloat16"):
        model = strong(2).double()
        ear = Ear()
        model.body[0].register_forward_hook(ear.hear)
        super_resolve(photo[:20, :20], model, precision=precision)
        assert ear.heard == 1


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_model_can_be_trained_afterwards(photo, precision):
    model = strong(2)
    super_resolve(photo[:20, :20], model, precision=precision)
    model(torch.rand(1, 3, 9, 9)).sum().backward()
    assert model.body[0].body[0].weight.grad.abs().sum() > 0


# Precision


@pytest.mark.parametrize(("pays", "pixels", "expected"), [
    (True, 510 * 339, "bfloat16"), (False, 510 * 339, "float32"), (True, 100 * 100, "float32")
])  # fmt: skip
def test_bfloat16_where_a_trial_shows_that_it_pays(monkeypatch, pays, pixels, expected):
    monkeypatch.setattr(module, "_bfloat16_pays", lambda n_feats: pays)
    assert choose_precision(BASELINE, Options(device="cpu"), pixels) == expected
    named = Options(device="cpu", precision="float32")
    assert choose_precision(BASELINE, named, pixels) == "float32"


def test_the_trial_is_made_once_and_leaves_the_threads():
    cpu = torch.device("cpu")
    module.trial.cache_clear()
    threads = torch.get_num_threads()
    assert module.trial(16, cpu) == module.trial(16, cpu)
    assert set(module.trial(16, cpu)) == {"float32", "bfloat16"}
    assert module.trial.cache_info().misses == 1 and torch.get_num_threads() == threads


@pytest.mark.parametrize("name", ["edsr-lite", "edsr-lite-photo"])
@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("precision", ["auto", "bfloat16", "float16"])
def test_lower_precision_costs_less_than_a_hundredth_of_a_decibel(
    monkeypatch, name, scale, precision
):
    """On any processor: only the speed depends on it. "auto" is what a user gets without asking."""
    monkeypatch.setattr(module, "_WORTH_A_TRIAL", 0)
    monkeypatch.setattr(module, "_bfloat16_pays", lambda n_feats: True)
    model = load_pretrained(name, scale)
    psnr = PROTOCOLS["benchmark-y"].psnr
    for sample in ("0801", "0804"):
        hr = read_image(SAMPLES / "DIV2K_valid_HR" / f"{sample}.png").rgb[200:344, 200:344]
        lr = Degradation(scale)(hr)
        exact, quick = (super_resolve(lr, model, precision=p) for p in ("float32", precision))
        assert not np.array_equal(exact, quick)
        assert abs(psnr(quick, hr, scale=scale) - psnr(exact, hr, scale=scale)) < 0.01


def test_a_network_that_16_bits_would_spoil_is_computed_in_32(photo, monkeypatch):
    monkeypatch.setattr(module, "_WORTH_A_TRIAL", 0)
    monkeypatch.setattr(module, "_bfloat16_pays", lambda n_feats: True)
    model = strong(2)
    lr = photo[:30, :30]
    with torch.no_grad():  # two large features, of which only the small difference counts
        model.body[2].bias += 3000
        for values in model.tail.parameters():
            values.mul_(20)
    exact = super_resolve(lr, model, precision="float32")
    assert off(super_resolve(lr, model, precision="bfloat16"), exact) > 2
    assert np.array_equal(super_resolve(lr, model), exact)


def test_an_overflow_in_16_bits_is_computed_again(photo):
    model = strong(2)
    model.head[0].weight.data.mul_(1e4)  # features beyond 65504, the largest number of float16
    exact, quick = (
        super_resolve(photo[:20, :20], model, precision=p) for p in ("float32", "float16")
    )
    assert np.array_equal(exact, quick)


def test_the_choice_is_visible(photo, caplog):
    heard = []
    options = {"precision": "bfloat16", "device": "cpu"}
    with caplog.at_level(logging.INFO, module.__name__):
        super_resolve(photo[:20, :20], strong(2), on_precision=heard.append, **options)
    assert "bfloat16 on cpu" in caplog.text
    assert heard == ["bfloat16"]


@pytest.mark.parametrize("option", ["padding", "precision"])
def test_a_typo_in_a_name_gets_the_list_of_names(option):
    with pytest.raises(ValueError, match=rf"{option} is one of \w+, .*, not 'int8'"):
        Options(**{option: "int8"})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(photo):
    lr = photo[:64, :64]
    model = load_pretrained("edsr-lite", 2)
    here, there = (
        super_resolve(lr, model, device=device, precision="float32") for device in ("cpu", "cuda")
    )
    assert off(here, there) <= 1


def test_rows_are_those_of_the_whole(photo):
    model = strong(3)
    whole = super_resolve(photo, model)
    part = super_resolve(photo, model, rows=slice(20, 45))
    differ = whole[60:135].astype(int) - part
    assert abs(differ).max() <= 1 and (differ != 0).mean() < 1e-4


def test_the_trial_is_one_of_float32_whatever_the_default():
    torch.set_default_dtype(torch.float64)
    try:
        assert module.trial.__wrapped__(8, torch.device("cpu")).keys() >= {"float32"}
    finally:
        torch.set_default_dtype(torch.float32)


def test_an_autocast_of_the_caller_changes_nothing(photo):
    model = load_pretrained("edsr-lite", 2)
    options = {"precision": "float32", "on_precision": (used := []).append}
    expected = super_resolve(photo, model, **options)
    with torch.autocast("cpu", torch.bfloat16):
        assert np.array_equal(super_resolve(photo, model, **options), expected)
    assert used == ["float32"] * 2


def test_waiting_and_other_threads_are_not_timed():
    """As on a busy machine: the way that only waits wins over the one that computes."""
    busy = threading.Event()

    def compute():
        return sum(number * number for number in range(300_000))

    def work_until_told():
        while not busy.is_set():
            compute()

    other = threading.Thread(target=work_until_told)
    other.start()
    try:
        seconds = best_seconds({"computes": compute, "waits": lambda: time.sleep(0.2)})
    finally:
        busy.set()
        other.join()
    assert seconds["waits"] < seconds["computes"]


def test_a_trial_leaves_the_threads_as_they_were():
    threads = torch.get_num_threads()
    seen = []
    best_seconds({"a": lambda: seen.append(torch.get_num_threads())})
    with pytest.raises(ZeroDivisionError):
        best_seconds({"a": lambda: 1 / 0})
    assert set(seen) == {1} and torch.get_num_threads() == threads


def test_two_trials_at_once_leave_the_threads_as_they_were():
    """The second would find the one thread of the first, and leave it behind for good."""
    seen = []
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        trials = [
            threading.Thread(target=best_seconds, args=({"a": lambda: time.sleep(0.02)},))
            for _ in range(2)
        ]
        for trial in trials:
            trial.start()
            time.sleep(0.05)
        for trial in trials:
            trial.join()
        after = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        after.start()
        after.join()
    finally:
        torch.set_num_threads(threads)
    assert seen == [3]
