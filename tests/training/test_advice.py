"""Every message that tells people to do something: they do it, and lose nothing."""

import ast
import hashlib
import os
import re
import time
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_training import CONFIG, make_model, make_pairs, run, same_weights

from srlib.training.checks import TrainingError
from srlib.training.loop import StopTraining, fine_tune
from srlib.training.state import RunFolder
from srlib.zoo.checkpoints import load_pretrained

SHORT = replace(CONFIG, max_epochs=1)


def contents(folder) -> set[str]:
    """The hashes of all files of a run but the lock."""
    files = (path for path in folder.glob("[!.]*") if path.is_file())
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def refusal(*args, **options) -> str:
    """The message of a call that is refused; it is a finished sentence without PyTorch's words."""
    with pytest.raises(TrainingError) as caught:
        run(*args, **options)
    message = str(caught.value)
    assert message.endswith(".") and "()" not in message and "\n" not in message
    assert not re.search(r"weights_only|Unpickl|pickle|PytorchStreamReader|github", message)
    return message


def advised_model(message: str):
    """Run the call of `load_pretrained` that a message advises, as it is written there."""
    (argument,) = re.findall(r"load_pretrained\((.*?)\)", message)
    return load_pretrained(ast.literal_eval(argument))


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other", "list", "folder", "pipe", "bit"])  # fmt: skip
def test_a_damaged_state(tmp_path, damage):
    """Follow the advice: the best weights go on in another folder, and all that was there stays."""
    model, _ = run(tmp_path / "run", SHORT)
    last = tmp_path / "run" / "last.pt"
    whole = last.read_bytes()
    if damage in ("folder", "pipe"):  # opening a pipe would wait for ever
        last.unlink()
        last.mkdir() if damage == "folder" else os.mkfifo(last)
    elif damage == "bit":  # in the middle of a tensor, where nothing but a checksum tells
        with zipfile.ZipFile(last) as archive:
            largest = max(archive.infolist(), key=lambda record: record.file_size)
        place = largest.header_offset + 64 + largest.file_size // 2
        last.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    elif damage in ("other", "list"):
        torch.save({"w": torch.ones(1)} if damage == "other" else [1], last)
    else:
        last.write_bytes(
            {"cut": whole[: len(whole) // 2], "empty": b"", "text": b"no state"}[damage]
        )
    before = contents(tmp_path / "run")
    message = refusal(tmp_path / "run", SHORT, resume=True)
    assert (
        "last.pt cannot be read" in message
        and "another run_dir" in message
        and "delete" not in message
    )
    best = advised_model(message)
    assert same_weights(best, model)
    run(tmp_path / "another", SHORT, model=best)
    assert contents(tmp_path / "run") == before


def test_the_best_weights_of_another_run_are_never_replaced(tmp_path):
    """last.pt was deleted, as older versions advised, or the file came from elsewhere."""
    model, _ = run(tmp_path, SHORT)
    best = (tmp_path / "best.safetensors").read_bytes()
    (tmp_path / "last.pt").unlink()
    run(tmp_path, replace(SHORT, seed=1))
    kept = list(tmp_path.glob("best_*.safetensors"))
    assert [path.read_bytes() for path in kept] == [best]
    assert same_weights(load_pretrained(kept[0]), model)


def test_best_weights_that_are_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "best.safetensors")
    message = refusal(tmp_path, SHORT)
    assert "best.safetensors" in message and "Not a regular file" in message
    (tmp_path / "best.safetensors").unlink()
    _, history = run(tmp_path, SHORT, resume=True)
    assert history.ended == "complete"


def test_a_resume_leaves_no_copies_of_its_own_weights(tmp_path):
    def leave(kind, done, _):
        if kind == "epoch":
            raise KeyboardInterrupt

    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, on_event=leave, resume=True)
    run(tmp_path, resume=True)
    assert not list(tmp_path.glob("best_*"))


def test_a_folder_that_holds_a_run(tmp_path):
    straight, _ = run(tmp_path / "run")
    before = contents(tmp_path / "run")
    message = refusal(tmp_path / "run")
    assert "resume=True" in message and "another run_dir" in message
    resumed, _ = run(tmp_path / "run", resume=True)
    run(tmp_path / "another")
    assert same_weights(resumed, straight) and contents(tmp_path / "run") == before


def test_going_on_for_more_epochs(tmp_path):
    """The refusal tells how; the new run starts from where the old one ended."""
    tmp_path = tmp_path / 'a "run" of Bob\'s'
    _, history = run(tmp_path / "run")
    before = contents(tmp_path / "run")
    message = refusal(tmp_path / "run", replace(CONFIG, max_epochs=8), resume=True)
    assert "max_epochs 4 -> 8" in message and "another run_dir" in message
    longer_config = replace(CONFIG, max_epochs=8)
    _, longer = run(tmp_path / "another", longer_config, model=advised_model(message))
    assert longer.start.valid_psnr == pytest.approx(history.best.valid_psnr, abs=1e-6)
    assert longer.best.valid_psnr > history.best.valid_psnr
    assert contents(tmp_path / "run") == before


def test_two_trainings_do_not_share_a_folder(tmp_path):
    def begin_another(kind, step, _):
        if step == 7:
            message = refusal(tmp_path / "run", resume=True)
            assert "Another training is running" in message
            run(tmp_path / "another", SHORT)

    straight, _ = run(tmp_path / "straight")
    model, history = run(tmp_path / "run", on_event=begin_another)
    assert history.ended == "complete" and same_weights(model, straight)


@pytest.mark.parametrize("place", [".", "below"])
def test_a_run_dir_that_is_a_file(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    message = refusal(tmp_path / "file" / place)
    assert str(tmp_path / "file") in message and "choose another folder" in message
    assert (tmp_path / "file").read_text() == "mine"


def test_a_run_dir_in_the_home(tmp_path, monkeypatch):
    """As people write it in a notebook; no folder named "~" appears where they work."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    run("~/run", SHORT)
    assert (tmp_path / "home" / "run" / "best.safetensors").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_run_dir_that_is_read_only(tmp_path):
    tmp_path.chmod(0o500)
    message = refusal(tmp_path)
    assert "choose another folder" in message
    tmp_path.chmod(0o700)
    run(tmp_path, SHORT, resume=True)


def test_a_run_that_exploded(tmp_path):
    message = refusal(tmp_path / "run", replace(CONFIG, learning_rate=1e3, warm_up_steps=0))
    before = contents(tmp_path / "run")
    best = load_pretrained(re.findall(r"are in (.*?best\.safetensors)", message)[0])
    _, history = run(tmp_path / "another", model=best)
    assert history.rollbacks == [] and contents(tmp_path / "run") == before


def test_a_clock_that_goes_backwards(tmp_path, monkeypatch):
    """The clock on the wall is not asked."""
    now = iter(range(10**9, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    _, history = run(tmp_path / "run")
    seconds = [epoch.seconds for epoch in history.epochs]
    assert seconds == sorted(seconds) and seconds[0] >= 0 and history.ended == "complete"


def test_a_computer_that_was_restarted(tmp_path, monkeypatch):
    """Its monotonic clock begins anew; the seconds go on from those of the run."""

    def stop(kind, done, _):
        if kind == "epoch" and done == 10:
            raise StopTraining

    _, history = run(tmp_path, on_event=stop)
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() - 10**6)
    _, resumed = run(tmp_path, resume=True)
    seconds = [epoch.seconds for epoch in resumed.epochs]
    assert seconds == sorted(seconds) and seconds[-1] < history.epochs[-1].seconds + 600


def test_pairs_need_not_be_checked(tmp_path):
    mirrored = [pair._replace(lr=np.ascontiguousarray(pair.lr[:, ::-1])) for pair in make_pairs()]
    with pytest.raises(TrainingError, match="mirrored"):
        fine_tune(make_model(), mirrored, mirrored, SHORT, run_dir=tmp_path / "run", device="cpu")
    assert not RunFolder(tmp_path / "run").last.exists()
    _, history = fine_tune(
        make_model(), mirrored, mirrored, SHORT, run_dir=tmp_path / "run", check_pairs=False
    )
    assert history.ended == "complete"
