"""Several processes that train together."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_training import run

from srlib.training.checks import TrainingError
from srlib.training.processes import Processes

SCRIPT = """
import sys
from pathlib import Path
from accelerate import Accelerator
from tiny_training import run
accelerator = Accelerator()
_, history = run(sys.argv[1], accelerator=accelerator, resume=True)
name = f"process_{accelerator.process_index}_of_{accelerator.num_processes}"
Path(sys.argv[1], name).write_text(repr(history.epochs[-1].valid_loss))
accelerator.end_training()
"""


def test_two_processes_give_the_weights_of_one(tmp_path):
    """The same batches, each process with a half of each; torchrun starts two, which talk by gloo."""
    pytest.importorskip("accelerate", reason="Several processes need pip install accelerate.")
    (tmp_path / "script.py").write_text(SCRIPT)
    here = Path(__file__).resolve().parents[1]
    env = os.environ | {
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{here.parent}:{here}",
    }
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
        tmp_path / "script.py",
    ]
    subprocess.run(
        [*command, tmp_path / "two"], check=True, env=env, timeout=300, capture_output=True
    )
    _, history = run(tmp_path / "one")
    losses = [(tmp_path / "two" / f"process_{rank}_of_2").read_text() for rank in (0, 1)]
    assert losses[0] == losses[1] and float(losses[0]) == pytest.approx(
        history.epochs[-1].valid_loss, abs=1e-5
    )
    states = [torch.load(tmp_path / d / "last.pt", weights_only=True) for d in ("one", "two")]
    for part in ("model", "average"):
        for name, weight in states[0][part].items():
            assert torch.allclose(weight, states[1][part][name], rtol=0, atol=1e-5), name
    best = [load_file(tmp_path / d / "best.safetensors") for d in ("one", "two")]
    assert all(torch.allclose(best[0][name], best[1][name], rtol=0, atol=1e-5) for name in best[0])
    scores = [state["history"]["epochs"][-1] for state in states]
    assert scores[1]["valid_psnr"] == pytest.approx(scores[0]["valid_psnr"], abs=0.05)


class Two:
    """What is asked of an Accelerator, as the second of two processes."""

    device = torch.device("cpu")
    process_index = 1
    num_processes = 2


def test_each_process_takes_its_part_of_a_batch():
    batch = (torch.arange(6), torch.arange(6) * 10)
    assert [part.tolist() for part in Processes(Two(), "cpu").share(batch)] == [
        [1, 3, 5],
        [10, 30, 50],
    ]
    assert [part.tolist() for part in Processes(None, "cpu").share(batch)] == [
        part.tolist() for part in batch
    ]
    with pytest.raises(
        TrainingError, match="batch of 5 patches cannot be divided among 2 processes"
    ):
        Processes(Two(), "cpu").share((torch.arange(5), torch.arange(5)))
