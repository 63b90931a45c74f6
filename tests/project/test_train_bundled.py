import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from srlib.data.patches import Pair, PairedPatches
from srlib.images.resize import imresize
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.zoo.checkpoints import load_pretrained


@pytest.fixture
def tool(monkeypatch, request):
    monkeypatch.syspath_prepend(request.config.rootpath / "tools")
    import train_bundled

    ticks = itertools.count(0, 61)
    clock = SimpleNamespace(monotonic=lambda: next(ticks))
    monkeypatch.setattr(train_bundled, "time", clock)  # a checkpoint a minute is one every step
    return train_bundled


@pytest.fixture
def pairs(photo):
    return [Pair(photo, imresize(photo, 1 / 2), "photo")]


class Interrupted(PairedPatches):
    at = 3

    def batch(self, step, batch_size):
        if step == self.at:
            raise KeyboardInterrupt
        return super().batch(step, batch_size)


def trained(tool, patches, pairs, out):
    torch.manual_seed(0)
    model = EDSR(EDSRConfig(2, 1, 8))
    out.mkdir(exist_ok=True)
    tool.train(model, patches, pairs, out, steps=6, highest=1e-3, batch_size=2)
    return model.state_dict()


def test_a_run_goes_on_to_the_bit(tool, pairs, tmp_path):
    settings = {"scale": 2, "patch_size": 32, "seed": 1}
    at_once = trained(tool, PairedPatches(pairs, **settings), pairs, tmp_path / "at_once")
    with pytest.raises(KeyboardInterrupt):
        trained(tool, Interrupted(pairs, **settings), pairs, tmp_path / "twice")
    assert [p.name for p in (tmp_path / "twice").iterdir()] == ["checkpoint-00000003"]
    (
        tmp_path / "twice" / "unfinished"
    ).mkdir()  # the process was killed while it wrote the next one
    (tmp_path / "twice" / "unfinished" / "model.pt").write_bytes(b"PK")
    resumed = trained(tool, PairedPatches(pairs, **settings), pairs, tmp_path / "twice")
    assert all(torch.equal(value, resumed[name]) for name, value in at_once.items())


def test_the_files_of_a_checkpoint_are_small_enough_to_carry(tool, pairs, tmp_path):
    """At most 16 MB each for EDSR-baseline, whose weights, average and two moments are 22 MB."""
    model = EDSR(EDSRConfig(2, 16, 64))
    tool.train(
        model,
        PairedPatches(pairs, scale=2, patch_size=16),
        pairs,
        tmp_path,
        steps=1,
        highest=1e-3,
        batch_size=1,
    )
    sizes = [f.stat().st_size for f in tmp_path.glob("checkpoint-*/*")]
    assert sum(sizes) > 21e6 and max(sizes) < 16e6


def bordered(tool, patches, out):
    torch.manual_seed(0)
    model = EDSR(EDSRConfig(2, 1, 8))
    out.mkdir(exist_ok=True)
    tool.teach_border(model, patches, out, first=6, batch_size=2)
    return model.state_dict()


def test_the_border_phase_goes_on_to_the_bit(tool, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "BORDER_STEPS", 4)
    monkeypatch.setattr(Interrupted, "at", 8)
    settings = {"scale": 2, "patch_size": 32, "seed": 1}
    at_once = bordered(tool, PairedPatches(pairs, **settings), tmp_path / "at_once")
    with pytest.raises(KeyboardInterrupt):
        bordered(tool, Interrupted(pairs, **settings), tmp_path / "twice")
    assert [p.name for p in (tmp_path / "twice").iterdir()] == ["border-00000002"]
    resumed = bordered(tool, PairedPatches(pairs, **settings), tmp_path / "twice")
    assert all(torch.equal(value, resumed[name]) for name, value in at_once.items())
    again = bordered(
        tool, Interrupted(pairs, **settings), tmp_path / "twice"
    )  # nothing is left to do
    assert all(torch.equal(value, again[name]) for name, value in at_once.items())


def test_a_border_phase_after_a_longer_main_phase_starts_anew(tool, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "BORDER_STEPS", 2)
    patches = PairedPatches(pairs, scale=2, patch_size=32)
    model, other = (EDSR(EDSRConfig(2, 1, 8)) for _ in range(2))
    tool.teach_border(model, patches, tmp_path, first=6, batch_size=2)
    before = other.state_dict()["head.0.weight"].clone()
    tool.teach_border(other, patches, tmp_path, first=8, batch_size=2)
    assert not torch.equal(other.state_dict()["head.0.weight"], before)
    assert not torch.equal(other.state_dict()["head.0.weight"], model.state_dict()["head.0.weight"])


def test_weights_of_another_scale_give_head_and_body(tool):
    start, model = load_pretrained("edsr-lite", 2).state_dict(), EDSR(EDSRConfig(4, 8, 32))
    tail = model.state_dict()["tail.0.0.weight"].clone()
    tool.take_weights(model, start)
    taken = model.state_dict()
    assert torch.equal(taken["tail.0.0.weight"], tail)
    assert all(
        torch.equal(taken[name], value)
        for name, value in start.items()
        if name.startswith(("head.", "body."))
    )
    same = EDSR(EDSRConfig(2, 8, 32))
    tool.take_weights(same, start)
    assert all(torch.equal(value, start[name]) for name, value in same.state_dict().items())


@pytest.mark.parametrize("blocks", [7, 9])
@pytest.mark.parametrize("scale", [2, 4])
def test_weights_of_another_network_are_not_taken_in_part(tool, blocks, scale):
    with pytest.raises(RuntimeError, match=r"body\."):
        tool.take_weights(
            EDSR(EDSRConfig(scale, blocks, 32)), load_pretrained("edsr-lite", 2).state_dict()
        )


@pytest.mark.parametrize("names", [("train", "valid"), ("DIV2K_train_HR", "DIV2K_valid_HR")])
def test_photographs_by_folder(tool, tmp_path, names):
    with pytest.raises(SystemExit, match="neither train/ and valid/ nor DIV2K_train_HR/"):
        tool.photo_folders(tmp_path)
    for name in names:
        (tmp_path / name).mkdir()
    assert tool.photo_folders(tmp_path) == tuple(tmp_path / name for name in names)


def test_photographs_of_the_same_name_are_not_mixed_up(tool, tmp_path, photo):
    for folder, pixels in (("a", photo), ("b", 255 - photo)):
        (tmp_path / folder / "train").mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / folder / "train" / "0001.png")
    for _ in range(2):  # computed, then from the cache
        for folder in "ab":
            ((hr, lr, _),) = tool.load_pairs(
                tmp_path / folder / "train", 2, tmp_path / "cache", False
            )
            assert np.array_equal(lr, imresize(hr, 1 / 2))
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_the_tool_from_end_to_end_on_div2k(tool, tmp_path, request, monkeypatch):
    """On the sample, laid out as DIV2K is."""
    monkeypatch.setattr(tool, "BORDER_STEPS", 1)
    sample = request.config.rootpath / "data" / "sample"
    order = (
        f"x --photos {sample} --scale 4 --steps 2 --batch 1 --lr-patch 16 --out {tmp_path / 'out'}"
    )
    monkeypatch.setattr("sys.argv", order.split())
    tool.main()
    assert load_pretrained(tmp_path / "out" / "model.safetensors").config == EDSRConfig(4, 8, 32)
