"""Make the sample photographs in data/sample, and their CREDITS.md, from freely licensed originals.

The pictures are already in the repository, so nobody needs to run this to take the course.  It is kept
so that everyone can see where each picture comes from and can make it again.

Most originals come from Debian packages.  Fetch the packages listed in PACKAGES below and unpack each
one in a folder with the package's own name:

    mkdir packages
    dpkg-deb -x palapeli-data_*.deb packages/palapeli-data

One picture comes from the Python package scikit-image, which has to be installed.  Then:

    python tools/make_samples.py --packages packages

With Pillow 13.0.0 the files come out byte for byte as they are committed.  Another version of Pillow may
decode a JPEG or compress a PNG a little differently.
"""

import argparse
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SAMPLE_DIR = Path(__file__).resolve().parent.parent / "data" / "sample"
TRAIN = "DIV2K_train_HR"
VALID = "DIV2K_valid_HR"

# How CREDITS.md names each package.  The versions matter: later ones dropped or recompressed some pictures.
PACKAGES = {
    "budgie-backgrounds": "Debian package budgie-backgrounds 3.0-1 (Debian 13)",
    "gnome-backgrounds": "Debian package gnome-backgrounds 3.38.0-1 (Debian 11)",
    "lomiri-wallpapers-16.04": "Debian package lomiri-wallpapers-16.04 20.04.0-2 (Debian 12)",
    "palapeli-data": "Debian package palapeli-data 4:22.12.3-1 (Debian 12)",
    "skimage": "Python package scikit-image 0.26.0",
}

# Where the pictures lie inside each package.
PICTURE_DIRS = {
    "budgie-backgrounds": "usr/share/backgrounds/budgie",
    "gnome-backgrounds": "usr/share/backgrounds/gnome",
    "lomiri-wallpapers-16.04": "usr/share/backgrounds",
    "palapeli-data": "usr/share/palapeli/collection",
    "skimage": "skimage/data",
}

LICENCES = {
    "CC0 1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/",
    "Public domain": "https://creativecommons.org/publicdomain/mark/1.0/",
}


@dataclass(frozen=True)
class Sample:
    """One sample picture: its sources, its crop and its credit."""

    folder: str
    name: str
    subject: str
    author: str
    licence: str
    package: str
    original: str
    size: tuple[int, int]  # (width, height) of the sample
    box: tuple[int, int, int, int] | None = (
        None  # crop of the original: (left, upper, right, lower)
    )


SAMPLES = [
    Sample(
        TRAIN,
        "0001.png",
        "River otter on a rock",
        "Derrick Coetzee",
        "CC0 1.0",
        "budgie-backgrounds",
        "oakland-zoo-otters.jpg",
        (768, 512),
        (1050, 330, 3354, 1866),
    ),
    Sample(
        TRAIN,
        "0002.png",
        "Courtyard of Casa Milà, Barcelona",
        "Alexandre Perotto",
        "CC0 1.0",
        "budgie-backgrounds",
        "casa-mila.jpg",
        (768, 512),
        (200, 300, 3272, 2348),
    ),
    Sample(
        TRAIN,
        "0003.png",
        "Tea gardens in Munnar, India",
        "Vivek Kumar",
        "CC0 1.0",
        "budgie-backgrounds",
        "tea-gardens.jpg",
        (768, 512),
        (1500, 1000, 3804, 2536),
    ),
    Sample(
        TRAIN,
        "0004.png",
        "Lake Sherburne, Glacier National Park",
        "Jacob W. Frank, U.S. National Park Service",
        "Public domain",
        "budgie-backgrounds",
        "lake-sherburne.jpg",
        (768, 512),
        (0, 240, 2880, 2160),
    ),
    Sample(
        TRAIN,
        "0005.png",
        "Snowy roofs on Beacon Street, Boston",
        "Matthew Landers",
        "CC0 1.0",
        "budgie-backgrounds",
        "beacon-street-sunset.jpg",
        (768, 512),
        (20, 600, 2324, 2136),
    ),
    Sample(
        TRAIN,
        "0006.png",
        "Roebling Suspension Bridge at night",
        "Derek Jensen",
        "Public domain",
        "palapeli-data",
        "cincinnati-bridge.jpg",
        (765, 560),
    ),
    Sample(
        TRAIN,
        "0007.png",
        "Paint brushes",
        "Trevor “Freespace”",
        "CC BY 4.0",
        "lomiri-wallpapers-16.04",
        "Picture_1A_by_freespace.jpg",
        (768, 576),
        (0, 50, 1152, 914),
    ),
    Sample(
        TRAIN,
        "0008.png",
        "Forest stream",
        "Aitzol Berasategi",
        "CC BY 4.0",
        "lomiri-wallpapers-16.04",
        "life_by_Aitzol_Berasategi.jpg",
        (772, 514),
    ),
    Sample(
        TRAIN,
        "0009.png",
        "Two dogs on a porch",
        "Aitzol Berasategi",
        "CC BY 4.0",
        "lomiri-wallpapers-16.04",
        "friends_by_Aitzol_Berasategi.jpg",
        (512, 683),
        (300, 150, 1836, 2199),
    ),
    Sample(
        TRAIN,
        "0010.png",
        "Snowy forest from above",
        "invisiblepower",
        "CC0 1.0",
        "gnome-backgrounds",
        "ColdWarm.jpg",
        (768, 512),
        (464, 100, 3536, 2148),
    ),
    Sample(
        VALID,
        "0801.png",
        "Honey bee on an aster",
        "John Severns",
        "Public domain",
        "palapeli-data",
        "european-honey-bee.jpg",
        (804, 636),
        (6, 4, 1614, 1276),
    ),
    Sample(
        VALID,
        "0802.png",
        "The Colosseum, Rome",
        "Bence Boros",
        "CC0 1.0",
        "budgie-backgrounds",
        "roman-colosseum.jpg",
        (768, 512),
        (150, 560, 2454, 2096),
    ),
    Sample(
        VALID,
        "0803.png",
        "Osprey in a pine",
        "U.S. National Park Service",
        "Public domain",
        "budgie-backgrounds",
        "perched-osprey.jpg",
        (720, 600),
        (650, 380, 2450, 1880),
    ),
    Sample(
        VALID,
        "0804.png",
        "Astronaut Eileen Collins",
        "NASA",
        "Public domain",
        "skimage",
        "astronaut.png",
        (512, 512),
    ),
    Sample(
        VALID,
        "0805.png",
        "Singapore skyline at dusk",
        "Romain Guy",
        "CC0 1.0",
        "budgie-backgrounds",
        "singaporean-cityscape.jpg",
        (792, 528),
        (1560, 330, 3144, 1386),
    ),
    Sample(
        VALID,
        "0806.png",
        "Slices of citrus fruit",
        "U.S. Department of Agriculture",
        "Public domain",
        "palapeli-data",
        "citrus-fruits.jpg",
        (844, 554),
        (0, 0, 1350, 886),
    ),
]


def find_original(sample, packages):
    """Return the path of the original picture of `sample`."""
    if sample.package == "skimage":
        # find_spec locates the package without importing it.
        root = Path(importlib.util.find_spec("skimage").origin).parent.parent
    else:
        root = packages / sample.package
    return root / PICTURE_DIRS[sample.package] / sample.original


def make_picture(sample, original):
    """Crop `original` and make it smaller, the way `sample` asks."""
    picture = original.crop(sample.box) if sample.box else original
    if picture.size != sample.size:
        picture = picture.resize(sample.size, Image.Resampling.LANCZOS)
    # Going through an array leaves behind all metadata of the original (profile, camera, place).
    return Image.fromarray(np.asarray(picture))


def describe_changes(sample, original):
    """Say in words what make_picture does."""
    if not sample.box:
        if original.size == sample.size:
            return "none"
        return "downscaled from {}×{}".format(*original.size)
    width = sample.box[2] - sample.box[0]
    height = sample.box[3] - sample.box[1]
    return "cropped to {}×{} from {}×{}, downscaled".format(width, height, *original.size)


def credit_row(sample, original):
    """One row of the table in CREDITS.md."""
    cells = [
        f"{sample.folder}/{sample.name}",
        "{}×{}".format(*sample.size),
        sample.subject,
        sample.author,
        f"{PACKAGES[sample.package]}, `{PICTURE_DIRS[sample.package]}/{sample.original}`",
        f"[{sample.licence}]({LICENCES[sample.licence]})",
        describe_changes(sample, original),
    ]
    return "| " + " | ".join(cells) + " |"


CREDITS_HEAD = """\
# Credits of the sample photographs

These photographs stand in for DIV2K, so that the course runs before the real data set is downloaded.
They are not part of DIV2K; only the names of the folders and files follow it. This page and the
pictures are written by `tools/make_samples.py`.

| File | Size | Subject | Author | Source | Licence | Changes |
| --- | --- | --- | --- | --- | --- | --- |
"""

CREDITS_TAIL = """
The photographs keep their own licences, which are separate from the licence of the course.

Where the author and licence of each picture are recorded: for lomiri-wallpapers-16.04 in the package's
copyright file, for palapeli-data in the `.desktop` file next to each picture, for gnome-backgrounds in its
`AUTHORS` file, and for scikit-image in the documentation of `skimage.data.astronaut`. The package
budgie-backgrounds offers all its pictures under CC0; the authors, and which pictures were in the public
domain before, are as its developers noted when they added each picture.

- **Public domain**: nobody holds a copyright on the picture, so it may be used for any purpose. The
  works of U.S. government staff (National Park Service, Department of Agriculture, NASA) are free in
  this way; the other authors gave their pictures to the public domain themselves. NASA asks that nobody
  uses its pictures to suggest that it, or the person shown, endorses something.
- **CC0 1.0**: the author gave up all rights as far as the law allows. Any use is allowed, and naming the
  author is a courtesy.
- **CC BY 4.0**: any use is allowed when the author is named, the licence is linked and changes are
  stated.

To cite a picture, give its subject, author, licence and the change made here, for example: “Paint
brushes” by Trevor “Freespace”, CC BY 4.0, cropped and downscaled.
"""


def main():
    parser = argparse.ArgumentParser(
        description="Make the sample photographs from their originals."
    )
    parser.add_argument(
        "--packages", type=Path, required=True, help="folder with the unpacked Debian packages"
    )
    parser.add_argument(
        "--out", type=Path, default=SAMPLE_DIR, help="where to write (default: data/sample)"
    )
    args = parser.parse_args()

    rows = []
    for sample in SAMPLES:
        with Image.open(find_original(sample, args.packages)) as file:
            original = file.convert("RGB")
        target = args.out / sample.folder / sample.name
        target.parent.mkdir(parents=True, exist_ok=True)
        make_picture(sample, original).save(target, optimize=True)
        rows.append(credit_row(sample, original))
        print(f"{target.relative_to(args.out)}  {target.stat().st_size / 1e3:.0f} kB")
    text = CREDITS_HEAD + "\n".join(rows) + "\n" + CREDITS_TAIL
    (args.out / "CREDITS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
