import hashlib
import json
import os
from dataclasses import replace
from functools import partial
from statistics import fmean

import numpy as np
import pytest
import torch
from mirror_server import mirror_server
from official import official_state_dict
from safetensors.torch import load_file
from torch.nn.utils import prune

from srlib.data import PairedImages
from srlib.files.download import DownloadError, sha256_of
from srlib.images.degrade import jpeg_round_trip
from srlib.images.resize import imresize
from srlib.metrics import PROTOCOLS
from srlib.model.cost import count_parameters
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.upscaling.enlarge import upscale
from srlib.zoo import checkpoints as zoo
from srlib.zoo.checkpoints import CHECKPOINTS, available, load_pretrained, save_weights
from srlib.zoo.reader import WeightsError

OFFICIAL = ("edsr-baseline", "edsr")
EMBEDDED = {
    "edsr-lite": (2, 3, 4),
    "edsr-lite-photo": (2, 3, 4),
    "edsr-baseline-srlib": (2, 3, 4),
}


@pytest.fixture
def no_pauses(monkeypatch):
    """A dead mirror is asked again at once."""
    monkeypatch.setattr("srlib.files.download.time.sleep", lambda seconds: None)


def test_the_zoo():
    """Every name at every scale; official files have torch.hub's names, hashes and plain sizes."""
    assert {(c.name, c.scale) for c in CHECKPOINTS if c.embedded} == {
        (name, scale) for name, scales in EMBEDDED.items() for scale in scales
    }
    official = [checkpoint for checkpoint in CHECKPOINTS if not checkpoint.embedded]
    assert {(c.name, c.scale) for c in official} == {(n, s) for n in OFFICIAL for s in (2, 3, 4)}
    assert {c.scale for c in available(3)} == {3}
    for checkpoint in official:
        assert checkpoint.file.endswith(f"-{checkpoint.sha256[:8]}.pt")
        assert len(checkpoint.sha256) == 64 and len(checkpoint.urls) >= 2
        with torch.device("meta"):
            values = sum(v.numel() for v in EDSR(checkpoint.config).state_dict().values())
        assert 4 * values < checkpoint.size < 4 * values + 50_000  # the pickle around the values


@pytest.mark.parametrize(("name", "scale"), [(n, s) for n in EMBEDDED for s in EMBEDDED[n]])
def test_embedded_weights_load_and_are_documented(name, scale):
    model = load_pretrained(name, scale)
    shape = (16, 64) if "baseline" in name else (8, 32)
    assert model.config == EDSRConfig(scale, *shape) and not model.training
    card = (zoo.WEIGHTS_DIR / "MODEL_CARD.md").read_text()
    assert f"{count_parameters(model):,}" in card and zoo.find(name, scale).file in card


@pytest.mark.parametrize(("scale", "bar"), [(2, 37.30), (3, 33.64), (4, 31.36)])
def test_embedded_weights_reach_the_card_s_figures_on_set5(benchmarks, scale, bar):
    model = load_pretrained("edsr-lite", scale)
    pairs = PairedImages(
        benchmarks / "Set5" / f"X{scale}" / "HR",
        benchmarks / "Set5" / f"X{scale}" / "LR",
        scale=scale,
    )
    assert mean_psnr(model, pairs) >= bar


def mean_psnr(model, pairs):
    psnr = partial(PROTOCOLS["benchmark-y"].psnr, scale=model.config.scale)
    return fmean(psnr(upscale(lr, model), hr) for hr, lr, _ in pairs)


@pytest.mark.parametrize(
    ("name", "scale", "bar"),
    [("Set5", 2, 37.60), ("Set5", 3, 33.87), ("Set5", 4, 31.65), ("Set14", 4, 28.15)],
)
def test_our_edsr_baseline_reaches_the_card_s_figures(benchmarks, name, scale, bar):
    model = load_pretrained("edsr-baseline-srlib", scale)
    folder = benchmarks / name / f"X{scale}"
    pairs = PairedImages(folder / "HR", folder / "LR", scale=scale)
    assert mean_psnr(model, pairs) >= bar


@pytest.mark.parametrize("scale", [2, 4])
def test_the_photo_weights_are_worth_half_a_decibel_on_set14_saved_as_jpeg(benchmarks, scale):
    folder = benchmarks / "Set14" / f"X{scale}"
    rules = PROTOCOLS["benchmark-y"]
    plain, photo = (load_pretrained(name, scale) for name in ("edsr-lite", "edsr-lite-photo"))
    upscalers = (
        lambda lr: imresize(lr, scale),
        lambda lr: upscale(lr, plain),
        lambda lr: upscale(lr, photo),
    )
    scores = []
    for hr, lr, _ in PairedImages(folder / "HR", folder / "LR", scale=scale):
        saved = jpeg_round_trip(lr, 75)
        scores.append([rules.psnr(upscaler(saved), hr, scale=scale) for upscaler in upscalers])
    bicubic, before, after = np.mean(scores, axis=0)
    assert after >= max(bicubic, before) + 0.5


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_official_files_load(tmp_path, scale):
    weights = official_state_dict(scale, 3, 8)
    torch.save(weights, tmp_path / "official.pt")
    model = load_pretrained(tmp_path / "official.pt", scale)
    assert model.config == EDSRConfig(scale, 3, 8)
    assert all(torch.equal(v, weights[k]) for k, v in model.state_dict().items())


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_file_enlarges_by_its_own_scale(tmp_path, scale):
    torch.save(official_state_dict(scale, 2, 8), tmp_path / "official.pt")
    assert load_pretrained(tmp_path / "official.pt").config.scale == scale
    with pytest.raises(WeightsError, match=f"enlarges by {scale}, and scale 1 was asked for"):
        load_pretrained(tmp_path / "official.pt", 1)
    assert load_pretrained("edsr-lite").config.scale == 4


def test_a_replaced_part_is_not_saved_as_if_it_were_there(tmp_path):
    for change in (
        lambda model: model.body[0].body.__setitem__(1, torch.nn.LeakyReLU(0.9)),
        lambda model: prune.random_unstructured(model.head[0], "weight", 0.5),
        lambda model: setattr(model.body[0], "res_scale", 0.5),
    ):
        model = EDSR(EDSRConfig(3, 2, 8))
        change(model)
        with pytest.raises(WeightsError, match=r"own\.safetensors was not written: a part of th"):
            save_weights(model, tmp_path / "own.safetensors")
    assert not list(tmp_path.iterdir())
    model = EDSR(EDSRConfig(3, 2, 8))
    model.compile()  # the same network
    save_weights(model, tmp_path / "own.safetensors")


def test_own_files_keep_their_config(tmp_path):
    model = EDSR(EDSRConfig(3, 2, 8, res_scale=0.1))
    path = save_weights(model, tmp_path / "own.safetensors")
    again = load_pretrained(path, 3)
    assert again.config == model.config
    assert all(
        torch.equal(a, b)
        for a, b in zip(again.state_dict().values(), model.state_dict().values(), strict=True)
    )
    assert [p.name for p in tmp_path.iterdir()] == ["own.safetensors"]
    (tmp_path / "other").touch()
    assert (
        path.stat().st_mode == (tmp_path / "other").stat().st_mode
    )  # readable for whom the umask says


@pytest.mark.usefixtures("no_pauses")
def test_an_official_checkpoint_is_taken_from_the_cache(tmp_path, monkeypatch):
    """Where the right file lies in torch.hub's cache, nothing is fetched; where another one lies, it is not taken for it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    checkpoint = zoo.find("edsr-baseline", 2)
    assert (
        checkpoint.path == tmp_path / "hub" / "checkpoints" / "edsr_baseline_x2-1bc95232.pt"
        and not checkpoint.on_disk()
    )
    checkpoint.path.parent.mkdir(parents=True)
    torch.save(official_state_dict(2, 16, 64), checkpoint.path)
    monkeypatch.setattr(
        zoo,
        "CHECKPOINTS",
        (without_network(checkpoint, sha256_of(checkpoint.path)),),
    )
    assert load_pretrained("edsr-baseline", 2).config == EDSRConfig(2)
    monkeypatch.setattr(zoo, "CHECKPOINTS", (without_network(checkpoint, "0" * 64),))
    with pytest.raises(DownloadError, match="edsr-lite"):
        load_pretrained("edsr-baseline", 2)


@pytest.mark.usefixtures("no_pauses")
def test_another_file_in_the_cache_is_kept_and_named(tmp_path, monkeypatch):
    """It is the reader's file, perhaps the same weights in another pickle."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    checkpoint = without_network(zoo.find("edsr-baseline", 2), "0" * 64)
    monkeypatch.setattr(zoo, "CHECKPOINTS", (checkpoint,))
    checkpoint.path.parent.mkdir(parents=True)
    torch.save(official_state_dict(2, 16, 64), checkpoint.path)
    with pytest.raises(DownloadError, match=checkpoint.file) as caught:
        load_pretrained("edsr-baseline", 2)
    assert "load it by this path" in str(caught.value)
    assert load_pretrained(checkpoint.path, 2).config == checkpoint.config


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(
    ("change", "answer"),
    [
        (lambda content: content + b" ", "offers a file of"),
        (lambda content: content[:-1000], "offers a file of"),
        (lambda content: content[:-1] + b"x", r"gave another file \(SHA-256"),
    ],
)
def test_a_mirror_with_another_file_is_refused(tmp_path, monkeypatch, change, answer):
    """By its size, before it is fetched, or else by its hash; and the next mirror is asked."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    file = tmp_path / "w.pt"
    torch.save(official_state_dict(2, 16, 64), file)
    content = file.read_bytes()
    with mirror_server({"w.pt": content, "other.pt": change(content)}) as mirror:
        checkpoint = replace(
            zoo.find("edsr-baseline", 2),
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            urls=("http://127.0.0.1:9/dead", f"{mirror.url}/good/other.pt"),
        )
        monkeypatch.setattr(zoo, "CHECKPOINTS", (checkpoint,))
        with pytest.raises(DownloadError, match=rf"(?s)dead: no connection.*other\.pt: {answer}"):
            load_pretrained("edsr-baseline", 2)
        assert not checkpoint.path.exists()
        checkpoint = replace(checkpoint, urls=(*checkpoint.urls, f"{mirror.url}/good/w.pt"))
        monkeypatch.setattr(zoo, "CHECKPOINTS", (checkpoint,))
        assert load_pretrained("edsr-baseline", 2).config == EDSRConfig(2)


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where TORCH_HOME should be a folder")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    with pytest.raises(
        DownloadError,
        match=r'(?s)Nothing can be written to .*cache.*TORCH_HOME.*load_pretrained\("edsr-lite", 3',
    ):
        load_pretrained("edsr-baseline", 3)


def without_network(checkpoint, sha256):
    return replace(checkpoint, sha256=sha256, urls=("http://127.0.0.1:9/a",))


@pytest.mark.parametrize(
    ("content", "scale", "says"),
    [
        ("nothing", 4, "cannot be read: No such file"),
        ("text", 4, "not a weights file"),
        ("cut", 4, "not a weights file"),
        ("vgg", 4, "not an EDSR"),
        ("short", 4, "not an EDSR that srlib can load"),
        ("x2", 4, "enlarges by 2, and scale 4"),
    ],
)
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_unusable_files_get_a_sentence(tmp_path, content, scale, says, suffix):
    path = tmp_path / f"weights{suffix}"
    weights = official_state_dict(2 if content == "x2" else 4, 2, 8)
    if content == "vgg":
        weights = load_file(zoo.WEIGHTS_DIR / "vgg16_lite.safetensors")
    if content == "short":
        del weights["body.1.body.2.bias"]
    if content == "text":
        path.write_text("<html>Not found</html>" * 10)
    elif content != "nothing":
        if suffix == ".pt":
            torch.save(weights, path)
        else:
            from safetensors.torch import save_file

            save_file({k: v.contiguous() for k, v in weights.items()}, path)
        if content == "cut":
            path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(WeightsError, match=says) as caught:
        load_pretrained(path, scale)
    assert "\n" not in str(caught.value)


def test_a_file_of_something_else(tmp_path):
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(WeightsError, match="something else"):
        load_pretrained(tmp_path / "list.pt", 4)


def test_code_in_a_file_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "was_here"), "w"))

    torch.save({"a": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(WeightsError):
        load_pretrained(tmp_path / "evil.pt", 4)
    assert not (tmp_path / "was_here").exists()


def test_any_suffix_and_any_path_is_a_file(tmp_path):
    torch.save(official_state_dict(2, 1, 4), tmp_path / "weights")
    assert load_pretrained(tmp_path / "weights", 2).config == EDSRConfig(2, 1, 4)
    (tmp_path / "weights").rename(tmp_path / "weights.ckpt")
    assert load_pretrained(str(tmp_path / "weights.ckpt"), 2).config == EDSRConfig(2, 1, 4)


def test_unknown_names():
    """The message lists the names with their scales."""
    with pytest.raises(WeightsError, match=r"edsr-lite, .* edsr, each for x2, x3 and x4"):
        load_pretrained("esrgan", 4)
    with pytest.raises(WeightsError, match="scale 8"):
        load_pretrained("edsr-lite", 8)


def test_sample_photographs_gain_over_bicubic(photo):
    """Any reader's first impression: the embedded model beats bicubic, by far more than rounding."""
    from srlib.images.resize import imresize
    from srlib.metrics import psnr

    lr = imresize(photo, 1 / 2)
    sr = upscale(lr, load_pretrained("edsr-lite", 2))
    bicubic = imresize(lr, 2)
    assert psnr(sr, photo, border=2, luma=True) > psnr(bicubic, photo, border=2, luma=True) + 0.5


def test_stored_config_is_json(tmp_path):
    from safetensors import safe_open

    with safe_open(
        save_weights(EDSR(EDSRConfig(2, 1, 4)), tmp_path / "a.safetensors"), "np"
    ) as file:
        stated = json.loads(file.metadata()["edsr_config"])
        assert len(stated.pop("checksum")) == 64
        assert stated == {"scale": 2, "n_resblocks": 1, "n_feats": 4, "res_scale": 1.0}
        assert file.get_tensor("head.0.weight").dtype == np.float32


def test_a_cache_that_may_not_be_entered_holds_nothing(monkeypatch):
    def refused(path, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "stat", refused)
    assert not any(checkpoint.on_disk() for checkpoint in CHECKPOINTS)
