"""The one finder of pictures: folders as cameras, archives, NAS and people leave them."""

import os
from pathlib import Path

import pytest

from srlib.errors import SRError
from srlib.images import DataError, find_images, list_pictures
from srlib.images.picture import SUFFIXES


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"no pixels are looked at")


def names(folder: Path) -> list[str]:
    return [path.as_posix() for path in find_images(folder)]


def test_every_suffix_in_any_case(tmp_path):
    touch(
        tmp_path,
        *(f"a{suffix}" for suffix in SUFFIXES),
        *(f"b{suffix.upper()}" for suffix in SUFFIXES),
        "a.txt",
        "png",
    )
    listing = list_pictures(tmp_path)
    assert (
        len(listing.pictures) == 2 * len(SUFFIXES)
        and {".jfif", ".avif", ".mpo", ".jp2"} <= SUFFIXES
    )
    assert not listing.passed_over


PASSED_OVER = {
    "hidden": [".ipynb_checkpoints/", ".Trash-1000/", ".git/", "._a.jpg", ".a.png"],
    "system folder": [
        "__MACOSX/",
        "@eaDir/",
        "#recycle/",
        "$RECYCLE.BIN/",
        "System Volume Information/",
        "lost+found/",
        "@Recycle/",
        "@tmp/",
        "#snapshot/",
    ],
    "unfinished": [".making-host~12~3~x/", ".a.png.12-34.part", "a.png.part"],
}


@pytest.mark.parametrize("where", ["", "deep/down/"])
@pytest.mark.parametrize("reason", PASSED_OVER)
def test_hidden_system_and_unfinished(tmp_path, reason, where):
    touch(tmp_path, "a.png", "in/b.JPG")
    for name in PASSED_OVER[reason]:
        touch(tmp_path, where + (f"{name}c.png" if name.endswith("/") else name))
    listing = list_pictures(tmp_path)
    assert listing.pictures == [Path("a.png"), Path("in/b.JPG")]
    assert listing.passed_over == {Path(where + name): reason for name in PASSED_OVER[reason]}


def test_a_hidden_folder_that_is_asked_for(tmp_path):
    touch(tmp_path / ".cache" / "set", "a.png")
    assert names(tmp_path / ".cache" / "set") == ["a.png"]


def test_linked_folders_are_entered_once(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    root = tmp_path / "root"
    touch(elsewhere, "b.png", "deep/c.png")
    touch(root, "z/a.png")
    try:
        (root / "first").symlink_to(elsewhere, target_is_directory=True)
    except OSError:
        pytest.skip("links cannot be made here")
    (root / "second").symlink_to(elsewhere, target_is_directory=True)
    (root / "a_link_to_z").symlink_to(root / "z", target_is_directory=True)
    (root / "z" / "up").symlink_to(root, target_is_directory=True)
    (root / "above").symlink_to(tmp_path, target_is_directory=True)
    (elsewhere / "deep" / "loop").symlink_to(elsewhere, target_is_directory=True)
    (root / "linked.png").symlink_to(elsewhere / "b.png")
    (root / "gone.png").symlink_to(tmp_path / "nothing.png")
    (root / "itself").symlink_to(root / "itself")
    listing = list_pictures(root)
    assert [path.as_posix() for path in listing.pictures] == [
        "first/b.png",
        "first/deep/c.png",
        "linked.png",
        "z/a.png",
    ]
    assert listing.passed_over.pop(Path("gone.png")) == "broken link, pipe or device"
    assert Path("itself") in listing.passed_over
    assert {Path("second"), Path("a_link_to_z"), Path("z/up"), Path("above")} <= set(
        listing.passed_over
    )
    (tmp_path / "to_root").symlink_to(root, target_is_directory=True)
    assert names(tmp_path / "to_root") == names(root)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_only_regular_files(tmp_path):
    touch(tmp_path, "a.png", "b.png/inside.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    listing = list_pictures(tmp_path)
    assert listing.pictures == [Path("a.png"), Path("b.png/inside.png")]
    assert (
        set(listing.passed_over.values()) == {"broken link, pipe or device"}
        and len(listing.passed_over) == 2
    )


def test_names_of_all_kinds(tmp_path):
    unusual = [
        "a b.png",
        "é.png",
        "写真" * 20 + ".jpg",
        "a.b.c.png",
        "-x.png",
        "100%.png",
        "new\nline.png",
    ]
    touch(tmp_path, *unusual)
    assert sorted(names(tmp_path)) == sorted(unusual)


def test_an_empty_folder_says_what_was_passed_over(tmp_path):
    touch(tmp_path, "notes.txt", ".ipynb_checkpoints/a.png")
    with pytest.raises(
        DataError, match=r"no pictures in .*1 hidden.*1 no picture by its suffix.*\.png"
    ):
        find_images(tmp_path)
    with pytest.raises(SRError, match="There is no folder"):
        find_images(tmp_path / "nothing")
    with pytest.raises(ValueError, match="There is no folder"):
        find_images(tmp_path / "notes.txt")


def test_a_folder_may_begin_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path / "~holiday", "a.png")
    assert names(Path("~holiday")) == ["a.png"]
