import hashlib
from collections import OrderedDict
from dataclasses import FrozenInstanceError

import pytest
import torch
from official import official_forward, official_state_dict
from safetensors.torch import load_file, save_file
from torch.nn.functional import conv2d, pixel_shuffle, relu

from srlib.model.edsr import EDSR, EDSRConfig
from srlib.zoo.checkpoints import WEIGHTS_DIR, load_pretrained, save_weights
from srlib.zoo.passport import inspect_checkpoint
from srlib.zoo.reader import WeightsError, read_weights

SCALES = (2, 3, 4)
BLOCKS = 3
FEATS = 8
MEAN = torch.tensor([0.4488, 0.4371, 0.4040])
scales = pytest.mark.parametrize("scale", SCALES)


def basicsr_state_dict(scale: int, n_feats: int = FEATS) -> dict[str, torch.Tensor]:
    """Random weights under the names and shapes of BasicSR's EDSR."""
    torch.manual_seed(scale)
    shapes = {"conv_first": (n_feats, 3)}
    for block in range(BLOCKS):
        shapes |= {
            f"body.{block}.conv1": (n_feats, n_feats),
            f"body.{block}.conv2": (n_feats, n_feats),
        }
    shapes |= {
        "conv_after_body": (n_feats, n_feats),
        "upsample.0": ((9 if scale == 3 else 4) * n_feats, n_feats),
    }
    if scale == 4:
        shapes["upsample.2"] = (4 * n_feats, n_feats)
    shapes["conv_last"] = (3, n_feats)
    return {
        f"{name}.{part}": torch.randn(*shape, 3, 3) * 0.05
        if part == "weight"
        else torch.randn(shape[0])
        for name, shape in shapes.items()
        for part in ("weight", "bias")
    }


def forward(w, x, names, *, scale, res_scale=1.0):
    """EDSR without a mean shift, with the names of its convolutions: first, both of block n, after the body, upsamplers, last."""

    def conv(name, x):
        return conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    first, block, after, up, last = names
    head = y = conv(first, x)
    for n in range(BLOCKS):
        y = y + res_scale * conv(block[1].format(n), relu(conv(block[0].format(n), y)))
    y = head + conv(after, y)
    y = pixel_shuffle(conv(up.format(0), y), 3 if scale == 3 else 2)
    if scale == 4:
        y = pixel_shuffle(conv(up.format(2), y), 2)
    return conv(last, y)


BASICSR = (
    "conv_first",
    ("body.{}.conv1", "body.{}.conv2"),
    "conv_after_body",
    "upsample.{}",
    "conv_last",
)
OFFICIAL = ("head.0", ("body.{}.body.0", "body.{}.body.2"), f"body.{BLOCKS}", "tail.0.{}", "tail.1")


def basicsr(w, x, **config):
    """BasicSR's formula: RGB in [0, 1], img_range 255."""
    mean = MEAN.view(1, 3, 1, 1)
    return forward(w, (x - mean) * 255, BASICSR, **config) / 255 + mean


def without_shift(weights):
    return {key: value for key, value in weights.items() if "mean" not in key}


def assert_same_function(path, reference, scale, layout):
    passport = inspect_checkpoint(path)
    assert layout in passport.layout and passport.loads, str(passport)
    assert passport.config == EDSRConfig(scale, BLOCKS, FEATS, passport.config.res_scale)
    x = torch.rand(2, 3, 9, 11, generator=torch.Generator().manual_seed(1))
    expected = reference(x)
    with torch.inference_mode():
        sr = load_pretrained(path, scale)(x)
    assert sr.shape == expected.shape == (2, 3, 9 * scale, 11 * scale)
    assert torch.allclose(sr, expected, rtol=1e-5, atol=1e-5), (sr - expected).abs().max()
    return passport


@scales
def test_official_files(tmp_path, scale):
    w = official_state_dict(scale, BLOCKS, FEATS)
    torch.save(w, tmp_path / "edsr.pt")

    def reference(x):
        return official_forward(w, x * 255, scale=scale, n_resblocks=BLOCKS, res_scale=1.0) / 255

    passport = assert_same_function(
        tmp_path / "edsr.pt", reference, scale, "EDSR-PyTorch (also torchSR"
    )
    assert passport.sha256 == hashlib.sha256((tmp_path / "edsr.pt").read_bytes()).hexdigest()
    assert passport.parameters == sum(v.numel() for k, v in without_shift(w).items())


@scales
@pytest.mark.parametrize("wrapper", [None, "params", "params_ema"])
def test_basicsr_files(tmp_path, scale, wrapper):
    w = basicsr_state_dict(scale)
    worse = {key: value + 1 for key, value in w.items()}
    content = {None: w, "params": {"params": w}, "params_ema": {"params": worse, "params_ema": w}}[
        wrapper
    ]
    torch.save(content, tmp_path / "net_g_latest.pth")
    passport = assert_same_function(
        tmp_path / "net_g_latest.pth", lambda x: basicsr(w, x, scale=scale), scale, "BasicSR"
    )
    assert passport.place == ("" if wrapper is None else f"under {wrapper!r}")


@scales
def test_super_image_files(tmp_path, scale):
    """super-image's networks are trained without the mean shift, and small biases show [0, 1]."""
    w = official_state_dict(scale, BLOCKS, FEATS)
    for key in w:
        if key.endswith("bias") and "mean" not in key:
            w[key] = w[key] / 50
    torch.save(without_shift(w), tmp_path / "downloaded.pt")

    def reference(x):
        return forward(w, x, OFFICIAL, scale=scale, res_scale=1.0)

    assert_same_function(tmp_path / "downloaded.pt", reference, scale, "super-image")


def without_use_of_the_mean(w):
    """The same function as super-image would store it, but for the edge: the shift folds into the biases."""
    plain = {
        key: value / 255 if key.endswith("bias") and "mean" not in key else value
        for key, value in w.items()
    }
    plain["head.0.bias"] = plain["head.0.bias"] - w["head.0.weight"].sum((2, 3)) @ MEAN
    plain["tail.1.bias"] = plain["tail.1.bias"] + MEAN
    return plain


@scales
def test_trained_weights_tell_whether_they_want_the_mean_shift(tmp_path, scale):
    """The same trained network in both forms, with the same keys.  The shift folds into the biases, but for the edge."""
    w = load_file(WEIGHTS_DIR / f"edsr_lite_x{scale}.safetensors")
    plain = without_use_of_the_mean(w)
    for name, weights, layout in (("a.pt", w, "EDSR-PyTorch"), ("b.pt", plain, "super-image")):
        torch.save(weights, tmp_path / name)
        assert layout in inspect_checkpoint(tmp_path / name).layout
    x = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        one, other = (load_pretrained(tmp_path / name, scale)(x) for name in ("a.pt", "b.pt"))
    inside = slice(20 * scale, -20 * scale)  # 8 blocks see 20 LR pixels far
    assert torch.allclose(one[..., inside, inside], other[..., inside, inside], atol=1e-5)


@scales
def test_official_code_trained_on_0_to_1(tmp_path, scale):
    """EDSR-PyTorch's option --rgb_range 1: the mean shift in the file shows it."""
    w = official_state_dict(scale, BLOCKS, FEATS)
    w |= {"sub_mean.bias": -MEAN, "add_mean.bias": MEAN.clone()}
    torch.save(w, tmp_path / "model_best.pt")

    def reference(x):
        return official_forward(w, x, scale=scale, n_resblocks=BLOCKS, res_scale=1.0)

    x = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        assert torch.allclose(
            load_pretrained(tmp_path / "model_best.pt", scale)(x),
            reference(x),
            rtol=1e-5,
            atol=1e-5,
        )
    assert "[0, 1]" in inspect_checkpoint(tmp_path / "model_best.pt").layout


@scales
def test_a_converted_model_survives_saving(tmp_path, scale):
    torch.save(without_shift(official_state_dict(scale, BLOCKS, FEATS)), tmp_path / "plain.pt")
    model = load_pretrained(tmp_path / "plain.pt", scale)
    passport = inspect_checkpoint(save_weights(model, tmp_path / "own.safetensors"))
    assert passport.layout == "srlib" and passport.res_scale_from == "read from the file's metadata"
    x = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        assert torch.equal(load_pretrained(tmp_path / "own.safetensors", scale)(x), model(x))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize(
    "make", [basicsr_state_dict, lambda scale: official_state_dict(scale, BLOCKS, FEATS)]
)
def test_prefixes_of_wrapping_modules(tmp_path, prefix, make):
    w = make(2)
    torch.save(w, tmp_path / "plain.pth")
    torch.save(
        OrderedDict((prefix + key, value) for key, value in w.items()), tmp_path / "wrapped.pth"
    )
    one, other = (inspect_checkpoint(tmp_path / name) for name in ("plain.pth", "wrapped.pth"))
    assert other.loads and (one.layout, one.tensors_sha256) == (other.layout, other.tensors_sha256)


@pytest.mark.parametrize("average", [True, False])
def test_training_checkpoints(tmp_path, average):
    """As srlib.training writes them: the optimiser beside the model, and the average is preferred."""
    model = EDSR(EDSRConfig(3, 2, 8))
    optimizer = torch.optim.Adam(p for p in model.parameters() if p.requires_grad)
    model(torch.rand(1, 3, 6, 6)).mean().backward()
    optimizer.step()
    better = {key: value * 0.5 for key, value in model.state_dict().items()}
    content = {
        "config": {"seed": 0},
        "history": {"epochs": []},
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    torch.save(content | ({"average": better} if average else {}), tmp_path / "last.pt")
    loaded = load_pretrained(tmp_path / "last.pt", 3).state_dict()
    expected = better if average else model.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in loaded.items())
    place = inspect_checkpoint(tmp_path / "last.pt").place
    assert place == f"under {'average' if average else 'model'!r}"


def test_the_same_tensors_in_another_pickle(tmp_path):
    w = official_state_dict(2, BLOCKS, FEATS)
    torch.save(w, tmp_path / "a.pt")
    torch.save(
        {"params": dict(reversed(w.items()))},
        tmp_path / "b.pt",
        _use_new_zipfile_serialization=False,
    )
    save_file(w, tmp_path / "c.safetensors")
    w["tail.1.bias"][0] += 1e-6
    torch.save(w, tmp_path / "d.pt")
    a, b, c, d = (
        inspect_checkpoint(tmp_path / name) for name in ("a.pt", "b.pt", "c.safetensors", "d.pt")
    )
    assert len({p.sha256 for p in (a, b, c, d)}) == 4
    assert a.tensors_sha256 == b.tensors_sha256 == c.tensors_sha256 != d.tensors_sha256


@pytest.mark.parametrize(("feats", "res_scale"), [(64, 1.0), (256, 0.1)])
def test_res_scale_is_assumed_and_says_why(tmp_path, feats, res_scale):
    torch.save(basicsr_state_dict(2, feats), tmp_path / "a.pth")
    passport = inspect_checkpoint(tmp_path / "a.pth")
    assert passport.config.res_scale == res_scale and passport.res_scale_from.startswith("assumed")
    assert f"{feats} features" in str(passport)


def test_a_known_res_scale_goes_before_the_assumed_one(tmp_path):
    """BasicSR's options file may say res_scale 0.1 of 64 features; its weights do not."""
    w = basicsr_state_dict(2)
    torch.save(w, tmp_path / "a.pth")
    x = torch.rand(1, 3, 9, 11)
    for given, meant in ((None, 1.0), (0.1, 0.1)):
        model = load_pretrained(tmp_path / "a.pth", res_scale=given)
        assert torch.allclose(model(x), basicsr(w, x, scale=2, res_scale=meant), atol=1e-5)
    own = save_weights(model, tmp_path / "own.safetensors")
    assert (
        load_pretrained(own).config.res_scale == 0.1
        and load_pretrained(own, res_scale=0.2).config.res_scale == 0.2
    )


def test_whether_the_mean_is_subtracted_is_judged_with_the_known_res_scale(tmp_path):
    """super-image's form of a trained network, and the same again with blocks ten times as loud, to be added at a tenth."""
    w = load_file(WEIGHTS_DIR / "edsr_lite_x2.safetensors")
    plain = without_use_of_the_mean(w)
    torch.save(plain, tmp_path / "a.pt")
    torch.save(
        {key: value * 10 if ".body.2." in key else value for key, value in plain.items()},
        tmp_path / "b.pt",
    )
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        one = load_pretrained(tmp_path / "a.pt")(x)
        other = load_pretrained(tmp_path / "b.pt", res_scale=0.1)(x)
    assert torch.allclose(one, other, atol=1e-4)


def test_str_and_frozen(tmp_path):
    torch.save({"params": basicsr_state_dict(3)}, tmp_path / "a.pth")
    passport = inspect_checkpoint(tmp_path / "a.pth")
    lines = str(passport).splitlines()
    assert lines[0] == "a.pth" and "EDSR x3, 3 blocks, 8 features, res_scale 1" in lines[3]
    assert passport.sha256 in str(passport) and lines[-1].split() == ["loads", "yes,", "strictly"]
    with pytest.raises(FrozenInstanceError):
        passport.file = "b"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda w: w.pop("body.1.conv2.bias"),
            r'Missing key\(s\) in state_dict: "body\.1\.body\.2\.bias"',
        ),
        (
            lambda w: w.update({"extra.weight": torch.zeros(1)}),
            r'Unexpected key\(s\) in state_dict: "extra\.weight"',
        ),
        (
            lambda w: w.update({"conv_first.weight": torch.zeros(FEATS, 1, 3, 3)}),
            r"size mismatch for head\.0\.weight",
        ),
        (
            lambda w: w.update({"conv_last.bias": torch.tensor([0.0, float("nan"), 0.0])}),
            "not finite",
        ),
        (lambda w: w.update({"conv_first.weight": torch.tensor(1.0)}), "."),
        (
            lambda w: w.update(
                {
                    "conv_first.weight": torch.zeros(200_000, 1, 1, 1),
                    "upsample.0.weight": torch.zeros(800_000),
                }
            ),
            "size mismatch",
        ),
        (
            # a shape of no values at all, which would overflow the size of the layer after it
            lambda w: w.update({"conv_first.weight": torch.zeros(2**40, 0, 3, 3)}),
            ".",
        ),
        (
            lambda w: w.update({"upsample.0.weight": torch.zeros(5 * FEATS, FEATS, 3, 3)}),
            "makes 5 pixels of one",
        ),
    ],
)
def test_what_would_not_load(tmp_path, change, says):
    w = basicsr_state_dict(2)
    change(w)
    torch.save(w, tmp_path / "a.pth")
    passport = inspect_checkpoint(tmp_path / "a.pth")
    assert not passport.loads and "would not load" in str(passport)
    with pytest.raises(WeightsError, match=says):
        load_pretrained(tmp_path / "a.pth", 2)


@pytest.mark.parametrize(
    "stated",
    [
        "[]",
        "{",
        '{"scale": 5}',
        '{"scale": 2, "res_scale": "much"}',
        '{"scale": 3, "n_resblocks": 3, "n_feats": 8}',
        '{"scale": 2, "n_resblocks": 1000000000, "n_feats": 8}',
    ],
)
def test_metadata_that_does_not_fit(tmp_path, stated):
    save_file(
        official_state_dict(2, BLOCKS, FEATS), tmp_path / "a.safetensors", {"edsr_config": stated}
    )
    with pytest.raises(WeightsError):
        load_pretrained(tmp_path / "a.safetensors", 2)


def test_files_that_want_to_run_code_are_told_apart_from_damaged_ones(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "was_here"), "w"))

    torch.save({"params": basicsr_state_dict(2), "a": Evil()}, tmp_path / "evil.pth")
    for ask in (inspect_checkpoint, read_weights):
        with pytest.raises(WeightsError, match=r"wants to run .*open.* never runs code"):
            ask(tmp_path / "evil.pth")
    assert not (tmp_path / "was_here").exists()
    whole = tmp_path / "whole.pth"
    torch.save(basicsr_state_dict(2), whole)
    for length in range(0, whole.stat().st_size, whole.stat().st_size // 8):
        (tmp_path / "cut.pth").write_bytes(whole.read_bytes()[:length])
        with pytest.raises(WeightsError, match="not a weights file"):
            inspect_checkpoint(tmp_path / "cut.pth")


@pytest.mark.parametrize("make", ["basicsr", "official", "without shift", "mean bias of one"])
@pytest.mark.parametrize("default", [{"dtype": torch.float64}, {"device": "meta"}], ids=str)
def test_weights_load_whatever_the_defaults_for_new_tensors(tmp_path, make, default):
    """ "meta" stands for a GPU: what is made there by default cannot meet weights on the CPU."""
    w = official_state_dict(2, BLOCKS, FEATS)
    one = {name: value / 255 if name.endswith("mean.bias") else value for name, value in w.items()}
    made = {
        "basicsr": basicsr_state_dict(2),
        "official": w,
        "without shift": without_shift(w),
        "mean bias of one": one,
    }
    torch.save(made[make], tmp_path / "a.pth")
    before = load_pretrained(tmp_path / "a.pth").state_dict()
    try:
        torch.set_default_dtype(default.get("dtype", torch.float32))
        torch.set_default_device(default.get("device"))
        model = load_pretrained(tmp_path / "a.pth")
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
