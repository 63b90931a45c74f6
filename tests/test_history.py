from dataclasses import asdict

import pytest

from srlib.history import Epoch, History, RollBack


def history_of(losses) -> History:
    return History(30.0, 0.9, epochs=[Epoch(i, None, v, 30.0 + i, 0.9, 0.0) for i, v in enumerate(losses)])


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


def test_it_survives_json():
    history = history_of([5, 3])
    history.rollbacks.append(RollBack(7, 12.0, 1e-3))
    assert History.from_dict(asdict(history)) == history
