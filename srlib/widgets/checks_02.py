"""Checks of the exercises of lesson 02."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from srlib.model import EDSR, EDSRConfig, count_parameters
from srlib.widgets.exercise import exercise, judge


@exercise
def check_without_prefix(without_prefix: Callable) -> str:
    """without_prefix(weights): the weights with "net." taken off their names."""
    weights = _tiny().state_dict()
    accented = {f"net.{name}": values for name, values in weights.items()}
    inner = {"net.planet.0.bias": torch.zeros(1)}
    return judge(
        lambda: without_prefix(accented),
        (lambda given: given.keys() == weights.keys(), "the names do not fit the network yet."),
        (
            lambda given: all(given[name] is weights[name] for name in weights),
            "the names are right, but their arrays have changed.",
        ),
        (
            lambda _: without_prefix(weights).keys() == weights.keys(),
            "it should leave names alone that have no such prefix.",
        ),
        (
            lambda _: list(without_prefix(inner)) == ["planet.0.bias"],
            'only the "net." at the start of a name should go.',
        ),
    )


@exercise
def check_misfits(misfits: Callable) -> str:
    """misfits(weights, model): the names that keep the weights from loading strictly."""
    model = _tiny()
    good = model.state_dict()
    fewer = {name: values for name, values in good.items() if name != "head.0.bias"}
    larger = good | {"extra.weight": torch.zeros(1)}
    other = good | {"tail.1.bias": torch.zeros(5)}
    return judge(
        lambda: [set(misfits(weights, model)) for weights in (good, fewer, larger, other)],
        (lambda given: given[0] == set(), "weights that fit have no misfits."),
        (lambda given: given[1] == {"head.0.bias"}, "it overlooks a name that is missing."),
        (lambda given: given[2] == {"extra.weight"}, "it overlooks a name too many."),
        (lambda given: given[3] == {"tail.1.bias"}, "a name can fit and its shape not."),
    )


@exercise
def check_halved(halved: Callable) -> str:
    """halved(weights): the weights rounded to 16 bits, as float32."""
    torch.manual_seed(0)
    weights = {"a": torch.randn(1000), "b": torch.randn(3, 4)}
    return judge(
        lambda: halved({name: values.clone() for name, values in weights.items()}),
        (lambda given: given.keys() == weights.keys(), "every array should keep its name."),
        (
            lambda given: all(values.dtype == torch.float32 for values in given.values()),
            "the network computes with float32: turn the rounded numbers back.",
        ),
        (
            lambda given: not torch.equal(given["a"], weights["a"]),
            "nothing has been rounded.",
        ),
        (
            lambda given: (given["a"] - weights["a"]).abs().max() < 2e-3,
            "the numbers have moved too far. There are two kinds of 16-bit numbers.",
        ),
    )


@exercise
def check_without_body(without_body: Callable) -> str:
    """without_body(weights): a copy in which the last convolution of the body is zero."""
    model = _tiny()
    weights = model.state_dict()
    before = {name: values.clone() for name, values in weights.items()}
    last = {"body.2.weight", "body.2.bias"}  # _tiny has two blocks

    def zeros(given):
        return {name for name, values in given.items() if not values.any()}

    return judge(
        lambda: without_body(weights),
        (lambda given: given.keys() == before.keys(), "every array should still be there."),
        (
            lambda _: all(torch.equal(weights[name], before[name]) for name in before),
            "the original weights have changed as well: work on copies.",
        ),
        (
            lambda given: "body.2.weight" in zeros(given),
            "the last convolution is the one behind the last block. Its number depends on the "
            "number of blocks.",
        ),
        (lambda given: "body.2.bias" in zeros(given), "a convolution has a bias, too."),
        (lambda given: zeros(given) == last, "more than the last convolution is zero."),
    )


@exercise
def check_is_intact(is_intact: Callable) -> str:
    """is_intact(path, sha256): whether the file has this hash."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.bin")
        path.write_bytes(bytes(range(256)) * 5000)
        right = hashlib.sha256(path.read_bytes()).hexdigest()
        same_start = right[:-1] + ("0" if right[-1] != "0" else "1")
        return judge(
            lambda: [is_intact(path, given) for given in (right, "0" * 64, same_start)],
            (lambda given: given[0], "it refuses an intact file. Does it hash the content?"),
            (lambda given: not given[1], "it accepts a wrong hash."),
            (lambda given: not given[2], "all 64 digits count, not only the first ones."),
        )


@exercise
def check_count_trained(count_trained: Callable) -> str:
    """count_trained(weights): how many numbers training has found."""
    model = _tiny()
    return judge(
        lambda: count_trained(model.state_dict()),
        (lambda given: given != len(model.state_dict()), "count the numbers, not the arrays."),
        (
            lambda given: given != count_parameters(model) + 24,
            "24 of them are fixed: those of the two mean shifts.",
        ),
        (lambda given: given == count_parameters(model), "compare with the table of parts."),
    )


def _tiny() -> EDSR:
    torch.manual_seed(1)
    return EDSR(EDSRConfig(scale=2, n_resblocks=2, n_feats=4))
