"""The sample photographs that ship with the course."""

from conftest import SAMPLES
from PIL import Image


def test_the_samples_are_as_credited():
    credits = (SAMPLES / "CREDITS.md").read_text()
    files = sorted(SAMPLES.rglob("*.png"))
    assert len(files) >= 16 and sum(f.stat().st_size for f in files) < 12e6
    for file in files:
        assert f"{file.stem}.png" in credits or file.stem in credits
        with Image.open(file) as image:
            assert image.mode == "RGB" and min(image.size) >= 500 and max(image.size) <= 1000
