"""PSNR and SSIM of two gray images of 2040 x 1356, beside those of scikit-image. Prints the table of speed/metrics.md.

python speed/metrics.py            on an idle machine; the best of several runs counts
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from srlib.metrics import psnr, ssim

RUNS = 7
SHAPE = (1356, 2040)
PAPERS = {"data_range": 255, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def main() -> None:
    rng = np.random.default_rng(0)
    hr = (
        rng.integers(0, 256, (SHAPE[0] // 4, SHAPE[1] // 4))
        .repeat(4, 0)
        .repeat(4, 1)
        .astype(np.uint8)
    )
    sr = np.clip(hr + rng.normal(0, 9, hr.shape), 0, 255).astype(np.uint8)
    own = {"border": 0, "luma": False}
    contests = {
        "SSIM": (
            partial(structural_similarity, hr.astype(float), sr.astype(float), **PAPERS),
            partial(ssim, sr, hr, **own),
        ),
        "PSNR": (
            partial(peak_signal_noise_ratio, hr, sr, data_range=255),
            partial(psnr, sr, hr, **own),
        ),
    }
    print(
        "| metric | scikit-image, s | srlib, s | times faster | difference |\n|---|---|---|---|---|"
    )
    for name, (theirs, ours) in contests.items():
        (their_value, slow) = best(theirs)
        (our_value, fast) = best(ours)
        print(
            f"| {name} | {slow:.3f} | {fast:.3f} | {slow / fast:.2f} | {abs(their_value - our_value):.0e} |"
        )


def best(measure: Callable[[], float]) -> tuple[float, float]:
    """The value and the seconds of the quickest run."""
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        value = measure()
        seconds.append(time.perf_counter() - start)
    return float(value), min(seconds)


if __name__ == "__main__":
    main()
