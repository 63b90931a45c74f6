"""Weights as people have them: under any key, with any prefix, beside NumPy values, in any place."""

import pickle

import numpy as np
import pytest
import torch
from conftest import ROOT
from official import official_state_dict

from srlib.model.edsr import EDSR, EDSRConfig
from srlib.zoo.checkpoints import load_pretrained, save_weights
from srlib.zoo.passport import inspect_checkpoint
from srlib.zoo.reader import WeightsError, read_weights

CASES = ROOT.parent / "shared" / "cases"
CONFIG = EDSRConfig(2, 1, 4)


@pytest.fixture
def weights():
    return official_state_dict(2, 1, 4)


def assert_same(path, weights, **options):
    loaded = load_pretrained(path, **options).state_dict()
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in loaded.items())
    return inspect_checkpoint(path).place


def prefixed(weights, prefix):
    return {prefix + name: value for name, value in weights.items()}


@pytest.mark.parametrize(
    "key", ["state_dict", "generator", "model_ema", "netG", "weights", "G", "params"]
)
@pytest.mark.parametrize("prefix", ["", "model.", "net.", "module.", "_orig_mod.module.", "a.b.c."])
def test_any_key_and_any_prefix(tmp_path, weights, key, prefix):
    torch.save({key: prefixed(weights, prefix), "epoch": 3, "name": "x"}, tmp_path / "a.ckpt")
    place = assert_same(tmp_path / "a.ckpt", weights)
    assert repr(key) in place and (repr(prefix) in place) == bool(prefix)
    assert place in str(inspect_checkpoint(tmp_path / "a.ckpt"))


@pytest.mark.parametrize("case", ["lightning.ckpt", "best_psnr_numpy.pth"])
def test_files_of_other_programs(case):
    if not CASES.is_dir():
        pytest.skip("the collected cases are not here")
    assert load_pretrained(CASES / case).config == EDSRConfig(4, 1, 4)


def test_nested_keys(tmp_path, weights):
    torch.save({"state": {"nets": {"sr": weights}}}, tmp_path / "a.pt")
    assert assert_same(tmp_path / "a.pt", weights) == "under 'state.nets.sr'"


def test_the_generator_is_chosen_and_not_the_discriminator(tmp_path, weights):
    critic = {"features.0.weight": torch.zeros(4, 3, 3, 3), "classifier.weight": torch.zeros(1, 4)}
    torch.save({"netD": critic, "netG": weights}, tmp_path / "a.pt")
    assert assert_same(tmp_path / "a.pt", weights) == "under 'netG'"
    both = prefixed(critic, "discriminator.") | prefixed(weights, "generator.")
    torch.save({"state_dict": both}, tmp_path / "a.pt")
    assert "2 other tensors left out" in assert_same(tmp_path / "a.pt", weights)


@pytest.mark.parametrize(
    "average", ["params_ema", "ema", "model_ema", "ema_model", "averaged", "net_g_ema"]
)
def test_averaged_weights_are_preferred(tmp_path, weights, average):
    worse = {name: value + 1 for name, value in weights.items()}
    for content in ({"params": worse, average: weights}, {average: weights, "params": worse}):
        torch.save(content, tmp_path / "a.pt")
        assert average in assert_same(tmp_path / "a.pt", weights)
    torch.save(prefixed(worse, "model.") | prefixed(weights, f"{average}."), tmp_path / "a.pt")
    assert average in assert_same(tmp_path / "a.pt", weights)


def test_an_optimiser_is_no_network(tmp_path, weights):
    moments = {i: {"step": 1, "exp_avg": value} for i, value in enumerate(weights.values())}
    torch.save({"optimizer": {"state": moments}, "net": weights}, tmp_path / "a.pt")
    assert assert_same(tmp_path / "a.pt", weights) == "under 'net'"


def test_prefixes_do_not_make_loading_lenient(tmp_path, weights):
    del weights["body.0.body.2.bias"]
    torch.save({"state_dict": prefixed(weights, "model.")}, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match=r"Missing key\(s\).*body\.0\.body\.2\.bias"):
        load_pretrained(tmp_path / "a.pt")


@pytest.mark.parametrize(
    "value",
    [np.float64(31.2), np.float32(1), np.int64(7), np.bool_(True), np.arange(5.0), np.array("a"), np.random.RandomState(0).get_state()],
    ids=["float64", "float32", "int64", "bool", "array", "text", "random state"],
)  # fmt: skip
@pytest.mark.parametrize("zipped", [True, False])
def test_numpy_values_beside_the_weights_do_no_harm(tmp_path, weights, value, zipped):
    allowed = set(torch.serialization.get_safe_globals())
    content = {"model": weights, "best": value, "more": [{"x": value}]}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert_same(tmp_path / "a.pth", weights)
    assert set(torch.serialization.get_safe_globals()) == allowed  # nothing more stays allowed


class Crafted:
    """A float64 dtype whose state says that its bytes are pointers to objects."""

    def __reduce__(self):
        return np.dtype, ("f8",), (3, "<", None, None, None, -1, -1, 63)


def test_numpys_own_functions_are_not_called(tmp_path, weights, monkeypatch):
    called = []
    monkeypatch.setattr("srlib.zoo.reader._Inert.__init__", lambda self, *args: called.append(args))
    torch.save({"model": weights, "a": Crafted()}, tmp_path / "a.pth")
    assert_same(tmp_path / "a.pth", weights)
    assert called == [("f8",)] * 2  # the stand-in was, once in each reading


@pytest.mark.parametrize(
    "name",
    [
        "builtins.eval",
        "numpy.load",
        "numpy.core.multiarray.fromfile",
        "numpy.testing._private.utils.runstring",
    ],
)
def test_other_functions_are_refused_all_the_same(tmp_path, name):
    module, function = name.rsplit(".", 1)
    (tmp_path / "a.pt").write_bytes(
        b"\x80\x02c" + f"{module}\n{function}\n".encode() + b"X\x01\x00\x00\x001\x85R."
    )
    with pytest.raises(WeightsError):
        read_weights(tmp_path / "a.pt")
    torch.save({"a": 1}, tmp_path / "b.pt", pickle_module=pickle)
    with pytest.raises(WeightsError, match="something else"):
        read_weights(tmp_path / "b.pt")


def test_any_place(tmp_path, weights, monkeypatch):
    """A bare name, a file without a suffix, the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    torch.save(weights, tmp_path / "model_best")
    torch.save(weights, tmp_path / "my model")
    for path in ("model_best", "my model", "~/model_best", "./model_best"):
        assert_same(path, weights)
        assert load_pretrained(tmp_path / path.replace("~", str(tmp_path))).config == CONFIG


@pytest.mark.parametrize(
    "name", ["", "nobody", "no/where", "~/nothing", "~nobody/a", "a\0b", "none.pt", "none.pt/a"]
)
def test_what_is_not_there(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "none").touch()
    with pytest.raises(WeightsError):
        load_pretrained(name)


def test_a_checkpoints_name_goes_before_a_file_of_that_name(tmp_path, monkeypatch, weights):
    monkeypatch.chdir(tmp_path)
    torch.save(weights, "edsr-lite")
    assert load_pretrained("edsr-lite", 2).config == EDSRConfig(2, 8, 32)
    assert load_pretrained("./edsr-lite", 2).config == CONFIG


def test_a_path_with_a_tilde_and_numbers_of_numpy(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    model = EDSR(EDSRConfig(np.int64(2), np.int64(1), np.int64(8), np.float32(0.5)))
    save_weights(model, "~/a.safetensors")
    assert load_pretrained("~/a.safetensors").config == model.config
    with pytest.raises(TypeError, match="not OrderedDict"):
        save_weights(model.state_dict(), "~/b.safetensors")
