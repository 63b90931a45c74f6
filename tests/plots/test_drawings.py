"""The course's drawings: complete, small, described, and independent of any other file."""

import re
import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "drawings"
DRAWINGS = sorted(FOLDER.glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


def test_the_course_has_its_drawings():
    assert len(DRAWINGS) >= 16


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.stem)
def test_a_drawing_is_small_described_and_needs_no_other_file(path):
    content = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(content)
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title").strip()
    assert len(root.findtext(f"{SVG}desc")) > 40
    assert path.stat().st_size < 12_000
    names = {name.rpartition("}")[2] for element in root.iter() for name in element.attrib}
    assert not names & {"href", "src"}
    assert root.find(f".//{SVG}image") is None
    assert root.find(f".//{SVG}script") is None
    assert "@import" not in content
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", content))
    assert "prefers-color-scheme:dark" in content


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.stem)
def test_texts_lie_on_the_card(path):
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for text in root.iter(f"{SVG}text"):
        length = 8.2 * len(text.text or "")  # pixels, an upper estimate for Helvetica at 15 px
        share = {"start": 0, "middle": 0.5, "end": 1}[text.attrib["text-anchor"]]
        left = float(text.attrib["x"]) - share * length
        assert -0.1 * length <= left and left + length <= width + 0.1 * length, text.text
        assert 10 <= float(text.attrib["y"]) <= height - 4, text.text


def test_the_files_are_as_the_script_draws_them():
    drawings = runpy.run_path(str(FOLDER / "draw.py"))["DRAWINGS"]
    drawn = {f"{made.name}.svg": str(made) for made in (function() for function in drawings)}
    assert drawn == {path.name: path.read_text(encoding="utf-8") for path in DRAWINGS}
