"""How often `recommend_checkpoint` names the network with the higher PSNR, by the history of a picture.

    python tools/measure_recommendation.py FOLDER...

The middle of each photograph is made small and left clean, made noisy, or saved as JPEG, as lossy WebP, or as one after the
other. Only its pixels are shown to `recommend_checkpoint`.
"""

import io
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from srlib.images import Degradation, find_images, imresize, read_image
from srlib.metrics import PROTOCOLS
from srlib.upscaling import super_resolve
from srlib.zoo import load_pretrained, recommend_checkpoint

SCALES = (2, 3, 4)
SIDE = 160  # LR pixels
QUALITIES = (30, 40, 50, 60, 70, 75, 80, 85, 90, 92, 95)
THEN_WEBP = ((75, 95), (75, 80), (90, 90), (95, 95), (95, 80))
NOISES = (2, 4, 6)  # standard deviation in levels
NETWORKS = ("edsr-lite", "edsr-lite-photo")


def saved(rgb: np.ndarray, kind: str, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, kind, quality=quality)
    return np.asarray(Image.open(stream).convert("RGB"))


def histories(lr: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield "clean", lr
    for quality in QUALITIES:
        yield f"JPEG {quality}", saved(lr, "JPEG", quality)
    for quality in (80, 95):
        yield f"WebP {quality}", saved(lr, "WEBP", quality)
    for quality, webp in THEN_WEBP:
        yield f"JPEG {quality}, WebP {webp}", saved(saved(lr, "JPEG", quality), "WEBP", webp)


def middle(hr: np.ndarray, scale: int) -> np.ndarray:
    height, width = (min(side, SIDE * scale) // scale * scale for side in hr.shape[:2])
    top = (hr.shape[0] - height) // 2
    left = (hr.shape[1] - width) // 2
    return hr[top : top + height, left : left + width]


def contests(folders: list[str]) -> Iterator[tuple[int, str, np.ndarray, float]]:
    """Scale, history and pixels of every LR image, and the gain of edsr-lite-photo in dB."""
    psnr = PROTOCOLS["benchmark-y"].psnr
    for scale in SCALES:
        plain, photo = (load_pretrained(name, scale) for name in NETWORKS)
        for path in (path for folder in folders for path in find_paths(folder)):
            hr = middle(read_image(path).rgb, scale)
            noisy = [(f"noise {n}", Degradation(scale, noise=n)(hr)) for n in NOISES]
            for kind, lr in [*histories(imresize(hr, 1 / scale)), *noisy]:
                score, better = (
                    psnr(super_resolve(lr, m), hr, scale=scale) for m in (plain, photo)
                )
                yield scale, kind, lr, better - score


def main(folders: list[str]) -> None:
    right = defaultdict(list)
    costs = []
    for scale, kind, lr, gain in contests(folders):
        answer = recommend_checkpoint(lr, scale).name == NETWORKS[gain > 0]
        right[kind].append(answer)
        costs.append(0 if answer else abs(gain))
    for kind, answers in right.items():
        print(f"{kind:20} {np.mean(answers):6.1%} of {len(answers)}")
    everything = [answer for answers in right.values() for answer in answers]
    print(f"{'all':20} {np.mean(everything):6.1%}, at a mean price of {np.mean(costs):.3f} dB")


def find_paths(folder: str) -> list[Path]:
    return [Path(folder, name) for name in find_images(Path(folder))]


if __name__ == "__main__":
    main(sys.argv[1:])
