import contextlib
import errno
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import requests
from conftest import ROOT
from mirror_server import FLOODS, HEADS, REDIRECTS, mirror_server

from srlib.files.download import DownloadError, Patience, fetch

CONTENT = np.random.default_rng(0).bytes(1_200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()
FAST = Patience(connect=5.0, stall=5.0, retries=3, backoff=0.01)
ONCE = Patience(connect=5.0, stall=5.0, retries=0)
HASTY = Patience(connect=5.0, stall=0.5, retries=1, backoff=0.01)  # for servers that stall
NOBODY = "http://127.0.0.1:9/a.bin"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server():
    with mirror_server({"a.bin": CONTENT}) as server:
        yield server


def get(server, behaviour, tmp_path, **options):
    """Fetch a.bin from a mirror of this behaviour."""
    options = {"sha256": SHA256, "patience": FAST} | options
    return fetch([f"{server.url}/{behaviour}/a.bin"], tmp_path / "a.bin", **options)


def test_fetches_once_with_progress(server, tmp_path):
    seen = []
    target = get(
        server, "good", tmp_path / "deep" / "folder", on_progress=lambda *p: seen.append(p)
    )
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT)) and seen == sorted(seen) and len(seen) > 3
    get(server, "good", target.parent)
    assert len(server.asked) == 1 and [p.name for p in target.parent.iterdir()] == ["a.bin"]


def test_patience_is_there_by_default(server, tmp_path):
    assert (
        fetch([f"{server.url}/good/a.bin"], tmp_path / "a.bin", md5=MD5.upper()).read_bytes()
        == CONTENT
    )


def test_a_hash_is_needed(tmp_path):
    with pytest.raises(ValueError, match="sha256 or md5"):
        fetch([NOBODY], tmp_path / "a.bin")


def test_every_mirror_s_answer_is_named(server, tmp_path):
    bad = [
        f"{server.url}/{b}/a.bin"
        for b in ("gone", "html", "wrong", "circle", "overloaded", "silent", "stall", "shorter")
    ]
    bad += [NOBODY, "no address"]
    with pytest.raises(DownloadError) as caught:
        fetch(bad, tmp_path / "b.bin", sha256=SHA256, patience=HASTY)
    first, *answers = str(caught.value).splitlines()
    assert first == "b.bin could not be fetched:"
    for url, answer, words in zip(bad, answers, [
        "answered 404 Not Found", "sent a web page instead of the file", f"gave another file (SHA-256 "
        f"{hashlib.sha256(CONTENT[:-1] + b'!').hexdigest()[:8]}…, expected {SHA256[:8]}…)", "redirects in circles",
        "answered 503 Service Unavailable", "did not answer in time", "broke off or stalled each time",
        "gave another file (SHA-256", "no connection", "gave no answer that can be read (",
    ], strict=True):  # fmt: skip
        assert answer.startswith(f"  {url}: {words}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "given",
    [{"sha256": SHA256, "md5": "0" * 32}, {"sha256": "0" * 64, "md5": MD5}, {"md5": "0" * 32}],
)
def test_every_hash_given_must_be_right(server, tmp_path, given):
    with pytest.raises(DownloadError, match="gave another file"):
        get(server, "good", tmp_path, **{"sha256": None} | given)
    assert list(tmp_path.iterdir()) == []


def test_another_file_under_the_final_name_stays_until_the_right_one_is_there(server, tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(b"older")
    with pytest.raises(DownloadError):
        get(server, "html", tmp_path)
    assert target.read_bytes() == b"older"
    assert get(server, "good", tmp_path).read_bytes() == CONTENT
    (kept,) = tmp_path.glob("a.bin.*")
    assert kept.read_bytes() == b"older"


@pytest.mark.parametrize("cut_after", [100_000, 1 << 18, 700_001])
def test_cuts_are_mended_within_the_call(server, tmp_path, cut_after):
    server.cut_after = cut_after
    assert get(server, "cut", tmp_path).read_bytes() == CONTENT
    starts = range(cut_after, len(CONTENT), cut_after)
    assert [wanted for _, wanted in server.asked] == [None] + [
        f"bytes={start}-" for start in starts
    ]


def test_a_cut_within_a_chunk_is_noticed(server, tmp_path):
    assert get(server, "chunked", tmp_path).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=400000-", "bytes=800000-"]


def test_a_cut_is_noticed_without_a_length_if_the_size_is_known(server, tmp_path):
    assert get(server, "bare", tmp_path, size=len(CONTENT)).read_bytes() == CONTENT
    assert len(server.asked) == 3


def test_a_cut_transfer_goes_on_at_the_next_call(server, tmp_path):
    server.cut_after = 50_000
    with pytest.raises(DownloadError, match="broke off or stalled each time"):
        get(server, "cut", tmp_path, patience=ONCE)
    assert [p.stat().st_size for p in tmp_path.iterdir()] == [server.cut_after]
    assert not (tmp_path / "a.bin").exists()
    seen = []
    assert (
        get(server, "good", tmp_path, on_progress=lambda *p: seen.append(p)).read_bytes() == CONTENT
    )
    assert server.asked[-1][1] == f"bytes={server.cut_after}-"
    assert seen[0][0] > server.cut_after and {total for _, total in seen} == {len(CONTENT)}
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_it_goes_on_after_an_interruption(server, tmp_path):
    def interrupt(done, total):
        if done > 300_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(server, "good", tmp_path, on_progress=interrupt)
    (part,) = tmp_path.iterdir()
    kept = part.stat().st_size
    assert get(server, "good", tmp_path).read_bytes() == CONTENT
    assert kept > 0 and server.asked[-1][1] == f"bytes={kept}-"


def test_another_mirror_goes_on_where_the_first_stopped(server, tmp_path):
    urls = [f"{server.url}/{behaviour}/a.bin" for behaviour in ("stall", "html", "good")]
    assert fetch(urls, tmp_path / "a.bin", sha256=SHA256, patience=HASTY).read_bytes() == CONTENT
    assert int(server.asked[-1][1][6:-1]) > 500_000  # the web page did not cost what was there


def test_it_starts_over_where_ranges_are_ignored(server, tmp_path):
    urls = [f"{server.url}/{behaviour}/a.bin" for behaviour in ("cutplain", "plain")]
    assert fetch(urls, tmp_path / "a.bin", sha256=SHA256, patience=FAST).read_bytes() == CONTENT
    assert (
        len(server.asked) == 1 + 1 + FAST.retries + 1
    )  # the first brings something new, the others do not


def test_another_stretch_than_asked_for_is_not_glued(server, tmp_path):
    with pytest.raises(DownloadError, match="broke off"):
        get(server, "elsewhere", tmp_path)
    assert get(server, "good", tmp_path).read_bytes() == CONTENT


def test_a_file_that_changes_during_the_transfer_is_not_glued(server, tmp_path):
    server.files["a.bin"] = bytes(1_000_000)
    server.after_answer = lambda: server.files.update({"a.bin": CONTENT})
    server.cut_after = 700_000
    assert get(server, "cut", tmp_path).read_bytes() == CONTENT
    # a piece of the old file, the rest of the new one, and all of it, since the hash is wrong
    asked = [wanted for _, wanted in server.asked]
    assert asked == [None, "bytes=700000-", None, "bytes=700000-"]


def test_a_file_that_changed_between_two_calls_is_fetched_afresh(server, tmp_path):
    server.cut_after = 50_000
    server.files["a.bin"] = bytes(1_000_000)
    with pytest.raises(DownloadError):
        get(server, "cut", tmp_path, patience=ONCE)
    server.files["a.bin"] = CONTENT
    assert get(server, "good", tmp_path).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=50000-", None]


@pytest.mark.parametrize("extra", [b"", b"and something else"])
def test_a_part_that_is_whole_or_too_long(server, tmp_path, extra):
    (tmp_path / f"a.bin.{SHA256[:8]}.part").write_bytes(CONTENT + extra)
    assert get(server, "good", tmp_path).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == (
        [f"bytes={len(CONTENT + extra)}-", None] if extra else []
    )


@pytest.mark.parametrize(("behaviour", "claims"), [("longer", 100), ("shorter", -100)])
def test_lies_about_the_length(server, tmp_path, behaviour, claims):
    if behaviour == "longer":  # the bytes are right, and that is what counts
        assert get(server, behaviour, tmp_path / "unknown size").read_bytes() == CONTENT
    else:
        with pytest.raises(DownloadError, match="gave another file"):
            get(server, behaviour, tmp_path / "unknown size")
    with pytest.raises(
        DownloadError,
        match=f"offers a file of {1_200_000 + claims:,} bytes where 1,200,000 are expected",
    ):
        get(server, behaviour, tmp_path, size=len(CONTENT))


def test_a_stream_without_end_is_stopped(server, tmp_path):
    with pytest.raises(DownloadError, match="sends more than the 1,200,000 bytes"):
        get(server, "endless", tmp_path, size=len(CONTENT))
    assert list(tmp_path.iterdir()) == []


def test_redirects_are_followed(server, tmp_path):
    assert get(server, "redirect", tmp_path).read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/redirect/a.bin", "/good/a.bin"]


def test_a_busy_server_is_asked_again(server, tmp_path):
    assert get(server, "busy", tmp_path).read_bytes() == CONTENT
    assert len(server.asked) == 3


def test_tries_wait_longer_each_time(server, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr("srlib.files.download.time.sleep", pauses.append)
    server.cut_after = 100
    with pytest.raises(DownloadError):
        get(server, "cut", tmp_path, patience=Patience(5.0, 5.0, 4, 0.5))
    assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_the_proxy_of_the_environment(server, tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, server.url)
    assert (
        fetch(
            ["http://far.invalid/good/a.bin"], tmp_path / "a.bin", sha256=SHA256, patience=FAST
        ).read_bytes()
        == CONTENT
    )
    assert server.asked == [("http://far.invalid/good/a.bin", None)]
    with pytest.raises(DownloadError, match="the proxy cannot be reached or refuses"):
        fetch(["https://far.invalid/good/a.bin"], tmp_path / "b.bin", sha256=SHA256, patience=FAST)
    assert server.asked[-1] == ("far.invalid:443", None)
    get(server, "good", tmp_path / "direct")  # NO_PROXY
    assert server.asked[-1][0] == "/good/a.bin"


def test_certificates_of_the_environment_that_are_none(tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(DownloadError, match=r"certificate bundle"):
        fetch(["https://far.invalid/a.bin"], tmp_path / "a.bin", sha256=SHA256, patience=ONCE)


def test_two_at_once_do_not_mix(server, tmp_path):
    release = threading.Event()
    seen = []

    def slow(done, total):
        release.wait(5)

    both = [
        threading.Thread(target=get, args=(server, "good", tmp_path), kwargs={"on_progress": slow})
        for _ in range(2)
    ]
    for thread in both:
        thread.start()
    release.set()
    for thread in both:
        thread.join()
        seen.append((tmp_path / "a.bin").read_bytes() == CONTENT)
    assert seen == [True, True] and len(server.asked) == 1


def test_too_little_room_is_said_before_anything_is_written(server, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 1_000_000, 1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(
        DownloadError,
        match=r"needs 1\.2 MB and the disk of .* has 1\.0 MB free: make room there or choose",
    ):
        get(server, "good", tmp_path, size=len(CONTENT))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    sys.platform == "win32", reason="A limit on the size of files can be set on Unix only"
)
def test_a_disk_that_fills_up_keeps_what_is_there(server, tmp_path):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        with pytest.raises(
            DownloadError, match=r"cannot be written .*: make room on its disk, then call again"
        ):
            get(server, "good", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p.stat().st_size for p in tmp_path.iterdir()] == [500_000]
    assert get(server, "good", tmp_path).read_bytes() == CONTENT
    assert server.asked[-1][1] == "bytes=500000-"


@pytest.mark.parametrize("kind", ["a file", "within a file", "no rights", "no place for files"])
def test_a_folder_that_cannot_be_written(server, tmp_path, kind):
    (tmp_path / "file").write_text("here I am")
    folder = tmp_path / "folder"
    folder.mkdir(0o555)
    if kind == "no rights" and os.access(folder, os.W_OK):
        pytest.skip("root may write anywhere")
    places = {
        "a file": tmp_path / "file",
        "within a file": tmp_path / "file" / "cache",
        "no place for files": Path("/proc/cache"),
    }
    place = places.get(kind, folder)
    with pytest.raises(
        DownloadError,
        match=rf"Nothing can be written to {place} \(.*\): choose another folder",
    ):
        get(server, "good", place)
    assert server.asked == []


def test_what_is_there_is_taken_from_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT)
    tmp_path.chmod(0o555)
    assert fetch([NOBODY], tmp_path / "a.bin", sha256=SHA256).read_bytes() == CONTENT
    tmp_path.chmod(0o755)


@pytest.mark.parametrize("behaviour", [*HEADS, *REDIRECTS, *FLOODS, "circle", "offset"])
def test_no_answer_keeps_the_next_mirror_from_being_asked(server, tmp_path, behaviour):
    """Bounded in tries and time, whatever the first mirror says."""
    patience = Patience(connect=0.5, stall=0.5, retries=1, backoff=0.01)
    urls = [f"{server.url}/{name}/a.bin" for name in (behaviour, "good")]
    start = time.monotonic()
    target = fetch(urls, tmp_path / "a.bin", sha256=SHA256, patience=patience)
    assert target.read_bytes() == CONTENT and list(tmp_path.iterdir()) == [target]
    assert time.monotonic() - start < 10
    with pytest.raises(DownloadError) as caught:
        fetch(urls[:1], tmp_path / "b.bin", sha256=SHA256, patience=patience)
    _, answer = str(caught.value).splitlines()
    assert len(answer.removeprefix(f"  {urls[0]}: ")) > 10


@pytest.mark.parametrize(
    "error", [RuntimeError("odd"), UnicodeError("odd"), MemoryError(), OSError(5, "odd")]
)
def test_any_exception_of_a_mirror_is_its_failure(server, tmp_path, monkeypatch, error):
    send = requests.adapters.HTTPAdapter.send

    def fails(adapter, request, **options):
        if "bad" in request.url:
            raise error
        return send(adapter, request, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", fails)
    urls = [f"{server.url}/{name}/a.bin" for name in ("bad", "good")]
    assert fetch(urls, tmp_path / "a.bin", sha256=SHA256, patience=FAST).read_bytes() == CONTENT


@pytest.mark.parametrize("error", [ValueError, OSError, ConnectionError, requests.ConnectionError])
def test_an_exception_of_the_callers_is_no_mirrors(server, tmp_path, error):
    def cancel(done, total):
        raise error("cancelled")

    with pytest.raises(error, match="cancelled"):
        get(server, "good", tmp_path, on_progress=cancel)
    assert len(server.asked) == 1
    assert get(server, "good", tmp_path).read_bytes() == CONTENT  # in the rest of the file


FETCH = """
import sys
from srlib.files import fetch
fetch([sys.argv[1]], sys.argv[2], sha256=sys.argv[3], on_progress=lambda done, total: print(done, flush=True))
"""


def start_fetch(server, tmp_path, number, behaviour="good"):
    home = tmp_path / f"home{number}"
    home.mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(home), "TMPDIR": str(home)}
    command = [
        sys.executable,
        "-c",
        FETCH,
        f"{server.url}/{behaviour}/a.bin",
        tmp_path / "all/a.bin",
        SHA256,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)


def test_processes_that_share_nothing_but_the_folder(server, tmp_path):
    """Another home and temporary folder each, as of other users and containers."""
    runs = [start_fetch(server, tmp_path, number) for number in range(3)]
    for run in runs:
        run.communicate()
        assert run.returncode == 0
    assert (tmp_path / "all/a.bin").read_bytes() == CONTENT and len(server.asked) == 1
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["a.bin"]


def test_no_two_write_to_one_part_even_without_a_lock(server, tmp_path, monkeypatch):
    """On a disk without locks."""
    monkeypatch.setattr("srlib.files.download.lock", lambda target: contextlib.nullcontext())
    both = threading.Barrier(4, timeout=10)
    pages = []

    def meet(done, total):
        if done >= 600_000 and threading.get_ident() not in pages:
            pages.append(threading.get_ident())
            both.wait()

    threads = [
        threading.Thread(target=get, args=(server, "good", tmp_path), kwargs={"on_progress": meet})
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_the_part_of_a_killed_process_is_taken_over(server, tmp_path):
    server.cut_after = 500_000
    run = start_fetch(server, tmp_path, 0, "pause")
    assert run.stdout.readline()
    while not any(path.stat().st_size == 500_000 for path in (tmp_path / "all").glob("*.part")):
        time.sleep(0.01)
    run.kill()
    run.communicate()
    assert get(server, "good", tmp_path / "all").read_bytes() == CONTENT
    assert server.asked[-1][1] == "bytes=500000-"
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["a.bin"]


def test_bytes_changed_on_the_disk_are_noticed(server, tmp_path):
    """The hash is that of the disk's bytes, not of those that came."""

    def spoil(done, total):
        (part,) = tmp_path.glob("*.part")
        if done > 600_000:
            with open(part, "r+b") as file:
                file.write(b"spoilt")

    with pytest.raises(DownloadError, match="gave another file"):
        get(server, "good", tmp_path, on_progress=spoil)
    assert not (tmp_path / "a.bin").exists()


def test_a_long_name(server, tmp_path):
    target = tmp_path / ("写" * 80 + ".pt")
    assert (
        fetch([f"{server.url}/cut/a.bin"], target, sha256=SHA256, patience=FAST).read_bytes()
        == CONTENT
    )
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EACCES, errno.ENOLCK])
def test_a_disk_without_locks(server, tmp_path, monkeypatch, number):
    def no_lock(*_, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("filelock.FileLock.acquire", no_lock)
    assert get(server, "good", tmp_path).read_bytes() == CONTENT
