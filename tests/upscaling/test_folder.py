"""The enlarging of folders: complete, the same however it is run, and unharmed by bad files, kills and damage."""

import io
import os
import pickle
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from conftest import ROOT
from PIL import Image

from srlib.errors import DataError
from srlib.images.picture import read_image, write_image
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.upscaling.enlarge import large_size, upscale
from srlib.upscaling.folder import upscale_folder
from srlib.upscaling.tiling import MARGIN


@pytest.fixture
def model():
    torch.manual_seed(0)
    return EDSR(EDSRConfig(2, 1, 4)).eval()


@pytest.fixture
def small(tmp_path, photo):
    """small/a.png, small/deep/er/b.jpg, small/deep/c.png (16-bit gray) and a text"""
    root = tmp_path / "small"
    (root / "deep" / "er").mkdir(parents=True)
    write_image(root / "a.png", photo[:20, :30])
    Image.fromarray(photo[:17, :23]).save(root / "deep" / "er" / "b.jpg")
    write_image(root / "deep" / "c.png", photo[:12, :14, 0].astype(np.uint16) * 257)
    (root / "notes.txt").write_text("not a picture")
    return root


NAMES = ["a.png", "deep/c.png", "deep/er/b.png"]


def tree(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_the_tree_is_mirrored(small, tmp_path, model):
    seen = []
    report = upscale_folder(small, tmp_path / "large", model, on_progress=lambda *p: seen.append(p))
    assert sorted(report.written) == list(tree(tmp_path / "large")) == NAMES
    assert not report.skipped and not report.failed and seen == [(1, 3), (2, 3), (3, 3)]
    assert not list((tmp_path / "large").glob(".*"))
    for name in NAMES:
        source = next(small.glob(name.replace(".png", ".*")))
        made = read_image(tmp_path / "large" / name)
        expected = upscale(source, model)
        assert np.array_equal(made.rgb, expected.rgb) and (made.mode, made.rgb.dtype) == (
            expected.mode,
            expected.rgb.dtype,
        )


def test_options_go_along(small, tmp_path, model):
    options = {"scale": 2.5, "self_ensemble": True, "tile": 9}
    upscale_folder(small, tmp_path / "large", model, suffix=".tif", **options)
    assert list(tree(tmp_path / "large")) == [name.replace(".png", ".tif") for name in NAMES]
    assert np.array_equal(
        read_image(tmp_path / "large" / "a.tif").rgb, upscale(small / "a.png", model, **options).rgb
    )


def test_without_a_model_it_is_the_one_of_upscale(small, tmp_path):
    upscale_folder(small / "deep" / "er", tmp_path / "large", scale=1.5)
    expected = upscale(small / "deep" / "er" / "b.jpg", scale=1.5)
    assert np.array_equal(read_image(tmp_path / "large" / "b.png").rgb, expected.rgb)


@pytest.mark.parametrize("scale", [1, 1.1, 2, 2.3, 3.7, 7.9])
def test_the_size_is_known_beforehand(model, scale):
    for height, width in ((7, 11), (10, 13), (20, 1)):
        made = upscale(np.zeros((height, width, 3), np.uint8), model, scale=scale)
        assert made.shape[:2] == large_size((height, width), 2, scale)


def test_what_is_whole_is_skipped_and_the_rest_made(small, tmp_path, model):
    large = tmp_path / "large"
    upscale_folder(small, large, model)
    first = tree(large)
    (large / "a.png").unlink()
    again = upscale_folder(small, large, model)
    assert again.written == ["a.png"] and again.skipped == ["deep/c.png", "deep/er/b.png"]
    assert tree(large) == first
    assert len(upscale_folder(small, large, model, overwrite=True).written) == 3


def test_another_size_is_reported_and_kept(small, tmp_path, model):
    upscale_folder(small, tmp_path / "large", model)
    before = tree(tmp_path / "large")
    report = upscale_folder(small, tmp_path / "large", model, scale=3)
    assert len(report.failed) == 3
    assert all(word in report.failed["a.png"] for word in ("another scale", "overwrite=True"))
    assert tree(tmp_path / "large") == before


def test_another_model_or_option_is_reported(small, tmp_path, model):
    upscale_folder(small, tmp_path / "large", model)
    before = tree(tmp_path / "large")
    other = EDSR(model.config).eval()
    for changed, options in (
        (other, {}),
        (model, {"self_ensemble": True}),
        (model, {"padding": "wrap"}),
        (model, {"precision": "bfloat16"}),
    ):
        report = upscale_folder(small, tmp_path / "large", changed, **options)
        assert len(report.failed) == 3 and "made with another" in report.failed["a.png"]
    assert tree(tmp_path / "large") == before
    assert len(upscale_folder(small, tmp_path / "large", model, tile=16).skipped) == 3


def test_a_network_that_no_file_holds_is_not_sent_to_workers(small, tmp_path, model):
    """They would compute another one, without a word."""
    executor = ThreadPoolExecutor(1)
    hook = model.head.register_forward_hook(lambda module, inputs, answer: answer / 3)
    with pytest.raises(ValueError, match=r"has hooks .*: leave out executor"):
        upscale_folder(small, tmp_path / "large", model, executor=executor)
    hook.remove()
    model.body[0].res_scale = 0.5
    with pytest.raises(ValueError, match=r"a part that was replaced: leave out executor"):
        upscale_folder(small, tmp_path / "large", model, executor=executor)


def foreign_files(photo):
    """Files of a user's that srlib did not make, and that it cannot read or cannot read to the end."""
    stream = io.BytesIO()
    Image.fromarray(np.ones((40, 60), np.float32)).save(stream, "TIFF")
    cut = io.BytesIO()
    Image.fromarray(photo[:40, :60]).save(cut, "TIFF")
    huge = b"\x89PNG\r\n\x1a\n" + struct.pack(
        ">I4sIIBBBBB", 13, b"IHDR", 10**5, 10**5, 8, 2, 0, 0, 0
    )
    huge += struct.pack(">I", zlib.crc32(huge[12:]))
    return {
        "float": stream.getvalue(),
        "cut": cut.getvalue()[:2000],
        "huge": huge,
        "text": b"Dear reader",
    }


@pytest.mark.parametrize("kind", ["float", "cut", "huge", "text"])
def test_a_file_that_srlib_did_not_make_stays(small, tmp_path, model, photo, kind):
    (tmp_path / "large").mkdir()
    path = tmp_path / "large" / "a.tif"
    path.write_bytes(foreign_files(photo)[kind])
    report = upscale_folder(small, tmp_path / "large", model, suffix=".tif")
    assert report.written == ["deep/c.tif", "deep/er/b.tif"] and list(report.failed) == ["a.png"]
    assert "overwrite=True" in report.failed["a.png"]
    assert path.read_bytes() == foreign_files(photo)[kind]


def test_bad_files_are_reported_and_the_rest_goes_on(small, tmp_path, model):
    whole = (small / "a.png").read_bytes()
    (small / "cut.png").write_bytes(whole[: len(whole) // 2])
    (small / "notes.png").write_text("not a picture")
    Image.new("RGB", (9, 9)).save(small / "a.bmp")
    seen = []
    report = upscale_folder(small, tmp_path / "large", model, on_progress=lambda *p: seen.append(p))
    assert report.written == ["deep/c.png", "deep/er/b.png"] == list(
        tree(tmp_path / "large")
    ) and seen[-1] == (6, 6)
    assert sorted(report.failed) == ["a.bmp", "a.png", "cut.png", "notes.png"]
    assert "cut short" in report.failed["cut.png"] and "rename one" in report.failed["a.bmp"]


class Cramped(EDSR):
    def features(self, lr):
        if lr.shape[-1] > 25 + 2 * MARGIN:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().features(lr)


def test_a_picture_that_does_not_fit_is_reported_too(small, tmp_path):
    report = upscale_folder(small, tmp_path / "large", Cramped(EDSRConfig(2, 4, 4)))
    assert (
        report.written == ["deep/c.png", "deep/er/b.png"]
        and "does not fit into the free memory" in report.failed["a.png"]
    )


class Broken(EDSR):
    def features(self, lr):
        if lr.shape[-1] > 25 + 2 * MARGIN:
            raise RuntimeError("CUDA error: unspecified launch failure")
        return super().features(lr)


def test_an_error_of_the_networks_costs_one_picture(small, tmp_path):
    report = upscale_folder(small, tmp_path / "large", Broken(EDSRConfig(2, 4, 4)))
    assert report.written == ["deep/c.png", "deep/er/b.png"]
    assert report.failed == {"a.png": "RuntimeError: CUDA error: unspecified launch failure"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_who_stops_it_stops_it(small, tmp_path, monkeypatch, error):
    def stop(*_, **options):
        raise error

    monkeypatch.setattr("srlib.upscaling.folder.upscale", stop)
    with pytest.raises(error):
        upscale_folder(small, tmp_path / "large", EDSR(EDSRConfig(2, 1, 4)))
    assert not tree(tmp_path / "large")


def test_workers_make_the_same_files(small, tmp_path, model):
    upscale_folder(small, tmp_path / "here", model)
    with ProcessPoolExecutor(1, get_context("spawn"), torch.set_num_threads, (1,)) as executor:
        report = upscale_folder(small, tmp_path / "processes", model, executor=executor)
    assert sorted(report.written) == NAMES and not report.failed
    with ThreadPoolExecutor(2) as executor:
        upscale_folder(small, tmp_path / "threads", model, executor=executor)
    for name in (
        NAMES
    ):  # how many threads add up the products changes the rounding: a step of 16 bits, no more
        here, *others = (
            read_image(tmp_path / place / name).rgb.astype(int)
            for place in ("here", "processes", "threads")
        )
        assert all(np.abs(here - other).max() <= (here.max() > 255) for other in others), name


class CountedExecutor(ThreadPoolExecutor):
    """Counts the bytes that would travel to another process."""

    def submit(self, function, *args):
        self.bytes = len(pickle.dumps((function, args)))
        return super().submit(function, *args)


def test_the_model_does_not_travel_with_every_picture(small, tmp_path):
    with CountedExecutor(1) as executor:
        upscale_folder(small, tmp_path / "large", EDSR(EDSRConfig(2, 1, 32)), executor=executor)
    assert executor.bytes < 2000  # the model has 250 kB


def test_cancelling_leaves_whole_pictures_only(small, tmp_path, model):
    """Also where the network of another picture is at work: its next tile is not begun."""

    class Cancelled(Exception):
        pass

    def cancel(done, total):
        raise Cancelled

    upscale_folder(small, tmp_path / "whole", model, tile=8)
    write_image(small / "deep" / "large.png", np.zeros((300, 300, 3), np.uint8))
    with pytest.raises(Cancelled):
        upscale_folder(small, tmp_path / "large", model, on_progress=cancel, tile=8)
    made = tree(tmp_path / "large")
    assert "a.png" in made and made.items() <= tree(tmp_path / "whole").items()


RUN = """
import sys, torch
from srlib.upscaling.folder import upscale_folder
from srlib.upscaling.tiling import MARGIN
from srlib.model.edsr import EDSR, EDSRConfig
torch.manual_seed(0)
upscale_folder(*sys.argv[1:], EDSR(EDSRConfig(2, 1, 4)), on_progress=lambda done, total: print(done, flush=True))
"""


def test_killed_and_started_again(tmp_path, photo, model, rng):
    for number in range(40):
        write_image(tmp_path / f"{number:02}.png", np.roll(photo, number))
    (tmp_path / "small").mkdir()
    for path in tmp_path.glob("*.png"):
        path.rename(tmp_path / "small" / path.name)
    large = tmp_path / "large"
    command = [sys.executable, "-c", RUN, str(tmp_path / "small"), str(large)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as run:
        assert run.stdout.readline() == b"1\n"
        time.sleep(rng.uniform(0, 0.1))
        run.kill()
    left = [name for name in tree(large) if ".making-" not in name]
    assert 1 <= len(left) < 40
    report = upscale_folder(tmp_path / "small", large, model)
    assert report.skipped == left and len(report.written) == 40 - len(left)
    assert list(tree(large)) == [f"{number:02}.png" for number in range(40)]


def test_impossible_requests(small, tmp_path, model):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures in"):
        upscale_folder(tmp_path / "empty", tmp_path / "large", model)
    with pytest.raises(ValueError, match="scale is a number from 1 to 8"):
        upscale_folder(small, tmp_path / "large", model, scale=9)
    for suffix in (".doc", ".gif"):
        with pytest.raises(ValueError, match=rf"suffix is one of \.bmp, \.jpe?g.*, not '{suffix}'"):
            upscale_folder(small, tmp_path / "large", model, suffix=suffix)
    assert not (tmp_path / "large").exists()


def test_workers_call_nobody(small, tmp_path, model):
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="on_precision"):
        upscale_folder(small, tmp_path / "large", model, executor=executor, on_precision=print)
