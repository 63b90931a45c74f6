"""make figures: the figures of the lessons as files."""

from conftest import ROOT
from PIL import Image


def test_every_lesson_gives_figures_with_a_description(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "tools")
    from figures import write_figures

    found = write_figures(tmp_path)
    pictures = sorted(tmp_path.glob("*.png"))
    assert {path.name[:2] for path in pictures} == {f"0{n}" for n in range(7)}
    for path in pictures:
        with Image.open(path) as picture:
            picture.verify()
    entries = (tmp_path / "index.md").read_text().splitlines()[2:]
    assert found == len(entries) == len(pictures) + len(list(tmp_path.glob("*.svg")))
    assert all(entry.split("): ", 1)[1] for entry in entries if ".png" in entry)
