"""Build the website of the course in site/, from the committed notebooks and docs; nothing is executed.

    python docs/book/build.py

The pages lie in runs/book/source as they do in the repository, so that links between them hold. Open site/index.html.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import sys
from pathlib import Path

import nbformat
import numpy as np
from sphinx.cmd.build import build_main

from srlib.images import crop_to_multiple, imresize, jpeg_round_trip, read_image
from srlib.upscaling import upscale
from srlib.widgets import CompareSlider
from srlib.zoo import load_pretrained

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "docs" / "book"
BUILT = ROOT / "runs" / "book"
SOURCE = BUILT / "source"
SITE = ROOT / "site"
PHOTO = ROOT / "data" / "sample" / "DIV2K_valid_HR" / "0801.png"
SIDE = 480  # pixels of the crop in a comparison


def main() -> None:
    shutil.rmtree(BUILT, ignore_errors=True)
    copy_pages()
    slider = CompareSlider([np.zeros((2, 2), np.uint8)] * 2)
    write_scripts(str(slider._esm), str(slider._css))
    hr = crop_to_multiple(read_image(PHOTO).array[80 : 80 + SIDE, 160 : 160 + SIDE], 4)
    lr = imresize(hr, 1 / 4)
    jpeg = jpeg_round_trip(lr, 40)
    fill_index(comparison("clean", lr, hr, ["edsr-lite"]))
    add_comparison("00", comparison("jpeg", jpeg, hr, ["edsr-lite", "edsr-lite-photo"]))
    add_comparison("02", comparison("first", lr, hr, ["edsr-lite"]))
    write_api()
    options = ["--quiet", "--conf-dir", str(BOOK), "--doctree-dir", str(BUILT / "doctrees")]
    options += ["--define", f"html_static_path={SOURCE / '_static'}"]
    if build_main([*options, str(SOURCE), str(BUILT / "html")]):
        sys.exit("Sphinx could not build the website; the lines above say why.")
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.move(BUILT / "html", SITE)
    print(f"The website is {SITE / 'index.html'}.")


def copy_pages() -> None:
    """Copy notebooks, docs and what they link to, to the places that they have in the repository."""
    places = ["notebooks/*.ipynb", "notebooks/solutions/*.ipynb", "docs/*.md", "docs/**/*.png",
              "docs/**/*.webp", "docs/**/*.svg", "data/sample/CREDITS.md",
              "srlib/zoo/weights/MODEL_CARD.md"]  # fmt: skip
    for path in (path for place in places for path in ROOT.glob(place)):
        target = SOURCE / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    shutil.copy(BOOK / "index.md", SOURCE)
    (SOURCE / "notebooks" / "solutions" / "index.md").write_text(
        "# Solutions\n\n```{toctree}\n:glob:\n:maxdepth: 1\n\n*_solutions\n```\n"
    )


def write_scripts(script: str, style: str) -> None:
    """Write the widget's script as a classic one: a page from the disk may load no modules."""
    static = SOURCE / "_static"
    static.mkdir()
    script = script.replace("export default { render };", "")
    page = (BOOK / "page.js").read_text(encoding="utf-8")
    (static / "page.js").write_text(f"(() => {{\n{script}{page}}})();\n", encoding="utf-8")
    (static / "book.css").write_text((BOOK / "book.css").read_text() + style, encoding="utf-8")


def comparison(name: str, lr: np.ndarray, hr: np.ndarray, models: list[str]) -> str:
    """Write a comparison of bicubic, networks and HR as a script; its place in a page, as HTML."""
    networks = [upscale(lr, load_pretrained(model, 4)) for model in models]
    images = [imresize(lr, 4), *networks, hr]
    slider = CompareSlider(images, ["bicubic", *models, "HR"], pair=(0, len(models)))
    slider.pair = (0, len(models))
    state = {key: value for key, value in slider.get_state().items() if not key.startswith("_")}
    state["pictures"] = [base64.b64encode(picture).decode() for picture in state["pictures"]]
    del state["layout"]
    folder = SOURCE / "_static" / "comparisons"
    folder.mkdir(exist_ok=True)
    call = f"compareStored({json.dumps(f'comparison-{name}')}, {json.dumps(state)});\n"
    (folder / f"{name}.js").write_text(call)
    still = slider.figure(width=8)
    (folder / f"{name}.png").write_bytes(still.png())
    place = f"_static/comparisons/{name}"
    return (
        f'<div class="comparison" id="comparison-{name}">'
        f'<img src="{{up}}{place}.png" alt="{html.escape(still.alt)}"></div>\n'
        f'<script src="{{up}}{place}.js" defer></script>'
    )


def fill_index(place: str) -> None:
    """Put the comparison and the README's table of the lessons into the first page."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [lessons] = re.findall(r"^\| \| notebook .*\n(?:\|.*\n)+", readme, re.M)
    index = SOURCE / "index.md"
    text = index.read_text(encoding="utf-8").replace("{comparison}", place.replace("{up}", ""))
    index.write_text(text.replace("{lessons}", lessons), encoding="utf-8")


def add_comparison(number: str, place: str) -> None:
    """Add a comparison to a lesson, after the cell that makes a widget, or else at its end."""
    [path] = (SOURCE / "notebooks").glob(f"{number}_*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    makers = ("CompareSlider([", "ImageWizard(")
    found = [
        number
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and any(maker in cell.source for maker in makers)
    ]
    cell = nbformat.v4.new_markdown_cell(place.replace("{up}", "../"))
    notebook.cells.insert(found[0] + 1 if found else len(notebook.cells), cell)
    nbformat.write(notebook, path)


def write_api() -> None:
    """Write a page for each room, with the docstrings of its public names."""
    rooms = sorted(path.parent.name for path in (ROOT / "srlib").glob("*/__init__.py"))
    folder = SOURCE / "api"
    folder.mkdir()
    for room in rooms:
        title = f"srlib.{room}"
        text = f"{title}\n{'=' * len(title)}\n\n.. automodule:: {title}\n   :members:\n"
        (folder / f"{room}.rst").write_text(text)
    lines = "\n".join(f"   {room}" for room in rooms)
    (folder / "index.rst").write_text(f"API\n===\n\n.. toctree::\n\n{lines}\n")


if __name__ == "__main__":
    main()
