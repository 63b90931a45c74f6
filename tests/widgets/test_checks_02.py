"""The checks of lesson 02: the right answer passes, typical wrong ones get a hint."""

import hashlib

import pytest
import torch

from srlib.widgets import checks_02 as checks
from srlib.widgets.exercise import RIGHT


def last_zero(weights, *, copy=True, only=(".weight", ".bias"), number=None):
    blocks = {name.split(".")[1] for name in weights if ".body." in name}
    number = len(blocks) if number is None else number
    result = {k: v.clone() for k, v in weights.items()} if copy else weights
    for end in only:
        result[f"body.{number}{end}"].zero_()
    return result


def misfits(weights, model):
    own = model.state_dict()
    names = own.keys() ^ weights.keys()
    both = own.keys() & weights.keys()
    return names | {name for name in both if own[name].shape != weights[name].shape}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def halved(weights):
    """In the reader's own dict, as many would."""
    for name in weights:
        weights[name] = weights[name].half().float()
    return weights


CASES = [
    (
        checks.check_without_prefix,
        lambda w: {k.removeprefix("net."): v for k, v in w.items()},
        [
            lambda w: w,
            lambda w: {k[4:]: v for k, v in w.items()},
            lambda w: {k.replace("net.", ""): v for k, v in w.items()},
        ],
    ),
    (
        checks.check_misfits,
        misfits,
        [
            lambda w, m: w.keys() ^ m.state_dict().keys(),
            lambda w, m: m.state_dict().keys() - w.keys(),
            lambda w, m: m.load_state_dict(w, strict=False).unexpected_keys,
        ],
    ),
    (
        checks.check_halved,
        halved,
        [
            lambda w: {k: v.half() for k, v in w.items()},
            lambda w: {k: v.bfloat16().float() for k, v in w.items()},
            lambda w: w,
        ],
    ),
    (
        checks.check_without_body,
        last_zero,
        [
            lambda w: last_zero(w, copy=False),
            lambda w: last_zero(w, only=(".weight",)),
            lambda w: last_zero(w, number=8),
            lambda w: {k: v * (not k.startswith("body.")) for k, v in w.items()},
        ],
    ),
    (
        checks.check_is_intact,
        lambda path, sha256: digest(path) == sha256,
        [
            lambda path, sha256: digest(path)[:8] == sha256[:8],
            lambda path, sha256: hashlib.sha256(path.name.encode()).hexdigest() == sha256,
            lambda path, sha256: True,
        ],
    ),
    (
        checks.check_count_trained,
        lambda w: sum(v.numel() for k, v in w.items() if "mean" not in k),
        [
            len,
            lambda w: sum(v.numel() for v in w.values()),
            lambda w: sum(v.size(0) for v in w.values()),
        ],
    ),
]


@pytest.mark.parametrize(
    ("check", "right", "wrong"), CASES, ids=lambda c: getattr(c, "__name__", "")
)
def test_right_and_wrong_answers(check, right, wrong):
    assert check(right) == RIGHT
    for answer in [*wrong, lambda *given: None]:
        assert check(answer).startswith("Not yet")


def test_an_answer_that_stops_is_told():
    def broken(weights):
        return torch.zeros(2) + torch.zeros(3)

    assert "RuntimeError" in checks.check_halved(broken)
