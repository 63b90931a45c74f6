"""The making of LR folders: complete, identical however it is run, and unharmed by kills at any moment."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srlib.data.lr_folders import create_low_res_images_recursive
from srlib.errors import DataError
from srlib.images.degrade import Degradation
from srlib.images.picture import read_image, write_image
from srlib.images.resize import imresize


@pytest.fixture
def hr_tree(tmp_path, photo):
    """HR/0001.png, HR/deep/er/0002.jpg (odd-sized) and HR/deep/gray.png"""
    root = tmp_path / "HR"
    (root / "deep" / "er").mkdir(parents=True)
    write_image(root / "0001.png", photo)
    Image.fromarray(photo[:95, :118]).save(root / "deep" / "er" / "0002.jpg")
    write_image(root / "deep" / "gray.png", np.ascontiguousarray(photo[..., 0]))
    (root / "notes.txt").write_text("not a picture")
    return root


@pytest.fixture
def many(tmp_path, photo):
    """Twenty pictures, all different, in HR and HR/more"""
    for number in range(20):
        folder = tmp_path / "HR" / "more" if number % 2 else tmp_path / "HR"
        folder.mkdir(parents=True, exist_ok=True)
        write_image(
            folder / f"{number:04d}.png",
            np.roll(photo.repeat(2, 0).repeat(2, 1), 7 * number, axis=0),
        )
    return tmp_path / "HR"


def tree(folder) -> dict[str, bytes]:
    """Every file, temporary ones too."""
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def scratch(folder) -> list[Path]:
    return list(folder.glob(".making-*"))


def test_the_tree_is_mirrored(hr_tree, tmp_path, photo):
    seen = []
    report = create_low_res_images_recursive(
        hr_tree, tmp_path / "LR", on_progress=lambda *p: seen.append(p)
    )
    assert (
        sorted(report.written)
        == ["0001.png", "deep/er/0002.png", "deep/gray.png"]
        == list(tree(tmp_path / "LR"))
    )
    assert (
        not report.failed
        and not report.skipped
        and str(report) == "3 written, 0 already there, 0 failed"
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert np.array_equal(read_image(tmp_path / "LR" / "0001.png").rgb, imresize(photo, 1 / 4))
    assert read_image(tmp_path / "LR" / "deep" / "er" / "0002.png").size == (95 // 4, 118 // 4)
    assert read_image(tmp_path / "LR" / "deep" / "gray.png").mode == "L"
    assert not scratch(tmp_path / "LR")


def test_a_second_run_skips_and_a_third_overwrites(hr_tree, tmp_path):
    create_low_res_images_recursive(hr_tree, tmp_path / "LR", 2)
    first = tree(tmp_path / "LR")
    (tmp_path / "LR" / "0001.png").unlink()
    again = create_low_res_images_recursive(hr_tree, tmp_path / "LR", 2)
    assert again.written == ["0001.png"] and len(again.skipped) == 2
    assert tree(tmp_path / "LR") == first
    assert (
        len(create_low_res_images_recursive(hr_tree, tmp_path / "LR", 2, overwrite=True).written)
        == 3
    )


def test_another_recipe_is_not_mistaken_for_done(hr_tree, tmp_path):
    noisy = Degradation(4, noise=5)
    for folder, first, others in (
        ("a", {}, [{"method": "pillow"}, {"method": Degradation(4, blur=1)}]),
        (
            "b",
            {"method": noisy},
            [{"method": noisy, "seed": 1}, {"method": Degradation(4, noise=6)}],
        ),
    ):
        create_low_res_images_recursive(hr_tree, tmp_path / folder, **first)
        before = tree(tmp_path / folder)
        for other in others:
            report = create_low_res_images_recursive(hr_tree, tmp_path / folder, **other)
            assert len(report.failed) == 3 and "made with another" in report.failed["0001.png"]
        assert tree(tmp_path / folder) == before
        assert (
            len(create_low_res_images_recursive(hr_tree, tmp_path / folder, **first).skipped) == 3
        )
    # without noise the seed makes no difference
    assert len(create_low_res_images_recursive(hr_tree, tmp_path / "a", seed=7).skipped) == 3


def test_bad_files_are_reported_and_the_rest_goes_on(hr_tree, tmp_path):
    whole = (hr_tree / "0001.png").read_bytes()
    (hr_tree / "cut.png").write_bytes(whole[: len(whole) // 2])
    (hr_tree / "notes.png").write_text("not a picture")
    Image.new("RGB", (3, 30)).save(hr_tree / "thin.png")
    Image.new("RGB", (30, 30)).save(hr_tree / "0001.bmp")
    report = create_low_res_images_recursive(hr_tree, tmp_path / "LR")
    assert (
        sorted(report.written)
        == ["deep/er/0002.png", "deep/gray.png"]
        == list(tree(tmp_path / "LR"))
    )
    assert sorted(report.failed) == ["0001.bmp", "0001.png", "cut.png", "notes.png", "thin.png"]
    assert "cut short" in report.failed["cut.png"]
    assert "not a picture" in report.failed["notes.png"]
    assert "smaller than 4" in report.failed["thin.png"]
    assert "rename one" in report.failed["0001.bmp"]


def test_pillow_is_another_downscaler(hr_tree, tmp_path):
    create_low_res_images_recursive(hr_tree, tmp_path / "LR", method="pillow")
    hr = Image.open(hr_tree / "0001.png")
    lr = Image.open(tmp_path / "LR" / "0001.png")
    assert np.array_equal(lr, hr.resize((30, 24), Image.Resampling.BICUBIC))


def test_a_degradation_takes_its_noise_from_seed_and_path(hr_tree, tmp_path, photo):
    worse = Degradation(2, noise=8, jpeg_quality=60)
    write_image(hr_tree / "deep" / "0001.png", photo)  # the same picture at another place
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        create_low_res_images_recursive(hr_tree, tmp_path / name, 2, method=worse, seed=seed)
    a, b, c = (tree(tmp_path / name) for name in "abc")
    assert a == b and all(a[name] != c[name] for name in a)
    assert a["0001.png"] != a["deep/0001.png"]
    assert np.array_equal(
        read_image(tmp_path / "a" / "deep" / "0001.png").rgb, worse(photo, 1, name="deep/0001")
    )


def test_processes_make_the_same_files(hr_tree, tmp_path):
    """The work is pickled on its way; upscaling/test_folder.py starts processes as Windows does."""
    create_low_res_images_recursive(hr_tree, tmp_path / "threads")
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as executor:
        create_low_res_images_recursive(hr_tree, tmp_path / "processes", executor=executor)
    assert tree(tmp_path / "threads") == tree(tmp_path / "processes")


def test_dask_with_a_worker_killed_half_way(many, tmp_path, monkeypatch):
    """A real cluster of two worker processes, one of them killed by SIGKILL after the first picture."""
    distributed = pytest.importorskip("distributed")
    slow = Degradation(
        4, blur=12
    )  # so that there is something left to do when the news of the first picture arrive
    create_low_res_images_recursive(many, tmp_path / "threads", method=slow)
    monkeypatch.setenv(
        "PYTHONPATH", str(Path(__file__).resolve().parents[2])
    )  # the workers import srlib too
    monkeypatch.chdir(tmp_path)
    cluster = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        local_directory=str(tmp_path / "dask"),
    )
    with cluster, distributed.Client(cluster) as client:
        victim = next(iter(client.run(os.getpid).values()))
        killed_at = []

        def kill_one(done, total):
            if done == 1:
                os.kill(victim, signal.SIGKILL)
                killed_at.append(
                    sum(not p.name.startswith(".") for p in (tmp_path / "LR").rglob("*.png"))
                )

        report = create_low_res_images_recursive(
            many, tmp_path / "LR", method=slow, executor=client.get_executor(), on_progress=kill_one
        )
    assert killed_at and killed_at[0] < 20  # there was work left
    assert len(report.written) == 20 and not report.failed and not report.skipped
    assert tree(tmp_path / "LR") == tree(tmp_path / "threads")


RUN = """
import sys
from srlib.data.lr_folders import create_low_res_images_recursive
if __name__ == "__main__":
    print("go", flush=True)
    create_low_res_images_recursive(sys.argv[1], sys.argv[2], 2)
"""


@pytest.fixture
def start(many, tmp_path):
    """start(target): the same run in a process of its own, at the moment when it begins to work"""
    runs = []

    def go(target):
        run = subprocess.Popen(
            [sys.executable, "-c", RUN, many, target],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )
        runs.append(run)
        assert run.stdout.readline() == b"go\n"
        return run

    yield go
    for run in runs:
        run.kill()
        run.wait()
        run.stdout.close()


def wait_for(condition):
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.002)


def test_killed_at_any_moment_and_started_again(many, tmp_path, start, rng):
    create_low_res_images_recursive(many, tmp_path / "whole", 2)
    whole = tree(tmp_path / "whole")
    target = tmp_path / "LR"
    for _ in range(4):
        run = start(target)
        time.sleep(rng.uniform(0, 0.15))
        run.kill()
        run.wait()
        named = (
            {name: content for name, content in tree(target).items() if ".making-" not in name}
            if target.exists()
            else {}
        )
        assert named.items() <= whole.items()  # nothing half-made under a final name
    create_low_res_images_recursive(many, target, 2)
    assert tree(target) == whole and not scratch(target)


def test_scratch_of_the_dead_goes_and_of_the_living_stays(many, tmp_path, start):
    target = tmp_path / "LR"
    run = start(target)
    wait_for(lambda: any(target.rglob("*.png")))
    os.kill(run.pid, signal.SIGSTOP)  # alive, and not at work
    [living] = scratch(target)
    (living / "half.png.part").write_bytes(b"half")
    create_low_res_images_recursive(many, target, 2)
    assert scratch(target) == [living] and (living / "half.png.part").exists()
    run.kill()
    run.wait()
    assert scratch(target)  # it could not tidy up
    create_low_res_images_recursive(many, target, 2)
    assert not scratch(target)


def test_bad_requests(hr_tree, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures in"):
        create_low_res_images_recursive(tmp_path / "empty", tmp_path / "LR")
    with pytest.raises(DataError, match="no folder"):
        create_low_res_images_recursive(tmp_path / "nowhere", tmp_path / "LR")
    with pytest.raises(DataError, match="same folder"):
        create_low_res_images_recursive(hr_tree, hr_tree)
    for source, target in ((hr_tree, hr_tree / "LR"), (hr_tree / "deep", hr_tree)):
        with pytest.raises(DataError, match="lies in"):
            create_low_res_images_recursive(source, target, overwrite=True)
    with pytest.raises(ValueError, match="whole number"):
        create_low_res_images_recursive(hr_tree, tmp_path / "LR", 2.5)
    with pytest.raises(ValueError, match="matlab, pillow"):
        create_low_res_images_recursive(hr_tree, tmp_path / "LR", method="nearest")
    with pytest.raises(ValueError, match="for scale 3"):
        create_low_res_images_recursive(hr_tree, tmp_path / "LR", 4, method=Degradation(3))
    assert not (tmp_path / "LR").exists()
