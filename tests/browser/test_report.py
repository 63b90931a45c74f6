"""The HTML report in a browser without a network."""

import pandas as pd
from playwright.sync_api import expect

from srlib import plots
from srlib.plots.report import write_report


def test_a_browser_shows_it_without_a_network(tmp_path, page):
    values = {"bicubic": [30.0, 25.0, 28.0, 29.0, 31.0], "ours": [32.0, 24.5, 29.0, 30.0, 31.0]}
    rows = [
        (f"{i}", method, metric, value if metric == "psnr" else value / 40)
        for method, column in values.items() for i, value in enumerate(column) for metric in ("psnr", "ssim")
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["image", "method", "metric", "value"])
    page.context.set_offline(True)
    figures = {"Every photograph": plots.distributions(table)}
    write_report(
        tmp_path / "report.html",
        {"clean": table},
        title="A run",
        protocol="benchmark-y",
        figures=figures,
    )
    page.goto((tmp_path / "report.html").as_uri())
    expect(page.get_by_role("heading", name="A run")).to_be_visible()
    expect(
        page.get_by_text("ours against bicubic, PSNR: No different: +0.70 dB on average")
    ).to_be_visible()
    picture = page.get_by_role("img", name="Distributions of PSNR and SSIM over 5 images")
    assert picture.evaluate("image => image.naturalWidth") > 500
    assert (
        page.get_by_role("cell", name="24.50", exact=True).count() == 3
    )  # worst, bottom 5 %, and image 1
