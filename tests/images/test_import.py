"""Reading pictures needs no PyTorch, and the examples in the docstrings run."""

import doctest
import importlib
import subprocess
import sys

import numpy as np
import pytest

import srlib.images


def test_the_room_loads_without_torch():
    code = "import srlib.images as room, sys; [getattr(room, n) for n in room.__all__]; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["picture", "tensors", "resize", "degrade"])
def test_examples(module):
    module = importlib.import_module(f"srlib.images.{module}")
    result = doctest.testmod(module, extraglobs={"np": np, **vars(srlib.images)})
    assert result.attempted and not result.failed
