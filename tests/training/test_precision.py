"""The body in bfloat16, and how "auto" chooses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_training import CONFIG, make_model, make_pairs, run, same_weights

from srlib.model.edsr import TAIL_REACH, forward_interior
from srlib.training import objective
from srlib.training.losses import SRLoss
from srlib.training.objective import batch_loss
from srlib.zoo.checkpoints import load_pretrained

AUTO = replace(CONFIG, precision="auto")


@pytest.fixture
def clock(monkeypatch):
    """Sets the seconds that a block takes in each precision."""
    monkeypatch.setattr(objective, "SHORT", 0)

    def set_seconds(float32, bfloat16):
        seconds = {"float32": float32, "bfloat16": bfloat16}
        monkeypatch.setattr(objective, "trial", lambda n_feats, device: seconds)

    return set_seconds


@pytest.mark.parametrize(("seconds", "chosen"), [((1, 0.4), "bfloat16"), ((1, 5), "float32")])
def test_auto_takes_the_faster(tmp_path, clock, seconds, chosen):
    """It trains as by name, to the bit: the trial changes nothing."""
    clock(*seconds)
    model, history = run(tmp_path / "auto", AUTO)
    named, _ = run(tmp_path / "named", replace(CONFIG, precision=chosen))
    assert history.precision == chosen and same_weights(model, named)


def test_a_resume_keeps_the_choice_of_its_run(tmp_path, clock):
    def interrupt(kind, step, _):
        if step == 12:
            raise KeyboardInterrupt

    clock(1, 0.4)
    straight, _ = run(tmp_path / "straight", AUTO)
    clock(1, 0.4)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", AUTO, on_event=interrupt)
    clock(0.1, 5)  # on another machine
    resumed, history = run(tmp_path / "broken", AUTO, resume=True)
    assert history.precision == "bfloat16" and same_weights(resumed, straight)


def test_float32_is_the_network_as_written(tmp_path):
    """A short training is not worth a trial."""
    _, history = run(tmp_path, AUTO)
    assert history.precision == "float32"
    model = make_model()
    lr = torch.rand(2, 3, 12, 12)
    hr = torch.rand(2, 3, 24, 24)
    border = 2 * TAIL_REACH
    expected = SRLoss()(forward_interior(model, lr), hr[:, :, border:-border, border:-border])
    assert torch.equal(batch_loss(model, SRLoss(), lr, hr), expected)


def test_only_the_body_is_rounded():
    """Flat pictures come out exactly as bright: head, tail and mean shift are float32."""
    model = load_pretrained("edsr-lite", 2)
    with torch.no_grad():
        model.body[-1].weight.zero_()
        model.body[-1].bias.zero_()
    lr = torch.rand(2, 3, 12, 12)
    hr = torch.rand(2, 3, 24, 24)
    exact, rounded = (batch_loss(model, SRLoss(), lr, hr, bfloat16=on) for on in (False, True))
    assert torch.equal(exact, rounded) and rounded.dtype == torch.float32


def test_bfloat16_learns_as_well(tmp_path):
    """After equal steps at most 0.02 dB are lost; weights, average and optimiser are float32."""
    config = replace(CONFIG, learning_rate=2e-4, steps_per_epoch=10, max_epochs=2, ema_decay=0.9)
    rng = np.random.default_rng(0)
    pairs = [
        p._replace(lr=np.clip(p.lr + rng.normal(0, 6, p.lr.shape), 0, 255).astype(np.uint8))
        for p in make_pairs()
    ]
    gains = []
    for precision in ("float32", "bfloat16"):
        model = load_pretrained("edsr-lite", 2)
        settings = replace(config, precision=precision)
        _, history = run(tmp_path / precision, settings, model, pairs)
        gains.append(history.best.valid_psnr - history.start.valid_psnr)
        state = torch.load(tmp_path / precision / "last.pt")
        moments = state["optimizer"][0]["state"][0].values()
        kinds = {v.dtype for v in [*state["model"].values(), *state["average"].values(), *moments]}
        assert kinds == {torch.float32}
    assert abs(gains[1] - gains[0]) < 0.02
