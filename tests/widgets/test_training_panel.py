"""The TrainingPanel without a browser: what it shows, and that pause and stop are obeyed."""

import io
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny_training import CONFIG, Poisoned, make_model, make_pairs, run, same_weights

from srlib.training.checks import TrainingError
from srlib.training.history import Epoch, History
from srlib.upscaling.enlarge import upscale
from srlib.widgets import TrainingPanel


@pytest.fixture(autouse=True)
def one_thread():
    """With so little to do, two would mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def watched(tmp_path, model, config=CONFIG, **options):
    panel = TrainingPanel(model, make_pairs()[2], config, title="tiny")
    return panel, *run(
        tmp_path, config, model, on_event=options.get("on_event", lambda panel: panel)(panel)
    )


def shown_by(panel):
    return [np.asarray(Image.open(io.BytesIO(png))) for png in panel.slider.pictures]


def test_it_shows_what_the_history_says(tmp_path):
    model = make_model()
    before = upscale(make_pairs()[2].lr, model)
    panel, best, history = watched(tmp_path, model)
    curves = panel.curves
    assert (
        curves.bicubic == history.bicubic_psnr
        and curves.state == "ended"
        and (curves.done, curves.steps) == (20, 20)
    )
    assert curves.epochs == [[5 * e.epoch, e.valid_loss, e.valid_psnr] for e in history.epochs]
    assert [step for step, _ in curves.losses] == list(range(1, 21))
    assert np.mean([loss for step, loss in curves.losses if step > 15]) == pytest.approx(
        history.epochs[4].train_loss
    )
    assert curves.sentence == f"Done: epoch 4 is kept. {history.verdict()}"
    shown = shown_by(panel)
    assert np.array_equal(shown[0], before) and np.array_equal(
        shown[1], upscale(make_pairs()[2].lr, best)
    )
    assert panel.slider.labels == ["before", "epoch 4, kept"]


def test_stop_keeps_the_best(tmp_path):
    def stop_at_12(panel):
        def on_event(event, step, history):
            if step == 12:
                panel.curves._handle_custom_msg({"type": "stop"}, [])
            panel(event, step, history)

        return on_event

    panel, best, history = watched(tmp_path, make_model(), on_event=stop_at_12)
    assert history.ended == "stopped" and len(history.epochs) == 3
    assert panel.curves.state == "ended" and panel.curves.sentence.startswith(
        "Stopped by hand: epoch"
    )
    assert same_weights(best, load_file(tmp_path / "best.safetensors"))


def test_the_crop_is_made_by_the_weights_that_are_measured(tmp_path, monkeypatch):
    """After every epoch by the moving average in last.pt, through a roll-back too; at the end by what is kept."""
    monkeypatch.setattr("srlib.training.loop.SRLoss", lambda **_: Poisoned({13: float("nan")}))
    config = replace(CONFIG, learning_rate=3e-3)
    lr = make_pairs()[2].lr
    seen = []

    def compare(panel):
        def on_event(event, step, history):
            panel(event, step, history)
            if event != "step" and not history.ended:
                state = torch.load(tmp_path / "last.pt")
                measured = make_model()
                measured.load_state_dict(state["average"])
                seen.append(event)
                assert np.array_equal(shown_by(panel)[1], upscale(lr, measured))

        return on_event

    model = make_model()
    panel, best, _ = watched(tmp_path, model, config=config, on_event=compare)
    assert seen == ["start", "epoch", "epoch", "rollback", "epoch"]
    after = shown_by(panel)[1]
    assert np.array_equal(after, upscale(lr, best)) and not np.array_equal(
        after, upscale(lr, model)
    )


def test_the_kept_epoch_is_shown_at_the_end(tmp_path):
    config = replace(CONFIG, learning_rate=0.0)
    panel, _, history = watched(tmp_path, make_model(), config=config)
    assert history.best.epoch == 0 and panel.slider.labels == ["before", "epoch 0, kept"]


def test_a_panel_may_be_used_again(tmp_path):
    """The Stop that ended one training does not end the next, nor does one that was pressed after it."""
    panel = TrainingPanel(model := make_model(), make_pairs()[2], CONFIG)
    panel.stop()
    _, history = run(tmp_path / "first", model=model, on_event=panel)
    assert history.ended == "stopped" and len(history.epochs) == 1
    panel.stop()
    _, history = run(tmp_path / "first", model=model, on_event=panel, resume=True)
    assert (
        history.ended == "complete"
        and panel.curves.state == "ended"
        and panel.curves.sentence.startswith("Done: ")
    )
    assert [step for step, _ in panel.curves.losses] == list(range(1, 21))
    trained = upscale(make_pairs()[2].lr, model)
    _, history = run(tmp_path / "second", model=model, on_event=panel)
    assert history.ended == "complete" and np.array_equal(shown_by(panel)[0], trained)
    assert [step for step, _ in panel.curves.losses] == list(range(1, 21))


def test_a_training_that_gave_up_says_so(tmp_path):
    config = replace(CONFIG, learning_rate=1e3, warm_up_steps=0)
    panel = TrainingPanel(model := make_model(), make_pairs()[2], config)
    for resume in (False, True):
        with pytest.raises(TrainingError, match="exploded 3 times"):
            run(tmp_path, config, model, on_event=panel, resume=resume)
        assert panel.curves.state == "gave up"
        assert panel.curves.sentence.startswith(
            "Gave up because the loss exploded 3 times: epoch 0 is kept"
        )


def test_a_pause_during_the_last_measurement_does_not_hold_for_ever(tmp_path):
    def pause_at_the_end(panel):
        def on_event(event, step, history):
            if history.ended:
                panel.pause()
            panel(event, step, history)

        return on_event

    panel, _, history = watched(tmp_path, make_model(), on_event=pause_at_the_end)
    assert history.ended == "complete" and panel.curves.state == "ended"


def test_pause_holds_and_changes_nothing(tmp_path):
    held = []
    release = threading.Event()

    def pause_at_7(panel):
        def on_event(event, step, history):
            if (event, step) == ("step", 7):
                panel.pause()
                threading.Timer(
                    0.2, lambda: (held.append(panel.curves.state), panel.go_on(), release.set())
                ).start()
            panel(event, step, history)
            if (event, step) == ("step", 7):
                assert release.wait(60)

        return on_event

    panel, paused, _ = watched(tmp_path / "paused", make_model(), on_event=pause_at_7)
    straight, _ = run(tmp_path / "straight")
    assert held == ["paused"] and panel.curves.state == "ended" and same_weights(paused, straight)


def test_a_closed_panel_does_not_stop_the_training(tmp_path):
    def close_at_7(panel):
        def on_event(event, step, history):
            if (event, step) == ("step", 7):
                panel.curves.close()
            panel(event, step, history)

        return on_event

    _, _, history = watched(tmp_path, make_model(), on_event=close_at_7)
    assert history.ended == "complete"


def test_a_long_curve_is_thinned_and_the_pace_is_said():
    """Events as fine_tune sends them, from a training of 4,000 steps that takes no time."""
    config = replace(CONFIG, max_epochs=1000, steps_per_epoch=5)
    panel = TrainingPanel(make_model(), make_pairs()[2], config)
    history = History(bicubic_psnr=30.0, epochs=[Epoch(0, 0.1, 0.1, 30.0, 0.0)])
    panel("start", 0, history)
    for step in range(1, 4001):
        history.running.append(float(step % 7))
        panel("step", step, history)
    history.epochs.append(Epoch(800, 0.1, 0.1, 31.0, 0.0))
    panel("epoch", 4000, history)
    curve = np.array(panel.curves.losses)
    assert curve.shape == (400, 2)
    assert curve.mean(axis=0) == pytest.approx(
        [2000.5, np.mean([step % 7 for step in range(1, 4001)])]
    )
    assert panel.curves.done == 4000 and panel.curves.pace.endswith("steps/s")
    assert panel.curves.left.startswith("at most ") and panel.curves.left.endswith(" left")
