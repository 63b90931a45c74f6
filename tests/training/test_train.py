import time
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from skimage.metrics import peak_signal_noise_ratio
from tiny_training import CONFIG, Poisoned, make_model, make_pairs, run, same_weights

from srlib.data.pairs import Pair
from srlib.data.patches import PairedPatches
from srlib.images.resize import imresize
from srlib.model.edsr import EDSRConfig, forward_interior
from srlib.training.checks import TrainingError
from srlib.training.config import TrainConfig, learning_rate_at, transferred
from srlib.training.loop import StopTraining, fine_tune
from srlib.training.objective import average_into
from srlib.upscaling.enlarge import upscale
from srlib.zoo.checkpoints import load_pretrained


def test_it_learns_and_keeps_the_best(tmp_path):
    events = []
    model, history = run(tmp_path, on_event=lambda kind, step, _: events.append((kind, step)))
    assert [e.epoch for e in history.epochs] == [0, 1, 2, 3, 4] and history.ended == "complete"
    assert history.best.valid_loss < history.start.valid_loss
    assert history.best.valid_psnr > history.start.valid_psnr + 3
    assert events[0] == ("start", 0) and events[-2:] == [("step", 20), ("epoch", 20)]
    assert len(events) == 25
    assert history.bicubic_psnr > 20
    table = pd.read_csv(tmp_path / "history.csv", index_col="epoch")
    assert table["valid_psnr"].tolist() == pytest.approx([e.valid_psnr for e in history.epochs])
    assert same_weights(model, load_file(tmp_path / "best.safetensors"))
    files = sorted(p.name for p in tmp_path.iterdir())
    assert files == ["best.safetensors", "history.csv", "last.pt"]


def test_what_is_measured_is_what_it_says(tmp_path):
    """Epoch 0 is the model as it came: PSNR of scikit-image without the border, the loss near that of the image."""
    model = make_model()
    hr, lr, _ = make_pairs()[2]
    sr = upscale(lr, model)[2:-2, 2:-2]
    _, history = run(tmp_path, replace(CONFIG, max_epochs=1))
    assert history.start.valid_psnr == pytest.approx(
        peak_signal_noise_ratio(hr[2:-2, 2:-2], sr, data_range=255)
    )
    error = np.abs(upscale(lr, model) / 255 - hr / 255).mean()
    assert history.start.valid_loss == pytest.approx(error, rel=0.3)


def test_mistakes_are_found_before_the_first_step(tmp_path):
    pairs = [pair._replace(lr=np.ascontiguousarray(pair.lr[:, ::-1])) for pair in make_pairs()]
    for train, valid, kind in (
        (pairs, make_pairs(), "training"),
        (make_pairs(), pairs, "validation"),
    ):
        with pytest.raises(TrainingError, match=f"{kind} pairs do not fit: LR is mirrored"):
            fine_tune(make_model(), train, valid, CONFIG, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_training_that_can_learn_nothing_is_refused_and_writes_nothing(tmp_path):
    frozen = make_model().requires_grad_(False)
    damaged = make_model()
    damaged.head[0].bias.data[0] = float("nan")
    page = np.full((48, 64, 3), 255, np.uint8)
    pages = [Pair(page, page[::2, ::2], "page")] * 2
    for model, valid, says in (
        (frozen, make_pairs(), r"frozen: call requires_grad_\(True\)"),
        (damaged, make_pairs(), "loss begins at nan: load undamaged weights"),
        (make_model(), pages, "all validation images: take photographs"),
    ):
        (tmp_path / "best.safetensors").write_bytes(b"of another run")
        with pytest.raises(TrainingError, match=says):
            fine_tune(model, make_pairs(), valid, CONFIG, run_dir=tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["best.safetensors"]


def test_stop_keeps_the_best(tmp_path):
    def stop(kind, step, history):
        if step == 12:
            raise StopTraining

    model, history = run(tmp_path, on_event=stop)
    assert history.ended == "stopped" and len(history.epochs) == 3 and len(history.running) == 2
    assert same_weights(model, load_file(tmp_path / "best.safetensors"))
    straight, _ = run(tmp_path / "straight")
    resumed, history = run(tmp_path, resume=True)
    assert history.ended == "complete" and same_weights(resumed, straight)


def test_a_finished_run_is_not_repeated(tmp_path):
    _, history = run(tmp_path)
    before = (tmp_path / "last.pt").stat().st_mtime_ns
    _, again = run(tmp_path, resume=True)
    assert again == history and (tmp_path / "last.pt").stat().st_mtime_ns == before


def test_pictures_that_bicubic_restores_exactly_are_left_out(tmp_path):
    """A white and a black page among the validation pictures: all is as without them, and finite."""
    white = np.full((48, 64, 3), 255, np.uint8)
    black = np.zeros((48, 64, 3), np.uint8)
    pairs = make_pairs()
    pages = [Pair(hr, imresize(hr, 1 / 2), "page") for hr in (white, black)]
    config = replace(CONFIG, max_epochs=1)
    expected = fine_tune(make_model(), pairs[:2], pairs[2:], config, run_dir=tmp_path / "a")[1]
    valid = [pages[0], *pairs[2:], pages[1]]
    history = fine_tune(make_model(), pairs[:2], valid, config, run_dir=tmp_path / "b")[1]
    assert history.exact == [0, 2]
    assert history.bicubic_psnr == pytest.approx(expected.bicubic_psnr)
    assert history.start.valid_psnr == pytest.approx(expected.start.valid_psnr)
    assert "inf" not in history.verdict()
    again = fine_tune(make_model(), pairs[:2], valid, config, run_dir=tmp_path / "b", resume=True)
    assert again[1] == history


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 1e4])
def test_an_exploding_step_is_undone(tmp_path, monkeypatch, factor):
    """One bad step in the third epoch: it is as if that epoch had been begun with a quarter of the rate."""
    monkeypatch.setattr("srlib.training.loop.SRLoss", lambda **_: Poisoned({13: factor}))
    agreed = []

    def look(kind, step, history):
        if kind == "step" and step == 12 and not history.rollbacks:
            time.sleep(0.3)  # in the epoch that is undone
        if kind == "rollback":
            best = load_pretrained(tmp_path / "best.safetensors", 2)
            table = pd.read_csv(tmp_path / "history.csv", index_col="epoch")
            agreed.append(len(table) == len(history.epochs))
            agreed.append(
                len(history.epochs) == 3
                and same_weights(best, torch.load(tmp_path / "last.pt")["average"])
            )

    model, history = run(tmp_path, on_event=look)
    assert agreed == [True, True]
    (rollback,) = history.rollbacks
    assert rollback.step == 12 and rollback.learning_rate == learning_rate_at(12, CONFIG)
    assert history.ended == "complete" and len(history.epochs) == 5
    assert history.epochs[3].seconds - history.epochs[2].seconds > 0.3

    class Slower(Exception):
        pass

    def leave(kind, step, _):
        if step == 10 and kind == "epoch":
            raise Slower

    monkeypatch.undo()
    with pytest.raises(Slower):
        run(tmp_path / "slower", on_event=leave)
    slowly = lambda step, config: learning_rate_at(step, config) / 4  # noqa: E731
    monkeypatch.setattr("srlib.training.loop.learning_rate_at", slowly)
    slower, _ = run(tmp_path / "slower", resume=True)
    assert same_weights(model, slower)


def test_pictures_harder_than_the_validation_are_no_explosion(tmp_path):
    """A trained network and a smooth validation picture, whose loss is a hundredth of that of the training patches."""
    smooth = np.full((48, 64, 3), 90, np.uint8)
    smooth[:, 32:] = 94  # bicubic misses that by a level or two
    valid = [Pair(smooth, imresize(smooth, 1 / 2), "smooth")]
    model = load_pretrained("edsr-lite", 2)
    config = replace(CONFIG, learning_rate=1e-5, max_epochs=2)
    _, history = fine_tune(model, make_pairs()[:2], valid, config, run_dir=tmp_path)
    assert min(e.train_loss for e in history.epochs) > 20 * history.start.valid_loss
    assert history.rollbacks == [] and history.ended == "complete"


def test_the_loss_of_the_start_is_that_of_32_fixed_patches(tmp_path):
    """The same whatever the batch size, also one that does not divide 32; of training patches and of others."""
    starts = [
        run(tmp_path / str(size), replace(CONFIG, batch_size=size, max_epochs=1))[1].start
        for size in (4, 7)
    ]
    for kind, pairs, augment in (
        ("train", make_pairs()[:2], True),
        ("valid", make_pairs()[2:], False),
    ):
        lr, hr = PairedPatches(pairs, scale=2, patch_size=24, augment=augment).batch(0, 32)
        with torch.inference_mode():
            expected = (
                (forward_interior(make_model(), lr) - hr[:, :, 4:-4, 4:-4]).abs().mean().item()
            )
        assert [getattr(start, f"{kind}_loss") for start in starts] == pytest.approx(
            [expected] * 2, rel=1e-6
        )


def test_it_gives_up_after_three_times(tmp_path):
    too_fast = replace(CONFIG, learning_rate=1e3, warm_up_steps=0)
    with pytest.raises(
        TrainingError,
        match=r"exploded 3 times, at last at step \d+ with learning rate .*a lower learning_rate",
    ):
        run(tmp_path, too_fast)
    with pytest.raises(TrainingError, match="exploded 3 times"):  # and does not try again
        run(tmp_path, too_fast, resume=True)
    assert same_weights(load_file(tmp_path / "best.safetensors"), make_model().state_dict())


def test_early_stopping_stops(tmp_path):
    _, history = run(tmp_path, replace(CONFIG, learning_rate=0.0, patience=2, max_epochs=9))
    assert history.ended == "early" and len(history.epochs) == 3 and history.best.epoch == 0


def test_learning_rate():
    config = TrainConfig(steps_per_epoch=10, max_epochs=10, learning_rate=1.0, warm_up_steps=4)
    rates = [learning_rate_at(step, config) for step in range(101)]
    assert rates[0] == 0.25 and rates[3] == pytest.approx(1, abs=0.01)
    assert rates[50] == pytest.approx(0.5) and rates[100] == pytest.approx(0)
    assert all(a >= b for a, b in pairwise(rates[4:]))


def test_the_average_is_a_mean_that_forgets():
    """Against the sum written out: each value counts with the product of the decays since."""
    model = torch.nn.Linear(1, 1, bias=False)
    average = torch.nn.Linear(1, 1, bias=False)
    values = [0.5, 2.0, -1.0, 4.0]
    decays = [min(0.2, (1 + step) / (10 + step)) for step in range(4)]
    start = average.weight.item()
    for step, value in enumerate(values):
        model.weight.data.fill_(value)
        average_into(average, model, step=step, decay=0.2)
    expected = start * np.prod(decays) + sum(
        (1 - d) * v * np.prod(decays[i + 1 :])
        for i, (d, v) in enumerate(zip(decays, values, strict=True))
    )
    assert average.weight.item() == pytest.approx(expected, rel=1e-6)


def test_ssim_trains(tmp_path):
    _, history = run(tmp_path, replace(CONFIG, pixel=0.5, ssim=0.5, max_epochs=2))
    assert history.best.valid_psnr > history.start.valid_psnr + 0.5


def test_perceptual_training_runs(tmp_path):
    config = replace(
        CONFIG, perceptual=0.1, backbone="vgg16-lite", layers={"relu1_2": 1.0}, max_epochs=2
    )
    _, history = run(tmp_path, config)
    assert history.best.valid_loss < history.start.valid_loss


def first_loss(run_dir, **settings):
    return run(run_dir, replace(CONFIG, max_epochs=1, **settings))[1].epochs[1].train_loss


def test_bfloat16_trains_nearly_alike(tmp_path):
    """The first steps' losses agree to the eight bits that it has."""
    exact = first_loss(tmp_path / "exact")
    rough = first_loss(tmp_path / "rough", precision="bfloat16")
    assert rough != exact and rough == pytest.approx(exact, rel=0.03)


def test_compiled_trains_alike(tmp_path, monkeypatch):
    """The step is traced as a whole, both kinds of it; generating machine code, which takes a minute, is left to torch."""
    traced = []

    whole = partial(torch.compile, backend="eager", fullgraph=True)

    def compile(function):
        traced.append(function)
        return whole(function)

    monkeypatch.setattr(torch, "compile", compile)
    compiled = first_loss(tmp_path / "compiled", compile=True)
    plain = first_loss(tmp_path / "plain")
    assert len(traced) == 1 and compiled == pytest.approx(plain, rel=1e-5)


def test_a_frozen_body_stays(tmp_path):
    model = make_model()
    start = make_model()
    model.body.requires_grad_(False)
    trained, _ = run(tmp_path, model=model)
    assert same_weights(trained.body, start.body) and not same_weights(trained.tail, start.tail)


@pytest.mark.parametrize("scale, other", [(2, 4), (4, 2), (4, 3)])
def test_another_scale_begins_with_head_and_body(scale, other):
    small = make_model(scale)
    small.sub_mean.bias.data.zero_()  # as in weights of super-image
    large = transferred(small, other)
    assert large.config == EDSRConfig(other, 1, 8)
    assert same_weights(large.head, small.head) and same_weights(large.body, small.body)
    lr = torch.rand(1, 3, 6, 7)
    assert torch.equal(large.features(lr), small.features(lr))
    assert large(lr).shape == (1, 3, 6 * other, 7 * other)
    large.head[0].bias.data += 1
    assert not same_weights(large.head, small.head)  # a copy, not the same tensors


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"patch_size": 64}, "0: 64 x 48 pixels are less than a patch of 64"),
        ({"patch_size": 8}, "at least 9 at x2, not 8"),
        ({"patch_size": 18, "ssim": 1.0}, "at least 19 at x2, not 18"),
        ({"patch_size": 25}, "not a multiple of the scale"),
    ],
)
def test_settings_that_do_not_fit_the_task(tmp_path, settings, says):
    with pytest.raises(ValueError, match=says):
        run(tmp_path, replace(CONFIG, **settings))
    assert not (tmp_path / "last.pt").exists()


def test_configs_can_be_kept_in_a_set():
    configs = [TrainConfig(layers={"relu1_2": 1.0}), TrainConfig(layers={"relu1_2": 1.0})]
    assert len({*configs, TrainConfig()}) == 2


def test_no_limit_of_the_gradient(tmp_path):
    free, _ = run(tmp_path / "free", replace(CONFIG, max_grad_norm=0.0))
    wide, _ = run(tmp_path / "wide", replace(CONFIG, max_grad_norm=1e9))
    assert same_weights(free, wide) and not same_weights(free, make_model())


@pytest.mark.parametrize(
    "around", [torch.no_grad, torch.inference_mode, partial(torch.autocast, "cpu", torch.bfloat16)]
)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_the_caller_has_switched_changes_no_weight(tmp_path, around, precision):
    config = replace(CONFIG, precision=precision)
    expected, _ = run(tmp_path / "alone", config)
    model = make_model()
    with around():
        trained, _ = run(tmp_path / "inside", config, model=model)
    assert same_weights(trained, expected.state_dict())


@pytest.mark.parametrize("model", ["edsr-lite", torch.nn.DataParallel(make_model()), {}])
def test_what_is_no_edsr_is_not_trained(tmp_path, model):
    with pytest.raises(TypeError, match="The model is an EDSR"):
        fine_tune(model, make_pairs(), make_pairs(), CONFIG, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
