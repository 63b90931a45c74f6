import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from official import official_forward, official_state_dict

from srlib.model.cost import count_macs, count_parameters, receptive_field
from srlib.model.device import best_device
from srlib.model.edsr import (
    EDSR,
    EDSRConfig,
    config_from_state_dict,
    forward_interior,
)

# parameters of the official checkpoints, without the 24 values of the mean shifts (EDSR-PyTorch)
PUBLISHED = {
    (2, 16, 64): 1_369_859, (3, 16, 64): 1_554_499, (4, 16, 64): 1_517_571,
    (2, 32, 256): 40_729_603, (3, 32, 256): 43_680_003, (4, 32, 256): 43_089_923,
}  # fmt: skip


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("res_scale", [1.0, 0.1])
def test_takes_the_official_layout_strictly_and_computes_the_same(scale, res_scale):
    weights = official_state_dict(scale, 3, 8)
    model = EDSR(EDSRConfig(scale, 3, 8, res_scale))
    model.load_state_dict(weights, strict=True)
    lr = torch.rand(2, 3, 9, 11)
    expected = official_forward(weights, lr * 255, scale=scale, n_resblocks=3, res_scale=res_scale)
    with torch.inference_mode():
        answer = model(lr) * 255
    assert answer.shape == (2, 3, 9 * scale, 11 * scale)
    assert torch.allclose(answer, expected, atol=2e-3)


@pytest.mark.parametrize(("shape", "expected"), PUBLISHED.items())
def test_parameter_counts_are_the_published_ones(shape, expected):
    scale, n_resblocks, n_feats = shape
    with torch.device("meta"):
        assert count_parameters(EDSR(EDSRConfig(scale, n_resblocks, n_feats))) == expected


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_config_is_read_off_the_weights(scale):
    assert config_from_state_dict(official_state_dict(scale, 3, 8)) == EDSRConfig(scale, 3, 8)
    with torch.device("meta"):
        large = EDSR(EDSRConfig(scale, 2, 256)).state_dict()
    assert config_from_state_dict(large).res_scale == 0.1
    assert config_from_state_dict(large, res_scale=1.0).res_scale == 1.0


def test_other_weights_are_named():
    with pytest.raises(ValueError, match=r"not an EDSR.*tail\.1\.weight"):
        config_from_state_dict({"head.0.weight": torch.zeros(8, 3, 3, 3)})


@pytest.mark.parametrize(
    "options",
    [
        {"scale": 5},
        {"n_resblocks": 0},
        {"n_feats": 0},
        {"res_scale": float("nan")},
        {"res_scale": float("-inf")},
    ],
)
def test_impossible_configs(options):
    with pytest.raises(ValueError, match="EDSR"):
        EDSRConfig(**options)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("n_resblocks", [1, 3])
def test_receptive_field_by_gradient(scale, n_resblocks):
    """Which LR pixels have any influence on the pixels of one LR position: exactly those within the receptive field."""
    config = EDSRConfig(scale, n_resblocks, 4)
    model = EDSR(config).double()
    reach = receptive_field(config)
    size = 2 * reach + 7
    lr = torch.rand(1, 3, size, size, dtype=torch.float64, requires_grad=True)
    middle = size // 2 * scale
    model(lr)[..., middle : middle + scale, middle : middle + scale].pow(2).sum().backward()
    rows = lr.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert (rows.min().item(), rows.max().item()) == (size // 2 - reach, size // 2 + reach)


def test_macs_by_hooks():
    """Counted on a real forward pass, layer by layer."""
    config = EDSRConfig(4, 2, 8)
    model = EDSR(config)
    macs = []

    def count(layer, _, out):
        if layer.kernel_size == (3, 3):
            macs.append(out[0].numel() * layer.in_channels * 9)

    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(count)
    model(torch.rand(1, 3, 5, 7))
    assert sum(macs) == count_macs(config, 5, 7)


@settings(max_examples=12)
@given(st.sampled_from([2, 3, 4]), st.integers(5, 20), st.integers(5, 20))
def test_folded_tail_equals_the_tail_inside(scale, height, width):
    torch.manual_seed(height * width)
    model = EDSR(EDSRConfig(scale, 1, 8)).double()
    lr = torch.rand(1, 3, height, width, dtype=torch.float64)
    edge = 2 * scale
    assert torch.allclose(
        forward_interior(model, lr), model(lr)[:, :, edge:-edge, edge:-edge], atol=1e-12
    )


def test_folded_tail_has_the_tails_gradients():
    model = EDSR(EDSRConfig(3, 1, 4)).double()
    lr = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    edge = 6
    grads = []
    for sr in (forward_interior(model, lr), model(lr)[:, :, edge:-edge, edge:-edge]):
        model.zero_grad()
        sr.pow(2).mean().backward()
        grads.append([p.grad.clone() for p in model.parameters() if p.requires_grad])
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(*grads, strict=True))


def test_bfloat16_does_not_round_the_colours():
    """Eight binary digits would tell levels above 128 apart by whole ones only."""
    model = EDSR(EDSRConfig(2, 1, 4))
    levels = torch.linspace(0, 255, 300).view(1, 3, 10, 10)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(model.add_mean(model.sub_mean(levels)), levels, atol=1e-3)
        assert (
            model(levels / 255).dtype
            == forward_interior(model, levels / 255).dtype
            == torch.float32
        )


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_is_cuda_then_mps_then_the_cpu(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
    asked = []
    monkeypatch.setattr(
        "torch.empty", lambda size, device: asked.append(device) or torch.zeros(size)
    )
    best_device()
    assert asked == [expected]


def test_a_device_that_is_not_here_gets_a_sentence():
    assert best_device("cpu") == best_device(torch.device("cpu")) == torch.device("cpu")
    for device in ("gpu", "cuda:99", "", "cpu:x"):
        with pytest.raises(ValueError, match=repr(device)) as caught:
            best_device(device)
        assert "torch." not in str(caught.value) and "CUDA" not in str(caught.value)
