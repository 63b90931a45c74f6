import re
from dataclasses import asdict, replace

import pytest

from srlib.training.history import Epoch, History, RollBack


def history_of(losses) -> History:
    return History(30.0, epochs=[Epoch(i, v, v, 30.0 + i, 0.0) for i, v in enumerate(losses)])


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
    ("losses", "bicubic", "numbers"),
    [
        ([5, 4, 3, 4], 29.5, ["2.00", "32.00", "30.00", "29.50"]),  # gain, best, start, bicubic
        ([5, 4, 3, 4], 32.1, ["0.10", "32.00", "30.00", "32.10"]),  # below bicubic by 0.10
        ([3, 4, 5], 29.5, ["30.00", "30.00", "29.50"]),  # no gain
    ],
)
def test_the_verdict_states_the_numbers(losses, bicubic, numbers):
    history = history_of(losses)
    history.bicubic_psnr = bicubic
    verdict = history.verdict()
    assert re.findall(r"\d+\.\d\d", verdict) == numbers
    assert verdict.startswith("Below bicubic") is (bicubic > 32)
    assert f"epoch {history.best.epoch} " in verdict and verdict.endswith(".")


def test_a_lower_loss_alone_is_no_gain():
    history = history_of([5, 4])
    history.epochs[1] = replace(history.epochs[1], valid_psnr=29.9)
    history.bicubic_psnr = 29.0
    assert history.verdict().startswith("No better than at the start: epoch 1 has 29.90 dB")


def test_it_survives_as_a_dict():
    history = history_of([5, 3])
    history.rollbacks.append(RollBack(7, 12.0, 1e-3))
    assert History.from_dict(asdict(history)) == history
