"""Train the weights that ship with srlib, from a folder of photographs.

    python tools/train_bundled.py --photos PHOTOS --scale 2 --steps 16000 --out training/x2
    python tools/train_bundled.py --photos PHOTOS --scale 4 --steps 5000 --out training/x4 --start training/x2
    python tools/train_bundled.py --photos PHOTOS --scale 4 --steps 10000 --learning-rate 5e-4 --out training/x4b
        --start training/x4
    python tools/train_bundled.py --photos PHOTOS --scale 4 --steps 9000 --learning-rate 5e-4 --out training/x4photo
        --start training/x4b --photo

PHOTOS has train/ and valid/, or DIV2K_train_HR/ and DIV2K_valid_HR/, searched recursively.  The run is checkpointed once a
minute, in a folder of files of 11 MB at most, and goes on where it stopped when the same command is given again: batch number n
depends on the seed and n alone.  The result is OUT/model.safetensors, the moving average of the weights, with OUT/history.csv.
Needs torch, numpy, pillow and safetensors, and nothing else.

Most of the training goes through the folded tail, which is twice as fast and has no border; a short second phase then
teaches the network what to do at the border of an image.

With --photo the LR images are what phones and web sites make of them: each photograph is there four times, as JPEG of quality 50
to 95, a third of them slightly blurred before they are reduced, a third with a little noise; the blur needs scipy.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import shutil
import sys
import time
import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from srlib.data.patches import Pair, PairedPatches
from srlib.files.whole import write_whole
from srlib.images.degrade import Degradation
from srlib.images.resize import crop_to_multiple, imresize
from srlib.model.cost import count_parameters
from srlib.model.edsr import (
    EDSR,
    TAIL_REACH,
    EDSRConfig,
    config_from_state_dict,
    forward_interior,
)

SHAPES = {"edsr-lite": (8, 32), "edsr-baseline": (16, 64)}
WARM_UP, EMA_DECAY = 200, 0.999
GRADIENT_NORM = 0.05  # about twice what is usual; without it a rare batch can throw the network out of its valley
BORDER_STEPS, BORDER_LEARNING_RATE = 1000, 3e-4
PHOTO_VARIANTS, PHOTO_SEED = 4, 2026
PHOTO_BLUR, PHOTO_NOISE = 0.3, 3.0  # the most: HR pixels times the scale, levels of 255
COLUMNS = ["step", "seconds", "learning_rate", "loss", "valid_psnr_rgb", "bicubic_psnr_rgb"]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--model", choices=SHAPES, default="edsr-lite")
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="its highest value")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument(
        "--lr-patch", type=int, default=36, help="LR pixels; the outer two per side get no loss"
    )
    parser.add_argument(
        "--start",
        type=Path,
        help="an earlier OUT folder: its weights, or its head and body if of another scale",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=2026,
        help="which patches; another one where --start has seen these",
    )
    parser.add_argument(
        "--photo", action="store_true", help="train on JPEG with slight blur and noise"
    )
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    cache = args.out.parent / "cache"
    train_folder, valid_folder = photo_folders(args.photos)
    train_pairs = load_pairs(
        train_folder, args.scale, cache, args.photo, smallest=args.lr_patch * args.scale
    )
    valid_pairs = load_pairs(valid_folder, args.scale, cache, args.photo)
    valid_pairs = valid_pairs[:: PHOTO_VARIANTS if args.photo else 1][:12]
    patches = PairedPatches(
        train_pairs,
        scale=args.scale,
        patch_size=args.lr_patch * args.scale,
        seed=args.seed,
        device=device,
    )
    print(
        f"{len(train_pairs)} photographs to train on, {len(valid_pairs)} to watch, {device}",
        flush=True,
    )

    torch.manual_seed(args.seed)
    n_resblocks, n_feats = SHAPES[args.model]
    model = EDSR(EDSRConfig(args.scale, n_resblocks, n_feats))
    if args.start:
        take_weights(model, load_file(args.start / "model.safetensors"))
    model = model.to(device, memory_format=torch.channels_last)
    print(f"{args.model} x{args.scale}, {count_parameters(model):,} parameters", flush=True)
    train(
        model,
        patches,
        valid_pairs,
        args.out,
        steps=args.steps,
        highest=args.learning_rate,
        batch_size=args.batch,
    )
    teach_border(model, patches, args.out, first=args.steps, batch_size=args.batch)
    psnr = np.mean([psnr_rgb(*pair, args.scale) for pair in answers(model, valid_pairs)])
    print(f"with the border phase: valid {psnr:.3f} dB", flush=True)
    recipe = {
        "steps": args.steps,
        "border_steps": BORDER_STEPS,
        "batch": args.batch,
        "lr_patch": args.lr_patch,
    }
    recipe |= {"seed": args.seed, "photo": args.photo}
    weights = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
    stored = {"recipe": json.dumps(recipe), "edsr_config": json.dumps(asdict(model.config))}
    write_whole(args.out / "model.safetensors", save(weights, stored), to_disk=True)


def train(model, patches, valid_pairs, out: Path, *, steps: int, highest: float, batch_size: int):
    """The main phase; leaves the moving average in the model."""
    device = patches.device
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, highest, betas=(0.9, 0.999), fused=True)
    first, seconds_before, history = 0, 0.0, []
    if saved := newest(out, "checkpoint", device):
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        average, (first, seconds_before, history) = saved["average"], saved["progress"]
        print(f"going on at step {first}", flush=True)
    bicubic = bicubic_psnr(valid_pairs, model.config.scale)
    started = saved_at = time.monotonic()
    losses, edge = [], TAIL_REACH * model.config.scale
    forward = torch.compile(forward_interior) if device.type == "cuda" else forward_interior
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = highest * schedule(step, steps)
        lr, hr = patches.batch(step, batch_size)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            sr = forward(model, lr)
        loss = (sr - hr[:, :, edge:-edge, edge:-edge]).abs().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, GRADIENT_NORM)
        optimizer.step()
        decay = min(EMA_DECAY, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                average[name].lerp_(value, 1 - decay)
        losses.append(loss.detach())
        done = step + 1
        seconds = seconds_before + time.monotonic() - started
        if done % 1000 == 0 or done == steps:
            own = {name: value.clone() for name, value in model.state_dict().items()}
            model.load_state_dict(average)
            psnr = np.mean(
                [psnr_rgb(*pair, model.config.scale) for pair in answers(model, valid_pairs)]
            )
            model.load_state_dict(own)
            mean_loss = torch.stack(losses).mean().item()
            losses.clear()
            history.append(
                [
                    done,
                    round(seconds),
                    highest * schedule(step, steps),
                    mean_loss,
                    float(psnr),
                    bicubic,
                ]
            )
            write_history(out / "history.csv", history)
            print(
                f"{done:6d} {seconds:6.0f} s  loss {mean_loss:.5f}  valid {psnr:.3f} dB (bicubic {bicubic:.3f})",
                flush=True,
            )
        if time.monotonic() - saved_at > 60 or done == steps:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average,
            }
            save_checkpoint(
                out, f"checkpoint-{done:08d}", state | {"progress": (done, seconds, history)}
            )
            saved_at = time.monotonic()
    model.load_state_dict(average)


def save_checkpoint(out: Path, name: str, state: dict):
    """The folder KIND-STEP with a file for each part; it gets its name when it is whole, and the one before of its kind goes."""
    unfinished, whole = out / "unfinished", out / name
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for part, value in state.items():
        torch.save(value, unfinished / f"{part}.pt")
    shutil.rmtree(whole, ignore_errors=True)
    unfinished.rename(whole)
    for older in set(out.glob(f"{name.partition('-')[0]}-*")) - {whole}:
        shutil.rmtree(older)


def newest(out: Path, kind: str, device: torch.device) -> dict:
    """The parts of the last checkpoint of this kind; none if there is none."""
    folder = max(out.glob(f"{kind}-*"), default=out / kind)
    return {
        file.stem: torch.load(file, map_location=device, weights_only=True)
        for file in folder.glob("*.pt")
    }


def teach_border(model: EDSR, patches: PairedPatches, out: Path, *, first: int, batch_size: int):
    """Train the network as it is written, the loss on whole patches.  All of it: the tail alone would spoil the interior."""
    optimizer = torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad], BORDER_LEARNING_RATE, fused=True
    )
    begin, saved_at = 0, time.monotonic()
    if (saved := newest(out, "border", patches.device)) and saved["progress"][
        0
    ] == first:  # not of a shorter main phase
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        begin = saved["progress"][1]
        print(f"going on at step {begin} of the border phase", flush=True)
    for step in range(begin, BORDER_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = BORDER_LEARNING_RATE * (1 - step / BORDER_STEPS)
        lr, hr = patches.batch(first + step, batch_size)
        loss = (model(lr) - hr).abs().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if time.monotonic() - saved_at > 60 or step + 1 == BORDER_STEPS:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "progress": (first, step + 1),
            }
            save_checkpoint(out, f"border-{step + 1:08d}", state)
            saved_at = time.monotonic()


def schedule(step: int, steps: int) -> float:
    """The share of the highest learning rate: linear warm-up, then half a cosine down to zero."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / max(1, steps - WARM_UP)))


def take_weights(model: EDSR, weights: dict):
    """All of them, or head and body alone where the tail is made for another scale."""
    if config_from_state_dict(weights).scale != model.config.scale:
        tail = {
            name: value
            for name, value in model.state_dict().items()
            if not name.startswith(("head.", "body."))
        }
        weights = tail | {
            name: value for name, value in weights.items() if name.startswith(("head.", "body."))
        }
    model.load_state_dict(weights)


def photo_folders(photos: Path) -> tuple[Path, Path]:
    """The folders to train and to validate on: PHOTOS has train/ and valid/, or is laid out as DIV2K."""
    for train, valid in (("train", "valid"), ("DIV2K_train_HR", "DIV2K_valid_HR")):
        if (photos / train).is_dir():
            return photos / train, photos / valid
    raise SystemExit(
        f"{photos} has neither train/ and valid/ nor DIV2K_train_HR/ and DIV2K_valid_HR/."
    )


def load_pairs(
    folder: Path, scale: int, cache: Path, photo: bool, *, smallest: int = 0
) -> list[Pair]:
    """(hr, lr) of every picture under `folder` whose sides are at least `smallest`; the LR ones are kept in `cache`.

    photo: every picture PHOTO_VARIANTS times, each with a degradation drawn for it.
    """
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".png"))
    if not files:
        raise SystemExit(f"No pictures under {folder}.")
    pairs = []
    cache.mkdir(exist_ok=True)
    source = zlib.crc32(bytes(folder.resolve()))  # another 0001.png may have the same name and size
    stored = cache / f"{folder.name}_{source:08x}_x{scale}{'_photo' if photo else ''}.npz"
    lows = dict(np.load(stored)) if stored.exists() else {}
    known = len(lows)
    for file in files:
        hr = crop_to_multiple(np.asarray(Image.open(file).convert("RGB")), scale)
        if min(hr.shape[:2]) < smallest:
            continue
        for variant in range(PHOTO_VARIANTS if photo else 1):
            key = f"{file.relative_to(folder)}" + (f" {variant}" if photo else "")
            if key not in lows:
                lows[key] = (
                    drawn_degradation(scale, key)(hr, PHOTO_SEED, name=key)
                    if photo
                    else imresize(hr, 1 / scale)
                )
            pairs.append(Pair(hr, lows[key], key))
    if len(lows) > known:
        np.savez(part := stored.with_suffix(".part.npz"), **lows)
        part.replace(stored)
    return pairs


def drawn_degradation(scale: int, key: str) -> Degradation:
    """What a picture went through, the same for the same key: JPEG always, blur and noise one time in three each."""
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    blur, noise = rng.uniform(0, (PHOTO_BLUR * scale, PHOTO_NOISE)) * (rng.random(2) < 1 / 3)
    return Degradation(scale, blur=blur, noise=noise, jpeg_quality=int(rng.integers(50, 96)))


def answers(model: EDSR, pairs: list[Pair]):
    """(sr, hr) of every pair, uint8."""
    device = next(model.parameters()).device
    with torch.inference_mode():
        for hr, lr, _ in pairs:
            x = torch.tensor(lr, device=device).permute(2, 0, 1)[None].float() / 255
            yield (model(x)[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy(), hr


def bicubic_psnr(pairs, scale: int) -> float:
    return float(np.mean([psnr_rgb(imresize(lr, scale), hr, scale) for hr, lr, _ in pairs]))


def psnr_rgb(sr: np.ndarray, hr: np.ndarray, border: int) -> float:
    inside = (slice(border, -border), slice(border, -border))
    return 10 * math.log10(255**2 / np.mean((sr[inside].astype(np.float64) - hr[inside]) ** 2))


def write_history(path: Path, rows: list):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
