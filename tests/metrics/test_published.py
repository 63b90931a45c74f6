"""The protocol sheet: that its reasons add up, and what it says about bicubic on Set5."""

import math
import re
from functools import partial

import numpy as np
import pytest

from srlib.data import PairedImages
from srlib.data.pairs import Pair
from srlib.images.resize import imresize
from srlib.metrics import PROTOCOLS, PUBLISHED, protocol_sheet


@pytest.fixture(scope="module")
def pairs(photo):
    return [Pair(hr, imresize(hr, 1 / 4), name) for name, hr in (("a", photo), ("b", photo[::-1]))]


def reasons(row):
    return sum(float(amount) for amount in re.findall(r"[+-]\d+\.\d\d", row["why"]))


@pytest.mark.parametrize(
    "cell", [None, PUBLISHED["bicubic", "Set5", 4], PUBLISHED["edsr", "DIV2K", 4]]
)
def test_the_reasons_add_up_to_the_difference(pairs, cell):
    sheet = protocol_sheet(partial(imresize, scale=4), pairs, scale=4, published=cell)
    assert sheet.index.tolist() == list(PROTOCOLS)
    start = cell.protocol if cell else "benchmark-y"
    before = cell.psnr if cell else sheet.loc[start, "psnr"]
    for _, row in sheet.iterrows():
        assert row["difference"] == pytest.approx(row["psnr"] - before)
        assert reasons(row) == pytest.approx(row["difference"], abs=0.02)  # each is rounded to 0.01


def test_the_values_are_the_protocols(pairs):
    sheet = protocol_sheet(partial(imresize, scale=4), pairs, scale=4)
    for name, rules in PROTOCOLS.items():
        psnr = [rules.psnr(imresize(lr, 4), hr, scale=4) for hr, lr, _ in pairs]
        ssim = [rules.ssim(imresize(lr, 4), hr, scale=4) for hr, lr, _ in pairs]
        assert sheet.loc[name, ["psnr", "ssim"]].tolist() == pytest.approx(
            [sum(psnr) / 2, sum(ssim) / 2]
        )
    assert (
        sheet.loc["div2k-rgb", "why"].startswith("RGB for Y")
        and "border 10 for 4" in sheet.loc["div2k-rgb", "why"]
    )


def test_bicubic_on_set5_is_the_published_cell(benchmarks):
    folder = benchmarks / "Set5" / "X4"
    pairs = PairedImages(folder / "HR", folder / "LR", scale=4)
    bicubic = partial(imresize, scale=4, border="replicate")
    sheet = protocol_sheet(bicubic, pairs, scale=4, published=PUBLISHED["bicubic", "Set5", 4])
    assert sheet.loc["benchmark-y", "difference"] == pytest.approx(0, abs=0.02)
    assert sheet.loc["rgb", "difference"] < -1.5 and "RGB for Y -1.7" in sheet.loc["rgb", "why"]


def test_the_table_is_whole_and_plausible():
    assert len(PUBLISHED) == 3 * 3 * 5
    for (method, set_name, scale), cell in PUBLISHED.items():
        assert 20 < cell.psnr < 45 and (math.isnan(cell.ssim) or 0.5 < cell.ssim < 1)
        assert cell.protocol in PROTOCOLS and math.isnan(cell.ssim) == (set_name == "DIV2K")
        if scale > 2:  # a larger scale is harder
            easier = PUBLISHED[method, set_name, scale - 1]
            assert cell.psnr < easier.psnr and (math.isnan(cell.ssim) or cell.ssim < easier.ssim)


# As later papers repeat them: PSNR and SSIM at x2, x3, x4. Bicubic and EDSR by RCAN (Zhang et al.
# 2018, Table 1), EDSR-baseline by IMDN (Hui et al. 2019, Table 4), who measured it themselves.
REPEATED = {
    ("bicubic", "Set5"): "33.66 .9299 30.39 .8682 28.42 .8104",
    ("bicubic", "Set14"): "30.24 .8688 27.55 .7742 26.00 .7027",
    ("bicubic", "B100"): "29.56 .8431 27.21 .7385 25.96 .6675",
    ("bicubic", "Urban100"): "26.88 .8403 24.46 .7349 23.14 .6577",
    ("edsr-baseline", "Set5"): "37.99 .9604 34.37 .9270 32.09 .8938",
    ("edsr-baseline", "Set14"): "33.57 .9175 30.28 .8417 28.58 .7813",
    ("edsr-baseline", "B100"): "32.16 .8994 29.09 .8052 27.57 .7357",
    ("edsr-baseline", "Urban100"): "31.98 .9272 28.15 .8527 26.04 .7849",
    ("edsr", "Set5"): "38.11 .9602 34.65 .9280 32.46 .8968",
    ("edsr", "Set14"): "33.92 .9195 30.52 .8462 28.80 .7876",
    ("edsr", "B100"): "32.32 .9013 29.25 .8093 27.71 .7420",
    ("edsr", "Urban100"): "32.93 .9351 28.80 .8653 26.64 .8033",
}
# Of the README of EDSR-PyTorch, at x2, x3, x4.
IN_README = {"edsr-baseline": (34.61, 30.92, 28.95), "edsr": (35.03, 31.26, 29.25)}


@pytest.mark.parametrize(("method", "set_name"), REPEATED)
def test_the_cells_are_those_of_other_papers(method, set_name):
    numbers = [float(number) for number in REPEATED[method, set_name].split()]
    cells = [PUBLISHED[method, set_name, scale] for scale in (2, 3, 4)]
    measured = method == "edsr-baseline"
    assert [cell.psnr for cell in cells] == pytest.approx(numbers[::2], abs=0.011 * measured)
    tolerance = 0.0011 if measured else 0.00021
    assert [cell.ssim for cell in cells] == pytest.approx(numbers[1::2], abs=tolerance)
    assert all(("torchSR" if measured else "Lim et al.") in cell.source for cell in cells)


@pytest.mark.parametrize("method", IN_README)
def test_the_cells_of_div2k_are_those_of_the_official_readme(method):
    cells = [PUBLISHED[method, "DIV2K", scale] for scale in (2, 3, 4)]
    assert tuple(cell.psnr for cell in cells) == IN_README[method]


def test_an_exact_picture_is_left_out_of_the_sheet(photo, pairs):
    white = np.full((48, 48, 3), 255, np.uint8)
    found = [
        protocol_sheet(partial(imresize, scale=4), given, scale=4)
        for given in (pairs, [*pairs, Pair(white, white[::4, ::4], "w")])
    ]
    assert found[1]["psnr"].tolist() == pytest.approx(found[0]["psnr"].tolist())


def test_a_sheet_needs_a_pair():
    with pytest.raises(ValueError, match="no pairs"):
        protocol_sheet(lambda lr: lr, [], scale=4)
