"""Evaluating a set: what the table holds, and that neither a kill nor a torn file changes it."""

import json
import os
import resource
import subprocess
import sys
import tracemalloc
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest

from srlib.data.pairs import Pair
from srlib.images.resize import imresize
from srlib.metrics import ProgressFileError, Protocol, evaluate, lr_psnr, summarise

METHODS = {
    "bicubic": partial(imresize, scale=4),
    "nearest": partial(np.kron, b=np.ones((4, 4, 1), np.uint8)),
}
RULES = {"scale": 4, "protocol": "rgb"}
VALUES = ["image", "method", "metric", "value"]


@pytest.fixture
def pairs(photo):
    return [
        Pair(hr, imresize(hr, 1 / 4), name)
        for name, hr in (("a", photo), ("b", photo[::-1]), ("c", photo[:, ::-1]))
    ]


@pytest.fixture
def noisy(photo, rng):
    return np.clip(photo + rng.normal(0, 8, photo.shape), 0, 255).astype(np.uint8)


def test_evaluate_and_summarise(photo, noisy):
    pairs = [Pair(photo, photo[::4, ::4], "a"), Pair(noisy, photo[::4, ::4], "b")]
    methods = {"bicubic": lambda lr: imresize(lr, 4), "blank": lambda lr: np.full_like(photo, 128)}
    table = evaluate(methods, pairs, scale=4, protocol="rgb")
    assert table.columns.tolist() == [
        "image",
        "method",
        "metric",
        "value",
        "seconds",
    ]
    assert len(table) == 2 * 2 * 2 and table["seconds"].between(0, 60).all()
    summary = summarise(table)
    own = table.query("method == 'bicubic' and metric == 'psnr'")["value"]
    row = summary.loc[("bicubic", "psnr")]
    assert (
        row["mean"] == pytest.approx(own.mean())
        and row["best"] == row["top5"] == own.max()
        and row["worst"] == own.min()
    )
    assert summary.loc[("blank", "psnr"), "above_baseline"] == 0
    assert np.isnan(summary.loc[("bicubic", "psnr"), "above_baseline"])


def test_other_metrics_see_sr_hr_and_lr(pairs):
    table = evaluate(METHODS, pairs, **RULES, extra={"lr_psnr": lambda sr, hr, lr: lr_psnr(sr, lr)})
    assert table["metric"].unique().tolist() == ["psnr", "ssim", "lr_psnr"]
    rows = table.query("image == 'b' and method == 'bicubic' and metric == 'lr_psnr'")
    assert rows["value"].item() == lr_psnr(imresize(pairs[1].lr, 4), pairs[1].lr)


def test_pairs_are_read_as_they_are_needed(pairs):
    """A set larger than the memory: no pair is read before the last one is done."""
    read = []
    seen = []

    def reader():
        for number in range(100):
            read.append(number)
            yield pairs[0]._replace(name=str(number))

    def blank(lr):
        seen.append(len(read))
        return np.zeros_like(pairs[0].hr)

    evaluate({"blank": blank}, reader(), **RULES)
    assert seen == list(range(1, 101))


KILLED = """
import os, sys
from functools import partial
from srlib.images.picture import read_image
from srlib.metrics import evaluate
from srlib.data.pairs import Pair, PairedImages
from srlib.images.picture import write_image
from srlib.images.resize import imresize

hr = read_image(sys.argv[1]).rgb[200:296, 300:420]
pairs = [Pair(hr[:, ::-1] if name == "c" else hr[::-1] if name == "b" else hr, None, name) for name in "abc"]
pairs = [pair._replace(lr=imresize(pair.hr, 1 / 4)) for pair in pairs]

def bicubic(lr):
    if (lr == pairs[2].lr).all():
        os.kill(os.getpid(), 9)
    return imresize(lr, 4)

evaluate({"bicubic": bicubic}, pairs, scale=4, protocol="rgb", progress_file=sys.argv[2])
"""


def test_goes_on_after_a_kill(pairs, tmp_path, request):
    """Killed in the third image by signal 9, and the last line of the file cut short on top."""
    file = tmp_path / "progress" / "set.jsonl"
    photo = request.config.rootpath / "data/sample/DIV2K_valid_HR/0801.png"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(photo), str(file)], cwd=request.config.rootpath
    )
    assert done.returncode == -9
    assert len(file.read_bytes().split()) > 2 and file.read_bytes().count(b"\n") == 2  # a and b
    file.write_bytes(file.read_bytes()[:-7])
    asked = []

    def bicubic(lr):
        asked.append(next(pair.name for pair in pairs if pair.lr is lr))
        return METHODS["bicubic"](lr)

    methods = {"bicubic": bicubic, "nearest": METHODS["nearest"]}  # and one more method than before
    with pytest.warns(UserWarning, match="line 3 is damaged"):
        table = evaluate(methods, pairs, **RULES, progress_file=file)
    assert asked == ["b", "c"]
    pd.testing.assert_frame_equal(table[VALUES], evaluate(METHODS, pairs, **RULES)[VALUES])
    before = file.read_bytes()
    asked.clear()
    again = evaluate(methods, pairs, **RULES, progress_file=file)
    assert not asked and file.read_bytes() == before
    pd.testing.assert_frame_equal(again, table)


def test_other_pixels_are_measured_again(pairs, tmp_path):
    file = tmp_path / "set.jsonl"
    evaluate(METHODS, pairs, **RULES, progress_file=file)
    last_row = pairs[2].hr.copy()
    last_row[-1] //= 2
    changed = [pairs[0], pairs[1]._replace(lr=pairs[1].lr // 2), pairs[2]._replace(hr=last_row)]
    table = evaluate(METHODS, changed, **RULES, progress_file=file)
    pd.testing.assert_frame_equal(table[VALUES], evaluate(METHODS, changed, **RULES)[VALUES])


def test_a_damaged_line_is_skipped_and_said(pairs, tmp_path):
    """Whatever stands in a line that is not a record, only its picture is measured again."""
    file = tmp_path / "set.jsonl"
    whole = evaluate(METHODS, pairs, **RULES, progress_file=file)
    lines = file.read_bytes().splitlines()
    asked = []
    methods = {
        name: lambda lr, f=upscaler: asked.append(f) or f(lr) for name, upscaler in METHODS.items()
    }
    for damage in (
        lines[3][:40],
        b"\xff\x00\xfe",
        b"[1, 2]",
        b"null",
        b"[" * 100_000,
        b'{"image": "b"}',
        lines[3].replace(b"{", b"", 1),
        lines[3].replace(b'"psnr": ', b'"psnr": 1', 1),
        lines[3].replace(b'"psnr"', b'"psnq"', 1),
        lines[3].replace(b'"seconds"', b'"second"', 1),
    ):
        file.write_bytes(b"\n".join([*lines[:3], damage, *lines[4:]]) + b"\n")
        asked.clear()
        with pytest.warns(UserWarning, match=r"set\.jsonl: line 4 is damaged and was skipped"):
            table = evaluate(methods, pairs, **RULES, progress_file=file)
        assert len(asked) == 1
        pd.testing.assert_frame_equal(table[VALUES], whole[VALUES])


@pytest.mark.parametrize("place", ["loop", "file/below", "/proc/below/it", "folder", "pipe"])
def test_a_progress_file_that_cannot_be_written_is_named(pairs, tmp_path, place):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")  # would be waited for without end
    with pytest.raises(ProgressFileError, match=r"(written|read).*(name|choose) another"):
        evaluate(METHODS, pairs, **RULES, progress_file=tmp_path / place)


def test_a_disk_that_fills_up_keeps_what_was_measured(pairs, tmp_path):
    """After room was made, as the message says, only the rest is computed."""
    file = tmp_path / "set.jsonl"
    whole = evaluate(METHODS, pairs, **RULES, progress_file=file)
    size = file.stat().st_size
    file.unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, hard))
    try:
        with pytest.raises(ProgressFileError, match=r"set\.jsonl cannot be written .*: make room"):
            evaluate(METHODS, pairs, **RULES, progress_file=file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    asked = []
    methods = {
        name: lambda lr, f=upscaler: asked.append(f) or f(lr) for name, upscaler in METHODS.items()
    }
    table = evaluate(methods, pairs, **RULES, progress_file=file)
    pd.testing.assert_frame_equal(table[VALUES], whole[VALUES])
    assert 0 < len(asked) < 6


def test_the_image_and_the_method_that_cannot_be_measured_are_named(pairs):
    wrong = {"half": lambda lr: imresize(lr, 2)}
    with pytest.raises(ValueError, match=r"^a, as half makes it: Only images of one shape"):
        evaluate(wrong, pairs, **RULES)
    with pytest.raises(TypeError, match=r"^a, as floats makes it: .*float64"):
        evaluate({"floats": lambda lr: imresize(lr, 4) / 255}, pairs, **RULES)


def test_two_evaluations_may_share_a_file(pairs, tmp_path):
    """One begins while the other measures: neither loses a measurement, and the table is right."""
    file = tmp_path / "set.jsonl"

    def interrupted(lr):
        evaluate({"nearest": METHODS["nearest"]}, pairs, **RULES, progress_file=file)
        return METHODS["bicubic"](lr)

    evaluate({"bicubic": interrupted}, pairs, **RULES, progress_file=file)
    never = dict.fromkeys(METHODS)
    table = evaluate(never, pairs, **RULES, progress_file=file)
    pd.testing.assert_frame_equal(table[VALUES], evaluate(METHODS, pairs, **RULES)[VALUES])


def test_no_methods_make_an_empty_table_and_no_warning(pairs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evaluate({}, pairs, **RULES).empty


def test_names_that_are_not_utf8(pairs, tmp_path):
    """Such as os.listdir gives them, with surrogates in place of the bytes."""
    odd = [pair._replace(name=os.fsdecode(pair.name.encode() + b"\xff\xfe.$x$")) for pair in pairs]
    file = tmp_path / os.fsdecode(b"set\xff.jsonl")
    whole = evaluate(METHODS, odd, **RULES, progress_file=file)
    asked = []
    again = evaluate(dict.fromkeys(METHODS, asked.append), odd, **RULES, progress_file=file)
    pd.testing.assert_frame_equal(again, whole)
    assert not asked and whole["image"].unique().tolist() == [pair.name for pair in odd]


def test_an_exact_picture(pairs, tmp_path):
    """A white page: infinite PSNR in the table, and the same again from the file."""
    white = np.full((48, 48, 3), 255, np.uint8)
    file = tmp_path / "set.jsonl"
    given = [*pairs, Pair(white, white[::4, ::4], "white")]
    odd = {"nan": lambda *_: np.nan, "minus": lambda *_: -np.inf}
    table = evaluate(METHODS, given, **RULES, extra=odd, progress_file=file)
    assert np.isinf(table.query("image == 'white' and metric == 'psnr'")["value"]).all()
    again = evaluate(METHODS, given, **RULES, extra=odd, progress_file=file)
    pd.testing.assert_frame_equal(again, table)
    summary = summarise(evaluate(METHODS, given, **RULES))
    assert (
        summary.loc[("nearest", "psnr"), "exact"] == 1
        and np.isfinite(summary.loc[("nearest", "psnr"), ["mean", "gain"]].tolist()).all()
    )


def test_protocols_by_name(pairs):
    for wrong in ("psnr-y", "RGB", None):
        with pytest.raises(
            ValueError, match=r"protocol is one of benchmark-y, .*skimage-rgb, not "
        ):
            evaluate(METHODS, pairs, scale=4, protocol=wrong)


def test_a_large_set_needs_no_more_memory_than_a_small_one(rng, tmp_path):
    """Twelve pairs, made as they are read: the peak is that of two."""
    side = 352

    def made(count):
        for number in range(count):
            hr = np.full((side, side, 3), number, np.uint8)
            yield Pair(hr, hr[::4, ::4], str(number))

    peaks = []
    for count in (2, 12):
        tracemalloc.start()
        evaluate(
            {"nearest": METHODS["nearest"]},
            made(count),
            **RULES,
            progress_file=tmp_path / f"{count}",
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    # 100 pictures of 2040 x 1356 need as much as one: this much more than one of 352 x 352.
    assert peaks[1] * (2040 * 1356) / side**2 < 1e9


def test_two_pairs_of_one_name(pairs):
    with pytest.raises(ValueError, match="Two pairs are called a"):
        evaluate(METHODS, [pairs[0], pairs[0]], **RULES)


def test_a_picture_too_small_for_a_metric_is_named(pairs):
    tiny = Pair(pairs[0].hr[:16, :16], pairs[0].lr[:4, :4], "tiny")
    with pytest.raises(ValueError, match=r"^tiny, as bicubic makes it: 8 x 8 pixels are left"):
        evaluate(METHODS, [tiny], **RULES)


def test_measurements_by_other_settings_do_not_count(pairs, tmp_path):
    file = tmp_path / "set.jsonl"
    evaluate(METHODS, pairs[:1], **RULES, progress_file=file)
    by_y = {"scale": 4, "protocol": "benchmark-y"}
    for _ in range(2):
        table = evaluate(METHODS, pairs[:1], **by_y, progress_file=file)
        pd.testing.assert_frame_equal(table[VALUES], evaluate(METHODS, pairs[:1], **by_y)[VALUES])


def test_a_progress_file_may_have_the_longest_name_that_the_disk_takes(pairs, tmp_path):
    file = tmp_path / ("long" * 62 + ".jsonl")  # 254 of 255 bytes
    table = evaluate(METHODS, pairs, **RULES, progress_file=file)
    again = evaluate(METHODS, pairs, **RULES, progress_file=file)
    assert again[VALUES].equals(table[VALUES]) and again["seconds"].equals(table["seconds"])


def test_a_protocol_of_ones_own(pairs, tmp_path):
    file = tmp_path / "set.jsonl"
    own = Protocol("mine", luma=True, border_per_scale=2)
    table = evaluate(METHODS, pairs, scale=4, protocol=own, progress_file=file)
    first = table.query("image == 'a' and method == 'bicubic'").set_index("metric")["value"]
    assert first["psnr"] == own.psnr(imresize(pairs[0].lr, 4), pairs[0].hr, scale=4)
    rgb = Protocol("mine", luma=False)  # another one of the same name
    other = evaluate(METHODS, pairs, scale=4, protocol=rgb, progress_file=file)
    assert not np.allclose(table["value"], other["value"])


def test_a_file_of_the_user_stays_as_it_is(pairs, tmp_path):
    diary = tmp_path / "diary.txt"
    for content in (b"my diary\n", b"my diary", b'{"a": 1}'):
        diary.write_bytes(content)
        with pytest.raises(ProgressFileError, match="not a progress file of evaluate"):
            evaluate(METHODS, pairs[:1], **RULES, progress_file=diary)
        assert diary.read_bytes() == content


def test_an_error_of_a_metric_is_its_own(pairs):
    def broken(sr, hr, lr):
        return json.loads("no number")

    with pytest.raises(ValueError, match="Expecting value"):
        evaluate(METHODS, pairs, extra={"broken": broken}, **RULES)


def test_a_progress_file_takes_a_scale_of_numpy(pairs, tmp_path):
    rules = RULES | {"progress_file": tmp_path / "progress"}
    first = evaluate(METHODS, pairs, **rules | {"scale": np.int64(4)})
    pd.testing.assert_frame_equal(evaluate(METHODS, pairs, **rules), first)
