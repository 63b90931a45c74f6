"""Files that appear whole or not at all, and the temporary files of processes that died."""

import errno
import os
import socket
import subprocess
import sys
import time

import pytest
from conftest import ROOT

from srlib.errors import DataError, SRError
from srlib.files.whole import (
    FileNameError,
    hash_of,
    need_folder,
    remove_leftovers,
    scratch_folder,
    short_name,
    whole_file,
    write_whole,
)

LONG_NAME = "写" * 80 + ".png"  # 244 bytes


def die_at_work(folder) -> None:
    """A process that dies in the middle of its work."""
    child = os.fork()
    if not child:
        work = scratch_folder(folder)
        (work.__enter__() / "half.png").write_bytes(b"half")
        os._exit(1)
    os.waitpid(child, 0)


@pytest.mark.parametrize("name", ["a.bin", LONG_NAME])
def test_a_file_appears_at_the_end_of_the_block(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"old")
    with whole_file(path) as part:
        part.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(KeyboardInterrupt), whole_file(path) as part:
        part.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"mine")
    for path in (tmp_path / "none" / "a.bin", tmp_path, file / "below"):
        with pytest.raises(OSError, match=rf"^\[Errno \d+\] [^:]+: '{path}'$"):
            write_whole(path, b"content")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot limit the size of files")
def test_a_full_disk_names_the_file(tmp_path):
    """By a limit for the size of files, whose error has no name, as that of a full disk."""
    import resource

    path = tmp_path / "a.bin"
    path.write_bytes(b"mine")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match=rf"File too large: '{path}'$"):
            write_whole(path, bytes(20_000))
        with pytest.raises(BrokenPipeError) as caught, whole_file(path):
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")  # by a callback, say
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.filename is None
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == b"mine"


def test_a_name_that_is_too_long_is_told_before_the_work(tmp_path):
    begun = []
    with (
        pytest.raises(FileNameError, match=r"274 bytes.* shorter name"),
        whole_file(tmp_path / f"{'写' * 90}.png"),
    ):
        begun.append("the work")
    assert not begun and not list(tmp_path.iterdir())


def test_leftovers_of_the_dead_go_and_all_else_stays(tmp_path):
    (tmp_path / ".making-of").mkdir()  # a user's own
    (tmp_path / ".making-of" / "film.png").write_bytes(b"precious")
    (tmp_path / ".making-notes.part").write_bytes(b"precious")
    die_at_work(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    with scratch_folder(tmp_path) as living:
        write_whole(tmp_path / "a.bin", b"content")
        kept = {".making-of", ".making-notes.part", "a.bin"}
        assert {path.name for path in tmp_path.iterdir()} == kept | {living.name}
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_on_a_disk_without_locks_leftovers_go_after_a_day(tmp_path, monkeypatch):
    def no_lock(*_, **options):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    die_at_work(tmp_path)
    (left,) = tmp_path.iterdir()
    monkeypatch.setattr("filelock.FileLock.acquire", no_lock)
    remove_leftovers(tmp_path)
    assert left.exists()
    os.utime(left, (time.time() - 90_000,) * 2)
    remove_leftovers(tmp_path)
    assert not left.exists()


def test_a_process_that_was_killed_and_not_yet_waited_for_is_dead(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from srlib.files.whole import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as part: part.touch(); print('go', flush=True); time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, tmp_path / "o.tif"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as run:
        assert run.stdout.readline() == b"go\n"
        remove_leftovers(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1
        run.kill()
        os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOWAIT)  # a zombie now
        with scratch_folder(tmp_path):
            assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        (tmp_path / "link").symlink_to("/dev/zero")
        for name in ("pipe", "socket", "link", "."):
            with pytest.raises(OSError, match="Not a regular file"):
                hash_of(tmp_path / name)


@pytest.mark.parametrize("place", ["file", "file/folder", "link", "/proc/folder"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path, place):
    (tmp_path / "file").write_text("here I am")
    (tmp_path / "link").symlink_to(tmp_path / "file" / "nowhere")
    with pytest.raises(DataError, match=rf"Nothing can be written to {tmp_path / place} \("):
        need_folder(tmp_path / place, DataError)


def test_every_message_can_be_shown():
    """Names that are no UTF-8 would break a page, and control characters would steer a terminal."""
    for error_class in (SRError, DataError):
        assert str(error_class(f"There is no {os.fsdecode(b'gr')}\udcfcn.")).encode()
        assert str(error_class("\x1b[31m\x9bred\x7f.png:\nit\tis")) == (
            "\\x1b[31m\\x9bred\\x7f.png:\nit\tis"
        )


def test_short_names_are_shorter_and_still_names():
    assert short_name("a.bin") == "a.bin"
    assert len(os.fsencode(short_name("写" * 80))) == 100
