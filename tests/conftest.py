import os

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # two workers share two cores; set before torch is loaded, and for the kernels they start
    os.environ["OMP_NUM_THREADS"] = "1"

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

from srlib.images.picture import read_image

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "data" / "sample"
# Set5 and Set14 as MATLAB made them: <set>/X<scale>/{HR,LR}/*.png.  They are not ours to distribute.
BENCHMARKS = Path(os.environ.get("SR_BENCHMARKS", ROOT.parent / "shared" / "data" / "benchmarks"))

# On a busy machine examples are slow to make; that is no failure.
settings.register_profile("srlib", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("srlib")


# A file goes to one worker, and the other must not wait for it at the end. A worker with two tests
# left is given its next file already, and the first file has one test: it gets the third at once.
LONGEST_FIRST = [
    "project/test_outputs.py", "project/test_notebooks.py", "data/test_benchmarks.py",
    "browser/test_app.py", "browser/test_book.py", "browser/test_lessons.py",
    "training/test_checkpoint.py", "zoo/test_zoo.py", "browser/test_crops.py",
    "zoo/test_recommend.py", "upscaling/test_upscale.py", "upscaling/test_precision.py",
]  # fmt: skip


def pytest_collection_modifyitems(items):
    rank = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get("/".join(item.path.parts[-2:]), len(rank)))


@pytest.fixture(scope="session")
def benchmarks() -> Path:
    if not BENCHMARKS.is_dir():
        pytest.skip(
            "Set5 and Set14 as made by MATLAB are not here: put them in a folder and name it in SR_BENCHMARKS"
        )
    return BENCHMARKS


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A crop of a sample photograph, (96, 120, 3), with fine detail in it."""
    return read_image(SAMPLES / "DIV2K_valid_HR" / "0801.png").rgb[200:296, 300:420].copy()


def table_of(columns: dict[str, Sequence[float]]) -> pd.DataFrame:
    """A table as `evaluate` makes it: PSNR by method and image, and SSIM a fortieth of it."""
    rows = [
        (f"{i:03}", method, metric, value if metric == "psnr" else value / 40)
        for method, column in columns.items() for i, value in enumerate(column) for metric in ("psnr", "ssim")
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["image", "method", "metric", "value"])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
