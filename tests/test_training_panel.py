"""The TrainingPanel without a browser: what it shows, and that pause and stop are obeyed."""

import io
import threading

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny_training import CONFIG, make_model, make_pairs, run, same_weights

from srlib.upscale import upscale
from srlib.widgets import TrainingPanel
from srlib.widgets.training import _pace, _thinned


@pytest.fixture(autouse=True)
def one_thread():
    """With so little to do, two would mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def watched(tmp_path, model, **options):
    panel = TrainingPanel(model, make_pairs()[2], CONFIG, title="tiny")
    return panel, *run(tmp_path, model=model, on_event=options.get("on_event", lambda panel: panel)(panel))


def test_it_shows_what_the_history_says(tmp_path):
    model = make_model()
    before = upscale(make_pairs()[2].lr, model)
    panel, _, history = watched(tmp_path, model)
    curves = panel.curves
    assert curves.bicubic == history.bicubic_psnr and curves.state == "ended" and (curves.done, curves.steps) == (20, 20)
    assert curves.epochs == [[5 * e.epoch, e.valid_loss, e.valid_psnr] for e in history.epochs]
    assert [step for step, _ in curves.losses] == list(range(1, 21))
    assert np.mean([loss for step, loss in curves.losses if step > 15]) == pytest.approx(history.epochs[4].train_loss)
    assert f"{history.best.valid_psnr:.2f} dB; bicubic has {history.bicubic_psnr:.2f} dB" in curves.sentence
    shown = [np.asarray(Image.open(io.BytesIO(png))) for png in panel.slider.pictures]
    assert np.array_equal(shown[0], before) and np.array_equal(shown[1], upscale(make_pairs()[2].lr, model))
    assert panel.slider.labels == ["before", "after epoch 4"]


def test_stop_keeps_the_best(tmp_path):
    def stop_at_12(panel):
        def on_event(event, step, history):
            if step == 12:
                panel.curves._handle_custom_msg({"type": "stop"}, [])
            panel(event, step, history)

        return on_event

    panel, best, history = watched(tmp_path, make_model(), on_event=stop_at_12)
    assert history.ended == "stopped" and len(history.epochs) == 3
    assert panel.curves.state == "ended" and panel.curves.sentence.startswith("Stopped by hand: epoch")
    assert same_weights(best, load_file(tmp_path / "best.safetensors"))


def test_pause_holds_and_changes_nothing(tmp_path):
    held, release = [], threading.Event()

    def pause_at_7(panel):
        def on_event(event, step, history):
            if (event, step) == ("step", 7):
                panel.pause()
                threading.Timer(0.2, lambda: (held.append(panel.curves.state), panel.go_on(), release.set())).start()
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


def test_thinning_keeps_the_mean():
    losses = [(step, float(step % 7)) for step in range(1, 4001)]
    thin = np.array(_thinned(losses))
    assert thin.shape == (400, 2) and thin.mean(axis=0) == pytest.approx(np.mean(losses, axis=0))
    assert _thinned(losses[:3]) == [list(pair) for pair in losses[:3]] and _thinned([]) == []


@pytest.mark.parametrize(
    ("rate", "words"),
    [(2, "at most 45 s left"), (0.5, "at most 3 min left"), (0.01, "at most 2.5 h left"), (0, "at most 0 s left")],
)
def test_pace(rate, words):
    assert _pace(10, 100, rate).endswith(words)
