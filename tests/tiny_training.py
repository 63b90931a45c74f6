"""A training of a second, for the tests of training; a module of its own, so that other processes can import it."""

import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import torch

from srlib.data.pairs import Pair
from srlib.images.picture import read_image
from srlib.images.resize import imresize
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.training.config import TrainConfig
from srlib.training.loop import fine_tune

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "sample"
CONFIG = TrainConfig(
    patch_size=24,
    batch_size=4,
    steps_per_epoch=5,
    max_epochs=4,
    learning_rate=1e-3,
    patience=9,
    warm_up_steps=2,
    ema_decay=0.9,
    precision="float32",
)


def make_pairs() -> list[Pair]:
    rgb = read_image(SAMPLES / "DIV2K_train_HR" / "0001.png").rgb
    crops = [
        np.ascontiguousarray(rgb[y : y + 48, x : x + 64])
        for y, x in ((100, 100), (200, 300), (300, 500))
    ]
    return [Pair(hr, imresize(hr, 1 / 2), str(i)) for i, hr in enumerate(crops)]


def make_model(scale: int = 2) -> EDSR:
    torch.manual_seed(0)
    return EDSR(EDSRConfig(scale, 1, 8))


def run(run_dir, config=CONFIG, model=None, train_pairs=None, **options):
    """On one thread: with so little to do, two would mostly wait for each other."""
    pairs = make_pairs()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return fine_tune(
            model or make_model(),
            train_pairs or pairs[:2],
            pairs[2:],
            config,
            run_dir=run_dir,
            **options,
        )
    finally:
        torch.set_num_threads(threads)


def run_in_process(run_dir, config, largest_file=None, hit=None):
    """What a process of its own does: go on with a run.

    largest_file: the bytes that fit into a file, as on a full disk. hit: a signal that the process
    sends to itself, and the seconds until then, from the beginning or from its first epoch on; at
    the end of its second epoch it waits for the signal, however fast the machine is.
    """
    options = {}
    if largest_file:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    if hit:
        sent, seconds, from_the_beginning = hit
        striker = threading.Thread(target=strike, args=(sent, seconds), daemon=True)
        epochs = []

        def begin_to_strike(kind, *_):
            if kind == "epoch":
                epochs.append(kind)
                if striker.ident is None:
                    striker.start()
                if len(epochs) == 2:
                    striker.join()

        if from_the_beginning:
            striker.start()
        options["on_event"] = begin_to_strike
    try:
        run(run_dir, config, resume=True, **options)
    except Exception as error:
        run_dir.with_suffix(".txt").write_text(f"{type(error).__name__}: {error}")
        sys.exit(1)


def strike(sent, seconds):
    """Send this process a signal; again, since Python loses a Ctrl-C inside a destructor."""
    while True:
        time.sleep(seconds)
        os.kill(os.getpid(), sent)
        seconds = 0.2


def same_weights(a, b) -> bool:
    """Whether two state dicts, or models, are equal to the bit."""
    a, b = (v.state_dict() if isinstance(v, torch.nn.Module) else v for v in (a, b))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Poisoned(torch.nn.Module):
    """L1, but one step's loss is wrong."""

    def __init__(self, losses):
        super().__init__()
        self.backbone = ""
        self.calls = 0
        self.losses = losses

    def forward(self, sr, hr):
        loss = (sr - hr).abs().mean()
        if not torch.is_grad_enabled():
            return loss
        self.calls += 1
        return loss * self.losses.get(self.calls, 1.0)
