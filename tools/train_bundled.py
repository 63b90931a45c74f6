"""Train the weights that ship with srlib, from a folder of photographs, by `srlib.training`.

    python tools/train_bundled.py PHOTOS OUT --scale 4 --steps 8000 --start x2.safetensors

PHOTOS has the folders train/ and valid/. The same command again goes on where the last one
stopped; OUT/run/history.csv has a line for each validation. OUT/model.safetensors is the moving
average of the weights. With --photo, each photograph occurs as four JPEGs of quality 50 to 95, some
of them blurred, noisy or sharpened.
"""

import argparse
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

from srlib.data import Pair, PairedImages, detailed_half
from srlib.images import Degradation, jpeg_round_trip
from srlib.model import EDSR, EDSRConfig
from srlib.training import TrainConfig, fine_tune, transferred
from srlib.zoo import load_pretrained, save_weights

SHAPES = {"edsr-lite": (8, 32), "edsr-baseline": (16, 64)}
EVERY = 500  # steps between two validations, after each of which the state is saved
VARIANTS = 4
TILE = 48  # LR pixels per side


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--model", choices=SHAPES, default="edsr-baseline")
    parser.add_argument("--start", type=Path, help="weights to start from, of any scale")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--patch", type=int, default=36, help="in LR pixels")
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--optimizer", choices=("adam", "muon"), default="adam")
    parser.add_argument("--photo", action="store_true")
    parser.add_argument("--seed", type=int, default=2026)
    args = parser.parse_args()
    config = TrainConfig(
        patch_size=args.patch * args.scale,
        batch_size=args.batch,
        steps_per_epoch=min(EVERY, args.steps),
        max_epochs=-(-args.steps // EVERY),
        learning_rate=args.learning_rate,
        warm_up_steps=200,
        max_grad_norm=0.05,  # about twice the usual norm: a rare batch explodes without it
        ema_decay=0.999,
        patience=args.steps,
        optimizer=args.optimizer,
        seed=args.seed,
    )
    torch.manual_seed(args.seed)
    model = first_weights(args.start, EDSRConfig(args.scale, *SHAPES[args.model]))
    folders = args.photos / "train", args.photos / "valid"
    pairs, valid_pairs = (read_pairs(folder, args.scale, args.photo) for folder in folders)
    train_pairs = detailed_half(pairs, scale=args.scale, side=TILE)
    watched = valid_pairs[:: VARIANTS if args.photo else 1][:12]
    run = {"run_dir": args.out / "run", "resume": True}
    best, history = fine_tune(model, train_pairs, watched, config, **run)
    print(history.verdict(), history.precision)
    save_weights(best, args.out / "model.safetensors")


def first_weights(start: Path | None, config: EDSRConfig) -> EDSR:
    """Random weights, or those of `start`; from another scale, its head and body."""
    model = load_pretrained(start) if start else EDSR(config)
    if model.config.scale != config.scale:
        model = transferred(model, config.scale)
    if model.config != config:
        raise SystemExit(f"{start} is {model.config}, not {config}: choose another --model.")
    return model


def read_pairs(folder: Path, scale: int, photo: bool) -> list[Pair]:
    pairs = list(PairedImages(folder, None, scale=scale))
    if not photo:
        return pairs
    copies = [(hr, f"{name} {copy}") for hr, _, name in pairs for copy in range(VARIANTS)]
    return [Pair(hr, as_photo(hr, scale, name), name) for hr, name in copies]


def as_photo(hr: np.ndarray, scale: int, name: str) -> np.ndarray:
    """LR as a phone or a web site would save it, with blur and so on drawn by the name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    blur, noise, sharper = rng.uniform(0, (0.3 * scale, 3.0, 100)) * (rng.random(3) < 1 / 5)
    lr = Degradation(scale, blur=blur, noise=noise)(hr, name=name)
    sharpen = ImageFilter.UnsharpMask(radius=1, percent=int(sharper), threshold=0)
    sharpened = np.asarray(Image.fromarray(lr).filter(sharpen))
    return jpeg_round_trip(sharpened, int(rng.integers(50, 96)))


if __name__ == "__main__":
    main()
