"""Draw the course's SVG files in this folder: python docs/drawings/draw.py

All share one palette, one font and one card as background, so that they can be read on a light
page and on a dark one. An edit of a drawing is an edit of its function below.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path

HERE = Path(__file__).parent
STYLE = """
text{fill:#1c2733;font:15px Helvetica,Arial,"Liberation Sans",sans-serif}
.small{font-size:13px;fill:#55626f}.bold{font-weight:700}.big{font-size:21px;font-weight:700}
.card{fill:#fff;stroke:#d5dae0}
.box{fill:#eef1f4;stroke:#8894a1}.none{fill:none;stroke:#8894a1}
.blue{fill:#dcebf7;stroke:#1f78b4}.orange{fill:#fde8d7;stroke:#d55e00}
.green{fill:#d8f0e6;stroke:#00855f}.violet{fill:#ece3f6;stroke:#7b4fb0}
.ink{fill:#44515e}
path,polyline{fill:none;stroke:#44515e;stroke-width:2;stroke-linejoin:round}
path.blue,polyline.blue{stroke:#1f78b4;fill:none}path.orange,polyline.orange{stroke:#d55e00;fill:none}
path.green,polyline.green{stroke:#00855f;fill:none}
path.thin{stroke:#8894a1;stroke-width:1}path.dash{stroke-dasharray:5 4}
path.blue.area{fill:#dcebf7;stroke:none}path.area{fill:#eef1f4;stroke:none}
.dot.blue{fill:#1f78b4}.dot.orange{fill:#d55e00}.dot.green{fill:#00855f}
@media (prefers-color-scheme:dark){
text{fill:#e8ecf0}.small{fill:#a9b4bf}
.card{fill:#171c22;stroke:#333d47}
.box{fill:#2a323b;stroke:#7f8b97}.none{stroke:#7f8b97}
.blue{fill:#143a56;stroke:#5cb3ee}.orange{fill:#53290c;stroke:#f58b3c}
.green{fill:#0d4232;stroke:#35c99a}.violet{fill:#3a2658;stroke:#b08ce0}
.ink{fill:#c3ccd5}
path,polyline{stroke:#c3ccd5}
path.blue,polyline.blue{stroke:#5cb3ee}path.orange,polyline.orange{stroke:#f58b3c}
path.green,polyline.green{stroke:#35c99a}path.thin{stroke:#7f8b97}
path.blue.area{fill:#143a56}path.area{fill:#2a323b}
.dot.blue{fill:#5cb3ee}.dot.orange{fill:#f58b3c}.dot.green{fill:#35c99a}
}"""
DRAWINGS: list[Callable[[], Drawing]] = []
LINE = 19  # pixels between two lines of text


class Drawing:
    """An SVG picture on a card of width x height; every method adds to it.

    Attributes:
        title: The alternative text, one line.
    """

    def __init__(self, name: str, width: int, height: int, title: str, desc: str):
        self.name = name
        self.title = title
        self.head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-labelledby="title desc">\n'
            f'<title id="title">{escape(title)}</title>\n<desc id="desc">{escape(desc)}</desc>\n'
        )
        self.parts: list[str] = []
        self.rect(0.5, 0.5, width - 1, height - 1, "card", radius=12)

    def __str__(self) -> str:
        arrow = (
            '<marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="6" '
            'markerHeight="6" orient="auto"><path class="tip ink" stroke="none" '
            'd="M0 0 10 5 0 10z"/></marker>'
        )
        tip = ".tip{fill:#44515e;stroke:none}@media (prefers-color-scheme:dark){.tip{fill:#c3ccd5}}"
        head = f"{self.head}<style>{STYLE}{tip}</style>\n<defs>{arrow}</defs>\n"
        return head + "\n".join(self.parts) + "\n</svg>\n"

    def rect(self, x, y, width, height, look="box", *, radius=8.0) -> None:
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" '
            f'class="{look}"/>'
        )

    def text(self, x, y, *lines: str, look="", anchor="middle") -> None:
        """Lines of text; y is the base of the first one."""
        for number, line in enumerate(lines):
            self.parts.append(
                f'<text x="{x:g}" y="{y + number * LINE:g}" text-anchor="{anchor}" '
                f'class="{look}">{escape(line)}</text>'
            )

    def box(self, x, y, width, height, *lines: str, look="box", text="") -> None:
        """A rounded box with lines of text in its middle."""
        self.rect(x, y, width, height, look)
        first = y + height / 2 + 5 - (len(lines) - 1) * LINE / 2
        self.text(x + width / 2, first, *lines, look=text)

    def circle(self, x, y, radius, look="box", *, label="") -> None:
        self.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" class="{look}"/>')
        if label:
            self.text(x, y + 6, label, look="big")

    def path(self, d: str, look="") -> None:
        self.parts.append(f'<path d="{d}" class="{look}"/>')

    def line(self, points: Iterable[tuple[float, float]], look="") -> None:
        joined = " ".join(f"{x:.4g},{y:.4g}" for x, y in points)
        self.parts.append(f'<polyline points="{joined}" class="{look}"/>')

    def arrow(self, *points: tuple[float, float]) -> None:
        joined = " ".join(f"{x:g},{y:g}" for x, y in points)
        self.parts.append(f'<polyline points="{joined}" marker-end="url(#a)"/>')

    def grid(self, x, y, cell, rows: list[list[object]], look="box") -> None:
        """Square cells with a value in each; `look` colours all, or a function (row, column)."""
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                colour = look(i, j) if callable(look) else look
                self.rect(x + j * cell, y + i * cell, cell, cell, colour, radius=2)
                if value != "":
                    self.text(x + (j + 0.5) * cell, y + (i + 0.5) * cell + 5, str(value))

    def photo(self, x, y, width, height) -> None:
        """A small landscape that stands for a photograph."""
        self.rect(x, y, width, height, "blue", radius=4)
        self.circle(x + 0.76 * width, y + 0.27 * height, 0.11 * height, "dot orange")
        hills = ((0, 1), (0, 0.85), (0.3, 0.4), (0.5, 0.72), (0.68, 0.52), (1, 0.85), (1, 1))
        points = " ".join(f"{x + u * width:g},{y + v * height:g}" for u, v in hills)
        self.parts.append(f'<polygon points="{points}" class="green"/>')


def drawing(function: Callable[[], Drawing]) -> Callable[[], Drawing]:
    DRAWINGS.append(function)
    return function


@drawing
def residual_block() -> Drawing:
    d = Drawing(
        "residual_block",
        760,
        220,
        "A residual block: two convolutions compute a correction, which is added to the input",
        "From left to right: 64 maps go through a 3x3 convolution, a ReLU, a second 3x3 "
        "convolution and a multiplication by res_scale. A second path leads the input around "
        "them, and both are added.",
    )
    y = 130
    d.box(24, y - 28, 88, 56, "64 maps", "in", look="blue")
    d.box(160, y - 28, 104, 56, "3 x 3", "convolution")
    d.box(292, y - 28, 76, 56, "ReLU", look="orange")
    d.box(396, y - 28, 104, 56, "3 x 3", "convolution")
    d.box(524, y - 28, 78, 56, "times", "res_scale")
    d.circle(634, y, 17, "green", label="+")
    d.box(682, y - 28, 60, 56, "64", "out", look="blue")
    for start, end in ((112, 158), (264, 290), (368, 394), (500, 522), (602, 615), (651, 680)):
        d.arrow((start, y), (end, y))
    d.arrow((136, y), (136, 60), (634, 60), (634, y - 19))
    d.text(385, 48, "the input itself, unchanged")
    d.text(378, 188, "the block learns only the correction", look="bold")
    return d


@drawing
def batch_norm() -> Drawing:
    d = Drawing(
        "batch_norm",
        760,
        330,
        "A block with batch normalisation beside EDSR's block without it",
        "Above, the block of SRResNet: convolution, batch norm, ReLU, convolution, batch norm, "
        "sum. Below, EDSR's block, in which both batch norms are gone.",
    )
    for y, name, norm in ((96, "SRResNet", True), (236, "EDSR", False)):
        d.text(24, y + 5, name, look="bold", anchor="start")
        d.arrow((112, y), (148, y))
        d.box(150, y - 24, 88, 48, "conv 3 x 3")
        d.box(362, y - 24, 64, 48, "ReLU", look="orange")
        d.box(452, y - 24, 88, 48, "conv 3 x 3")
        if norm:
            d.box(256, y - 24, 88, 48, "batch", "norm", look="violet")
            d.box(558, y - 24, 88, 48, "batch", "norm", look="violet")
            ends = ((238, 254), (344, 360), (426, 450), (540, 556), (646, 671))
        else:
            ends = ((238, 360), (426, 450), (540, 671))
        for start, end in ends:
            d.arrow((start, y), (end, y))
        d.circle(690, y, 16, "green", label="+")
        d.arrow((706, y), (738, y))
        d.arrow((130, y), (130, y - 52), (690, y - 52), (690, y - 18))
    d.text(
        452, 152, "Batch norm rescales each map by the mean and spread of the batch,", look="small"
    )
    d.text(452, 170, "so the contrast of the single picture is lost.", look="small")
    d.text(
        452,
        292,
        "Without it the contrast stays, and training takes about 40 % less memory",
        look="small",
    )
    d.text(452, 310, "(Lim et al. 2017).", look="small")
    return d


@drawing
def pixel_shuffle() -> Drawing:
    d = Drawing(
        "pixel_shuffle",
        760,
        330,
        "PixelShuffle: the numbers of four channels become squares of 2 x 2 pixels of one channel",
        "Left, four channels of 2 x 2 numbers: 1 3 9 11, 2 4 10 12, 5 7 13 15 and 6 8 14 16. "
        "Right, one channel of 4 x 4 numbers in which they read 1 to 16 in order.",
    )
    looks = ("blue", "orange", "green", "violet")
    d.text(190, 34, "4 channels, h x w", look="bold")
    for channel, look in enumerate(looks):
        down, right = divmod(channel, 2)
        x = 52 + 150 * right
        y = 56 + 136 * down
        rows = [[4 * (2 * i + down) + 2 * j + right + 1 for j in (0, 1)] for i in (0, 1)]
        d.grid(x, y, 46, rows, look)
        d.text(x + 46, y + 112, f"channel {channel}", look="small")
    d.arrow((362, 172), (470, 172))
    d.text(416, 150, "PixelShuffle(2)")
    d.text(416, 200, "moves numbers,", look="small")
    d.text(416, 218, "computes nothing", look="small")
    d.text(596, 34, "1 channel, 2h x 2w", look="bold")
    rows = [[4 * i + j + 1 for j in range(4)] for i in range(4)]
    d.grid(504, 80, 46, rows, lambda i, j: looks[2 * (i % 2) + j % 2])
    d.text(596, 290, "each 2 x 2 square: one LR pixel", look="small")
    return d


@drawing
def edsr() -> Drawing:
    d = Drawing(
        "edsr",
        900,
        320,
        "The whole of EDSR-baseline at x2: head, body of 16 residual blocks, tail",
        "An LR picture of 3 x h x w, less the mean colour, goes through the head, one convolution "
        "to 64 maps; through 16 residual blocks and a convolution, around which a long skip "
        "leads; and through the tail: a convolution to 256 maps, PixelShuffle and a convolution "
        "to the HR picture of 3 x 2h x 2w.",
    )
    y = 150
    d.photo(28, y - 19, 48, 38)
    d.box(104, y - 26, 58, 52, "- mean", "colour")
    d.box(188, y - 32, 58, 64, "conv", look="blue")
    for number in range(3):
        d.box(286 + 8 * number, y - 40 + 4 * number, 106, 64, look="orange")
    d.text(355, y - 4, "residual")
    d.text(355, y + 15, "block")
    d.text(338, y + 64, "16 times", look="small")
    d.box(432, y - 32, 58, 64, "conv", look="orange")
    d.circle(522, y, 16, "green", label="+")
    d.box(564, y - 32, 58, 64, "conv", look="violet")
    d.box(638, y - 32, 68, 64, "Pixel-", "Shuffle", look="violet")
    d.box(722, y - 32, 50, 64, "conv", look="violet")
    d.photo(790, y - 38, 96, 76)
    ends = ((76, 102), (162, 186), (246, 284), (408, 430), (490, 504), (538, 562))
    for start, end in (*ends, (622, 636), (706, 720), (772, 788)):
        d.arrow((start, y), (end, y))
    d.arrow((264, y), (264, 72), (522, 72), (522, y - 18))
    d.text(393, 62, "long skip", look="small")
    d.text(838, y + 58, "+ mean colour", look="small")
    for left, right, look, name in (
        (188, 246, "blue", "head"),
        (286, 490, "orange", "body"),
        (564, 772, "violet", "tail"),
    ):
        d.rect(left, 238, right - left, 6, look, radius=3)
        d.text((left + right) / 2, 266, name, look="bold")
    d.text(50, 296, "3 x h x w", look="small")
    d.text(350, 296, "64 x h x w", look="small")
    d.text(600, 296, "256 x h x w", look="small")
    d.text(838, 296, "3 x 2h x 2w", look="small")
    return d


@drawing
def receptive_field() -> Drawing:
    d = Drawing(
        "receptive_field",
        760,
        340,
        "The receptive field grows by one pixel to each side with every 3 x 3 convolution",
        "Four rows of eleven pixels. One output pixel depends on three pixels before the last "
        "convolution, on five before the second-last and on seven before the third-last.",
    )
    cell = 34
    left = 40
    for row in range(4):
        y = 40 + 70 * row
        for column in range(11):
            inside = abs(column - 5) <= row
            d.rect(
                left + column * cell, y, cell - 4, cell - 4, "blue" if inside else "none", radius=4
            )
        if row < 3:
            for side in (-1, 1):
                x = left + (5 + side * (row + 0.5)) * cell + 15
                d.path(f"M{x:g} {y + 32}L{x + side * cell:g} {y + 68}", "blue")
        seen = 2 * row + 1
        plural = "s" if row > 1 else ""
        name = f"{row} convolution{plural}: {seen} x {seen}" if row else "one output pixel"
        d.text(438, y + 21, name, look="" if row else "bold", anchor="start")
    d.text(380, 316, "EDSR-baseline, 36 such steps: 73 x 73 pixels", look="bold")
    return d


@drawing
def tiling_halo() -> Drawing:
    d = Drawing(
        "tiling_halo",
        760,
        320,
        "Tiling with a halo: each tile is read with its surroundings, and only its core is kept",
        "Left, a picture in six tiles. One tile is read with a halo around it. The network "
        "enlarges it, the enlarged halo is cut off, and the core takes its place in the result.",
    )
    y = 140
    d.text(96, 52, "LR picture", look="bold")
    for row in range(2):
        for column in range(3):
            d.rect(30 + 44 * column, y - 44 + 44 * row, 44, 44, "box", radius=2)
    d.rect(74, y - 44, 44, 44, "blue", radius=2)
    d.path(f"M61 {y - 57}h70v70h-70z", "orange dash")
    d.text(96, y + 70, "tile with halo", look="small")
    d.arrow((168, y), (202, y))
    d.box(204, y - 30, 82, 60, "network", look="violet")
    d.arrow((286, y), (320, y))
    d.path(f"M324 {y - 62}h124v124h-124z", "orange dash")
    d.rect(348, y - 38, 76, 76, "blue", radius=2)
    d.text(386, y + 5, "kept", look="bold")
    d.text(386, y + 56, "cut off", look="small")
    d.arrow((452, y), (486, y))
    d.text(604, 52, "SR picture", look="bold")
    for row in range(2):
        for column in range(3):
            d.rect(490 + 76 * column, y - 76 + 76 * row, 76, 76, "box", radius=2)
    d.rect(566, y - 76, 76, 76, "blue", radius=2)
    d.text(380, 272, "A halo as wide as the receptive field gives exactly the pixels")
    d.text(380, 292, "of the whole picture, with the memory of one tile.")
    return d


@drawing
def training_loop() -> Drawing:
    d = Drawing(
        "training_loop",
        760,
        380,
        "The training loop with early stopping",
        "Steps: draw patches, enlarge LR, compare with HR, compute gradients, change the weights; "
        "many times. Then validate. If the loss is the lowest so far, keep the weights. If it was "
        "not for as many epochs as the patience, stop; else go on with the next epoch.",
    )
    steps = ("draw LR and", "HR patches"), ("SR = model", "(LR)"), ("loss", "(SR, HR)")
    for number, lines in enumerate((*steps, ("gradients",), ("change the", "weights"))):
        x = 28 + 144 * number
        d.box(x, 66, 112, 56, *lines, look="blue")
        if number:
            d.arrow((x - 32, 94), (x - 2, 94))
    d.arrow((660, 66), (660, 36), (84, 36), (84, 64))
    d.text(372, 28, "a step, many times an epoch", look="small")
    d.arrow((660, 122), (660, 172))
    d.box(574, 174, 172, 56, "measure the loss on", "validation pictures", look="orange")
    d.arrow((574, 202), (508, 202))
    d.box(376, 174, 130, 56, "lowest", "so far?", text="bold")
    d.text(441, 254, "yes", look="small", anchor="end")
    d.arrow((452, 230), (452, 288))
    d.box(366, 290, 172, 56, "keep the weights", "(best.safetensors)", look="green")
    d.arrow((376, 202), (300, 202))
    d.text(338, 194, "no", look="small")
    d.box(160, 174, 138, 56, "no progress for", "3 epochs?", text="bold")
    d.arrow((230, 230), (230, 288))
    d.text(219, 254, "yes", look="small", anchor="end")
    d.box(160, 290, 138, 56, "stop: return", "the best", look="green")
    d.arrow((160, 202), (56, 202), (56, 124))
    d.text(108, 194, "no: next epoch", look="small")
    d.arrow((538, 318), (700, 318), (700, 360), (40, 360), (40, 124))
    d.text(620, 310, "next epoch", look="small")
    return d


@drawing
def patch_pair() -> Drawing:
    d = Drawing(
        "patch_pair",
        760,
        340,
        "A patch pair at x2: the same square, cut from HR and from LR",
        "A large HR picture and an LR picture of half its width and height. The HR patch begins "
        "at twice the coordinates of the LR patch and has twice its side.",
    )
    d.text(160, 34, "HR, 2w x 2h", look="bold")
    d.photo(30, 50, 260, 208)
    d.path("M80 112h88v88h-88z", "orange")
    d.text(160, 284, "corner (2x, 2y), side 2p")
    d.text(410, 174, "LR, w x h", look="bold")
    d.photo(345, 186, 130, 104)
    d.path("M370 217h44v44h-44z", "orange")
    d.text(410, 316, "corner (x, y), side p")
    d.arrow((170, 140), (578, 140))
    d.rect(582, 96, 88, 88, "orange", radius=4)
    d.text(626, 145, "HR patch")
    d.arrow((416, 239), (600, 239))
    d.rect(604, 217, 44, 44, "orange", radius=4)
    d.text(626, 284, "LR patch")
    d.text(626, 34, "The LR corner is drawn at random,", "and the HR corner follows.", look="small")
    return d


@drawing
def protocol() -> Drawing:
    d = Drawing(
        "protocol",
        760,
        320,
        "A measurement protocol: drop the border, take luma, then compare",
        "The enlarged picture and HR lose a border of as many pixels as the scale, are turned "
        "into luma Y and compared by PSNR and SSIM.",
    )
    for y, name in ((36, "SR"), (160, "HR")):
        d.rect(70, y, 140, 104, "orange", radius=4)
        d.photo(84, y + 14, 112, 76)
        d.text(44, y + 57, name, look="bold")
        d.arrow((210, y + 52), (268, y + 52))
        d.photo(272, y + 14, 112, 76)
        d.arrow((384, y + 52), (442, y + 52))
        d.rect(446, y + 14, 112, 76, "box", radius=4)
        d.text(502, y + 57, "Y", look="big")
    d.text(140, 286, "1. drop a border as", "wide as the scale", look="small")
    d.text(328, 286, "2. keep the rest", look="small")
    d.text(502, 286, "3. RGB to luma,", "R : G : B as 65 : 129 : 25", look="small")
    d.text(680, 286, "4. compare", look="small")
    d.arrow((558, 88), (598, 88), (598, 128), (624, 128))
    d.arrow((558, 212), (598, 212), (598, 168), (624, 168))
    d.box(626, 116, 108, 64, "PSNR", "SSIM", look="green", text="bold")
    return d


@drawing
def jpeg() -> Drawing:
    d = Drawing(
        "jpeg",
        820,
        320,
        "JPEG's path: blocks of 8 x 8, cosine transform, division and rounding",
        "A picture is cut into blocks of 8 x 8 pixels. The cosine transform writes each block as "
        "a sum of 64 waves. Each coefficient is divided by a table and rounded, which turns most "
        "of the fine waves into zero. Only this step loses information.",
    )
    d.photo(24, 84, 144, 120)
    for place in range(1, 6):
        d.path(f"M{24 + 24 * place} 84v120M24 {84 + 20 * place}h144", "thin")
    d.path("M72 144h24v20h-24z", "orange")
    d.text(96, 228, "1. cut into blocks", look="small")
    d.text(96, 246, "of 8 x 8 pixels", look="small")
    d.arrow((98, 154), (212, 154))
    waves = [round(420 / (1 + 1.1 * (i + j)) ** 2) for i in range(5) for j in range(5)]
    signs = [1, -1, 1, 1, -1, 1, 1, -1, 1, 1, -1, 1, 1, 1, -1, 1, -1, 1, 1, 1, 1, 1, -1, 1, 1]
    values = [[waves[5 * i + j] * signs[5 * i + j] for j in range(5)] for i in range(5)]
    d.grid(216, 58, 38, values, lambda i, j: "blue" if i + j < 3 else "box")
    d.text(311, 40, "coefficients (5 x 5 of the 8 x 8)", look="small")
    d.text(311, 274, "2. cosine transform: coarse", look="small")
    d.text(311, 292, "waves first, nothing lost yet", look="small")
    d.arrow((410, 153), (466, 153))
    d.text(438, 142, "/ table", look="small")
    quantised = [
        [round(v / (16 + 6 * (i + j))) for j, v in enumerate(row)] for i, row in enumerate(values)
    ]
    d.grid(470, 58, 38, quantised, lambda i, j: "orange" if quantised[i][j] else "none")
    d.text(565, 40, "rounded", look="small")
    d.text(565, 274, "3. divide by the table and round:", look="small")
    d.text(565, 292, "here the fine waves are lost", look="small")
    d.arrow((664, 153), (704, 153))
    d.box(706, 122, 94, 62, "write few", "numbers", look="green")
    return d


@drawing
def perception_distortion() -> Drawing:
    d = Drawing(
        "perception_distortion",
        760,
        400,
        "The perception-distortion plane: no method is both most faithful and most natural",
        "Distortion to the right, distance from natural pictures upwards. A curve bounds the "
        "region that no method reaches. A network trained by L1 lies left on the curve and high, "
        "one trained with an adversary to the right and low. Bicubic lies above the curve.",
    )

    def bound(x: float) -> float:
        return 56 + 266 * (1 - math.exp(-(x - 136) / 115))

    curve = [(x, bound(x)) for x in range(136, 661, 20)]
    body = " ".join(f"L{x:.4g} {y:.4g}" for x, y in curve)
    d.path(f"M100 56H136 {body} V352H100z", "area")
    d.line(curve, "blue")
    d.arrow((100, 352), (690, 352))
    d.arrow((100, 352), (100, 40))
    d.text(390, 384, "distortion: error against HR (PSNR falls to the right)")
    d.text(114, 36, "distance from natural pictures", anchor="start")
    d.text(196, 316, "no method", "reaches this", look="small")
    spots = (
        (156, "trained by L1: faithful, smooth"),
        (250, "weights between the two"),
        (440, "adversarial: natural, partly invented"),
    )
    for x, label in spots:
        d.circle(x, bound(x), 7, "dot blue")
        d.text(x + 16, bound(x) - 8, label, anchor="start")
    d.circle(470, 130, 7, "dot orange")
    d.text(486, 135, "bicubic: worse in both", anchor="start")
    d.text(690, 60, "the bound: Blau and Michaeli 2018", look="small", anchor="end")
    return d


def _keys(x: float) -> float:
    """The cubic of Keys 1981, a = -1/2."""
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0


@drawing
def bicubic_antialias() -> Drawing:
    d = Drawing(
        "bicubic_antialias",
        760,
        360,
        "Shrinking four times: the bicubic kernel as it is, and stretched for antialiasing",
        "Over a row of HR pixels, the kernel of width 4 touches four pixels for each LR pixel and "
        "skips the others. Stretched four times and a quarter as high, it averages sixteen.",
    )
    step = 38
    middle = 380
    for top, stretch, look, name in (
        (130, 1, "orange", "as it is: 4 pixels count, 12 are skipped, so fine patterns alias"),
        (290, 4, "blue", "stretched by 4: all 16 pixels count, so fine patterns are damped"),
    ):
        height = 96 if stretch == 1 else 64
        xs = [k / 10 for k in range(-20 * stretch, 20 * stretch + 1, stretch)]
        d.path(f"M40 {top}H720", "thin")
        d.line([(middle + x * step, top - height * _keys(x / stretch)) for x in xs], look)
        for place in range(-9, 9):
            x = place + 0.5
            weight = _keys(x / stretch)
            counts = abs(x) < 2 * stretch
            d.circle(middle + x * step, top + 14, 5, f"dot {look}" if counts else "none")
            if counts and abs(weight) > 0.01:
                end = top - height * weight
                d.path(f"M{middle + x * step:.4g} {top}V{end:.4g}", "thin")
        d.text(middle, top + 46, name)
    d.text(52, 40, "dots: HR pixels", look="small", anchor="start")
    d.text(52, 58, "curve: their weights in one LR pixel", look="small", anchor="start")
    return d


@drawing
def recursive_lr() -> Drawing:
    d = Drawing(
        "recursive_lr",
        760,
        340,
        "A folder of LR pictures mirrors the tree of the HR pictures",
        "Left, HR with the folders train and valid and a file that cannot be read. Right, the "
        "same tree with pictures a quarter as wide, all PNG. The broken file has a line in the "
        "report.",
    )
    rows = (
        (0, "HR/", "LR/", "violet"),
        (1, "train/", "train/", "violet"),
        (2, "0001.png 2040 x 1404", "0001.png 510 x 351", "blue"),
        (2, "0002.jpg 1356 x 2040", "0002.png 339 x 510", "blue"),
        (1, "valid/", "valid/", "violet"),
        (2, "0801.png 2040 x 1356", "0801.png 510 x 339", "blue"),
        (2, "0802.png cut short", "", "orange"),
    )
    for number, (depth, hr, lr, look) in enumerate(rows):
        y = 30 + 36 * number
        for x, name in ((30, hr), (470, lr)):
            if name:
                d.rect(x + 26 * depth, y, 260 - 26 * depth, 28, look, radius=6)
                file, _, note = name.partition(" ")
                d.text(x + 12 + 26 * depth, y + 19, file, anchor="start")
                d.text(x + 248, y + 19, note, look="small", anchor="end")
        if look == "blue":
            d.arrow((296, y + 14), (518, y + 14))
    d.text(405, 106, "a quarter as wide", look="small")
    d.arrow((296, 260), (380, 260), (380, 296), (402, 296))
    d.box(404, 278, 326, 40, "report: 3 written, 0 already there, 1 failed", look="green")
    return d


@drawing
def checkpoint_checks() -> Drawing:
    d = Drawing(
        "checkpoint_checks",
        800,
        280,
        "Four checks between a downloaded file and a model",
        "A file passes the hash, a reader that runs no code, a strict comparison of names and "
        "shapes, and a look for values that are not finite. Each check refuses one kind of file.",
    )
    checks = (
        ("hash", "SHA-256 as", "published?", "cut short", "or replaced"),
        ("safe reader", "tensors only,", "no code runs", "a pickle that", "runs a program"),
        ("strict load", "all names and", "shapes fit?", "another", "architecture"),
        ("finite", "no NaN, no", "infinity?", "a training", "that diverged"),
    )
    d.box(20, 74, 76, 64, "file", look="blue", text="bold")
    for number, (name, one, two, bad_one, bad_two) in enumerate(checks):
        x = 124 + 144 * number
        d.arrow((x - 28 if not number else x - 24, 106), (x - 2, 106))
        d.box(x, 62, 120, 88, "", one, two)
        d.text(x + 60, 92, name, look="bold")
        d.arrow((x + 60, 150), (x + 60, 196))
        d.box(x, 198, 120, 56, bad_one, bad_two, look="orange")
    d.text(96, 231, "refused:", look="small", anchor="end")
    d.arrow((676, 106), (698, 106))
    d.box(700, 74, 80, 64, "model", look="green", text="bold")
    d.text(400, 36, "A file that fails is refused with a sentence.")
    return d


@drawing
def self_ensemble() -> Drawing:
    d = Drawing(
        "self_ensemble",
        760,
        330,
        "Self-ensemble: eight flips and turns of a picture, eight answers, one mean",
        "The letter F stands for a picture. It is turned four times, and four times as its mirror "
        "image. The network enlarges all eight, each answer is turned back, and their mean is "
        "the result.",
    )
    glyph = "M-10 15V-15H10M-10 -1H6"
    for number in range(8):
        flip, turns = divmod(number, 4)
        x = 60 + 72 * turns
        y = 84 + 78 * flip
        d.rect(x - 28, y - 28, 56, 56, "orange" if flip else "blue")
        mirror = "scale(-1 1)" if flip else ""
        d.parts.append(
            f'<path d="{glyph}" transform="translate({x} {y}) rotate({-90 * turns}) {mirror}"/>'
        )
    d.text(168, 40, "four turns", look="small")
    d.text(168, 222, "four turns of the mirror image", look="small")
    d.arrow((312, 122), (350, 122))
    d.box(352, 92, 92, 60, "network", "8 times", look="violet")
    d.arrow((444, 122), (482, 122))
    d.box(484, 92, 92, 60, "turn each", "back")
    d.arrow((576, 122), (608, 122))
    d.box(610, 97, 58, 50, "mean")
    d.arrow((668, 122), (686, 122))
    d.rect(688, 96, 52, 52, "green")
    d.parts.append(f'<path d="{glyph}" transform="translate(714 122)"/>')
    d.text(380, 272, "The true picture is the same in all eight answers, and the errors differ:")
    d.text(380, 292, "their mean is a little better, at eight times the cost.")
    return d


@drawing
def partial_fine_tuning() -> Drawing:
    d = Drawing(
        "partial_fine_tuning",
        760,
        300,
        "Fine-tuning all of a network, or only the parts around a frozen body",
        "Three rows of head, body and tail. In the first all parts learn. In the second the body "
        "is frozen. In the third only the tail learns. The body has 89 percent of the parameters "
        "of EDSR-baseline at x2, the tail 11.",
    )
    rows = (
        ("all parts learn", "most to gain, most to forget", "green", "green", "green"),
        ("body frozen", "11 % learn", "green", "none", "green"),
        ("only the tail learns", "11 % learn, and the steps are cheap", "none", "none", "green"),
    )
    for x, width, name, share in (
        (250, 74, "head", "0.1 %"),
        (340, 236, "body", "89 %"),
        (592, 90, "tail", "11 %"),
    ):
        d.text(x + width / 2, 32, name, look="bold")
        d.text(x + width / 2, 51, share, look="small")
    for number, (name, note, head, body, tail) in enumerate(rows):
        y = 66 + 72 * number
        d.text(24, y + 21, name, look="bold", anchor="start")
        d.text(24, y + 40, note, look="small", anchor="start")
        for x, width, look in ((250, 74, head), (340, 236, body), (592, 90, tail)):
            word = "learns" if look == "green" else "frozen"
            d.box(x, y, width, 50, word, look=look)
        d.arrow((324, y + 25), (338, y + 25))
        d.arrow((576, y + 25), (590, y + 25))
        d.arrow((682, y + 25), (726, y + 25))
    d.text(466, 288, "shares of the parameters of EDSR-baseline at x2", look="small")
    return d


@drawing
def weight_interpolation() -> Drawing:
    d = Drawing(
        "weight_interpolation",
        760,
        340,
        "WiSE-FT: the weights between the start and the end of a fine-tuning",
        "Left, a straight line in the space of the weights from the pretrained network to the "
        "fine-tuned one. Right, a sketch of PSNR along the line: the new task rises early, the "
        "old task falls late, so that a point between has most of both.",
    )
    d.text(170, 36, "weights", look="bold")
    d.path("M70 250L270 90", "dash")
    d.circle(70, 250, 9, "dot blue")
    d.circle(270, 90, 9, "dot orange")
    d.circle(170, 170, 9, "dot green")
    d.text(86, 270, "start (α = 0)", anchor="start")
    d.text(270, 72, "fine-tuned (α = 1)")
    d.text(186, 186, "α = 0.5", anchor="start")
    d.text(170, 312, "(1 - α) start + α fine-tuned", look="small")
    d.arrow((420, 280), (724, 280))
    d.arrow((420, 280), (420, 50))
    d.text(432, 46, "PSNR", anchor="start", look="bold")
    d.text(570, 312, "α, from 0 to 1 (a sketch)", look="small")
    share = [k / 20 for k in range(21)]
    d.line([(420 + 280 * a, 230 - 120 * (1 - (1 - a) ** 2.4)) for a in share], "orange")
    d.line([(420 + 280 * a, 90 + 130 * a**2.4) for a in share], "blue")
    d.path("M560 60V280", "green dash")
    d.text(700, 100, "new task", anchor="end")
    d.text(700, 244, "old task", anchor="end")
    return d


@drawing
def psnr() -> Drawing:
    d = Drawing(
        "psnr",
        760,
        290,
        "PSNR: from the error of each pixel to decibels",
        "The differences between SR and HR are squared and averaged to the mean squared error. "
        "PSNR is 10 times the decimal logarithm of 255 squared over it. Below, a scale: an error of 1 "
        "grey level is 48.1 dB, 2 are 42.1, 4 are 36.1, 8 are 30.1, 16 are 24.0.",
    )
    error = [[3, -1, 0], [-4, 2, 1], [0, 5, -2]]
    squares = [[value**2 for value in row] for row in error]
    mse = sum(map(sum, squares)) / 9
    d.grid(40, 48, 36, error, "blue")
    d.text(94, 36, "SR - HR", look="bold")
    d.arrow((156, 102), (196, 102))
    d.grid(204, 48, 36, squares, "orange")
    d.text(258, 36, "squared", look="bold")
    d.arrow((320, 102), (360, 102))
    d.box(364, 72, 104, 60, "mean: MSE", f"{mse:.2f}")
    d.arrow((468, 102), (508, 102))
    d.box(
        512,
        72,
        218,
        60,
        "10 log10(255² / MSE)",
        f"{10 * math.log10(255**2 / mse):.1f} dB",
        look="green",
    )
    d.path("M60 224H710", "")
    for number, rms in enumerate((16, 8, 4, 2, 1)):
        x = 100 + 140 * number
        d.circle(x, 224, 5, "ink")
        d.text(x, 210, f"{20 * math.log10(255 / rms):.1f} dB")
        d.text(x, 248, f"{rms} level{'s' if rms > 1 else ''}", look="small")
    d.text(380, 276, "root of the MSE in grey levels: half the error is 6 dB more", look="small")
    return d


def main() -> None:
    """Write all drawings beside this file, and their names and alternative texts to the screen."""
    for function in DRAWINGS:
        made = function()
        (HERE / f"{made.name}.svg").write_text(str(made), encoding="utf-8")
        print(f"{made.name}.svg: {made.title}")


if __name__ == "__main__":
    main()
