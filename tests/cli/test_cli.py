"""The command line: as click's runner sees it, and as a process with pipes."""

import io
import json
import os
import subprocess
import sys
import tomllib

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT, SAMPLES
from photo_files import camera_exif, deep_of, png16, saved, tiff16
from PIL import Image

from srlib import load_pretrained, read_image, upscale
from srlib.cli import FORMATS, MAX_SCALE, PROTOCOLS, main
from srlib.data import create_low_res_images_recursive
from srlib.images.picture import RESULT_SUFFIXES
from srlib.metrics import PROTOCOLS as ROOM_PROTOCOLS
from srlib.upscaling import MAX_SCALE as ROOM_MAX_SCALE
from srlib.upscaling import upscale_folder
from srlib.zoo import CHECKPOINTS, find, recommend_checkpoint

COMMAND = [sys.executable, "-c", "from srlib.cli import main; main(prog_name='image-wizard')"]


def call(*arguments: object):
    """The result of a call; an exception that is no exit is the test's failure."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def process(*arguments: object, **options) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env=environment, timeout=300, **options)


@pytest.fixture
def pictures(tmp_path, photo):
    """A JPEG of low quality and a clean PNG, in a folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    small = Image.fromarray(photo[:40, :48])
    small.save(folder / "web.jpg", quality=40)
    small.save(folder / "clean.png")
    return folder


def test_the_command_is_installed_and_needs_no_torch_for_its_help():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"image-wizard": "srlib.cli:main"}
    code = "import sys, srlib.cli; print({'torch', 'numpy', 'PIL'} & sys.modules.keys() or 'none')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "none\n")


def test_its_lists_are_those_of_the_rooms():
    assert {f".{name}" for name in FORMATS} == set(RESULT_SUFFIXES)
    assert tuple(ROOM_PROTOCOLS) == PROTOCOLS
    assert ROOM_MAX_SCALE == MAX_SCALE


def test_the_page_in_docs_is_the_help(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    from command_line_page import PAGE, page

    assert PAGE.read_text(encoding="utf-8") == page()


def test_help_names_every_option_and_command():
    text = call("--help").output
    for name in ("--scale", "--output", "--overwrite", "lowres", "evaluate", "inspect"):
        assert name in text


def test_a_picture_is_enlarged_as_python_does_it_by_the_recommended_network(pictures):
    done = call(pictures / "web.jpg", "--json")
    [record] = json.loads(done.stdout)
    choice = recommend_checkpoint(pictures / "web.jpg", 4)
    name = choice.name
    assert (done.exit_code, record["model"], record["reason"]) == (0, name, str(choice))
    assert record["precision"] == "float32"
    assert name == "edsr-lite-photo"
    expected = upscale(pictures / "web.jpg", load_pretrained(name, 4))
    found = read_image(pictures / "web_x4.png")
    assert (record["width"], record["height"]) == (192, 160)
    np.testing.assert_array_equal(found.rgb, expected.rgb)


@pytest.mark.parametrize(
    ("options", "result", "size"),
    [
        (("--scale", 2), "clean_x2.png", (96, 80)),
        (("-s", 2.5, "-f", "JPG"), "clean_x2.5.jpg", (120, 100)),
        (("-w", 100), "clean_w100.png", (100, 84)),
        (("--height", 80, "-n", "edsr-lite"), "clean_h80.png", (96, 80)),
        (("--model", find("edsr-lite", 3).path), "clean_x3.png", (144, 120)),
        (("--format", "tif"), "clean_x4.tif", (192, 160)),
        (("--output", "out/large.webp"), "out/large.webp", (192, 160)),
        (("--output", "large.jpeg", "--format", "jpg"), "large.jpeg", (192, 160)),
        (("--output", "out"), "out/clean_x4.png", (192, 160)),
    ],
)
def test_size_network_format_and_place_can_be_chosen(pictures, options, result, size, monkeypatch):
    monkeypatch.chdir(pictures)
    assert call("clean.png", *options).exit_code == 0
    assert Image.open(pictures / result).size == size


def test_a_tiff_in_strips_has_the_pixels_of_a_png(pictures):
    assert call(pictures / "web.jpg", "--format", "tif").exit_code == 0
    assert call(pictures / "web.jpg").exit_code == 0
    strips = read_image(pictures / "web_x4.tif")
    np.testing.assert_array_equal(strips.rgb, read_image(pictures / "web_x4.png").rgb)


def test_a_folder_goes_beside_itself_and_on_after_a_stop(pictures, tmp_path):
    (pictures / "sub").mkdir()
    Image.open(pictures / "clean.png").save(pictures / "sub" / "deep.png")
    (pictures / "broken.png").write_bytes(b"\x89PNG")
    done = call(pictures, "--scale", 2)
    assert done.exit_code == 1 and "broken.png" in done.stderr
    results = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("photos_x2/**/*.*"))
    assert results == ["photos_x2/clean.png", "photos_x2/sub/deep.png", "photos_x2/web.png"]
    (pictures / "broken.png").unlink()
    (tmp_path / "photos_x2" / "web.png").unlink()
    before = (tmp_path / "photos_x2" / "clean.png").stat().st_mtime_ns
    again = call(pictures, "--scale", 2, "--json")
    kept = {os.path.basename(r["picture"]): "kept" in r for r in json.loads(again.stdout)}
    assert again.exit_code == 0
    assert kept == {"clean.png": True, "web.jpg": False, "deep.png": True}
    assert (tmp_path / "photos_x2" / "clean.png").stat().st_mtime_ns == before


@pytest.mark.parametrize("change", ["scale", "model", "source", "result"])
def test_a_folder_keeps_no_result_of_another_recipe(pictures, tmp_path, change):
    options = {"--scale": 2, "--model": "edsr-lite", "--output": tmp_path / "out"}

    def run(*flags):
        return call(pictures, *(part for option in options.items() for part in option), *flags)

    assert run().exit_code == 0
    other = {"scale": {"--scale": 3}, "model": {"--model": find("edsr-lite", 2).path}}
    options |= other.get(change, {})
    if change in ("source", "result"):
        file = pictures / "clean.png" if change == "source" else tmp_path / "out" / "clean.png"
        with Image.open(file) as picture:
            picture.rotate(180).save(file)
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    again = run()
    assert again.exit_code == 1 and "--overwrite" in again.stderr
    assert again.stderr.count("\n") == (2 if change in other else 1)
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before
    assert run("--overwrite").exit_code == 0 and run("--json").stdout.count('"kept": true') == 2


def test_a_pattern_takes_no_results_for_pictures(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    for _ in range(2):
        done = call("*.png", "--scale", 2, "--model", "edsr-lite", "--overwrite")
        assert done.exit_code == 0
        assert sorted(os.listdir()) == ["clean.png", "clean_x2.png", "web.jpg"]


def test_one_file_for_several_pictures_is_refused_before_the_work(pictures):
    done = call(pictures / "clean.png", pictures / "web.jpg", "-o", pictures / "both.png")
    assert done.exit_code == 2 and "2 pictures" in done.stderr
    assert sorted(os.listdir(pictures)) == ["clean.png", "web.jpg"]


def test_a_slash_makes_a_folder_of_any_name(pictures, tmp_path):
    done = call(pictures / "clean.png", "-s", 2, "-o", f"{tmp_path / 'trip.2026'}/")
    assert done.exit_code == 0 and (tmp_path / "trip.2026" / "clean_x2.png").is_file()


def test_a_folder_does_not_go_into_one_file(pictures, tmp_path):
    done = call(pictures, "-o", tmp_path / "all.png")
    assert done.exit_code == 2 and "all.png" in done.stderr and not (tmp_path / "all.png").exists()


def test_an_error_in_a_folder_names_the_place(pictures):
    (pictures / "sub").mkdir()
    empty = [folder / "empty.jpg" for folder in (pictures, pictures / "sub")]
    for file in empty:
        file.write_bytes(b"")
    errors = call(pictures, "--scale", 2, "--model", "edsr-lite").stderr
    assert all(f"{file} is" in errors for file in empty)


def test_the_habits_of_real_esrgan(pictures, tmp_path):
    done = call("-i", pictures, "-o", tmp_path / "out", "-n", "edsr-lite", "-s", 2, "-f", "webp")
    assert done.exit_code == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["clean.webp", "web.webp"]
    assert call("-h").output == call("--help").output


@pytest.mark.parametrize(
    ("habit", "cure"),
    [
        (("-t", 400), "leave it out"),
        (("-g", 0, "-j", "1:2:2"), "leave it out"),
        (("-m", "models"), "-n FILE"),
        (("-z", 4), "-s"),
        (("--outscale", 3.5), "-s"),
        (("-r", "800x600"), "--height"),
        (("--size", 800), "--width"),
        (("--ext", "jpg"), "-f"),
        (("-n", 2), "noise"),
        (("-n", -1), "noise"),
    ],
)
def test_an_option_of_others_is_answered_by_ours(pictures, habit, cure):
    done = call("-i", pictures / "clean.png", "-o", pictures / "out.png", *habit)
    assert done.exit_code == 2 and str(habit[0]) in done.stderr + "-n" and cure in done.stderr
    assert not (pictures / "out.png").exists()


@pytest.mark.parametrize("place", ["source", "result", "output"])
def test_a_name_that_is_too_long_is_an_error_of_its_own(pictures, place, monkeypatch):
    monkeypatch.chdir(pictures)
    names = {"source": "x" * 300 + ".png", "result": "y" * 249 + ".png", "output": "clean.png"}
    if place == "result":
        (pictures / "clean.png").rename(names["result"])
    options = ("--output", "z" * 300 + ".png") if place == "output" else ()
    done = call(names[place], *options, "web.jpg" if not options else "--quiet")
    assert done.exit_code == 1 and done.stderr.count("\n") == 1
    assert bool(options) != (pictures / "web_x4.png").exists()  # the other picture is enlarged


def test_a_folder_without_pictures_does_not_cost_the_others(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    (pictures / "empty").mkdir()
    done = call("empty", "clean.png", "--scale", 2, "--json")
    failed, made = json.loads(done.stdout)
    assert done.exit_code == 1 and failed["picture"] == "empty" and "empty" in failed["error"]
    assert made["width"] == 96 and "empty" in done.stderr


def test_a_picture_that_is_named_twice_is_made_once(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    done = call("clean.png", "*.png", "--scale", 2, "--json")
    assert done.exit_code == 0 and len(json.loads(done.stdout)) == 1


def test_a_pattern_for_several_pictures_does_not_fit_standard_output(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    done = call("*.*", "--output", "-")
    assert done.exit_code == 2 and "takes one picture" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="links need a permission there")
def test_the_results_of_a_linked_folder_are_beside_the_link(pictures, tmp_path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "mine").symlink_to(pictures)
    assert call(tmp_path / "links" / "mine", "--scale", 2).exit_code == 0
    assert len(list((tmp_path / "links" / "mine_x2").iterdir())) == 2


@pytest.mark.skipif(os.name == "nt", reason="links need a permission there")
def test_a_link_to_nothing_is_an_error_of_its_own(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    (pictures / "gone.png").symlink_to("nowhere")
    (pictures / "loop.png").symlink_to("loop.png")
    for names in (["gone.png", "loop.png", "clean.png"], ["*.png"]):
        done = call(*names, "--output", f"out{len(names)}")
        assert done.exit_code == 1 and done.stderr.count("\n") == 2
        assert "gone.png" in done.stderr and "loop.png" in done.stderr
        assert (pictures / f"out{len(names)}" / "clean_x4.png").exists()


def test_the_home_of_nobody_is_a_name_like_any_other(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    done = call("~nobody-of-this-name/x.png")
    assert done.exit_code == 1 and "~nobody-of-this-name" in done.stderr
    assert call("clean.png", "-o", "~nobody-of-this-name/y.png").exit_code == 0
    assert (pictures / "~nobody-of-this-name" / "y.png").exists()


def test_no_usage_names_the_command_that_needs_no_name():
    done = call("photo.jpg", "--no-such-option")
    assert done.exit_code == 2
    assert "[OPTIONS] PICTURE..." in done.stderr and "enlarge" not in done.stderr


@pytest.mark.parametrize("place", [(), ("--output", "results")])
def test_a_folder_with_two_pictures_of_one_name_is_an_error_each_time(pictures, place, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    Image.open(pictures / "web.jpg").save(pictures / "clean.jpg")
    for _ in range(2):
        done = call("photos", "--scale", 2, *place)
        assert done.exit_code == 1 and "clean.jpg" in done.stderr and "clean.png" in done.stderr


def test_an_animation_is_enlarged_with_a_warning(pictures):
    frames = [Image.open(pictures / "web.jpg").rotate(angle) for angle in (0, 90, 180)]
    frames[0].save(pictures / "moving.gif", save_all=True, append_images=frames[1:])
    done = call(pictures / "moving.gif", pictures / "clean.png")
    assert done.exit_code == 0 and read_image(pictures / "moving_x4.png").size == (160, 192)
    assert "moving.gif has 3 frames" in done.stderr and "clean" not in done.stderr


def test_a_pattern_may_match_folders(pictures, tmp_path):
    assert call(tmp_path / "ph*s", "--scale", 2).exit_code == 0
    assert sorted(os.listdir(tmp_path / "photos_x2")) == ["clean.png", "web.png"]


def test_a_pattern_that_the_shell_left_alone(pictures):
    assert call(pictures / "*.??g").exit_code == 0
    assert (pictures / "web_x4.png").exists() and (pictures / "clean_x4.png").exists()


def test_nothing_is_overwritten_unasked(pictures):
    (pictures / "clean_x4.png").write_bytes(b"mine")
    done = call(pictures / "clean.png")
    assert done.exit_code == 1 and "clean_x4.png" in done.stderr
    assert (pictures / "clean_x4.png").read_bytes() == b"mine"
    assert call(pictures / "clean.png", "--overwrite").exit_code == 0
    assert read_image(pictures / "clean_x4.png").size == (160, 192)


def test_the_picture_itself_is_never_replaced(pictures):
    before = (pictures / "clean.png").read_bytes()
    done = call(pictures / "clean.png", "--output", pictures / "clean.png", "--overwrite")
    assert done.exit_code == 1 and "clean.png" in done.stderr
    assert (pictures / "clean.png").read_bytes() == before


def test_two_pictures_never_share_a_result(pictures):
    Image.open(pictures / "web.jpg").transpose(Image.Transpose.ROTATE_90).save(pictures / "web.png")
    done = call(pictures / "web.jpg", pictures / "web.png", "--overwrite")
    assert done.exit_code == 1 and "web.png" in done.stderr and "web.jpg" in done.stderr
    assert read_image(pictures / "web_x4.png").size == (160, 192)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("",),  # of an empty variable in a script; never the whole folder
        ("clean.png", "--output", ""),
        ("clean.png", "--scale", 9),
        ("clean.png", "--scale", 2, "--width", 100),
        ("clean.png", "--format", "gif"),
        ("clean.png", "--model", "edsr-huge"),
        ("clean.png", "--model", "missing.pth"),
        ("clean.png", "--no-such-option"),
        ("clean.png", "web.jpg", "--output", "-"),
        ("clean.png", "--output", "-", "--json"),
        (".", "--output", "results"),
        ("clean.png", "--output", "large.png", "--format", "jpg"),
        ("lowres", "missing", "lr"),
        ("check",),
        ("evaluate", ".", ".", "--protocol", "best"),
        ("inspect", "missing.pth"),
    ],
)
def test_a_wrong_call_exits_with_2_and_writes_nothing(pictures, arguments, monkeypatch):
    monkeypatch.chdir(pictures)
    done = call(*arguments)
    assert done.exit_code == 2 and done.stderr
    assert sorted(os.listdir(pictures)) == ["clean.png", "web.jpg"]


def test_pipes_carry_the_picture_and_nothing_else(pictures):
    content = (pictures / "web.jpg").read_bytes()
    done = process("-", "--format", "jpg", input=content)
    assert (done.returncode, done.stderr, done.stdout[:3]) == (0, b"", b"\xff\xd8\xff")
    done = CliRunner().invoke(main, ["-", "-o", str(pictures / "file.png")], input=content)
    assert (done.exit_code, done.output) == (0, "")
    assert read_image(pictures / "file.png").size == (160, 192)
    done = CliRunner().invoke(main, ["-"], input=b"no picture")
    assert (done.exit_code, done.stdout) == (1, "") and "standard input" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="pipes end otherwise there")
def test_a_reader_that_has_enough_is_no_error():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, "models", "--json"],
        stdout=write, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=300,
    )  # fmt: skip
    os.close(write)
    assert done.stderr == b""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no terminals here")
def test_a_terminal_shows_the_network_the_reason_and_a_bar(pictures):
    ours, theirs = os.openpty()
    subprocess.run(
        [*COMMAND, str(pictures / "web.jpg")],
        stderr=theirs, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=300, check=True,
    )  # fmt: skip
    os.close(theirs)
    text = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "edsr-lite-photo, because" in text and "100%" in text and "web_x4.png" in text


def odd_files(photo: np.ndarray) -> dict[str, bytes]:
    """Files that a person may have, or think to have, whose kind is not 8-bit RGB."""
    small = Image.fromarray(photo[:24, :30])
    deep = deep_of(photo[:24, :30], 4)
    profile = small.convert("CMYK")
    streams = {
        "gray.png": saved(small.convert("L")),
        "bits.png": saved(small.convert("1")),
        "palette.gif": saved(small.convert("P"), "GIF"),
        "clear.png": saved(small.convert("RGBA")),
        "turned.jpg": saved(small, "JPEG", exif=camera_exif(6)),
        "print.jpg": saved(profile, "JPEG"),
        "press.tif": saved(profile, "TIFF"),
        "deep.png": png16(deep[..., :3]),
        "scan.tif": tiff16(deep),
        "one.png": saved(small.resize((1, 1))),
        "line.bmp": saved(small.resize((40, 1)), "BMP"),
        "web.webp": saved(small, "WEBP", quality=60),
        "Größe 7 % (1).png": saved(small),
        "no_suffix": saved(small),
        "named.png": saved(small, "JPEG", quality=50),
        "float.tif": saved(small.convert("F"), "TIFF"),
    }
    files = {name: stream.getvalue() for name, stream in streams.items()}
    files["cut.jpg"] = files["turned.jpg"][:200]
    return files | {"empty.jpg": b"", "notes.png": b"Dear diary", "bomb.png": b"\x89PNG\r\n\x1a\n"}


def test_odd_pictures_become_larger_or_an_error_that_names_them(tmp_path, photo):
    files = odd_files(photo)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    done = call(*(tmp_path / name for name in files), "--output", tmp_path / "out", "--json")
    records = {os.path.basename(r["picture"]): r for r in json.loads(done.stdout)}
    failed = {name for name, record in records.items() if "error" in record}
    assert done.exit_code == 1
    assert failed == {"float.tif", "cut.jpg", "empty.jpg", "notes.png", "bomb.png"}
    for name in failed:
        assert name in records[name]["error"] and "Error" not in records[name]["error"]
    for name in files.keys() - failed:
        height, width = read_image(tmp_path / name).size
        assert read_image(records[name]["result"]).size == (4 * height, 4 * width), name


@pytest.mark.skipif(
    not (ROOT.parent / "shared" / "cases").is_dir(), reason="the odd files of others are not here"
)
def test_odd_files_of_others_never_show_a_traceback(tmp_path):
    files = sorted((ROOT.parent / "shared" / "cases").glob("*.*"))
    done = call(*files, "--scale", 2, "--output", tmp_path, "--json")
    for record in json.loads(done.stdout):
        name = os.path.basename(record["picture"])
        assert name in record.get("error", name), record


def test_lowres_makes_the_images_of_python_and_goes_on(tmp_path):
    source = SAMPLES / "DIV2K_valid_HR"
    first = call("lowres", source, tmp_path / "a", "--scale", 4, "--json")
    report = json.loads(first.stdout)
    assert (first.exit_code, report["skipped"], report["failed"]) == (0, [], {})
    create_low_res_images_recursive(source, tmp_path / "b", 4)
    for name in report["written"]:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert json.loads(call("lowres", source, tmp_path / "a", "--json").stdout)["written"] == []


def test_lowres_reports_what_failed(pictures, tmp_path):
    (pictures / "broken.png").write_bytes(b"\x89PNG")
    done = call("lowres", pictures, tmp_path / "lr")
    assert done.exit_code == 1 and "broken.png" in done.stderr and "1 failed" in done.stdout


def test_check_says_what_is_wrong(pictures):
    done = call("check", SAMPLES)
    assert done.exit_code == 0 and "0 errors" in done.stdout, done.output
    (pictures / "broken.png").write_bytes(b"\x89PNG")
    done = call("check", pictures, "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["ok"]) == (1, False)
    assert any("broken.png" in finding["files"] for finding in report["findings"])


def test_evaluate_reads_the_published_figures_of_bicubic(benchmarks, tmp_path):
    """33.66 dB is what all papers print for bicubic on Set5 x2; MATLAB's LR images are given."""
    from srlib.images import imresize, write_image

    for path in (benchmarks / "Set5" / "X2" / "LR").glob("*.png"):
        write_image(tmp_path / path.name, imresize(read_image(path).array, 2))
    done = call("evaluate", tmp_path, benchmarks / "Set5" / "X2" / "HR", "-s", 2, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["mean"]["psnr"] == pytest.approx(33.66, abs=0.03)


def test_evaluate_prints_a_table_and_refuses_other_sizes(pictures, tmp_path):
    upscale_folder(pictures, tmp_path / "sr", scale=1.5)
    done = call("evaluate", tmp_path / "sr", pictures)
    assert done.exit_code == 1 and "clean.png" in done.stderr


def test_evaluate_leaves_infinity_out_of_json(pictures, tmp_path):
    (tmp_path / "hr").mkdir()
    picture = Image.open(pictures / "clean.png")
    for folder in (pictures, tmp_path / "hr"):
        picture.save(folder / "same.png")
    (pictures / "clean.png").unlink()
    (pictures / "web.jpg").unlink()
    done = call("evaluate", pictures, tmp_path / "hr", "--json")
    assert json.loads(done.stdout)["images"]["same"] == {"psnr": None, "ssim": 1.0}
    assert "inf" in call("evaluate", pictures, tmp_path / "hr").stdout


def test_evaluate_keeps_a_picture_called_mean(pictures, tmp_path):
    for folder, level in ((pictures, 90), (tmp_path / "hr", 91)):
        folder.mkdir(exist_ok=True)
        Image.new("RGB", (40, 40), (90, 90, 90)).save(folder / "clean.png")
        Image.new("RGB", (40, 40), (level,) * 3).save(folder / "mean.png")
    (pictures / "web.jpg").unlink()
    done = call("evaluate", pictures, tmp_path / "hr")
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == ["clean", "mean", "mean"]
    record = json.loads(call("evaluate", pictures, tmp_path / "hr", "--json").stdout)
    assert record["images"].keys() == {"clean", "mean"}
    assert record["images"]["clean"]["psnr"] is None and record["images"]["mean"]["psnr"] > 48


def test_evaluate_says_where_there_are_no_pictures(tmp_path):
    (tmp_path / "sr" / "hr").mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(tmp_path / "sr" / "hr" / "a.png")
    done = call("evaluate", tmp_path / "sr", tmp_path / "sr" / "hr")
    assert done.exit_code == 1 and "no pictures in" in done.stderr


def test_models_lists_every_checkpoint():
    listed = json.loads(call("models", "--json").stdout)
    assert [(m["name"], m["scale"]) for m in listed] == [(c.name, c.scale) for c in CHECKPOINTS]
    assert call("models").output.count("\n") == len(CHECKPOINTS)


def test_inspect_shows_the_passport(tmp_path):
    done = call("inspect", find("edsr-lite", 2).path, "--json")
    passport = json.loads(done.stdout)
    assert (done.exit_code, passport["loads"], passport["config"]["scale"]) == (0, True, 2)
    (tmp_path / "w.pth").write_bytes(b"nothing")
    broken = call("inspect", tmp_path / "w.pth")
    assert broken.exit_code == 1 and "w.pth" in broken.stderr


def test_export_writes_a_file_that_onnx_accepts(tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is a package of the extra `test`")
    file = tmp_path / "networks" / "net.onnx"
    done = call("export", file, "--model", "edsr-lite", "--scale", 2)
    assert done.exit_code == 0 and "net.onnx" in done.output
    onnx.checker.check_model(file)
    again = call("export", file)
    assert again.exit_code == 1 and "net.onnx" in again.stderr and "--overwrite" in again.stderr
    assert call("export", tmp_path / "x.onnx", "--model", "edsr-huge").exit_code == 1
    assert call("export", tmp_path / "x.pth").exit_code == 2


def test_a_package_that_is_missing_is_named(monkeypatch, tmp_path):
    for module in [name for name in sys.modules if name.startswith("srlib.data")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pandas", None)
    done = call("check", tmp_path)
    assert done.exit_code == 1 and "pandas" in done.stderr and "srlib[course]" in done.stderr


def test_what_a_folder_could_not_give_is_an_error_with_its_name(pictures, monkeypatch):
    (pictures / "gone.jpg").symlink_to(pictures / "nowhere.jpg")
    (pictures / "locked").mkdir()
    scandir = os.scandir

    def locked(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    done = call(pictures, "--scale", 2, "--model", "edsr-lite")
    assert done.exit_code == 1
    assert "gone.jpg" in done.stderr and "locked" in done.stderr
    made = sorted(file.name for file in pictures.with_name("photos_x2").iterdir())
    assert made == ["clean.png", "web.png"]


def test_a_name_cannot_steer_the_terminal(pictures):
    steering = "\r\x1b[Ka\x1b]0;owned\x07\x1b[31m"
    picture = (pictures / "clean.png").rename(pictures / f"{steering}.png")
    once = [call(picture, "--scale", 2, "--model", "edsr-lite") for _ in range(2)]
    assert [done.exit_code for done in once] == [0, 1]
    folder = call(pictures, "--output", pictures / steering)
    assert folder.exit_code == 2
    for done in (once[1], folder):
        assert "\\x1b]0;owned" in done.stderr
        assert all(sign >= " " or sign == "\n" for sign in done.stderr)


@pytest.mark.parametrize("ending", ["webp", "jpg"])
def test_a_side_beyond_the_format_is_refused_before_the_work(tmp_path, monkeypatch, ending):
    picture = tmp_path / "wide.png"
    Image.new("L", (9000, 2)).save(picture)
    monkeypatch.setattr("srlib.upscaling.upscale", None)
    done = call(picture, "--scale", 8, "--format", ending)
    assert done.exit_code == 1 and "72000 pixels a side" in done.stderr and "png" in done.stderr


def test_a_folder_that_may_not_be_written_is_told_before_the_work(pictures, monkeypatch):
    monkeypatch.setattr("srlib.upscaling.upscale", None)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    done = call(pictures / "clean.png")
    assert done.exit_code == 1 and f"{pictures}: Permission denied" in done.stderr


def test_evaluate_measures_the_others_beside_a_damaged_picture(pictures, tmp_path):
    upscale_folder(pictures, tmp_path / "sr", scale=1)
    (tmp_path / "sr" / "web.png").write_bytes(b"no picture")
    done = call("evaluate", tmp_path / "sr", pictures, "--json")
    assert done.exit_code == 1 and "web.png" in done.stderr
    assert json.loads(done.stdout)["images"].keys() == {"clean"}


def test_a_folder_without_pictures_beside_a_picture_for_standard_output(pictures, tmp_path):
    (tmp_path / "empty").mkdir()
    done = call(tmp_path / "empty", pictures / "clean.png", "-s", 2, "-o", "-")
    assert done.exit_code == 1 and "empty" in done.stderr
    with Image.open(io.BytesIO(done.stdout_bytes)) as image:
        assert image.size == (96, 80)


def test_export_takes_a_tilde(tmp_path, monkeypatch):
    pytest.importorskip("onnx", reason="onnx is a package of the extra `test`")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    done = call("export", "~/net.onnx")
    assert done.exit_code == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_not_a_number_is_no_scale(pictures):
    done = call(pictures / "clean.png", "-s", "nan")
    assert done.exit_code == 2 and "--scale is a number" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX closes the streams")
def test_closed_streams(pictures):
    shell = ["sh", "-c", '"$@" 2>&-', "sh", *COMMAND, str(pictures / "clean.png"), "-s", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run(shell, env=environment).returncode == 0
    assert (pictures / "clean_x2.png").exists()
    shell[2:] = ['"$@" <&-', "sh", *COMMAND, "-", "-o", "a.png"]
    done = subprocess.run(shell, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and "no standard input" in done.stderr
