"""Make docs/before_after.png, the picture of the README, from a sample photograph and the embedded weights."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from srlib.images.picture import read_image
from srlib.images.resize import crop_to_multiple, imresize
from srlib.upscaling.enlarge import upscale
from srlib.zoo.checkpoints import load_pretrained

ROOT = Path(__file__).resolve().parents[1]
SCALE = 4
WINDOW = (300, 160, 620, 440)  # left, top, right, bottom in HR pixels


def main():
    hr = crop_to_multiple(
        read_image(ROOT / "data" / "sample" / "DIV2K_valid_HR" / "0801.png").rgb, SCALE
    )
    lr = imresize(hr, 1 / SCALE)
    panels = {
        "bicubic": imresize(lr, SCALE),
        "edsr-lite": upscale(lr, load_pretrained("edsr-lite", SCALE)),
        "original": hr,
    }
    crops = [Image.fromarray(image).crop(WINDOW) for image in panels.values()]
    width, height = crops[0].size
    sheet = Image.new("RGB", (3 * width + 2 * 6, height + 26), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    for number, (label, crop) in enumerate(zip(panels, crops, strict=True)):
        left = number * (width + 6)
        sheet.paste(crop, (left, 26))
        pen.text((left + width / 2, 12), label, fill="#333333", font=font, anchor="mm")
    (ROOT / "docs").mkdir(exist_ok=True)
    sheet.save(ROOT / "docs" / "before_after.png", optimize=True)


if __name__ == "__main__":
    main()
