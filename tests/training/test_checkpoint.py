"""Trainings that are cut off, by an exception, a signal or a full disk, and end as if nothing had happened."""

import errno
import multiprocessing
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_training import CONFIG, make_model, make_pairs, run, run_in_process, same_weights

from srlib.model.edsr import EDSR
from srlib.training.checks import TrainingError
from srlib.training.history import Epoch, History
from srlib.training.loop import StopTraining
from srlib.training.losses import SRLoss
from srlib.training.state import RunFolder


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A run that nothing interrupted: its folder, its model and its history."""
    folder = tmp_path_factory.mktemp("straight")
    return folder, *run(folder)


@pytest.mark.parametrize("step", [3, 5, 12])
def test_an_interrupted_run_ends_the_same(tmp_path, straight, step):
    def interrupt(kind, done, _):
        if kind == "step" and done == step:
            raise Interrupted

    folder, model, history = straight
    with pytest.raises(Interrupted):
        run(tmp_path / "broken", on_event=interrupt)
    resumed, again = run(tmp_path / "broken", resume=True)
    assert same_weights(model, resumed)
    assert [e.valid_loss for e in again.epochs] == [e.valid_loss for e in history.epochs]
    last = [torch.load(d / "last.pt", weights_only=True) for d in (folder, tmp_path / "broken")]
    assert same_weights(last[0]["model"], last[1]["model"]) and same_weights(
        last[0]["average"], last[1]["average"]
    )


@pytest.fixture(scope="module")
def processes():
    """Processes of their own, which begin in a moment: torch is imported once, by the server that they are forked from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["srlib.training"])
    return context


def start(processes, *args):
    process = processes.Process(target=run_in_process, args=args)
    process.start()
    return process


def test_a_process_killed_at_any_moment_ends_the_same(tmp_path, processes):
    """kill -9, SIGTERM and Ctrl-C in turn, at random moments: while it starts, while it trains, while it writes."""
    config = replace(CONFIG, max_epochs=14)  # each of the six goes on for two epochs at most
    rng = np.random.default_rng(0)
    run(tmp_path / "straight", config)
    for sent in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        for from_the_beginning in (False, True):
            hit = (sent, rng.uniform(0, 0.1), from_the_beginning)
            process = start(processes, tmp_path / "killed", config, None, hit)
            process.join(120)
            assert process.exitcode not in (0, None), "it came to its end before it was killed"
    process = start(processes, tmp_path / "killed", config)
    process.join(120)
    assert process.exitcode == 0
    assert same_weights(
        *(load_file(tmp_path / d / "best.safetensors") for d in ("killed", "straight"))
    )
    last = [torch.load(tmp_path / d / "last.pt", weights_only=True) for d in ("killed", "straight")]
    assert (
        same_weights(last[0]["model"], last[1]["model"])
        and last[0]["optimizer"][0]["state"]
        and same_weights(momenta(last[0]), momenta(last[1]))
    )


def momenta(state):
    """What Adam remembers of the steps, by parameter and name."""
    (optimizer,) = state["optimizer"]
    return {
        (parameter, name): value
        for parameter, values in optimizer["state"].items()
        for name, value in values.items()
    }


def test_a_full_disk_leaves_the_state_before(tmp_path, straight, processes):
    """A process that may write no file larger than a part of the state stops with a sentence; what was there is whole."""

    def interrupt(kind, done, _):
        if kind == "epoch" and done == 10:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(tmp_path / "full", on_event=interrupt)
    before = (tmp_path / "full" / "last.pt").read_bytes()
    process = start(processes, tmp_path / "full", CONFIG, len(before) // 2)
    process.join(60)
    assert process.exitcode == 1
    message = (tmp_path / "full.txt").read_text()
    assert (
        message.startswith("TrainingError: ")
        and "last.pt cannot be written" in message
        and "resume=True" in message
    )
    assert (tmp_path / "full" / "last.pt").read_bytes() == before and not list(
        (tmp_path / "full").glob("*.part")
    )
    resumed, _ = run(tmp_path / "full", resume=True)
    assert same_weights(resumed, straight[1])


@pytest.mark.parametrize("name", ["last.pt", "best.safetensors", "history.csv"])
@pytest.mark.parametrize("epoch", [2, 4])
def test_whichever_file_does_not_fit_nothing_is_lost(tmp_path, straight, monkeypatch, name, epoch):
    """The disk is full when the file of an epoch is written: one sentence, and after a resume all files are as without it."""
    _, model, history = straight
    writes = []
    put = os.replace

    def full(part, path):
        writes.append(path.name)
        if writes.count(name) == epoch + 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        put(part, path)

    with monkeypatch.context() as patch:
        patch.setattr("srlib.files.whole.os.replace", full)
        with pytest.raises(
            TrainingError,
            match=rf"{name} cannot be written \(No space left on device\).*resume=True",
        ):
            run(tmp_path / "full")
    state = torch.load(tmp_path / "full" / "last.pt", weights_only=True)
    assert len(state["history"]["epochs"]) == epoch + (name != "last.pt")
    assert len(load_file(tmp_path / "full" / "best.safetensors")) == len(state["model"])
    resumed, again = run(tmp_path / "full", resume=True)
    assert same_weights(resumed, model)
    assert [e.valid_loss for e in again.epochs] == [e.valid_loss for e in history.epochs]
    assert len((tmp_path / "full" / "history.csv").read_text().splitlines()) == 6


def test_a_state_comes_back_as_it_was(tmp_path):
    folder = RunFolder(tmp_path)
    history = History(30.0, epochs=[Epoch(0, 0.1, 0.1, 29.0, 1.5)])
    settings = {"seed": 0, "model": {"n_feats": 8}}
    folder.save_state(settings, history, model={"w": torch.arange(3.0)})
    state = folder.load_state(settings)
    assert state["history"] == history and torch.equal(state["model"]["w"], torch.arange(3.0))
    with pytest.raises(TrainingError, match=r"other settings \(seed 0 -> 1\)"):
        folder.load_state(settings | {"seed": 1})


def test_a_history_in_an_unknown_form_gets_a_sentence_and_costs_nothing(tmp_path):
    """As if another version had written last.pt: the best weights go on in another folder."""
    run(tmp_path)
    best = (tmp_path / "best.safetensors").read_bytes()
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    del state["history"]["epochs"][0]["valid_loss"]
    torch.save(state, tmp_path / "last.pt")
    with pytest.raises(TrainingError, match=r"last\.pt cannot be read"):
        run(tmp_path, resume=True)
    assert (tmp_path / "best.safetensors").read_bytes() == best


def test_a_run_of_before_a_setting_was_there_goes_on(tmp_path):
    def stop(kind, done, _):
        if kind == "epoch" and done == 10:
            raise StopTraining

    straight, _ = run(tmp_path / "straight")
    run(tmp_path / "old", on_event=stop)
    state = torch.load(tmp_path / "old" / "last.pt", weights_only=True)
    del state["settings"]["trained parameters"]
    torch.save(state, tmp_path / "old" / "last.pt")
    resumed, history = run(tmp_path / "old", resume=True)
    assert same_weights(resumed, straight) and history.ended == "complete"


def test_a_resume_without_the_best_weights_says_so_before_it_trains(tmp_path):
    run(tmp_path, replace(CONFIG, max_epochs=1))
    (tmp_path / "best.safetensors").unlink()
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    state["history"]["epochs"][-1]["valid_loss"] = 9.0  # the best was an earlier one
    torch.save(state, tmp_path / "last.pt")
    with pytest.raises(TrainingError, match=r"best\.safetensors is missing, .* put it back"):
        run(
            tmp_path,
            replace(CONFIG, max_epochs=1),
            resume=True,
            on_event=lambda *_: pytest.fail("it began"),
        )


def test_weights_of_layers_in_any_kind_of_number_can_be_resumed(tmp_path):
    config = replace(
        CONFIG,
        max_epochs=1,
        perceptual=0.1,
        backbone="vgg16-lite",
        layers={"relu1_2": np.float64(1)},
        compile=np.False_,
    )
    _, history = run(tmp_path, config)
    _, again = run(tmp_path, config, resume=True)
    assert again.epochs == history.epochs


def test_a_resume_takes_the_same_network_pairs_and_features(tmp_path, monkeypatch):
    config = replace(CONFIG, max_epochs=1, perceptual=0.1)
    monkeypatch.setattr(
        "srlib.training.losses.vgg19_path", lambda: tmp_path / "none"
    )  # "auto" is vgg16-lite
    run(tmp_path, config)
    scaled = EDSR(replace(make_model().config, res_scale=0.1))
    scaled.load_state_dict(make_model().state_dict())  # the same weights, and another answer
    pairs = make_pairs()
    others = [pairs[0], pairs[1]._replace(lr=pairs[1].lr // 2)]
    frozen = make_model()
    frozen.body.requires_grad_(False)
    changes = {
        r"model \{.*'res_scale': 1.0\} -> \{.*'res_scale': 0.1\}": {"model": scaled},
        r"trained parameters head.* -> head": {"model": frozen},
        r"training pairs 2 from 0 to 1 \(.*\) -> 1 from 0 to 0": {"train_pairs": pairs[:1]},
        r"\(training pairs 2 from 0 to 1 \(.*\) -> 2 from 0 to 1 \(.*\)\)": {"train_pairs": others},
    }
    for says, changed in changes.items():
        with pytest.raises(TrainingError, match=f"other settings .*{says}.*choose another run_dir"):
            run(tmp_path, config, resume=True, **changed)
    monkeypatch.setattr(SRLoss, "backbone", "vgg19")  # as if it had been fetched since
    with pytest.raises(TrainingError, match="backbone vgg16-lite -> vgg19"):
        run(tmp_path, config, resume=True)


@pytest.mark.parametrize(
    ("trouble", "error", "says"),
    [
        (PermissionError(13, "Permission denied"), TrainingError, "Permission denied"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), MemoryError, "too little"),
    ],
)
def test_a_state_that_cannot_be_read_now_is_not_called_damaged(
    tmp_path, monkeypatch, trouble, error, says
):
    run(tmp_path, replace(CONFIG, max_epochs=1))

    def fails(*_, **__):
        raise trouble

    monkeypatch.setattr(torch, "load", fails)
    with pytest.raises(error, match=says) as caught:
        run(tmp_path, replace(CONFIG, max_epochs=1), resume=True)
    assert "damaged" not in str(caught.value)
