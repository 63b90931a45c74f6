import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import SAMPLES
from safetensors.torch import load_file

from srlib.images import read_image
from srlib.model import EDSR, EDSRConfig
from srlib.patches import Pair
from srlib.resize import imresize
from srlib.train import Epoch, History, TrainConfig, TrainingError, _stalled, fine_tune, learning_rate_at

CONFIG = TrainConfig(
    patch_size=24, batch_size=4, steps_per_epoch=5, max_epochs=4, learning_rate=1e-3, patience=9, warm_up_steps=2
)


def make_pairs() -> list[Pair]:
    rgb = read_image(SAMPLES / "DIV2K_train_HR" / "0001.png").rgb
    crops = [np.ascontiguousarray(rgb[y : y + 48, x : x + 64]) for y, x in ((100, 100), (200, 300), (300, 500))]
    return [Pair(hr, imresize(hr, 1 / 2), str(i)) for i, hr in enumerate(crops)]


def make_model() -> EDSR:
    torch.manual_seed(0)
    return EDSR(EDSRConfig(2, 1, 8))


def run(run_dir, config=CONFIG, **options):
    pairs = make_pairs()
    return fine_tune(make_model(), pairs[:2], pairs[2:], config, run_dir=run_dir, **options)


def test_it_learns_and_keeps_the_best(tmp_path):
    events = []
    model, history = run(tmp_path, on_event=lambda kind, step, _: events.append((kind, step)))
    assert [e.epoch for e in history.epochs] == [0, 1, 2, 3, 4] and history.ended == "complete"
    assert history.best.valid_loss < history.start.valid_loss and history.best.valid_psnr > history.start.valid_psnr + 3
    assert events[-2:] == [("step", 20), ("epoch", 20)] and len(events) == 24
    stored = json.loads((tmp_path / "history.json").read_text())
    assert stored["epochs"][2]["valid_loss"] == history.epochs[2].valid_loss
    assert stored["bicubic_psnr"] == history.bicubic_psnr > 20
    best = load_file(tmp_path / "best.safetensors")
    assert all(torch.equal(v, best[k]) for k, v in model.state_dict().items())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best.safetensors", "history.json", "last.pt"]


def test_the_validation_loss_is_what_it_says(tmp_path):
    """The start's loss is that of the model as it came: mean absolute error in [0, 1], on patches of the held-out image."""
    model = make_model()
    _, history = run(tmp_path)
    pair = make_pairs()[2]
    lr, hr = (torch.from_numpy(v.copy()).permute(2, 0, 1)[None] / 255 for v in (pair.lr, pair.hr))
    with torch.inference_mode():
        whole = (model(lr) - hr).abs().mean().item()
    assert history.start.valid_loss == pytest.approx(whole, rel=0.3)


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("step", [3, 5, 12])
def test_an_interrupted_run_ends_the_same(tmp_path, step):
    def interrupt(kind, done, _):
        if kind == "step" and done == step:
            raise Interrupted

    straight, history = run(tmp_path / "straight")
    with pytest.raises(Interrupted):
        run(tmp_path / "broken", on_event=interrupt)
    resumed, again = run(tmp_path / "broken", resume=True)
    assert all(torch.equal(a, b) for a, b in zip(straight.state_dict().values(), resumed.state_dict().values(), strict=True))
    assert [e.valid_loss for e in again.epochs] == [e.valid_loss for e in history.epochs]
    last = [torch.load(tmp_path / d / "last.pt", weights_only=True)["model"] for d in ("straight", "broken")]
    assert all(torch.equal(a, b) for a, b in zip(last[0].values(), last[1].values(), strict=True))


def test_a_killed_process_ends_the_same(tmp_path):
    """kill -9 at whatever moment, several times; then to the end."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\nimport torch; torch.set_num_threads(2)\n"
        "import test_train as t\nt.run(sys.argv[2], resume=True)\n"
    )
    command = [sys.executable, "-c", script, os.path.dirname(__file__), str(tmp_path / "killed")]
    for wait_for in ("best.safetensors", "last.pt"):
        with subprocess.Popen(command) as process:
            end = time.monotonic() + 120
            while not (tmp_path / "killed" / wait_for).exists() and process.poll() is None and time.monotonic() < end:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
    subprocess.run(command, check=True, timeout=300)
    run(tmp_path / "straight")
    a, b = (load_file(tmp_path / d / "best.safetensors") for d in ("killed", "straight"))
    assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_a_finished_run_is_not_repeated(tmp_path):
    _, history = run(tmp_path)
    before = (tmp_path / "last.pt").stat().st_mtime_ns
    _, again = run(tmp_path, resume=True)
    assert again == history and (tmp_path / "last.pt").stat().st_mtime_ns == before


def test_a_run_is_not_overwritten(tmp_path):
    run(tmp_path)
    with pytest.raises(TrainingError, match="already holds a run"):
        run(tmp_path)
    from dataclasses import replace

    with pytest.raises(TrainingError, match=r"batch_size 4 -> 8"):
        run(tmp_path, replace(CONFIG, batch_size=8), resume=True)


def test_a_full_disk_does_not_spoil_the_checkpoint(tmp_path, monkeypatch):
    run(tmp_path / "whole")
    save, calls = torch.save, []

    def full_disk(state, path):
        calls.append(path)
        if len(calls) < 3:
            return save(state, path)
        path.write_bytes(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        run(tmp_path / "full")
    monkeypatch.undo()
    run(tmp_path / "full", resume=True)
    a, b = (load_file(tmp_path / d / "best.safetensors") for d in ("whole", "full"))
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_a_loss_that_is_not_finite_stops_with_a_sentence(tmp_path):
    model = make_model()
    with torch.no_grad():
        model.head[0].weight.fill_(float("nan"))
    pairs = make_pairs()
    with pytest.raises(TrainingError, match=r"loss is nan at step 0; start again with a learning rate below 0\.001"):
        fine_tune(model, pairs[:2], pairs[2:], CONFIG, run_dir=tmp_path)


def history_of(losses) -> History:
    return History(30.0, [Epoch(i, None, v, 30.0, 0.0) for i, v in enumerate(losses)])


@pytest.mark.parametrize(
    ("losses", "min_delta", "stops"),
    [
        ([5, 4, 3, 2], 0, False),
        ([5, 4, 4, 4], 0, False),  # two epochs without progress
        ([5, 4, 4, 4, 4], 0, True),
        ([5, 4, 6, 7, 3.9], 0, False),
        ([5, 4, 3.99, 3.98, 3.97], 0.1, True),
        ([5, 4, 3.99, 3.98, 3.8], 0.1, False),
        ([5], 0, False),
    ],
)
def test_early_stopping_with_patience_three(losses, min_delta, stops):
    assert _stalled(history_of(losses), TrainConfig(patience=3, min_delta=min_delta)) is stops


def test_early_stopping_stops(tmp_path):
    from dataclasses import replace

    _, history = run(tmp_path, replace(CONFIG, learning_rate=0.0, patience=2, max_epochs=9))
    assert history.ended == "early" and len(history.epochs) == 3 and history.best.epoch == 0


def test_learning_rate():
    config = TrainConfig(steps_per_epoch=10, max_epochs=10, learning_rate=1.0, warm_up_steps=4)
    rates = [learning_rate_at(step, config) for step in range(101)]
    assert rates[0] == 0.25 and rates[3] == pytest.approx(1, abs=0.01)
    assert rates[50] == pytest.approx(0.5) and rates[100] == pytest.approx(0)
    assert all(a >= b for a, b in pairwise(rates[4:]))


def test_perceptual_training_runs(tmp_path):
    from dataclasses import replace

    config = replace(CONFIG, perceptual=0.1, backbone="vgg16-lite", layers={"relu1_2": 1.0}, max_epochs=2)
    _, history = run(tmp_path, config)
    assert history.best.valid_loss < history.start.valid_loss
