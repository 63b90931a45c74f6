"""The command line, `image-wizard`: a thin layer over the public functions of srlib.

Before a command runs, only click is imported, so that `--help` does not wait for PyTorch.
"""

from __future__ import annotations

import errno
import functools
import glob
import json
import math
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from srlib import SRError, __version__
from srlib.errors import printable, sentence

if TYPE_CHECKING:
    from srlib.files import Progress
    from srlib.images import Picture
    from srlib.model import EDSR

# Their rooms have these too, and need PyTorch; a test compares them.
FORMATS = ("png", "jpg", "jpeg", "tif", "tiff", "webp", "bmp")
MAX_SCALE = 8
PROTOCOLS = ("benchmark-y", "benchmark-y-matlab", "div2k-rgb", "rgb", "skimage-rgb")
_BAR = 30  # characters
_LONGEST = {".webp": 16383, ".jpg": 65500, ".jpeg": 65500}  # pixels a side
_CLEAR = "\r\x1b[K"  # to the start of the line, and erase it
_HELP = ["-h", "--help"]
_HABITS = {  # options of Real-ESRGAN and its relatives, besides those with our letters
    "-n FILE takes the weights file itself": "-m",
    "-s gives the scale": "-z --outscale",
    "-f gives the format": "--ext",
    "--width or --height gives the size, and the other side follows": "-r --size",
    "the machine decides on tiles, device and threads, so leave it out": "-t -g -j --tile",
}
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_with_scale = click.option(
    "-s", "--scale", type=click.IntRange(min=2), default=4, show_default=True, metavar="FACTOR"
)


def _with_sentences(command: Callable) -> Callable:
    """Show errors and warnings as sentences, and exit with 1 after an error."""

    @functools.wraps(command)
    def run(**arguments):
        def show(message: Warning | str, *_, **__) -> None:
            click.echo(f"Warning: {printable(message)}", err=True)

        try:
            with warnings.catch_warnings():
                warnings.showwarning = show
                command(**arguments)
        except BrokenPipeError:  # `| head` has read enough; click ends quietly
            raise
        except (SRError, OSError, ValueError, TypeError, MemoryError, ImportError) as error:
            raise click.ClickException(printable(_sentence(error))) from error

    return run


def _sentence(error: Exception) -> str:
    """An exception as a sentence that names options, not arguments."""
    if isinstance(error, ModuleNotFoundError):
        return f"This needs the package {error.name}: pip install 'srlib[course]'."
    if isinstance(error, MemoryError) and not str(error):
        return "The result does not fit into the free memory; --format tif needs less."
    return sentence(error).replace("overwrite=True", "--overwrite")


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, allow_nan=False))


class _Nameless(click.Context):
    """The context of a command that shows itself by its group's name alone."""

    @property
    def command_path(self) -> str:
        return self.parent.command_path


class _Enlarge(click.Command):
    context_class = _Nameless

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name
            hints = [hint for hint, options in _HABITS.items() if name in options.split()]
            if not hints:
                raise
            raise click.UsageError(f"No option {name}: {hints[0]}.", ctx) from None


class _EnlargeByDefault(click.Group):
    """A group whose command `enlarge` needs no name, and whose help shows its options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *_HELP, "--version"):
            args = ["enlarge", *args]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS] PICTURE..."]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        enlarge.format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


@click.group(
    cls=_EnlargeByDefault, no_args_is_help=True, context_settings={"help_option_names": _HELP}
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Enlarge photographs with a neural network.

    A PICTURE is a file, a folder, a pattern such as "*.jpg", or - for standard input. The result
    of photo.jpg is photo_x4.png beside it; those of the folder photos are in photos_x4. Nothing is
    overwritten without --overwrite.

    The exit code is 0 if all went well, 1 if something failed, and 2 for a usage error.
    """


@main.command(cls=_Enlarge, hidden=True)
@click.argument("pictures", nargs=-1, metavar="PICTURE...")
@click.option("-i", "--input", "inputs", multiple=True, metavar="PICTURE", help="One more PICTURE.")
@click.option(
    "-s",
    "--scale",
    type=click.FloatRange(1, MAX_SCALE),
    metavar="FACTOR",
    help="1 to 8.  [default: 4, or that of the weights file]",
)
@click.option("-w", "--width", type=click.IntRange(1), metavar="PIXELS", help="Instead of --scale.")
@click.option("--height", type=click.IntRange(1), metavar="PIXELS", help="Instead of --scale.")
@click.option(
    "-n",
    "--model",
    metavar="NAME|FILE",
    help="A name of `image-wizard models`, or a weights file.  [default: for each picture "
    "the best that suits its traces of JPEG, WebP and noise and takes ten seconds at most]",
)
@click.option("-o", "--output", metavar="PATH", help="File or folder, or - for standard output.")
@click.option(
    "-f",
    "--format",
    "kind",
    type=click.Choice(FORMATS, case_sensitive=False),
    metavar="FORMAT",
    help=f"{', '.join(FORMATS)}; png and tif keep 16 bits and transparency.  [default: that of "
    "--output, or png]",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option(
    "-q", "--quiet", is_flag=True, help="Show errors and warnings only, as without a terminal."
)
@_as_json
@_with_sentences
def enlarge(
    pictures, inputs, scale, width, height, model, output, kind, overwrite, quiet, as_json
) -> None:
    """Enlarge pictures: the command without a name."""
    pictures = list(dict.fromkeys([*pictures, *inputs]))
    sizes = {"scale": scale, "width": width, "height": height}
    given = [(name, value) for name, value in sizes.items() if value is not None]
    suffix = os.path.splitext(output or "")[1][1:].lower()
    to_stdout = output == "-" or (output is None and "-" in pictures)
    if not pictures or "" in (*pictures, output):
        raise click.UsageError("Give a picture, a folder, or - for standard input; no empty name.")
    if len(given) > 1:
        raise click.UsageError("Give one of --scale, --width and --height.")
    if kind and suffix in FORMATS and suffix[0] != kind[0]:  # jpg and jpeg are one
        raise click.UsageError(f"--output is a .{suffix}, and --format is {kind}: leave out one.")
    if scale is not None and math.isnan(scale):
        raise click.UsageError("--scale is a number from 1 to 8.")
    if "-" in pictures and sys.stdin is None:
        raise click.UsageError("There is no standard input.")
    into_file = suffix in FORMATS and not os.path.isdir(os.path.expanduser(output))
    if into_file and any(os.path.isdir(os.path.expanduser(picture)) for picture in pictures):
        raise click.UsageError(f"{printable(output)} is the name of one file: give a folder.")
    if to_stdout and (as_json or sys.stdout is None or sys.stdout.isatty()):
        raise click.UsageError("The picture goes to standard output: use a pipe, or --output FILE.")
    network = _network_of_file(model)
    [size] = given or [("scale", network.config.scale if network else 4)]
    run = _Run(size, network or model, overwrite, quiet or not (sys.stderr and sys.stderr.isatty()))
    with tempfile.TemporaryDirectory() as scratch:
        if to_stdout:
            output = f"{scratch}/standard output.{kind or 'png'}"
        if "-" in pictures:
            copy = Path(scratch, "standard input")
            copy.write_bytes(sys.stdin.buffer.read())
            pictures = [str(copy) if picture == "-" else picture for picture in pictures]
        place = Path(os.path.expanduser(output)) if output else None
        if place and output.endswith(("/", os.sep)):
            place.mkdir(parents=True, exist_ok=True)
        jobs: list[_Job] = []
        records = []
        for picture in pictures:
            try:
                jobs += [job for job in _jobs(picture, size, place, kind) if job not in jobs]
            except SRError as error:  # such as a folder without pictures
                records.append(run.failure(picture, str(error)))
        if to_stdout and len(jobs) > 1:
            raise click.UsageError("Standard output takes one picture; give --output FOLDER.")
        targets = {job.target for job in jobs if job.target != job.source}
        results = [job for job in jobs if job.source in targets]
        for job in results:  # as for *.png in a folder where *.png was enlarged before
            run.say(f"{printable(job.source)} is a result of another picture, and is left out.")
        jobs = [job for job in jobs if job not in results]
        if into_file and len(jobs) > 1:
            raise click.UsageError(f"{printable(output)} is one file for {len(jobs)} pictures.")
        records += [run.attempt(job, jobs) for job in jobs]
        if to_stdout and "error" not in records[-1]:
            sys.stdout.buffer.write(jobs[0].target.read_bytes())
    if as_json:
        _print_json(records)
    sys.exit(any("error" in record for record in records))


def _network_of_file(model: str | None) -> EDSR | None:
    """The network of a weights file; None for a name, which has a network for each scale."""
    from srlib.zoo import WeightsError, available, load_pretrained

    if model is None or model in {checkpoint.name for checkpoint in available()}:
        return None
    try:
        return load_pretrained(model)
    except WeightsError as error:
        hint = " A level of noise is not asked for." if model.lstrip("-").isdigit() else ""
        raise click.UsageError(f"{error}{hint}") from error


@dataclass(frozen=True)
class _Job:
    """A picture to enlarge, and the file to write; `in_folder` if its folder was given."""

    source: Path
    target: Path
    in_folder: bool = False


def _jobs(
    picture: str, size: tuple[str, float], place: Path | None, kind: str | None
) -> Iterator[_Job]:
    """The pictures of one argument, and the files to write."""
    from srlib.images.finder import list_pictures
    from srlib.images.picture import SUFFIXES

    name, value = size
    ending = f"_{'x' if name == 'scale' else name[0]}{value:g}"
    path = Path(os.path.expanduser(picture))
    if os.path.isdir(path):  # unlike Path.is_dir, this takes names of any length
        folder = place or Path(f"{os.path.abspath(path)}{ending}")
        if folder.resolve().is_relative_to(path.resolve()):
            raise click.UsageError(
                f"{printable(folder)} lies in {printable(path)}: the next run would take results "
                "for pictures."
            )
        listing = list_pictures(path)
        unread = [
            left for left, reason in listing.passed_over.items()
            if reason == "unreadable folder"
            or (reason == "broken link, pipe or device" and left.suffix.lower() in SUFFIXES)
        ]  # fmt: skip
        for file in [*listing.pictures, *unread]:  # each of the latter will fail with its name
            target = (folder / file).with_suffix(f".{kind or 'png'}")
            yield _Job(path / file, target, in_folder=True)
        return
    if not os.path.lexists(path) and (matches := sorted(glob.glob(str(path)))):
        for match in matches:
            yield from _jobs(match, size, place, kind)
        return
    target = path.with_name(f"{path.stem}{ending}.{kind or 'png'}")
    if place:
        target = place / target.name if os.path.isdir(place) or not place.suffix else place
    yield _Job(path, target)


def _frames(path: Path) -> int:
    """Count the frames of an animation and the pages of a TIFF; photographs of phones have one."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.n_frames if image.format in ("GIF", "PNG", "TIFF", "WEBP") else 1
    except Exception:  # read_image reads more than Pillow does
        return 1


def _check_target(target: Path, longest: int) -> None:
    """Refuse what would fail after the work: a locked folder, or a side too long for the format."""
    suffix = target.suffix.lower()
    if longest > _LONGEST.get(suffix, longest):
        raise ValueError(
            f"{target} would have {longest} pixels a side, and {suffix} ends at "
            f"{_LONGEST[suffix]}: choose --format png or tif."
        )
    _check_folder(target.parent)


def _check_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


@dataclass(frozen=True)
class _Run:
    """The enlarging of pictures, with sentences and a progress bar on standard error.

    Attributes:
        size: ("scale", factor), ("width", pixels) or ("height", pixels).
        model: A network, the name of one, or None for the best for each picture.
        overwrite: Replace files that are there.
        silent: Show errors and warnings only.
    """

    size: tuple[str, float]
    model: EDSR | str | None
    overwrite: bool
    silent: bool

    def attempt(self, job: _Job, jobs: list[_Job]) -> dict[str, Any]:
        """Enlarge one picture of many; a record of the result, or of the error."""
        record = {"picture": str(job.source), "result": str(job.target)}
        try:
            first = next(other.source for other in jobs if other.target == job.target)
            if first != job.source:
                raise FileExistsError(
                    f"{job.source} and {first} would both become {job.target}; enlarge them one "
                    "by one, with --output."
                )
            if job.in_folder:
                return record | self.keep_or_enlarge(job)
            return record | self.enlarge(job, job.target)
        except Exception as error:  # one picture's trouble must not cost the others
            text = _sentence(error)
            if text.startswith(f"{job.source.name} "):
                text = f"{job.source}{text.removeprefix(job.source.name)}"
            elif job.source.name not in text and job.target.name not in text:
                text = f"{job.source}: {text}"
            return self.failure(job.source, text)

    def failure(self, picture: str | Path, text: str) -> dict[str, Any]:
        """Print an error; its record."""
        click.echo(f"{'' if self.silent else _CLEAR}Error: {printable(text)}", err=True)
        return {"picture": str(picture), "error": text}

    def keep_or_enlarge(self, job: _Job) -> dict[str, Any]:
        """Enlarge one picture of a folder, or keep what an earlier run made of it in this way."""
        from srlib.files.folder_job import SOURCE, is_made
        from srlib.files.recipe import write_recipe
        from srlib.files.whole import hash_of, scratch_folder

        steps = {self.size[0]: self.size[1], "model": self.origin(), SOURCE: hash_of(job.source)}
        if is_made(job.target, steps, overwrite=self.overwrite):
            self.say(f"{printable(job.target)} is there already.")
            return {"kept": True}
        _check_folder(job.target.parent)
        with scratch_folder(job.target.parent) as scratch:
            half_made = scratch / f"result{job.target.suffix}"
            record = self.enlarge(job, half_made)
            write_recipe(half_made, steps)
            os.replace(half_made, job.target)
        return record

    def origin(self) -> str:
        """Say for a recipe which networks the pictures are made by."""
        from srlib.zoo.reader import checksum

        if self.model is None:
            return f"recommended by srlib {__version__}"
        if isinstance(self.model, str):
            return self.model
        return checksum(self.model.config, self.model.state_dict())

    def enlarge(self, job: _Job, result: Path) -> dict[str, Any]:
        """Enlarge a picture into the file `result`: size, network, and the reason for it."""
        from srlib.images import read_image, write_image
        from srlib.upscaling import upscale, upscale_to_tiff

        if job.target.exists() and not self.overwrite:
            raise FileExistsError(f"{job.target} is there; --overwrite replaces it.")
        if job.target.exists() and job.target.samefile(job.source):
            raise FileExistsError(f"{job.target} is the picture itself; choose another --output.")
        if job.target.suffix[1:].lower() not in FORMATS:
            raise ValueError(f"{job.target}: the formats are {', '.join(FORMATS)}.")
        picture = read_image(job.source)
        if (count := _frames(job.source)) > 1:
            warnings.warn(f"{job.source} has {count} frames; the first is enlarged.", stacklevel=1)
        name, value = self.size
        height, width = picture.size
        factor = value / {"scale": 1, "width": width, "height": height}[name]
        _check_target(job.target, round(factor * max(height, width)))
        chosen, network, reason = self.choose(picture, factor)
        self.say(f"{printable(job.source)}: {reason}")
        draw = self.progress(job.source.name)
        draw(0, 1)
        precisions = []
        options = {"on_progress": draw, "on_precision": precisions.append}
        if job.target.suffix.lower() in (".tif", ".tiff") and factor == network.config.scale:
            # Any size fits the memory.
            upscale_to_tiff(picture, result, network, overwrite=self.overwrite, **options)
            height, width = (side * network.config.scale for side in picture.size)
        else:
            larger = upscale(picture, network, **{name: value}, **options)
            write_image(result, larger)
            height, width = larger.size
        precision = precisions[-1]
        self.say(f"  → {printable(job.target)}, {width} x {height} pixels, in {precision}")
        record = {"width": width, "height": height, "model": chosen, "reason": reason}
        return record | {"precision": precision}

    def choose(self, picture: Picture, factor: float) -> tuple[str, EDSR, str]:
        """The name of the network, the network of the smallest scale that is enough, and why."""
        from srlib.model import EDSR, SCALES
        from srlib.upscaling import choose_checkpoint

        if isinstance(self.model, EDSR):
            return "weights file", self.model, "the weights file that was given."
        scale = next((scale for scale in SCALES if scale >= factor), max(SCALES))
        if self.model:
            return self.model, self.loaded(self.model, scale), f"{self.model}, as you asked."
        choice = choose_checkpoint(picture, scale, picture.size)
        return choice.name, self.loaded(choice.name, scale), str(choice)

    @functools.lru_cache(maxsize=4)  # noqa: B019 - there is one run in a process
    def loaded(self, name: str, scale: int) -> EDSR:
        """A network by name, downloaded if need be."""
        from srlib.zoo import load_pretrained

        return load_pretrained(name, scale, on_progress=self.progress(f"Downloading {name}"))

    def say(self, text: str) -> None:
        """Print a line in place of the progress bar."""
        if not self.silent:
            click.echo(_CLEAR + text, err=True)

    def progress(self, label: str) -> Progress:
        """A callback that draws a bar with this label."""

        def draw(done: int, total: int | None) -> None:
            share = done / total if total else 0
            bar = "━" * round(_BAR * share)
            if not self.silent:
                line = f"{_CLEAR}{printable(label)} {bar:·<{_BAR}} {share:4.0%}"
                click.echo(line, err=True, nl=False)

        return draw


@main.command()
@click.argument("source", metavar="SRC", type=_FOLDER)
@click.argument("target", metavar="DST", type=click.Path(file_okay=False, path_type=Path))
@click.option("-s", "--scale", type=click.Choice(list("2348")), default="4", show_default=True)
@click.option("--overwrite", is_flag=True, help="Make all of them again.")
@_as_json
@_with_sentences
def lowres(source: Path, target: Path, scale: str, overwrite: bool, as_json: bool) -> None:
    """Make the LR image of every picture in a folder, as MATLAB does.

    SRC is the folder of the pictures, DST that of the LR images. Run it again after a stop: it
    goes on.
    """
    from srlib.data import create_low_res_images_recursive

    report = create_low_res_images_recursive(source, target, int(scale), overwrite=overwrite)
    for name, reason in report.failed.items():
        reason = reason.replace("overwrite=True", "--overwrite")
        click.echo(f"Error: {name}: {reason}", err=True)
    if as_json:
        _print_json(asdict(report))
    else:
        click.echo(str(report))
    sys.exit(bool(report.failed))


@main.command()
@click.argument("folder", metavar="DIR", type=_FOLDER)
@_with_scale
@_as_json
@_with_sentences
def check(folder: Path, scale: int, as_json: bool) -> None:
    """Find the faults of a folder of training images.

    The exit code is 1 if there is an error or a warning.
    """
    from srlib.data import check_dataset

    report = check_dataset(folder, scale=scale)
    if as_json:
        findings = report.findings.to_dict("records")
        _print_json({"ok": report.ok, "pictures": report.pictures, "findings": findings})
    else:
        click.echo(repr(report))
    sys.exit(not report.ok)


@main.command()
@click.argument("sr", metavar="SR", type=_FOLDER)
@click.argument("hr", metavar="HR", type=_FOLDER)
@click.option(
    "-p", "--protocol", type=click.Choice(PROTOCOLS), default=PROTOCOLS[0], show_default=True
)
@_with_scale
@_as_json
@_with_sentences
def evaluate(sr: Path, hr: Path, protocol: str, scale: int, as_json: bool) -> None:
    """Measure PSNR and SSIM of a folder of enlarged pictures.

    The pictures of the folders SR and HR belong together by their names. All are cropped to a
    multiple of the scale. The exit code is 1 if one could not be measured; it is left out.
    """
    import pandas as pd

    from srlib.data import Pair, PairedImages
    from srlib.images import crop_to_multiple, read_image
    from srlib.metrics import evaluate, summarise

    failed = []

    def pairs() -> Iterator[Pair]:
        paired = PairedImages(hr, sr, scale=scale)
        for name, files in zip(paired.names, paired.files, strict=True):
            try:
                whole, large = (crop_to_multiple(read_image(file).array, scale) for file in files)
                if whole.shape != large.shape:
                    raise ValueError(f"{files[1]} and {files[0]} differ in size, or one is gray.")
            except (SRError, OSError, ValueError) as error:  # the others still count
                failed.append(name)
                click.echo(f"Error: {printable(_sentence(error))}", err=True)
            else:
                yield Pair(whole, large, name)

    table = evaluate({"sr": lambda image: image}, pairs(), scale=scale, protocol=protocol)
    if table.empty:
        sys.exit(1)
    values = table.pivot(index="image", columns="metric", values="value")
    means = summarise(table, baseline="sr")["mean"]["sr"]
    if as_json:
        images = {name: _finite(row) for name, row in values.iterrows()}
        record = {"protocol": protocol, "scale": scale, "mean": _finite(means), "images": images}
        _print_json(record)
    else:
        values = pd.concat([values, means.to_frame("mean").T])
        formats = {"psnr": "{:.2f}".format, "ssim": "{:.4f}".format}
        click.echo(f"{protocol}, scale {scale}")
        click.echo(values.rename_axis(None).rename_axis(None, axis=1).to_string(formatters=formats))
    sys.exit(bool(failed))


def _finite(scores: Mapping) -> dict[str, float | None]:
    """The scores for JSON, which knows no infinity."""
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}


@main.command()
@_as_json
@_with_sentences
def models(as_json: bool) -> None:
    """List the networks."""
    from srlib.zoo import available

    names = ("name", "scale", "title", "size")
    found = [
        {name: getattr(checkpoint, name) for name in names} | {"on_disk": checkpoint.on_disk()}
        for checkpoint in available()
    ]
    if as_json:
        return _print_json(found)
    longest = max(len(model["name"]) for model in found)
    for model in found:
        place = "here" if model["on_disk"] else f"{model['size'] / 1e6:.0f} MB"
        click.echo(f"{model['name']:{longest}} x{model['scale']}  {place:>7}  {model['title']}")


@main.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@_as_json
@_with_sentences
def inspect(file: Path, as_json: bool) -> None:
    """Describe a weights file, without running code in it.

    The exit code is 1 if it would not load.
    """
    from srlib.zoo import inspect_checkpoint

    passport = inspect_checkpoint(file)
    if as_json:
        _print_json(asdict(passport) | {"loads": passport.loads})
    else:
        click.echo(str(passport))
    sys.exit(not passport.loads)


@main.command()
@click.argument("file", metavar="FILE.onnx", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-n",
    "--model",
    default="edsr-lite",
    show_default=True,
    metavar="NAME|FILE",
    help="A name of `image-wizard models`, or a weights file.",
)
@click.option("-s", "--scale", type=int, help="2, 3 or 4.  [default: 4, or the weights file's]")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@_with_sentences
def export(file: Path, model: str, scale: int | None, overwrite: bool) -> None:
    """Write a network as an ONNX file, for browsers, phones and other runtimes."""
    from srlib.zoo import export_onnx, load_pretrained

    if file.suffix.lower() != ".onnx":
        raise click.UsageError(f"{printable(file)}: the name of an ONNX file ends in .onnx.")
    network = load_pretrained(model, scale)
    file = Path(os.path.expanduser(file))
    file.parent.mkdir(parents=True, exist_ok=True)
    export_onnx(network, file, overwrite=overwrite)
    click.echo(f"{printable(file)}, {file.stat().st_size / 1e6:.1f} MB")
