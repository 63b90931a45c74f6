"""The memory map: the same pixels, decoded once, noticed when the pictures change, whole or not there at all."""

import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from srlib.data.pairs import PairedImages
from srlib.data.patches import PairedPatches
from srlib.data.pixel_cache import memory_map
from srlib.errors import DataError
from srlib.images.picture import write_image

needs_fork = pytest.mark.skipif(
    sys.platform == "win32", reason="these processes are forked, which Windows does not do"
)


@pytest.fixture
def root(tmp_path, photo):
    """HR pictures, odd-sized, gray and on its side among them, to be paired with LR made as needed."""
    hr = tmp_path / "data" / "HR"
    (hr / "deep").mkdir(parents=True)
    write_image(hr / "1.png", photo)
    write_image(hr / "2.png", photo[:61, :75])
    write_image(hr / "deep" / "gray.png", np.ascontiguousarray(photo[:50, :, 0]))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.fromarray(photo[:70, :43]).save(hr / "turned.jpg", exif=exif)
    return tmp_path


def paired(root, **options) -> PairedImages:
    return PairedImages(root / "data" / "HR", None, scale=2, **options)


def cache_of(pairs):
    return pairs.hr_dir.parents[1] / "cache"


def calls(pairs, **options):
    """The store, and how many pairs were decoded for it."""
    seen = []
    options = {"cache_dir": cache_of(pairs)} | options
    store = memory_map(pairs, on_progress=lambda done, total: seen.append((done, total)), **options)
    assert seen in ([], [(n, len(pairs)) for n in range(1, len(pairs) + 1)])
    return store, len(seen)


def files_under(folder) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_the_map_holds_the_pairs(root):
    pairs = paired(root)
    store, decoded = calls(pairs)
    assert decoded == 4 and store.names == ["1", "2", "deep/gray", "turned"]
    for stored, (hr, lr, _) in zip(store, pairs, strict=True):
        three = (lambda v: v) if hr.ndim == 3 else (lambda v: np.dstack([v] * 3))
        assert np.array_equal(stored.hr, three(hr)) and np.array_equal(stored.lr, three(lr))
    assert store[3].hr.shape == (42, 70, 3)
    a, b = (PairedPatches(p, scale=2, patch_size=32, seed=4).batch(9, 16) for p in (pairs, store))
    assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])
    assert files_under(root / "cache") == ["hr.bin", "index.json", "lr.bin"]


def test_a_second_call_decodes_nothing(root):
    first, _ = calls(paired(root))
    file = root / "data" / "HR" / "1.png"
    stat = file.stat()
    file.write_bytes(bytes(stat.st_size))  # not a picture any more, but nobody looks
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    again, decoded = calls(paired(root))
    assert decoded == 0 and np.array_equal(again[0].hr, first[0].hr)


def test_a_change_is_noticed(root, photo):
    folder = root / "data" / "HR"

    def changed_as(change):
        change()
        store, decoded = calls(paired(root))
        assert decoded == len(store)
        assert files_under(root / "cache").count("hr.bin") == 1  # the old one is gone
        return store

    changed_as(lambda: None)
    later = (folder / "2.png").stat().st_mtime_ns + 1_000_000
    changed_as(lambda: os.utime(folder / "2.png", ns=(later, later)))
    assert changed_as(lambda: write_image(folder / "3.png", photo[:40, :40])).names[2] == "3"
    assert len(changed_as((folder / "1.png").unlink)) == 4
    assert changed_as(lambda: (folder / "3.png").rename(folder / "9.png")).names == [
        "2",
        "9",
        "deep/gray",
        "turned",
    ]
    assert np.array_equal(
        changed_as(lambda: write_image(folder / "9.png", photo[40:80, :40]))[1].hr,
        photo[40:80, :40],
    )


def test_what_is_damaged_is_made_again(root):
    calls(paired(root))
    for damage in (
        lambda folder: os.truncate(folder / "hr.bin", 99),
        lambda folder: (folder / "index.json").write_text("{"),
    ):
        (index,) = (root / "cache").rglob("index.json")
        damage(index.parent)
        again, decoded = calls(paired(root))
        assert decoded == 4 and np.array_equal(again[0].hr, paired(root)[0].hr)


@dataclass(frozen=True)
class Every:
    """The pixels of every second row and column, brighter."""

    brighter: int

    def __call__(self, hr):
        return hr[::2, ::2] // 2 + np.uint8(self.brighter)


def test_each_way_of_making_lr_has_its_own(root):
    stores = [calls(paired(root, make_lr=make_lr)) for make_lr in (None, Every(0), Every(9))]
    assert [decoded for _, decoded in stores] == [4, 4, 4]
    assert np.array_equal(stores[2][0][0].lr, stores[1][0][0].lr + 9)
    assert calls(paired(root, make_lr=Every(9)))[1] == 0
    with pytest.raises(ValueError, match="A later run cannot recognise"):
        memory_map(paired(root, make_lr=lambda hr: hr[::2, ::2]), cache_dir=root / "cache")


def test_following_the_advice_on_another_folder_loses_nothing(root, tmp_path):
    """The advice: choose another folder."""
    notes = tmp_path / "notes"
    notes.write_text("mine")
    before = files_under(root / "data")
    with pytest.raises(
        DataError, match=r"Nothing can be written to .*notes \(.*\): choose another folder"
    ):
        memory_map(paired(root), cache_dir=notes)
    store = memory_map(paired(root), cache_dir=tmp_path / "other")
    assert len(store) == len(paired(root))
    assert notes.read_text() == "mine"
    assert files_under(root / "data") == before


def test_what_cannot_be_stored(root, photo):
    cache = root / "cache"
    Image.fromarray(photo[..., 0].astype(np.uint16) << 8).save(root / "data" / "HR" / "deep.png")
    with pytest.raises(ValueError, match="deep has uint16 values"):
        memory_map(paired(root), cache_dir=root / "cache")
    assert files_under(cache) == []


@pytest.mark.skipif(sys.platform == "win32", reason="the size of files is limited on Unix only")
def test_a_disk_that_fills_up(root):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(DataError, match=rf"^{root / 'cache'} cannot be written .*: make room"):
            calls(paired(root))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files_under(root / "cache") == []
    assert calls(paired(root))[1] == 4


def test_a_damaged_picture_is_left_out_and_named(root):
    whole = (root / "data" / "HR" / "1.png").read_bytes()
    (root / "data" / "HR" / "cut.png").write_bytes(whole[: len(whole) // 2])
    for decoded in (5, 0):  # made, and opened again
        with pytest.warns(UserWarning, match=r"cut\.png is left out"):
            store, calls_made = calls(paired(root))
        assert calls_made == decoded and store.names == ["1", "2", "deep/gray", "turned"]
    with pytest.warns(UserWarning, match=r"cut\.png is left out"):
        assert [pair.name for pair in paired(root)] == store.names
    for name in ("1.png", "2.png", "deep/gray.png", "turned.jpg"):
        (root / "data" / "HR" / name).unlink()
    with pytest.raises(DataError, match=r"No image in .*HR can be read"):
        memory_map(paired(root), cache_dir=root / "cache")


def _count(root, place, number):
    """In another process: wait for the other one, make the map slowly, and say how many pairs were decoded."""
    (place / f"ready{number}").touch()
    while len(list(place.glob("ready*"))) < 2:
        time.sleep(0.01)
    decoded = []
    store = memory_map(
        paired(root),
        cache_dir=root / "cache",
        on_progress=lambda done, total: (decoded.append(done), time.sleep(0.1)),
    )
    (place / f"done{number}").write_text(
        f"{len(decoded)} {sum(int(hr.sum(dtype=np.int64)) for hr, _, _ in store)}"
    )


def _without_shared_temporary_folder(root, number):
    """Another user or container: it shares the disk with the data and nothing else."""
    tempfile.tempdir = str(root / f"tmp{number}")
    os.environ["HOME"] = str(root / f"home{number}")
    _count(root, root, number)


@needs_fork
def test_two_processes_that_share_only_the_disk(root):
    for number in range(2):
        (root / f"tmp{number}").mkdir()
    fork = multiprocessing.get_context("fork")
    processes = [
        fork.Process(target=_without_shared_temporary_folder, args=(root, n)) for n in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    expected = sum(
        int(hr.sum(dtype=np.int64)) * (3 if hr.ndim == 2 else 1) for hr, _, _ in paired(root)
    )
    # the second one waited, and opened the files of the first
    assert sorted(p.read_text() for p in root.glob("done*")) == [f"0 {expected}", f"4 {expected}"]
    cache = root / "cache"
    assert files_under(cache) == ["hr.bin", "index.json", "lr.bin"]
    assert calls(paired(root))[1] == 0


def test_a_process_that_the_lock_did_not_stop(root):
    """On a disk without locks: the same files appear while this call makes them."""
    other = []

    def meanwhile(done, total):
        if done == 2:
            other.extend(calls(paired(root), cache_dir=root / "elsewhere")[0])
            (index,) = (root / "elsewhere").rglob("index.json")
            shutil.copytree(index.parent, root / "cache" / index.parent.name)

    store = memory_map(paired(root), cache_dir=root / "cache", on_progress=meanwhile)
    assert other and np.array_equal(store[3].hr, other[3].hr)


def _die(root):
    memory_map(
        paired(root),
        cache_dir=root / "cache",
        on_progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL),
    )


@needs_fork
def test_killed_while_it_writes(root):
    process = multiprocessing.get_context("fork").Process(target=_die, args=(root,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert any((root / "cache").rglob(".making-*"))
    store, decoded = calls(paired(root))
    assert decoded == 4 and all(
        np.array_equal(a.lr, b.lr)
        for a, b in zip(store, paired(root), strict=True)
        if b.lr.ndim == 3
    )
    assert not any((root / "cache").rglob(".making-*"))
