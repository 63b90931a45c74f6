import json
from dataclasses import asdict, replace

import pytest

from srlib.training.history import Epoch, History, RollBack


def history_of(losses) -> History:
    return History(
        30.0, 0.9, epochs=[Epoch(i, None, v, 30.0 + i, 0.9, 0.0) for i, v in enumerate(losses)]
    )


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
    assert history_of(losses).stalled(3, min_delta) is stops


def test_best_start_and_table():
    history = history_of([5, 3, 4])
    assert history.best.epoch == 1 and history.start.epoch == 0
    assert history.table().loc[2, ["valid_loss", "valid_psnr"]].tolist() == [4, 32]


@pytest.mark.parametrize(
    ("losses", "bicubic", "says"),
    [
        (
            [5, 4, 3, 4],
            29.5,
            "Better than at the start by 2.00 dB: epoch 2 has 32.00 dB on the validation images, the start 30.00 dB",
        ),
        (
            [5, 4, 3, 4],
            32.1,
            "Below bicubic by 0.10 dB: epoch 2 has 32.00 dB on the validation images, the start 30.00 dB",
        ),
        (
            [3, 4, 5],
            29.5,
            "No better than at the start: epoch 0 has 30.00 dB on the validation images, the start 30.00 dB",
        ),
    ],
)
def test_the_verdict_is_one_sentence(losses, bicubic, says):
    history = history_of(losses)
    history.bicubic_psnr = bicubic
    assert history.verdict() == f"{says}, bicubic {bicubic:.2f} dB."


def test_a_lower_loss_alone_is_no_gain():
    history = history_of([5, 4])
    history.epochs[1] = replace(history.epochs[1], valid_psnr=29.9)
    history.bicubic_psnr = 29.0
    assert history.verdict().startswith("No better than at the start: epoch 1 has 29.90 dB")


def test_it_survives_json():
    history = history_of([5, 3])
    history.rollbacks.append(RollBack(7, 12.0, 1e-3, ["0001", "0004"]))
    assert History.from_dict(json.loads(json.dumps(asdict(history)))) == history
