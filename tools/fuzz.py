"""Random damage to all that comes from outside: `make fuzz`, five minutes, or SECONDS=60.

Each property draws odd pictures, weights files, folders, or answers of a server, and accepts only
an outcome that is documented: a sound result, or an SRError that names the file. Hypothesis keeps
every failure in .hypothesis and tries it first the next time. The inputs of the example under way
are in runs/fuzz, for the case that a decoder takes the whole process down.
"""

import contextlib
import faulthandler
import hashlib
import io
import json
import logging
import os
import shutil
import socketserver
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from official import official_state_dict
from photo_files import camera_exif, deep_of, png16, profile, saved, tiff16
from PIL import Image
from safetensors.torch import save as as_safetensors

from srlib.data import check_dataset, create_low_res_images_recursive
from srlib.errors import SRError
from srlib.files import DownloadError, Patience, fetch
from srlib.images import (
    ImageError,
    Picture,
    encode,
    list_pictures,
    picture,
    read_image,
    to_pil,
    write_image,
)
from srlib.images.plug_ins import load_plug_in
from srlib.metrics import evaluate
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.zoo import inspect_checkpoint, load_pretrained
from srlib.zoo.checkpoints import save_weights

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "runs" / "fuzz"  # of the example under way
EXAMPLES = 20  # of each property in turn
SECONDS_AT_MOST = 600  # for these; a hang ends the run with the place where it hangs

picture.MAX_PIXELS = 1_000_000  # claims beyond it are refused at once, and the rest is quick


# --- Damage ---------------------------------------------------------------------------------------

ODD_NUMBERS = [0, 1, 2, 127, 128, 255, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1]


@st.composite
def damaged(draw, pool):
    """The name of one of the files in a pool, and its content with up to six faults."""
    name = draw(st.sampled_from(sorted(pool)))
    content = bytearray(pool[name])
    for _ in range(draw(st.integers(0, 6))):
        near_the_head = st.integers(0, min(200, len(content)))
        place = draw(near_the_head | st.integers(0, len(content)))
        match draw(
            st.sampled_from(["byte", "cut", "insert", "drop", "number", "splice", "repeat"])
        ):
            case "byte":
                content[place : place + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del content[place:]
            case "insert":
                content[place:place] = draw(st.binary(max_size=20))
            case "drop":
                del content[place : place + draw(st.integers(1, 50))]
            case "number":
                order = draw(st.sampled_from(["little", "big"]))
                size = draw(st.sampled_from([2, 4]))
                number = draw(st.sampled_from(ODD_NUMBERS)) % 256**size
                content[place : place + size] = number.to_bytes(size, order)
            case "splice":
                other = pool[draw(st.sampled_from(sorted(pool)))]
                content[place:] = other[draw(st.integers(0, len(other))) :]
            case "repeat":
                content[place:place] = content[place : place + draw(st.integers(1, 300))]
    return name, bytes(content)


def fresh_folder():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    return FOLDER


def expect(condition, *words):
    if not condition:
        raise AssertionError(" ".join(map(str, words)))


def expect_sentence(error, name):
    """The message of an SRError names the file and fills one line."""
    expect(name in str(error), "no name in:", error)
    expect("\n" not in str(error).strip() and len(str(error)) < 600, "no sentence:", error)


# --- Pictures -------------------------------------------------------------------------------------

PHOTO = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)


def picture_files():
    """Small files of all formats and modes, by name."""
    for kind in picture.FORMATS:
        with contextlib.suppress(ImageError):
            load_plug_in(kind, "")
    Image.init()
    pool = {}
    for kind, suffixes in picture.FORMATS.items():
        for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "LAB", "YCbCr", "I", "I;16", "F"):
            image = Image.fromarray(PHOTO).convert(mode if mode[0] != "I" else "L")
            image = image.convert(mode) if mode[0] == "I" else image
            for label, options in (
                ("plain", {}),
                ("full", {"exif": camera_exif(6), "icc_profile": profile(), "dpi": (300, 300)}),
            ):
                with contextlib.suppress(Exception):
                    pool[f"{mode} {label}{suffixes[0]}"] = saved(image, kind, **options).getvalue()
    frames = [Image.fromarray(PHOTO[:, ::step]) for step in (1, -1)]
    for kind in ("GIF", "PNG", "TIFF", "WEBP", "MPO"):
        several = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        pool[f"several.{kind.lower()}"] = several.getvalue()
    for count in (1, 2, 3, 4):
        deep = deep_of(PHOTO, count)
        pool[f"deep {count}.png"] = png16(deep).getvalue()
        for label, options in (
            ("", {}),
            (" tiled", {"tile": (16, 16)}),
            (" big", {"bigtiff": True}),
        ):
            pool[f"deep {count}{label}.tif"] = tiff16(deep, **options).getvalue()
    return pool


def check_picture(found):
    depth = found.rgb.dtype
    expect(depth in (np.uint8, np.uint16) and found.rgb.shape == (*found.size, 3), found.rgb.shape)
    if found.mode == "L":
        expect((found.rgb == found.rgb[..., :1]).all(), "gray with colour")
    if found.alpha is not None:
        expect(found.alpha.dtype == depth and found.alpha.shape == found.size, "alpha")
    to_pil(found)
    again = read_image(io.BytesIO(encode(found)))
    expect(np.array_equal(again.samples, found.samples), "PNG changes pixels")
    for kind in ("JPEG", "TIFF", "WEBP"):
        try:
            read_image(io.BytesIO(encode(found, kind)))
        except ImageError as error:
            expect("cannot hold this picture" in str(error), kind, error)


@given(damaged(picture_files()))
def damaged_pictures(drawn):
    name, content = drawn
    path = fresh_folder() / name
    path.write_bytes(content)
    try:
        found = read_image(path)
    except ImageError as error:
        expect_sentence(error, name)
    else:
        check_picture(found)


TEXTS = st.text(max_size=90)
RAW = st.none() | st.binary(max_size=200)


@given(
    st.sampled_from(sorted(suffix for pair in picture.FORMATS.values() for suffix in pair)),
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from([1, 2, 3, 4]),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    RAW | st.just(profile()),
    RAW | st.just(camera_exif().tobytes()),
    RAW,
    st.none() | st.tuples(*[st.floats(allow_nan=False) | st.integers(-5, 10**6)] * 2),
)
def written_pictures(suffix, depth, channels, size, icc, exif, xmp, dpi):
    top = np.iinfo(depth).max
    samples = np.random.default_rng(0).integers(0, top, (*size, channels), depth, endpoint=True)
    colour = samples[..., :1].repeat(3, 2) if channels < 3 else samples[..., :3]
    alpha = samples[..., -1] if channels in (2, 4) else None
    mode = "L" if channels < 3 else "RGB"
    whole = Picture(colour, alpha, mode, icc, exif, xmp, dpi)
    path = fresh_folder() / f"a{suffix}"
    try:
        write_image(path, whole)
    except ImageError as error:
        expect_sentence(error, path.name)
        expect(not any(FOLDER.iterdir()), "a refused file is there")
        return
    found = read_image(path)
    expect(found.size == whole.size, "size")
    if suffix in (".png", ".tif"):
        expect(np.array_equal(found.rgb, whole.rgb), "pixels changed")


# --- Weights --------------------------------------------------------------------------------------


def weights_files():
    official = official_state_dict(2, 2, 8)
    model = EDSR(EDSRConfig(2, 2, 8))
    fresh_folder()
    save_weights(model, FOLDER / "own.safetensors")
    own = (FOLDER / "own.safetensors").read_bytes()

    def pt(content, **options):
        stream = io.BytesIO()
        torch.save(content, stream, **options)
        return stream.getvalue()

    return {
        "own.safetensors": own,
        "official.safetensors": as_safetensors(official),
        "official.pt": pt(official),
        "old.pth": pt(official, _use_new_zipfile_serialization=False),
        "lightning.ckpt": pt({"state_dict": {f"net.{key}": value for key, value in official.items()},
                              "epoch": 3, "best": np.float64(31.4)}),
    }  # fmt: skip


@given(damaged(weights_files()))
def damaged_weights(drawn):
    name, content = drawn
    path = fresh_folder() / name
    path.write_bytes(content)
    check_weights(path)


ODD_VALUES = st.sampled_from(
    [None, True, "2", -1, 0, 2, 3, 8, 1.5, 1e400, float("nan"), 10**30, [], {}, "x" * 300]
)


@given(
    st.dictionaries(st.sampled_from(["scale", "n_resblocks", "n_feats", "res_scale", "checksum", "z"]),
                    ODD_VALUES) | ODD_VALUES | TEXTS,
    st.dictionaries(st.sampled_from([*official_state_dict(2, 2, 8), "extra"]),
                    st.tuples(st.lists(st.integers(0, 9), max_size=4), st.sampled_from(
                        [torch.float16, torch.float32, torch.bfloat16, torch.int64, torch.bool]))),
)  # fmt: skip
def odd_weights(config, changes):
    weights = official_state_dict(2, 2, 8)
    weights |= {key: torch.ones(shape, dtype=dtype) for key, (shape, dtype) in changes.items()}
    path = fresh_folder() / "odd.safetensors"
    text = config if isinstance(config, str) else json.dumps(config)
    path.write_bytes(as_safetensors(weights, {"edsr_config": text}))
    check_weights(path)


def check_weights(path):
    try:
        passport = inspect_checkpoint(path)
        str(passport)
    except SRError as error:
        expect_sentence(error, path.name)
        return
    if passport.loads:
        with torch.inference_mode():
            expect(load_pretrained(path)(torch.zeros(1, 3, 4, 4)).isfinite().all(), "not finite")
    else:
        try:
            load_pretrained(path)
        except SRError as error:
            expect(path.name in str(error), error)
        else:
            raise AssertionError(f"loads in spite of {passport.problems}")


# --- Folders --------------------------------------------------------------------------------------

NAMES = (
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
    | st.sampled_from([os.fsdecode(b"gr\xfcn"), "写" * 60, "A", "a", ".hidden", "@eaDir", "-x", "a\nb", "HR", "LR"])
)  # fmt: skip
SUFFIXES = st.sampled_from([".png", ".PNG", ".jpg", ".tif", ".gif", ".txt", ""])
KINDS = st.sampled_from(
    ["picture", "picture", "picture", "damaged", "empty", "folder", "pipe", "loop", "link", "up", "out"]
)  # fmt: skip
GOOD = {kind: saved(Image.fromarray(PHOTO), kind).getvalue() for kind in ("PNG", "JPEG", "TIFF")}


def make_entry(place, kind, draw_bytes):
    if os.path.lexists(place):  # writing into a pipe would never end
        return
    match kind:
        case "picture":
            place.write_bytes(GOOD["JPEG" if place.suffix.lower() == ".jpg" else "PNG"])
        case "damaged":
            place.write_bytes(GOOD["PNG"][:draw_bytes])
        case "empty":
            place.touch()
        case "folder":
            place.mkdir()
            (place / "in.png").write_bytes(GOOD["PNG"])
        case "pipe":
            os.mkfifo(place)
        case "loop":
            place.symlink_to(place.name)
        case "link":
            place.symlink_to("a.png")
        case "up":
            place.symlink_to("..")
        case "out":
            place.symlink_to(FOLDER / "target")


def snapshot(folder):
    return {
        path: path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in folder.rglob("*")
    }


@given(
    st.lists(st.tuples(NAMES, SUFFIXES, KINDS, st.integers(0, 200)), max_size=6),
    st.lists(st.tuples(NAMES, KINDS, st.integers(0, 200)), max_size=2),
    st.booleans(),
)
def odd_folders(entries, targets, overwrite):
    source = fresh_folder() / "source"
    target = FOLDER / "target"
    source.mkdir()
    target.mkdir()
    for name, suffix, kind, number in entries:
        with contextlib.suppress(OSError):  # the name is there, or too long for the disk
            make_entry(source / f"{name}{suffix}", kind, number)
    for name, kind, number in targets:
        with contextlib.suppress(OSError):
            make_entry(target / f"{name}.png", kind, number)
    originals = snapshot(source)
    strangers = snapshot(target)
    check_dataset(FOLDER, scale=2)
    try:
        names = list_pictures(source).pictures
        first = create_low_res_images_recursive(source, target, 2, overwrite=overwrite)
        second = create_low_res_images_recursive(source, target, 2)
    except SRError as error:
        expect(str(FOLDER) in str(error), error)
    else:
        for report in (first, second):
            made = [*report.written, *report.skipped]
            expect(len(made) + len(report.failed) == len(names), "not all told", report, names)
            for text in (*made, *report.failed, *report.failed.values()):
                text.encode()
                expect(text.strip(), "an empty line")
        expect(not second.written and set(first.written) <= set(second.skipped), "made twice")
    expect(snapshot(source) == originals, "an original was changed")
    left = list(FOLDER.rglob(".making-*"))
    expect(not left, "left over:", left)
    if not overwrite:
        kept = snapshot(target)
        for path, old in strangers.items():
            expect(kept[path] == old, path, "was replaced unasked")


# --- Downloads ------------------------------------------------------------------------------------

CONTENT = np.random.default_rng(0).bytes(5000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + CONTENT
PATIENCE = Patience(connect=0.3, stall=0.3, retries=1, backoff=0.01)


class Scripted(socketserver.StreamRequestHandler):
    """Answers with the next of the server's byte strings, or as a good server does under /good."""

    timeout = 2

    def handle(self):
        with contextlib.suppress(OSError):
            asked = self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            if b"/good" in asked:
                self.wfile.write(WHOLE)
            else:
                self.server.asked += 1
                self.wfile.write(next(self.server.answers, b""))


def start_server():
    socketserver.ThreadingTCPServer.daemon_threads = True
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Scripted)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


STARTS = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 206 Partial", b"HTTP/1.1 416 No", b"HTTP/1.1 302 Found", b"HTTP/1.0 200 OK",
     b"HTTP/1.1 503 Busy", b"HTTP/1.1 404 No", b"HTTP/1.1 304 Same", b"HTTP/1.1 100 Continue", b"HTTP/1.1 999 ?", b"ICY 200"]
)  # fmt: skip
NUMBERS = st.sampled_from(
    [b"0", b"5000", b"4999", b"-1", b"1e3", b"99999999999999999999", b"x", b"\xff"]
)
HEADERS = st.tuples(
    st.sampled_from([b"Content-Length", b"Content-Range", b"Location", b"Retry-After", b"Transfer-Encoding",
                     b"Content-Encoding", b"ETag", b"Connection", b"Set-Cookie", b"X"]),
    NUMBERS
    | st.binary(max_size=30)
    | st.builds(lambda a, b, c: b"bytes %s-%s/%s" % (a, b, c), NUMBERS, NUMBERS, NUMBERS)
    | st.sampled_from([b"chunked", b"gzip", b'"x"', b"/good", b"/bad", b"http://[", b"file:///etc/passwd", b"//", b"?"]),
)  # fmt: skip
BODIES = (
    st.binary(max_size=50)
    | st.integers(0, 5000).map(lambda start: CONTENT[start:])
    | st.integers(0, 5000).map(lambda stop: CONTENT[:stop])
    | st.sampled_from([b"<html><title>Hello</title>", b"1388\r\n" + CONTENT + b"\r\n0\r\n\r\n", CONTENT * 5])
)  # fmt: skip
ANSWERS = st.builds(
    lambda start, headers, body: b"\r\n".join(
        [start, *(name + b": " + value for name, value in headers), b"", body]
    ),
    STARTS,
    st.lists(HEADERS, max_size=4),
    BODIES,
) | st.binary(max_size=100)


@given(
    st.lists(ANSWERS, max_size=4),
    st.none() | st.integers(0, 6000),
    st.booleans(),
)
def odd_servers(answers, part, knows_size):
    server = SERVER
    address = f"http://127.0.0.1:{server.server_address[1]}"
    options = {"sha256": SHA256, "patience": PATIENCE, "size": 5000 if knows_size else None}
    for urls in (["bad"], ["bad", "good"]):
        folder = fresh_folder()
        server.answers = iter(answers)
        server.asked = 0
        if part is not None:
            (folder / f"a.bin.{SHA256[:8]}.part").write_bytes((CONTENT + CONTENT)[:part])
        start = time.monotonic()
        try:
            fetch([f"{address}/{url}" for url in urls], folder / "a.bin", **options)
        except DownloadError as error:
            expect(urls == ["bad"], "the good mirror was not asked:", error)
            expect("a.bin" in str(error) and "/bad: " in str(error), error)
            expect(not (folder / "a.bin").exists(), "a wrong file has the name")
        else:
            expect((folder / "a.bin").read_bytes() == CONTENT, "a wrong file has the name")
            expect(len(list(folder.iterdir())) == 1, "something is left beside it")
        expect(server.asked <= 25, "asked", server.asked, "times")
        expect(time.monotonic() - start < 30, "took for ever")


# --- Book-keeping ---------------------------------------------------------------------------------


def progress_files():
    path = fresh_folder() / "progress.jsonl"
    write_measured(path)
    return {path.name: path.read_bytes()}


def write_measured(path):
    pairs = [(PHOTO, PHOTO[::2, ::2].copy(), name) for name in ("a", "b", "é")]
    upscalers = {"nearest": lambda lr: lr.repeat(2, 0).repeat(2, 1)}
    return evaluate(upscalers, pairs, scale=2, protocol="rgb", progress_file=path)


MEASURED = write_measured(None)


@given(damaged(progress_files()))
def damaged_progress(drawn):
    name, content = drawn
    path = fresh_folder() / name
    path.write_bytes(content)
    try:
        table = write_measured(path)
    except SRError as error:
        expect(name in str(error), error)
        expect(path.read_bytes() == content, "a refused file was changed")
    else:
        columns = ["image", "method", "metric", "value"]
        expect(table[columns].equals(MEASURED[columns]), table)


# --- The run --------------------------------------------------------------------------------------

PROPERTIES = [damaged_pictures, written_pictures, damaged_weights, odd_weights, odd_folders, odd_servers, damaged_progress]  # fmt: skip


RUN = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=DirectoryBasedExampleDatabase(ROOT / ".hypothesis" / "fuzz"),
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.reuse, Phase.generate, Phase.shrink],
)


def main(seconds=300.0):
    """Try all properties in turn until the time is up; exit with 1 at the first failure."""
    stop = time.monotonic() + seconds
    tried = dict.fromkeys(PROPERTIES, 0)
    ready = [RUN(tries) for tries in PROPERTIES]
    warnings.simplefilter("ignore")
    logging.disable()  # tifffile tells of every odd tag
    while time.monotonic() < stop:
        for tries, run in zip(PROPERTIES, ready, strict=True):
            faulthandler.dump_traceback_later(SECONDS_AT_MOST, exit=True)
            try:
                run()
            except Exception:
                traceback.print_exc()
                sys.exit(f"{tries.__name__} failed; `make fuzz` tries this example first.")
            faulthandler.cancel_dump_traceback_later()
            tried[tries] += EXAMPLES
    for tries, count in tried.items():
        print(f"{tries.__name__:<20} {count:6} examples, nothing found")


if __name__ == "__main__":
    faulthandler.enable()
    SERVER = start_server()
    main(*map(float, sys.argv[1:]))
