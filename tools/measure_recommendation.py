"""How often `recommend_checkpoint` names the network with the higher PSNR, by the history of a picture.

    python tools/measure_recommendation.py FOLDER...

The middle of each photograph is made small and then saved: clean as PNG, as JPEG, as WebP, or as JPEG and then again as PNG or
WebP. `recommend_checkpoint` reads the last file.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from srlib.images import find_images, imresize, read_image
from srlib.metrics import PROTOCOLS
from srlib.upscaling import super_resolve
from srlib.zoo import load_pretrained, recommend_checkpoint

SIDE = 160  # LR pixels
QUALITIES = (30, 40, 50, 60, 70, 75, 80, 85, 90, 92, 95)
THEN_WEBP = ((75, 95), (75, 80), (90, 90), (95, 95), (95, 80))
NETWORKS = ("edsr-lite", "edsr-lite-photo")


def histories(lr: np.ndarray, folder: Path) -> Iterator[tuple[str, Path]]:
    """Save a picture in each of the ways, one after the other, and yield its history and its file."""
    yield "clean PNG", saved(lr, folder / "clean.png")
    for quality in QUALITIES:
        jpeg = saved(lr, folder / "once.jpg", quality=quality)
        yield f"JPEG {quality}", jpeg
        yield f"JPEG {quality}, PNG", saved(read_image(jpeg).rgb, folder / "again.png")
    for quality in (80, 95):
        yield f"WebP {quality}", saved(lr, folder / "once.webp", quality=quality)
    for quality, webp in THEN_WEBP:
        jpeg = saved(lr, folder / "once.jpg", quality=quality)
        yield (
            f"JPEG {quality}, WebP {webp}",
            saved(read_image(jpeg).rgb, folder / "again.webp", quality=webp),
        )


def saved(rgb: np.ndarray, path: Path, **options) -> Path:
    Image.fromarray(rgb).save(path, **options)
    return path


def middle(hr: np.ndarray, scale: int) -> np.ndarray:
    height, width = (min(side, SIDE * scale) // scale * scale for side in hr.shape[:2])
    top = (hr.shape[0] - height) // 2
    left = (hr.shape[1] - width) // 2
    return hr[top : top + height, left : left + width]


def main(folders: list[str], scratch: Path) -> None:
    psnr = PROTOCOLS["benchmark-y"].psnr
    right = defaultdict(list)
    for scale in (2, 3, 4):
        models = [load_pretrained(name, scale) for name in NETWORKS]
        for path in (path for folder in folders for path in find_paths(folder)):
            hr = middle(read_image(path).rgb, scale)
            for kind, file in histories(imresize(hr, 1 / scale), scratch):
                lr = read_image(file).rgb
                scores = [psnr(super_resolve(lr, model), hr, scale=scale) for model in models]
                better = NETWORKS[int(np.argmax(scores))]
                right[kind].append(recommend_checkpoint(file, scale).name == better)
    for kind, answers in right.items():
        print(f"{kind:20} {np.mean(answers):6.1%} of {len(answers)}")
    everything = [answer for answers in right.values() for answer in answers]
    print(f"{'all':20} {np.mean(everything):6.1%}")


def find_paths(folder: str) -> list[Path]:
    return [Path(folder, name) for name in find_images(Path(folder))]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(sys.argv[1:], Path(scratch))
