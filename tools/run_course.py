"""Run notebooks 01 to 06 one after the other, as `make course` does.

    python tools/run_course.py [name=value …]

Parameters of the notebooks, such as scale=2 or data_dir=~/DIV2K, go to every notebook that knows
them; one that none knows is an error. A data folder in which DIV2K's folders are missing is taken
for a folder of photographs: one in four is used to measure, the others to train. Executed
notebooks, pictures and metrics.csv end up in runs/<time>/.
"""

from __future__ import annotations

import ast
import os
import sys
import time
from pathlib import Path

import pandas as pd
import papermill
from papermill.exceptions import PapermillExecutionError

from srlib.images import (
    DataError,
    ImageError,
    eight_bit,
    find_images,
    is_deep,
    read_image,
    write_image,
)

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0[1-6]_*.ipynb"))
TRAIN = "DIV2K_train_HR"
VALID = "DIV2K_valid_HR"
MOST_TO_MEASURE = 100  # as many as DIV2K has


def main():
    given = dict(parse(argument) for argument in sys.argv[1:])
    known = {notebook: set(papermill.inspect_notebook(str(notebook))) for notebook in NOTEBOOKS}
    unknown = given.keys() - set().union(*known.values())
    if unknown:
        names = ", ".join(sorted(set().union(*known.values())))
        sys.exit(f"No notebook has a parameter {', '.join(sorted(unknown))}; there are {names}.")
    run_dir = new_folder(ROOT / "runs")
    parameters = given | {"run_dir": str(run_dir)}
    print(f"The course, into {run_dir.relative_to(ROOT)}/", flush=True)
    if "data_dir" in given:
        try:
            parameters["data_dir"] = str(in_two_parts(Path(given["data_dir"]), run_dir / "photos"))
        except DataError as error:
            run_dir.rmdir()
            sys.exit(str(error))
    started = time.monotonic()
    for notebook in NOTEBOOKS:
        run(
            notebook,
            run_dir / notebook.name,
            {k: v for k, v in parameters.items() if k in known[notebook]},
        )
    report(run_dir, time.monotonic() - started)


def new_folder(runs: Path) -> Path:
    """Make a folder named by the time; one more second later, if another run began in this one."""
    while True:
        folder = runs / time.strftime("%Y-%m-%d_%H%M%S")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            time.sleep(0.2)


def in_two_parts(photos: Path, target: Path) -> Path:
    """The folder itself if it has DIV2K's layout, else one in that layout with links to its files.

    The lessons take 8 bits, so files with 16 are copied.

    Raises:
        DataError: There are fewer than two photographs.
    """
    if any((photos / part).exists() for part in (TRAIN, VALID)):
        return photos
    files = find_images(photos)
    if len(files) < 2:
        raise DataError(f"{photos} has one photograph; training and measuring need one each.")
    to_measure = files[::4][:MOST_TO_MEASURE]
    for file in files:
        link = target / (VALID if file in to_measure else TRAIN) / file
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            if is_deep(photos / file):
                write_image(link, eight_bit(read_image(photos / file)))
            else:
                link.symlink_to((photos / file).resolve())
        except ImageError as error:
            print(f"  left out: {error}", flush=True)
    print(f"  of {len(files)} photographs, {len(to_measure)} are used to measure", flush=True)
    return target


def parse(argument: str) -> tuple[str, object]:
    """Turn "scale=2" into ("scale", 2): a Python literal if it is one, else a string.

    Folders and files become absolute paths, since the notebooks run in a folder of their own.
    """
    name, equals, text = argument.partition("=")
    if not equals:
        sys.exit(f"A parameter is given as name=value, not {argument!r}.")
    path = Path(os.path.expanduser(text))
    if text and name.endswith("_dir"):
        return name, str(path.resolve())
    try:
        return name, ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return name, str(path.resolve()) if text and path.exists() else text


def run(notebook: Path, target: Path, parameters: dict):
    print(f"  {notebook.stem:24}", end="", flush=True)
    started = time.monotonic()
    options = {
        "cwd": notebook.parent,
        "kernel_name": "python3",
        "progress_bar": False,
        "store_widget_state": False,
    }
    options["extra_arguments"] = [
        "--IPKernelApp.log_level=40"
    ]  # its warning about TCP is not for readers of this page
    try:
        papermill.execute_notebook(str(notebook), str(target), parameters, **options)
    except PapermillExecutionError as error:
        sys.exit(
            f"stopped.\n\n{error.ename}: {error.evalue}\n\nThe notebook up to there: {target.relative_to(ROOT)}"
        )
    print(f"{time.monotonic() - started:5.0f} s", flush=True)


def report(run_dir: Path, seconds: float):
    table = pd.read_csv(run_dir / "metrics.csv")
    means = table.pivot_table(
        index="method", columns=["input", "metric"], values="value", sort=False
    )
    means.columns = [
        f"{source}, {'PSNR dB' if metric == 'psnr' else 'SSIM'}" for source, metric in means.columns
    ]
    formats = {name: "{:.2f}".format if "PSNR" in name else "{:.4f}".format for name in means}
    place = run_dir.relative_to(ROOT)
    print(
        f"\nMeans over {table['image'].nunique()} validation photographs, {seconds / 60:.1f} minutes in all:\n"
    )
    print(means.rename_axis(None).to_string(formatters=formats))
    print(f"\nexecuted notebooks   {place}/0*.ipynb")
    print(f"pictures             {place}/figures/")
    print(f"all values           {place}/metrics.csv")
    print(f"the report           {place}/report.html")


if __name__ == "__main__":
    main()
