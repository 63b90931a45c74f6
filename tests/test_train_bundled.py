import itertools
from types import SimpleNamespace

import pytest
import torch

from srlib.model import EDSR, EDSRConfig
from srlib.patches import Pair, PairedPatches
from srlib.resize import imresize


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
    def batch(self, step, batch_size):
        if step == 3:
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
    (tmp_path / "twice" / "unfinished").mkdir()  # the process was killed while it wrote the next one
    (tmp_path / "twice" / "unfinished" / "model.pt").write_bytes(b"PK")
    resumed = trained(tool, PairedPatches(pairs, **settings), pairs, tmp_path / "twice")
    assert all(torch.equal(value, resumed[name]) for name, value in at_once.items())


def test_the_files_of_a_checkpoint_are_small_enough_to_carry(tool, pairs, tmp_path):
    """At most 16 MB each for EDSR-baseline, whose weights, average and two moments are 22 MB."""
    model = EDSR(EDSRConfig(2, 16, 64))
    tool.train(model, PairedPatches(pairs, scale=2, patch_size=16), pairs, tmp_path, steps=1, highest=1e-3, batch_size=1)
    sizes = [f.stat().st_size for f in tmp_path.glob("checkpoint-*/*")]
    assert sum(sizes) > 21e6 and max(sizes) < 16e6
