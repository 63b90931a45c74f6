import errno
import hashlib
import io
import os
import signal
import stat
import subprocess
import sys
import textwrap
import zipfile
from collections import namedtuple
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pytest
from mirror_server import mirror_server

from srlib.data import div2k
from srlib.data.div2k import ARCHIVES, Archive, download_div2k
from srlib.files.download import DownloadError, Patience

FAST = Patience(connect=5.0, stall=0.8, retries=3, backoff=0.01)
KINDS = {
    ("train", "HR"): 3,
    ("train", "bicubic_X4"): 3,
    ("valid", "HR"): 2,
    ("valid", "bicubic_X4"): 2,
}
TRAIN_ZIPS = ("DIV2K_train_HR.zip", "DIV2K_train_LR_bicubic_X4.zip")


def zipped(entries):
    """The bytes of a zip file of (path or ZipInfo, content) entries."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in entries:
            file.writestr(
                name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name), content
            )  # always of 1980
    return stream.getvalue()


def noise(path):
    return np.random.default_rng(list(str(path).encode())).bytes(40_000)


def small(archive, count):
    """The first pictures of a real archive's list, with noise for pixels, as an Archive and its bytes."""
    images = archive.images[:count]
    folders = [f"{folder}/" for folder in reversed(images[0].parents) if folder.name]
    return described(
        archive.name,
        zipped([(folder, b"") for folder in folders] + [(str(p), noise(p)) for p in images]),
        images,
    )


def described(name, content, images):
    return Archive(name, len(content), hashlib.md5(content).hexdigest(), images), content


@pytest.fixture
def web(monkeypatch):
    """A mirror with small archives in the place of the real ones, which are listed in the same way."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = {key: small(ARCHIVES[key], count) for key, count in KINDS.items()}
    monkeypatch.setattr(div2k, "ARCHIVES", {key: archive for key, (archive, _) in made.items()})
    with mirror_server({archive.name: content for archive, content in made.values()}) as server:
        yield server


def get(web, root, behaviour="good", **options):
    return download_div2k(root, mirrors=[f"{web.url}/{behaviour}"], patience=FAST, **options)


def tree(root):
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def expected(*keys):
    return {str(p): noise(p) for key in keys for p in ARCHIVES[key].images[: KINDS[key]]}


def asked(web):
    return [path.rpartition("/")[2] for path, _ in web.asked]


def test_the_official_layout():
    assert [str(archive.folder) for archive in ARCHIVES.values()][::4] == [
        "DIV2K_train_HR",
        "DIV2K_valid_HR",
    ]
    archive = ARCHIVES["valid", "bicubic_X3"]
    assert archive.name == "DIV2K_valid_LR_bicubic_X3.zip" and len(archive.images) == 100
    assert str(archive.images[0]) == "DIV2K_valid_LR_bicubic/X3/0801x3.png"
    train = ARCHIVES["train", "HR"].images
    assert (train[0].name, train[-1].name, len(train)) == ("0001.png", "0800.png", 800)
    assert len({archive.md5 for archive in ARCHIVES.values()}) == 8


def test_only_what_is_asked_for_and_only_once(web, tmp_path):
    root = tmp_path / "new" / "div2k"
    (folder,) = get(web, root, subset="valid", tracks=["bicubic_X4"])
    assert folder == root / "DIV2K_valid_LR_bicubic" / "X4" and tree(root) == expected(
        ("valid", "bicubic_X4")
    )
    assert asked(web) == ["DIV2K_valid_LR_bicubic_X4.zip"]
    folders = get(web, root, subset="all")
    names = [
        "DIV2K_train_HR",
        "DIV2K_train_LR_bicubic/X4",
        "DIV2K_valid_HR",
        "DIV2K_valid_LR_bicubic/X4",
    ]
    assert [str(f.relative_to(root)) for f in folders] == names and tree(root) == expected(*KINDS)
    assert len(web.asked) == 4
    assert get(web, root, subset="all") == folders and len(web.asked) == 4


def test_progress_is_in_bytes(web, tmp_path):
    seen = []
    get(web, tmp_path, on_progress=lambda done, total: seen.append((done, total)))
    hr_size = len(web.files["DIV2K_train_HR.zip"])
    total = sum(len(web.files[name]) for name in TRAIN_ZIPS)
    counts = [done for done, _ in seen]
    assert {t for _, t in seen} == {total} and counts == sorted(counts) and counts[-1] == total
    assert (
        counts.count(hr_size) == counts.count(total) == 4
    )  # the last bytes, then each of three images


def test_an_archive_fetched_by_hand_is_used(web, tmp_path):
    (tmp_path / "DIV2K_valid_HR.zip").write_bytes(web.files["DIV2K_valid_HR.zip"])
    get(web, tmp_path, "gone", subset="valid", tracks=["HR"])
    assert tree(tmp_path) == expected(("valid", "HR")) and web.asked == []


@pytest.mark.parametrize("behaviour", ["cut", "cutplain", "stall", "redirect", "busy"])
def test_mirrors_with_faults(web, tmp_path, behaviour):
    """The second mirror is good."""
    web.cut_after = 90_000
    mirrors = [f"{web.url}/{behaviour}/", f"{web.url}/good/"]
    download_div2k(tmp_path, mirrors=mirrors, patience=replace(FAST, retries=1))
    assert tree(tmp_path) == expected(("train", "HR"), ("train", "bicubic_X4"))


def test_what_every_mirror_said(web, tmp_path):
    with pytest.raises(DownloadError) as caught:
        download_div2k(
            tmp_path,
            mirrors=[f"{web.url}/{b}" for b in ("html", "wrong", "longer", "gone")],
            patience=FAST,
        )
    answers = ["a web page", "another file (MD5 ", "offers a file of 120,", "404"]
    lines = str(caught.value).splitlines()[1:]
    assert len(lines) == 4 and all(
        words in line for words, line in zip(answers, lines, strict=True)
    )
    assert tree(tmp_path) == {}
    with pytest.raises(DownloadError):
        download_div2k(tmp_path, tracks=["bicubic_X4"], mirrors=[f"{web.url}/gone"], patience=FAST)
    assert list(tmp_path.iterdir()) == []  # an empty LR folder would hide one's own


KILLED = """
    import os, signal, sys
    from srlib.data import div2k
    sys.path[:0] = sys.argv[1].split(os.pathsep)
    from test_div2k import FAST, KINDS, small
    div2k.ARCHIVES = {key: small(div2k.ARCHIVES[key], count)[0] for key, count in KINDS.items()}
    seen = []
    def kill(done, total):
        seen.append(done)
        if done >= int(sys.argv[4]) and seen.count(done) == int(sys.argv[5]):
            os.kill(os.getpid(), signal.SIGKILL)
    div2k.download_div2k(sys.argv[2], mirrors=[sys.argv[3]], patience=FAST, on_progress=kill)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize(
    ("archives", "beyond", "call"),
    [(1, 90_000, 1), (1, 0, 3), (2, 0, 4)],
    ids=["download", "unpacking", "unpacked"],
)
def test_killed_at_any_moment_it_ends_with_the_same_tree(
    web, tmp_path, archives, beyond, call, request
):
    web.cut_after = 90_000
    moment = sum(len(web.files[name]) for name in TRAIN_ZIPS[:archives]) + beyond
    folders = os.pathsep.join(map(str, (request.path.parent, request.path.parents[1])))
    arguments = [folders, str(tmp_path), f"{web.url}/cut", str(moment), str(call)]
    command = [sys.executable, "-c", textwrap.dedent(KILLED), *arguments]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    for folder in tmp_path.glob("DIV2K_*_HR"):  # what has its final name is whole
        assert len(list(folder.iterdir())) == 3
    get(web, tmp_path)
    assert tree(tmp_path) == expected(("train", "HR"), ("train", "bicubic_X4"))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


UNPACKING = """
    import os, pathlib, sys, time
    from srlib.data import div2k
    sys.path[:0] = sys.argv[1].split(os.pathsep)
    from test_div2k import FAST, KINDS, small
    div2k.ARCHIVES = {key: small(div2k.ARCHIVES[key], count)[0] for key, count in KINDS.items()}
    root = pathlib.Path(sys.argv[2])
    (root.parent / f"ready{os.getpid()}").touch()
    while len(list(root.parent.glob("ready*"))) < 2:
        time.sleep(0.01)
    div2k.download_div2k(root, mirrors=[sys.argv[3]], patience=FAST,
                         on_progress=lambda done, total: time.sleep(0.05))
"""


def test_two_processes_that_share_only_the_disk(web, tmp_path, request):
    """Two users or containers unpack the same archives at the same time."""
    root = tmp_path / "root"
    root.mkdir()
    for name in TRAIN_ZIPS:
        (root / name).write_bytes(web.files[name])
    folders = os.pathsep.join(map(str, (request.path.parent, request.path.parents[1])))
    command = [
        sys.executable,
        "-c",
        textwrap.dedent(UNPACKING),
        folders,
        str(root),
        f"{web.url}/good",
    ]
    processes = []
    for number in "12":
        own = tmp_path / number
        own.mkdir()
        processes.append(
            subprocess.Popen(command, env=os.environ | {"TMPDIR": str(own), "HOME": str(own)})
        )
    assert [process.wait() for process in processes] == [0, 0]
    assert tree(root) == expected(("train", "HR"), ("train", "bicubic_X4"))


def test_killed_before_the_archive_was_deleted(web, tmp_path):
    get(web, tmp_path, subset="valid", tracks=["HR"])
    (tmp_path / "DIV2K_valid_HR.zip").write_bytes(web.files["DIV2K_valid_HR.zip"])
    get(web, tmp_path, subset="valid", tracks=["HR"])
    assert tree(tmp_path) == expected(("valid", "HR")) and len(web.asked) == 1


@pytest.mark.parametrize("there", [True, False])
def test_a_file_of_the_user_with_an_archive_s_name_is_kept(web, tmp_path, there):
    """Beside a complete folder, and where the folder is still missing."""
    if there:
        get(web, tmp_path, subset="valid", tracks=["HR"])
    (tmp_path / "DIV2K_valid_HR.zip").write_bytes(b"mine")
    get(web, tmp_path, subset="valid", tracks=["HR"])
    assert b"mine" in tree(tmp_path).values()
    assert expected(("valid", "HR")).items() <= tree(tmp_path).items()


def test_a_disk_that_fills_up_while_unpacking(web, tmp_path, monkeypatch):
    """The message names the folder and the cure; after it only the unpacking is left to do."""
    size = len(web.files["DIV2K_valid_HR.zip"])

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(DownloadError, match=r"DIV2K_valid_HR cannot .*: make room"):
            get(web, tmp_path, subset="valid", tracks=["HR"])
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [size]
    get(web, tmp_path, subset="valid", tracks=["HR"])
    assert tree(tmp_path) == expected(("valid", "HR")) and len(web.asked) == 1


def test_an_error_while_unpacking_leaves_nothing_half_made(web, tmp_path):
    seen = []

    def interrupt(done, total):
        seen.append(done)
        if seen.count(total) == 2:  # the first of two images
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(web, tmp_path, subset="valid", tracks=["HR"], on_progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["DIV2K_valid_HR.zip"]


def test_a_folder_with_only_some_pictures_is_not_touched(web, tmp_path):
    (tmp_path / "DIV2K_valid_HR").mkdir()
    (tmp_path / "DIV2K_valid_HR" / "0802.png").write_bytes(b"mine")
    with pytest.raises(
        DownloadError,
        match=r"DIV2K_valid_HR lacks 1 of its 2 images, such as 0801.png: rename",
    ):
        get(web, tmp_path, subset="all")
    assert tree(tmp_path) == {"DIV2K_valid_HR/0802.png": b"mine"} and web.asked == []


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


GOOD = ("DIV2K_valid_HR/0801.png", noise("a"))
EVIL = {
    "absolute": ("/evil.png", b"x"),
    "dots": ("DIV2K_valid_HR/../../evil.png", b"x"),
    "backslash": ("DIV2K_valid_HR\\..\\..\\evil.png", b"x"),
    "drive": ("C:/evil.png", b"x"),
    "folder as link": (link("DIV2K_valid_HR"), b"/tmp"),
}


def serve(web, monkeypatch, content):
    """Let DIV2K_valid_HR.zip be these bytes, with the right md5: nothing but the contents can give it away."""
    archive, _ = described(
        "DIV2K_valid_HR.zip", content, (PurePosixPath("DIV2K_valid_HR/0801.png"),)
    )
    monkeypatch.setattr(div2k, "ARCHIVES", {("valid", "HR"): archive})
    web.files[archive.name] = content


@pytest.mark.parametrize("kind", EVIL)
def test_nothing_but_the_listed_images_is_unpacked(web, tmp_path, monkeypatch, kind):
    serve(web, monkeypatch, zipped([EVIL[kind], GOOD]))
    get(web, tmp_path / "root", subset="valid", tracks=["HR"])
    assert tree(tmp_path) == {f"root/{GOOD[0]}": GOOD[1]}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_an_image_that_is_a_link_becomes_a_plain_file(web, tmp_path, monkeypatch):
    serve(web, monkeypatch, zipped([(link(GOOD[0]), b"/etc/passwd")]))
    get(web, tmp_path, subset="valid", tracks=["HR"])
    assert tree(tmp_path) == {GOOD[0]: b"/etc/passwd"} and not (tmp_path / GOOD[0]).is_symlink()


@pytest.mark.parametrize("damage", ["cut short", "flipped", "encrypted", "without the image"])
def test_a_damaged_archive_is_said_to_be_one(web, tmp_path, monkeypatch, damage):
    content = bytearray(zipped([GOOD]))
    if damage == "cut short":
        content = content[:-30]
    elif damage == "flipped":
        content[20_000] ^= 1
    elif damage == "encrypted":
        content[content.rindex(b"PK\x01\x02") + 8] |= 1
    else:
        content = zipped([("DIV2K_valid_HR/0899.png", b"x")])
    serve(web, monkeypatch, bytes(content))
    with pytest.raises(DownloadError, match=r"DIV2K_valid_HR.zip cannot be unpacked"):
        get(web, tmp_path, subset="valid", tracks=["HR"])
    assert [p.name for p in tmp_path.iterdir()] == ["DIV2K_valid_HR.zip"]


def test_the_disk_is_checked_before_anything_is_fetched(web, tmp_path, monkeypatch):
    """Archives of 2.0 and 1.7 MB, which may swell by a fifth to 4.44 MB, beside one of them."""
    sizes = {("train", "HR"): 2_000_000, ("train", "bicubic_X4"): 1_700_000}
    archives = {key: replace(ARCHIVES[key], size=size) for key, size in sizes.items()}
    monkeypatch.setattr(div2k, "ARCHIVES", archives)
    usage = namedtuple("usage", "total used free")(10**10, 10**10 - 10**6, 10**6)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    with pytest.raises(DownloadError, match=r"needs 6\.4 MB and the disk of .* has 1\.0 MB free"):
        get(web, tmp_path)
    assert web.asked == [] and tree(tmp_path) == {}


@pytest.mark.parametrize(
    "asked_for", [{"subset": "test"}, {"tracks": ["HR", "X4"]}, {"tracks": "HR"}]
)
def test_unknown_names_are_named(web, tmp_path, asked_for):
    with pytest.raises(
        ValueError, match=r"not 'test'|tracks is a sequence with any of HR, bicubic_X4"
    ):
        get(web, tmp_path, **asked_for)
    assert web.asked == []
