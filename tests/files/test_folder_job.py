"""One job over a folder: nothing overwritten that is not ours, nothing hung, one line for each trouble."""

import os
import shutil
import socket
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pytest

from srlib.errors import DataError
from srlib.files.folder_job import FolderJob

CONTENT = b"END" + b"whole " * 100


@dataclass(frozen=True)
class Reversal(FolderJob):
    """Reverses texts; one that contains "!" raises what stands behind it."""

    version: int = 1

    def recipe(self):
        return {"version": self.version}

    def make(self, source, name, result):
        text = source.read_bytes()
        if b"!" in text:
            raise {"memory": MemoryError(), "empty": ValueError(), "decoder": IndexError("list index"),
                   "disk": OSError(28, "No space left on device"),
                   "assert": AssertionError()}[text.decode().partition("!")[2]]  # fmt: skip
        result.write_bytes(text[::-1])


@pytest.fixture
def source(tmp_path):
    """source/a.txt and source/deep/b.txt"""
    (tmp_path / "source" / "deep").mkdir(parents=True)
    (tmp_path / "source" / "a.txt").write_bytes(CONTENT)
    (tmp_path / "source" / "deep" / "b.txt").write_bytes(CONTENT + b"whole ")
    return tmp_path / "source"


def run(source, target, *, version=1, overwrite=False, suffix=".out", **options):
    names = sorted(p.relative_to(source) for p in Path(source).rglob("*.*") if not p.is_dir())
    options = {"executor": ThreadPoolExecutor(1)} | options
    return Reversal(Path(source), Path(target), suffix, overwrite, version).run(names, **options)


def files(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_made_once_and_by_any_executor(source, tmp_path):
    first = run(source, tmp_path / "target")
    assert first.written == ["a.out", "deep/b.out"] and not first.failed
    assert run(source, tmp_path / "target").skipped == first.written
    with ThreadPoolExecutor(2) as executor:
        assert run(source, tmp_path / "other", executor=executor).written == first.written
    assert files(tmp_path / "target") == files(tmp_path / "other")


@pytest.mark.parametrize("case", ["same", "dots", "link", "inside", "inside link", "around", "around link",
                                  "link within", "linked result", "relative"])  # fmt: skip
def test_source_and_target_lie_apart(source, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("source")
    (tmp_path / "hr").mkdir()
    shutil.copytree(source, tmp_path / "hr" / "hr")
    read = source
    target = ({
        "same": source, "dots": tmp_path / "hr/../source", "link": tmp_path / "link", "inside": source / "new/er",
        "inside link": tmp_path / "link/new", "around": tmp_path, "around link": tmp_path / "up",
        "link within": tmp_path / "fresh", "linked result": tmp_path / "target", "relative": Path("source"),
    }[case])  # fmt: skip
    (tmp_path / "up").symlink_to(".")
    if case == "link within":  # a folder of the source is the target
        target.mkdir()
        (target / "c.txt").write_bytes(CONTENT)
        (source / "more").symlink_to(target)
        names = [Path("a.txt"), Path("more/c.txt")]
    else:
        names = [Path("a.txt"), Path("deep/b.txt")]
    if case == "linked result":  # a folder of the target is the source's
        target.mkdir()
        (target / "deep").symlink_to(source / "deep")
    before = files(tmp_path)
    for overwrite in (False, True):
        with pytest.raises(DataError, match=r"(is the same folder as|lies in) .*Choose a target"):
            Reversal(read, target, ".txt", overwrite).run(names, ThreadPoolExecutor(1))
    assert files(tmp_path) == before
    with pytest.raises(DataError):  # hr/hr/a.txt onto hr/a.txt
        run(tmp_path / "hr" / "hr", tmp_path / "hr", suffix=".txt")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_picture_that_is_a_link_into_the_target(source, tmp_path, overwrite):
    """As of a user who gathered links to pictures of several folders."""
    target = tmp_path / "target"
    target.mkdir()
    (target / "c.out").write_bytes(CONTENT)
    (source / "c.txt").symlink_to(target / "c.out")
    report = run(source, target, overwrite=overwrite)
    assert len(report.written) == 2 and "a link to a file of the target" in report.failed["c.txt"]
    assert (target / "c.out").read_bytes() == CONTENT


def test_neighbours_lie_apart(source, tmp_path):
    assert len(run(source, tmp_path / "source2").written) == 2
    assert len(run(source, tmp_path / "target" / "source").written) == 2


FOREIGN = {
    "whole": b"DNE, and not ours",
    "unreadable": b"float TIFF",
    "cut": CONTENT[::-1][:50] + b"?",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_that_is_not_ours_stays(source, tmp_path, kind):
    target = tmp_path / "target"
    target.mkdir()
    (target / "a.out").write_bytes(FOREIGN[kind])
    report = run(source, target)
    assert report.written == ["deep/b.out"] and list(report.failed) == ["a.txt"]
    assert "overwrite=True" in report.failed["a.txt"]
    assert (target / "a.out").read_bytes() == FOREIGN[kind]
    assert len(run(source, target, overwrite=True).written) == 2


def test_another_recipe_or_source_is_reported(source, tmp_path):
    target = tmp_path / "target"
    run(source, target)
    before = files(target)
    report = run(source, target, version=2)
    assert len(report.failed) == 2 and "made with another version;" in report.failed["a.txt"]
    (source / "a.txt").write_bytes(b"END" + b"whole new " * 60)
    report = run(source, target)
    assert report.skipped == ["deep/b.out"]
    assert "made with another source picture;" in report.failed["a.txt"]
    assert files(target) == before
    assert len(run(source, target, overwrite=True).written) == 2


def test_a_file_of_ours_that_was_edited_stays(source, tmp_path):
    run(source, tmp_path / "target")
    path = tmp_path / "target" / "a.out"
    edited = path.read_bytes().replace(b"elohw", b"ELOHW", 1)
    path.write_bytes(edited)
    report = run(source, tmp_path / "target")
    assert "was changed since it was made" in report.failed["a.txt"] and path.read_bytes() == edited


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "socket"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_target_that_is_no_file_is_one_line(source, tmp_path, kind, overwrite, monkeypatch):
    target = tmp_path / "target"
    target.mkdir()
    monkeypatch.chdir(target)
    with socket.socket(socket.AF_UNIX) as listener:
        {"folder": lambda: os.mkdir("a.out"), "pipe": lambda: os.mkfifo("a.out"),
         "link": lambda: os.symlink("nowhere", "a.out"), "socket": lambda: listener.bind("a.out")}[kind]()  # fmt: skip
        report = run(source, target, overwrite=overwrite)
    assert report.written == ["deep/b.out"] and "is not a regular file" in report.failed["a.txt"]


def test_following_the_advice_loses_nothing(source, tmp_path):
    """A folder with the name of a result: rename it, and both are there."""
    target = tmp_path / "target"
    (target / "a.out").mkdir(parents=True)
    (target / "a.out" / "precious").write_bytes(b"precious")
    assert "rename it" in run(source, target).failed["a.txt"]
    (target / "a.out").rename(target / "kept")
    assert not run(source, target).failed
    assert (target / "kept" / "precious").read_bytes() == b"precious"


@pytest.mark.parametrize("kind", ["pipe", "link", "socket"])
def test_a_source_that_is_no_file_is_one_line(source, tmp_path, kind, monkeypatch):
    monkeypatch.chdir(source)
    with socket.socket(socket.AF_UNIX) as listener:
        {"pipe": lambda: os.mkfifo("c.txt"), "link": lambda: os.symlink("/dev/zero", "c.txt"),
         "socket": lambda: listener.bind("c.txt")}[kind]()  # fmt: skip
        report = run(source, tmp_path / "target")
    assert len(report.written) == 2 and "Not a regular file" in report.failed["c.txt"]


@pytest.mark.parametrize("trouble", ["memory", "empty", "decoder", "disk", "assert"])
@pytest.mark.parametrize("threads", [1, 2])
def test_one_picture_s_trouble_is_one_line(source, tmp_path, trouble, threads):
    (source / "a.txt").write_text(f"!{trouble}")
    seen = []
    executor = ThreadPoolExecutor(threads)
    report = run(
        source, tmp_path / "target", executor=executor, on_progress=lambda *p: seen.append(p)
    )
    assert report.written == ["deep/b.out"] and seen == [(1, 2), (2, 2)]
    reason = report.failed["a.txt"]
    assert len(reason) > 10 and ".making-" not in reason
    if trouble == "disk":
        assert reason == f"{tmp_path / 'target' / 'a.out'}: No space left on device."


@dataclass(frozen=True)
class Deadly(Reversal):
    """Kills the worker, as a lack of memory or a broken decoder does."""

    def make(self, source, name, result):
        if source.name == "a.txt":
            os._exit(1)
        super().make(source, name, result)


def test_a_dead_worker_is_reported(source, tmp_path):
    names = [Path("a.txt"), Path("deep/b.txt")]
    job = Deadly(source, tmp_path / "target", ".out", False)
    with ProcessPoolExecutor(1, get_context("fork")) as executor:
        report = job.run(names, executor)
        assert "call again" in report.failed["a.txt"]
        again = job.run(names, executor)  # submit itself raises now
    assert list(again.failed) == ["a.txt", "deep/b.txt"] and all(again.failed.values())
    assert not list((tmp_path / "target").glob(".*"))


def test_cancelled_from_progress_it_leaves_whole_files_only(source, tmp_path):
    def cancel(done, total):
        raise KeyboardInterrupt

    for threads in (1, 2):
        executor = ThreadPoolExecutor(threads)
        target = tmp_path / f"target {threads}"
        with pytest.raises(KeyboardInterrupt):
            run(source, target, executor=executor, on_progress=cancel)
        assert not list(target.glob(".*"))
        assert not run(source, target).failed


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/target"])
def test_a_target_that_cannot_be_written_is_named_before_the_work(source, tmp_path, place):
    (tmp_path / "file").write_text("here I am")
    (source / "a.txt").write_text("!assert")
    with pytest.raises(DataError, match=rf"Nothing can be written to {tmp_path / place} \("):
        run(source, tmp_path / place)


def test_a_folder_of_the_target_that_is_a_file_costs_its_pictures(source, tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "deep").write_text("precious")
    report = run(source, tmp_path / "target")
    assert report.written == ["a.out"]
    assert str(tmp_path / "target/deep") in report.failed["deep/b.txt"]
    assert (tmp_path / "target" / "deep").read_text() == "precious"


def test_long_names(source, tmp_path):
    (source / ("写" * 80 + ".txt")).write_bytes(CONTENT)
    (source / ("写" * 83 + ".txt")).write_bytes(
        CONTENT
    )  # 253 bytes, and 4 more with the new suffix
    report = run(source, tmp_path / "target", suffix=".target")
    assert len(report.written) == 3 and list(report.failed) == ["写" * 83 + ".txt"]
    assert "写.target: File name too long" in report.failed["写" * 83 + ".txt"]


def test_results_never_meet(source, tmp_path):
    for name in ("x.txt", "x.bin", "X.txt"):
        (source / name).write_bytes(name.encode())
    report = run(source, tmp_path / "target")
    assert sorted(report.failed) == ["x.bin", "x.txt"]
    assert "rename one" in report.failed["x.txt"] and "X.out" in report.written


def test_a_name_that_is_no_utf8_can_be_printed(source, tmp_path):
    os.rename(source / "a.txt", os.fsencode(source) + b"/gr\xfcn.txt")
    report = run(source, tmp_path / "target")
    (source / os.fsdecode(b"gr\xfcn.txt")).write_bytes(b"!empty")
    again = run(source, tmp_path / "target", overwrite=True)
    for text in (*report.written, *again.failed, *again.failed.values()):
        text.encode("utf-8")
    assert len(report.written) == 2 and len(again.failed) == 1


def test_the_report_counts_what_was_passed_over(source, tmp_path):
    job = Reversal(source, tmp_path / "target", ".out", False)
    executor = ThreadPoolExecutor(1)
    assert str(job.run([Path("a.txt")], executor)) == "1 written, 0 already there, 0 failed"
    passed_over = {Path(".b"): "hidden", Path(".c"): "hidden", Path("d\udcfc"): "broken link"}
    report = job.run([Path("a.txt")], executor, passed_over=passed_over)
    assert str(report).endswith("; passed over: 2 hidden, 1 broken link")
    assert all(name.encode() for name in report.passed_over)
