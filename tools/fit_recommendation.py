"""Fit the figures of `recommend_checkpoint` to photographs: the tables at the top of recommend.py.

    python tools/fit_recommendation.py data/sample/DIV2K_train_HR data/sample/DIV2K_valid_HR

A logistic regression learns from the traces in a picture, and its detail, whether edsr-lite-photo
or edsr-lite has the higher PSNR. The pictures are those of tools/measure_recommendation.py.
"""

import sys

import numpy as np
from measure_recommendation import SCALES, contests

from srlib.zoo.recommend import traces


def logistic(inputs: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The weights of a logistic regression, by Newton's method."""
    weights = np.zeros(inputs.shape[1])
    for _ in range(20):
        chances = 1 / (1 + np.exp(-inputs @ weights))
        hessian = inputs.T @ (inputs * (chances * (1 - chances))[:, None])
        weights += np.linalg.solve(hessian, inputs.T @ (answers - chances))
    return weights


def main(folders: list[str]) -> None:
    found = []
    scales = []
    photo_wins = []
    clean = []
    for scale, kind, lr, gain in contests(folders):
        measured = traces(lr)
        found.append(list(measured.values()))
        scales.append(scale)
        photo_wins.append(gain > 0)
        if kind == "clean":
            clean.append(found[-1])
    typical = np.mean(clean, axis=0)
    by_scale = np.array(scales)[:, None] == SCALES
    weights = logistic(np.hstack([np.array(found) - typical, by_scale]), np.array(photo_wins))
    print("_CLEAN =", dict(zip(measured, typical.round(3).tolist(), strict=True)))
    print("_WEIGHTS =", dict(zip(measured, weights[:-3].round(3).tolist(), strict=True)))
    print("_LIMITS =", dict(zip(SCALES, (-weights[-3:]).round(3).tolist(), strict=True)))


if __name__ == "__main__":
    main(sys.argv[1:])
