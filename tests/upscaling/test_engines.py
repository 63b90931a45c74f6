from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from types import MethodType

import numpy as np
import pytest
import torch

from srlib.images.degrade import Degradation
from srlib.images.tensors import to_array, to_tensor
from srlib.metrics import PROTOCOLS
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.upscaling import engines
from srlib.upscaling.engines import network_for
from srlib.upscaling.enlarge import super_resolve
from srlib.upscaling.tiling import SMALLEST_TILE
from srlib.zoo.checkpoints import load_pretrained

LARGE = 10**9  # pixels: enough to be compiled for


def strong(scale: int, **shape) -> EDSR:
    """Weights large enough that a wrong border, or a lost digit, is seen."""
    torch.manual_seed(scale)
    model = EDSR(EDSRConfig(scale, 2, 8, **shape)).eval()
    for values in model.tail.parameters():
        values.data.mul_(3)
    return model


@pytest.fixture
def openvino():
    return pytest.importorskip("openvino", reason="OpenVINO is an extra: pip install 'srlib[fast]'")


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_compiled_equals_the_network_as_written(openvino, scale):
    model = strong(scale, res_scale=0.1)
    network = network_for(model, "cpu", pixels=LARGE)
    assert model in engines._compiled
    with torch.inference_mode():
        for height, width in ((7, 9), (40, 31), (7, 9)):  # any size, one after the other
            lr = torch.rand(1, 3, height, width)
            assert (network(lr) - model(lr)).abs().max() * 255 < 1e-3


def test_compiled_it_hands_on_pixels_in_the_layout_that_is_not_padded(openvino):
    """In the other one the last layer took 250 MB more for 510 x 339 pixels."""
    _, pixels = engines._openvino_engine(EDSR(EDSRConfig(4, 1, 8)))(torch.rand(1, 3, 20, 24))
    assert pixels.is_contiguous(memory_format=torch.channels_last)


def test_compiled_again_when_the_weights_have_changed(openvino):
    model, lr = strong(2), torch.rand(1, 3, 9, 9)
    with torch.inference_mode():
        before = network_for(model, "cpu", pixels=LARGE)(lr)
        model.head[0].weight.data.mul_(1.5)
        after = network_for(model, "cpu", pixels=LARGE)(lr)
        assert (after - model(lr)).abs().max() * 255 < 1e-3 < (after - before).abs().max() * 255


def test_little_work_subclasses_and_watched_networks_are_not_compiled(openvino):
    class Own(EDSR):
        pass

    small, own, watched = strong(2), Own(EDSRConfig(2, 2, 8)), strong(2)
    watched.body[0].register_forward_hook(
        lambda *_: None
    )  # as the wizard does, to hear of progress
    network_for(small, "cpu", pixels=100)
    network_for(own, "cpu", pixels=LARGE)
    network_for(watched, "cpu", pixels=LARGE)
    assert not {small, own, watched} & set(engines._compiled)


class Darker(EDSR):
    def forward(self, lr):
        return super().forward(lr) / 2


def with_another_layer(model: EDSR) -> EDSR:
    model.body[0].body[1] = torch.nn.PReLU(init=0.9)
    return model


def with_another_tail(model: EDSR) -> EDSR:
    model.tail.append(torch.nn.Tanh())
    return model


def with_hooks(model: EDSR) -> EDSR:
    model.register_forward_hook(lambda module, inputs, answer: answer / 3)
    model.head.register_forward_pre_hook(lambda module, inputs: (inputs[0] * 2,))
    return model


def with_own_forward(model: EDSR) -> EDSR:
    model.forward = MethodType(lambda self, lr: 1 - EDSR.forward(self, lr), model)
    return model


@pytest.mark.parametrize(
    "change", [with_another_layer, with_another_tail, with_hooks, with_own_forward, None]
)
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_what_is_not_the_plain_network_is_computed_as_it_is_written(
    photo, monkeypatch, change, precision
):
    monkeypatch.setattr(engines, "_WORTH_COMPILING", 0)
    torch.manual_seed(0)
    model = change(strong(2)) if change else Darker(EDSRConfig(2, 2, 8)).eval()
    with torch.inference_mode():
        expected = to_array(model(to_tensor(photo[:20, :20])[None])[0])
    sr = super_resolve(photo[:20, :20], model, precision=precision)
    assert np.abs(sr.astype(int) - expected).max() <= (1 if precision == "float32" else 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("kind", [EDSR, Darker])
def test_the_model_stays_as_it_was(photo, kind, dtype):
    """Also on another device than the one asked for: the meta device stands for a GPU."""
    model = kind(EDSRConfig(2, 2, 8)).to(dtype)
    model.body[0].eval()
    weights, modes = model.state_dict(), [part.training for part in model.modules()]
    network_for(model, "meta", pixels=1)
    sr = super_resolve(photo[:20, :20], model, device="cpu")
    assert np.array_equal(sr, super_resolve(photo[:20, :20], deepcopy(model).float()))
    assert [part.training for part in model.modules()] == modes
    for name, value in model.state_dict().items():
        assert (value.device.type, value.dtype, value.stride()) == (
            "cpu",
            dtype,
            weights[name].stride(),
        )
        assert value.data_ptr() == weights[name].data_ptr()


def test_threads_share_a_model(photo):
    model, lr = strong(2), photo[:9, :9]
    biases = [values.clone() for values in model.tail.parameters()]
    expected = super_resolve(lr, model)
    with ThreadPoolExecutor(4) as executor:
        answers = list(executor.map(lambda _: super_resolve(lr, model), range(400)))
    assert all(np.array_equal(answer, expected) for answer in answers)
    assert all(torch.equal(*pair) for pair in zip(biases, model.tail.parameters(), strict=True))


def test_hooks_hear_of_a_model_that_had_to_be_copied(photo):
    class Ear:
        heard = 0

        def hear(self, *_):
            self.heard += 1

    model, ear = strong(2).double(), Ear()
    model.body[0].register_forward_hook(ear.hear)
    super_resolve(photo[:20, :20], model)
    assert ear.heard == 1


def test_without_openvino_it_is_pytorch(monkeypatch):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    model, lr = strong(2), torch.rand(1, 3, 9, 9)
    with torch.inference_mode():
        assert (network_for(model, "cpu", pixels=LARGE)(lr) - model(lr)).abs().max() * 255 < 1e-3
    assert model not in engines._compiled


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("precision", ["auto", "float16"])
def test_lower_precision_costs_less_than_a_hundredth_of_a_decibel(photo, scale, precision):
    """The arithmetic of a GPU's 16 bits, on the CPU; "auto" is what a user gets without asking."""
    hr = photo[:96, :96]
    lr, model = Degradation(scale)(hr), load_pretrained("edsr-lite", scale)
    exact, quick = (super_resolve(lr, model, precision=p) for p in ("float32", precision))
    before, after = (PROTOCOLS["benchmark-y"].psnr(sr, hr, scale=scale) for sr in (exact, quick))
    assert abs(after - before) < 0.01


def test_what_overflows_in_16_bits_is_computed_again(photo):
    model = strong(2)
    model.head[0].weight.data.mul_(1e4)  # features beyond 65504, the largest number of float16
    exact, quick = (
        super_resolve(photo[:20, :20], model, precision=p) for p in ("float32", "float16")
    )
    assert np.array_equal(exact, quick)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(photo):
    lr, model = photo[:64, :64], load_pretrained("edsr-lite", 2)
    here, there = (
        super_resolve(lr, model, device=device, precision="float32") for device in ("cpu", "cuda")
    )
    assert np.abs(here.astype(int) - there).max() <= 1


@pytest.mark.parametrize("compiled", [False, True])
def test_the_model_can_be_trained_afterwards(photo, monkeypatch, compiled):
    monkeypatch.setattr(engines, "_WORTH_COMPILING", 0 if compiled else float("inf"))
    model = strong(2)
    super_resolve(photo[:20, :20], model)
    model(torch.rand(1, 3, 9, 9)).sum().backward()
    assert model.head[0].weight.grad.abs().sum() > 0


def test_an_unknown_precision():
    with pytest.raises(ValueError, match="precision is one of auto, float32, float16, not 'int8'"):
        network_for(strong(2), "cpu", "int8", pixels=1)


def test_openvino_without_memory_makes_smaller_tiles(openvino, photo, monkeypatch):
    """OpenVINO's own way to fail: it says nothing, and its answer has no pixels."""
    model, seen = strong(2), []
    expected = super_resolve(photo, model)

    def cramped(model, weights):
        engine = compile_(model, weights)

        def engine_or_nothing(lr):
            if lr.shape[-1] > 3 * SMALLEST_TILE:
                raise MemoryError("OpenVINO has no memory")
            return engine(lr)

        return engine_or_nothing

    compile_ = engines._compile
    monkeypatch.setattr(engines, "_compile", cramped)
    monkeypatch.setattr(engines, "_WORTH_COMPILING", 0)
    sr = super_resolve(photo, model, on_progress=lambda *p: seen.append(p))
    assert seen[-1][0] == seen[-1][1] > 4
    assert np.abs(sr.astype(int) - expected).max() <= 1


def test_rows_are_those_of_the_whole(photo):
    model = strong(3)
    whole, part = super_resolve(photo, model), super_resolve(photo, model, rows=slice(20, 45))
    differ = whole[60:135].astype(int) - part
    assert abs(differ).max() <= 1 and (differ != 0).mean() < 1e-4
