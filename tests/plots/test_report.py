"""The report as a reader without a network gets it: everything is in the file, and nothing in it is taken for markup."""

import math
import os
import re
from html.parser import HTMLParser

import pytest
from conftest import table_of

from srlib import plots
from srlib.plots.report import summary_text, write_report


@pytest.fixture
def table():
    return table_of({"bicubic": [30.0, 25.0, 28.0], "<b>ours": [32.0, 24.5, 29.0]})


class Addresses(HTMLParser):
    """Whatever a browser would fetch."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.found += [value for name, value in attributes if name in ("src", "href")]


def test_everything_is_in_the_file(table, tmp_path):
    figures = {"Every photograph": plots.distributions(table), "Gains": plots.gains(table)}
    path = write_report(
        tmp_path / "report.html",
        {"clean & new": table},
        title="A <i>run",
        protocol="benchmark-y",
        figures=figures,
    )
    text = path.read_text(encoding="utf-8")
    page = Addresses(text)
    assert len(page.found) == 2 and all(
        address.startswith("data:image/png;base64,") for address in page.found
    )
    assert not re.search(r"https?:|@import|url\(", text)
    assert "b" not in page.tags and "i" not in page.tags and "clean &amp; new" in text
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_the_summary_in_words(table):
    text = summary_text(table)
    assert (
        text.loc[("bicubic", "psnr"), "mean"] == "27.67"
        and text.loc[("bicubic", "psnr"), "above bicubic"] == ""
    )
    ours = text.loc[("<b>ours", "psnr")]
    assert ours["above bicubic"] == "67%" and ours["gain over bicubic, 95 % interval"].startswith(
        "+0.83 (-0.50 to +"
    )
    assert text.loc[("<b>ours", "ssim"), "best"] == "0.8000"


def test_a_report_that_cannot_be_written_leaves_the_old_one(table, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("the old one")
    with pytest.raises(ValueError, match="baseline"):
        ours = table[table["method"] != "bicubic"]
        write_report(path, {"clean": ours}, title="A run", protocol="rgb")
    assert path.read_text() == "the old one" and len(list(tmp_path.iterdir())) == 1


def verdict_lines(path):
    return re.findall(r"<li>(.*?)</li>", path.read_text(encoding="utf-8"))


def test_there_is_a_verdict_on_every_method_but_the_baseline(tmp_path):
    table = table_of(
        {
            "ours": [31.0 + i for i in range(6)],
            "bicubic": [30.0 + i for i in range(6)],
            "worse": [29.0 + i for i in range(6)],
        }
    )
    path = write_report(tmp_path / "report.html", {"clean": table}, title="A run", protocol="rgb")
    ours, worse, ours_ssim, worse_ssim = verdict_lines(path)
    assert ours.startswith("ours against bicubic, PSNR: Better: +1.00 dB")
    assert worse.startswith("worse against bicubic, PSNR: Worse: -1.00 dB")
    assert ours_ssim.startswith("ours against bicubic, SSIM: Better: +0.0250 in SSIM")
    assert worse_ssim.startswith("worse against bicubic, SSIM: Worse: -0.0250 in SSIM")


def test_a_page_with_an_exact_picture_says_so_and_has_no_infinity(tmp_path):
    table = table_of({"bicubic": [30.0, 25.0, math.inf], "ours": [32.0, math.inf, math.inf]})
    text = summary_text(table)
    assert text["exact, left out"].tolist() == ["1", "1", "2", "2"]
    path = write_report(tmp_path / "report.html", {"pages": table}, title="A run", protocol="rgb")
    summary, every_image = path.read_text(encoding="utf-8").split("Every image")
    assert "inf" not in summary and "nan" not in summary and "<td>inf</td>" in every_image


def test_names_that_are_not_utf8_are_readable_and_apart(tmp_path):
    table = table_of({"bicubic": [30.0, 25.0], os.fsdecode(b"m\xff"): [31.0, 26.0]})
    table["image"] = table["image"].map(
        {"000": os.fsdecode(b"a\xfe"), "001": os.fsdecode(b"a\xfd")}
    )
    figures = {"Gains": plots.gains(table), os.fsdecode(b"\xfc"): plots.distributions(table)}
    path = write_report(
        tmp_path / "report.html",
        {os.fsdecode(b"s\xfb"): table},
        title="x",
        protocol="y",
        figures=figures,
    )
    text = path.read_text(encoding="utf-8")
    assert all(f"\\udc{byte}" in text for byte in ("ff", "fe", "fd", "fc", "fb"))
