import argparse
import json
import os
import pickle
import shutil
import subprocess
import sys
import traceback
import zipfile

import pytest
import torch
from conftest import ROOT
from official import official_state_dict
from safetensors.torch import load_file, save_file

from srlib.model.edsr import EDSR, EDSRConfig
from srlib.zoo.checkpoints import WEIGHTS_DIR, load_pretrained, save_weights
from srlib.zoo.passport import inspect_checkpoint
from srlib.zoo.reader import WeightsError

ADVICE = ("weights_only", "`False`", "add_safe_globals", "torch.jit.load")


TEXTS = {
    "a web page": "\ufeff\n<!DOCTYPE html><title>Log in</title>",
    "a pointer": "version https://git-lfs.github.com/spec/v1\n",
    "a letter": "Dear reader, the weights follow.",
    "nothing": "",
}


@pytest.fixture
def weights():
    return official_state_dict(2, 2, 8)


def refusal(path):
    with pytest.raises(WeightsError) as caught:
        inspect_checkpoint(path)
    seen = "".join(traceback.format_exception(caught.value))  # all that a notebook would show
    assert not [advice for advice in ADVICE if advice in seen], seen
    return str(caught.value)


def test_every_flipped_bit_of_a_tensor_is_found(tmp_path, weights):
    torch.save(weights, tmp_path / "a.pt")
    whole = (tmp_path / "a.pt").read_bytes()
    for value in weights.values():
        damaged = bytearray(whole)
        damaged[whole.index(value.numpy().tobytes())] ^= (
            1  # the lowest bit of one mantissa: torch.load takes it as it is
        )
        (tmp_path / "a.pt").write_bytes(damaged)
        assert "a.pt is damaged: the checksum of " in refusal(tmp_path / "a.pt")


def test_a_file_saved_without_checksums_loads(tmp_path, weights):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(weights, tmp_path / "a.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    assert inspect_checkpoint(tmp_path / "a.pt").loads


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a global", "wants to run argparse.Namespace"),
        ("a global in the old format", "wants to run argparse.Namespace"),
        ("a blocked one", "wants to run posix.system"),
        ("a plain pickle", "not a weights file"),
        ("a letter", "not a weights file"),
        ("TorchScript", "not a weights file"),
        ("a web page", "not a weights file"),
        ("a pointer", "not a weights file"),
        ("nothing", "not a weights file"),
        ("a folder", "Not a regular file"),
    ],
)
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_what_is_no_state_dict_gets_a_sentence_and_no_advice_to_run_it(
    tmp_path, content, says, suffix
):
    path = tmp_path / f"a{suffix}"
    if content.startswith("a global"):
        torch.save(
            {"a": argparse.Namespace()},
            path.open("wb"),
            _use_new_zipfile_serialization="old" not in content,
        )
    elif content == "a blocked one":
        path.write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    elif content == "a plain pickle":
        path.write_bytes(pickle.dumps({"a": 1}, 2))
    elif content == "TorchScript":
        torch.jit.script(torch.nn.Conv2d(1, 1, 1)).save(str(path))
    elif content == "a folder":
        path.mkdir()
    else:
        path.write_text(TEXTS[content])
    assert says in refusal(path)


def test_the_content_says_what_a_file_is_and_not_its_name(tmp_path, weights):
    save_file(weights, tmp_path / "a.pt")
    torch.save(weights, tmp_path / "b.pt")
    shutil.move(tmp_path / "b.pt", tmp_path / "b.safetensors")
    assert (
        load_pretrained(tmp_path / "a.pt", 2).config
        == load_pretrained(tmp_path / "b.safetensors", 2).config
        == EDSRConfig(2, 2, 8)
    )


HUGE = """
import resource, sys
from srlib.zoo.reader import WeightsError
from srlib.zoo.passport import inspect_checkpoint
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
try:
    inspect_checkpoint(sys.argv[1])
except WeightsError as error:
    print(error)
"""


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_a_small_file_does_not_take_all_the_memory(tmp_path, weights, dtype):
    """Four million million values that are all one and the same: a view with strides of 0, which torch.save keeps as it is."""
    torch.save(
        weights | {"extra": torch.zeros(1, dtype=dtype).expand(1 << 21, 1 << 21)}, tmp_path / "a.pt"
    )
    done = subprocess.run(
        [sys.executable, "-c", HUGE, tmp_path / "a.pt"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert "claims" in done.stdout, done.stderr


def test_a_view_of_one_value_is_no_network(tmp_path, weights):
    """Every shape right, an EDSR of 320 features in 4 kB."""
    flat = {
        key: torch.zeros(1).expand([n if n in (1, 3, 9) else 40 * n for n in value.shape])
        for key, value in weights.items()
    }
    torch.save(flat, tmp_path / "a.pt")
    assert "claims" in refusal(tmp_path / "a.pt")


def test_a_compressed_file_does_not_grow(tmp_path, weights):
    torch.save(weights | {"extra": torch.zeros(1 << 20)}, tmp_path / "a.pt")
    with (
        zipfile.ZipFile(tmp_path / "a.pt") as a,
        zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as b,
    ):
        for record in a.infolist():
            b.writestr(record.filename, a.read(record))
    assert "compressed" in refusal(tmp_path / "b.pt")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["meta", "quantised", "sparse", "complex"])
def test_tensors_that_are_not_plain_numbers(tmp_path, weights, kind):
    value = weights["head.0.weight"]
    weights["head.0.weight"] = {
        "meta": lambda: torch.empty_like(value, device="meta"),
        "quantised": lambda: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8),
        "sparse": value.to_sparse,
        "complex": lambda: value.to(torch.complex64),
    }[kind]()
    torch.save(weights, tmp_path / "a.pt")
    assert "something else than plain numbers in head.0.weight" in refusal(tmp_path / "a.pt")


@pytest.mark.parametrize("stated", ["NaN", "Infinity", "-Infinity", "1e999", "1e300"])
@pytest.mark.parametrize("source", ["metadata", "argument"])
def test_a_res_scale_that_is_not_finite(tmp_path, weights, stated, source):
    path = tmp_path / "a.safetensors"
    res_scale = None
    config = f'"n_feats": 8, "res_scale": {stated}}}'
    if source == "metadata":
        save_file(weights, path, {"edsr_config": f'{{"scale": 2, "n_resblocks": 2, {config}'})
    else:
        save_file(weights, path)
        res_scale = json.loads(stated)
    with pytest.raises(WeightsError, match="res_scale"):
        load_pretrained(path, res_scale=res_scale)


@pytest.mark.parametrize(
    ("name", "value"),
    [("tail.1.weight", 3e38), ("body.0.body.0.weight", -3e38), ("head.0.bias", 3e38)],
)
@pytest.mark.parametrize("own", [True, False])
def test_weights_that_overflow(tmp_path, weights, name, value, own):
    """Each value is finite, and the answer is not."""
    weights[name].fill_(value)
    if own:
        model = EDSR(EDSRConfig(2, 2, 8))
        model.load_state_dict(weights)
        save_weights(model, tmp_path / "a.pt")
    else:
        torch.save(weights, tmp_path / "a.pt")
    passport = inspect_checkpoint(tmp_path / "a.pt")
    assert not passport.loads and "infinite" in str(passport)
    with pytest.raises(WeightsError, match="infinite"):
        load_pretrained(tmp_path / "a.pt")


@pytest.mark.parametrize("part", ["header", "tensors"])
def test_every_flipped_bit_of_an_own_file_is_found_or_harmless(tmp_path, part):
    model = EDSR(EDSRConfig(2, 1, 2, res_scale=0.1))
    path = save_weights(model, tmp_path / "own.safetensors")
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    places = range(start) if part == "header" else range(start, len(whole), 37)
    found = 0
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            loaded = load_pretrained(path)
        except WeightsError:
            found += 1
            continue
        assert loaded.config == model.config
        assert all(torch.equal(v, model.state_dict()[k]) for k, v in loaded.state_dict().items())
    # a space more in the header, or a letter of the config's own name, changes nothing that is loaded
    assert found == len(places) if part == "tensors" else found > 0.9 * len(places)


@pytest.mark.parametrize(
    "path", sorted(WEIGHTS_DIR.glob("edsr*.safetensors")), ids=lambda p: p.stem
)
def test_the_embedded_files_carry_checksums(tmp_path, path):
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1  # the lowest bit of a mantissa
    (tmp_path / path.name).write_bytes(content)
    assert "checksum" in refusal(tmp_path / path.name)
    assert inspect_checkpoint(path).loads


def test_a_model_does_not_change_with_its_file(tmp_path):
    path = save_weights(EDSR(EDSRConfig(2, 1, 4)), tmp_path / "own.safetensors")
    model = load_pretrained(path)
    before = load_file(path)
    before = {name: value.clone() for name, value in before.items()}
    path.write_bytes(b"\xff" * path.stat().st_size)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_loading_leaves_the_random_state_alone(tmp_path, weights):
    torch.save(weights, tmp_path / "a.pt")
    before = torch.get_rng_state()
    load_pretrained(tmp_path / "a.pt")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.pt")
    assert "Not a regular file" in refusal(tmp_path / "pipe.pt")


def test_a_pipe_beside_it_is_not_waited_for(tmp_path):
    shutil.copy(WEIGHTS_DIR / "edsr_lite_x2.safetensors", tmp_path / "a.safetensors")
    os.mkfifo(tmp_path / "config.json")
    code = f"from srlib.zoo import load_pretrained; load_pretrained({str(tmp_path / 'a.safetensors')!r})"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], timeout=60, env=environment).returncode == 0


def test_a_name_that_is_not_utf8(tmp_path, weights):
    name = os.fsdecode(b"gr\xfcn")
    save_file(weights, tmp_path / "a.safetensors")
    os.rename(tmp_path / "a.safetensors", tmp_path / f"{name}.safetensors")
    torch.save(weights, tmp_path / "a.pt")
    os.rename(tmp_path / "a.pt", tmp_path / f"{name}.pt")
    for suffix in (".safetensors", ".pt"):
        passport = inspect_checkpoint(tmp_path / f"{name}{suffix}")
        assert passport.loads and str(passport).encode()


def test_a_maze_of_mappings_ends(tmp_path, weights):
    """Mappings with 2^100 ways through them, and one that holds itself."""
    maze = {}
    for _ in range(100):
        maze = {"a": maze, "b": maze}
    ring = {}
    ring["ring"] = ring
    torch.save({"maze": maze, "ring": ring}, tmp_path / "a.pt")
    assert "something else" in refusal(tmp_path / "a.pt")
    torch.save({"maze": maze, "ring": ring, "net": weights}, tmp_path / "a.pt")
    assert load_pretrained(tmp_path / "a.pt").config == EDSRConfig(2, 2, 8)


@pytest.mark.parametrize(
    "stated", ["[" * 100_000, '{"a":' * 100_000, "null", '{"scale": [2]}', "9" * 5000]
)
def test_a_config_that_is_none(tmp_path, weights, stated):
    save_file(weights, tmp_path / "a.safetensors", {"edsr_config": stated})
    assert "a.safetensors has an unusable config" in refusal(tmp_path / "a.safetensors")


def test_a_name_that_is_too_long_for_a_file():
    with pytest.raises(WeightsError, match="There is no model 'xxx"):
        load_pretrained("x" * 5000)


def test_a_file_does_not_write_to_the_terminal(weights, tmp_path):
    save_file(weights | {"x\x1b]0;owned\x07\x1b[2J": torch.zeros(1)}, tmp_path / "a.safetensors")
    text = str(inspect_checkpoint(tmp_path / "a.safetensors"))
    assert "owned" in text and all(c.isprintable() or c == "\n" for c in text)
