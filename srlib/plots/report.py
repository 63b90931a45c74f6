"""The measurements as one HTML page that needs no other file and no network."""

import base64
import html
import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from srlib.errors import printable
from srlib.files.whole import write_whole
from srlib.metrics.verdict import compare, summarise
from srlib.plots.figures import TextFigure

_STYLE = """
:root { color-scheme: light; }
body { max-width: 68rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: white;
  font: 16px/1.5 system-ui, sans-serif; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ccc; text-align: right; }
th { text-align: left; }
thead th { text-align: right; }
td { white-space: nowrap; }
figure { margin: 1.5rem 0; }
img { max-width: 100%; }
figcaption { color: #555; font-size: 14px; }
"""
_STATISTICS = {
    "mean": "mean",
    "median": "median",
    "std": "spread",
    "best": "best",
    "worst": "worst",
    "top5": "top 5 %",
    "bottom5": "bottom 5 %",
}


def write_report(
    path: str | os.PathLike,
    tables: Mapping[str, pd.DataFrame],
    *,
    title: str,
    protocol: str,
    figures: Mapping[str, TextFigure] | None = None,
) -> Path:
    """Write `evaluate`'s tables as one HTML file: verdicts, summaries, figures and every value.

    Args:
        path: The file. It appears whole or not at all, and replaces an older one.
        tables: By input ("clean", "jpeg40") or set ("Set5").
        title: The heading of the page.
        protocol: The protocol of the numbers.
        figures: By caption; their alt texts go with them.

    Returns:
        The path.

    Raises:
        ValueError: "bicubic" is not in a table.
        OSError: The file cannot be written.
    """
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>Protocol: <strong>{html.escape(protocol)}</strong>.</p>",
    ]
    for name, table in tables.items():
        summary = _wide(summary_text(table))
        parts += [f"<h2>{html.escape(name)}</h2>", _verdicts(table), summary]
    for caption, figure in (figures or {}).items():
        source = "data:image/png;base64," + base64.b64encode(figure.png()).decode()
        image = f'<img alt="{html.escape(figure.alt)}" src="{source}">'
        parts.append(f"<figure>{image}<figcaption>{html.escape(caption)}</figcaption></figure>")
    for name, table in tables.items():
        columns = ["method", "metric"]
        values = table.pivot_table(index="image", columns=columns, values="value", sort=False)
        text = values.apply(lambda column: [_number(v, column.name[1]) for v in column])
        parts += [f"<h2>Every image: {html.escape(name)}</h2>", _wide(text)]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    )
    body = "\n".join(parts)
    page = f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'
    return write_whole(Path(path), printable(page).encode())


def summary_text(table: pd.DataFrame) -> pd.DataFrame:
    """`summarise(table)` as text: PSNR with two decimals, SSIM with four, gains with intervals.

    The number of pictures that are restored exactly has a column if there are any.
    """
    summary = summarise(table)
    rows = {}
    for (method, metric), row in summary.iterrows():
        cells = {shown: _number(row[name], metric) for name, shown in _STATISTICS.items()}
        if summary["exact"].any():
            cells["exact, left out"] = f"{row['exact']:.0f}"
        own = method == "bicubic"
        gain, low, high = (
            _number(row[name], metric, sign="+") for name in ("gain", "gain_low", "gain_high")
        )
        cells["above bicubic"] = "" if own else f"{row['above_baseline']:.0%}"
        cells["gain over bicubic, 95 % interval"] = "" if own else f"{gain} ({low} to {high})"
        rows[method, metric] = cells
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(summary.index.names)


def _number(value: float, metric: str, sign: str = "") -> str:
    if pd.isna(value):
        return "–"
    return f"{value:{sign}.{4 if metric == 'ssim' else 2}f}"


def _verdicts(table: pd.DataFrame) -> str:
    """A list of sentences: every method against bicubic, by PSNR and by SSIM."""
    lines = []
    for metric in ("psnr", "ssim"):
        rows = table[table["metric"] == metric]
        values = rows.pivot(index="image", columns="method", values="value")
        for method in dict.fromkeys(rows["method"]):
            if method != "bicubic":
                verdict = compare(values["bicubic"], values[method], metric=metric)
                lines.append(f"{method} against bicubic, {metric.upper()}: {verdict}")
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"


def _wide(table: pd.DataFrame) -> str:
    return f'<div class="wide">{table.to_html(border=0)}</div>'
