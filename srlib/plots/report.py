"""What was measured, as one HTML page that needs nothing else, not even a network (notebook 06)."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from srlib.files.whole import write_whole
from srlib.metrics import compare, summarise
from srlib.plots.figures import TextFigure

_STYLE = """
body { max-width: 68rem; margin: 2rem auto; padding: 0 1rem; color: #222; font: 16px/1.5 system-ui, sans-serif; }
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
_COLUMNS = {
    "mean": "mean", "median": "median", "std": "spread", "best": "best", "worst": "worst", "top5": "top 5 %",
    "bottom5": "bottom 5 %", "above_baseline": "above {baseline}", "gain": "gain over {baseline}, 95 % interval",
}  # fmt: skip


def write_report(
    path: str | os.PathLike,
    tables: Mapping[str, pd.DataFrame],
    *,
    title: str,
    protocol: str,
    figures: Mapping[str, TextFigure] | None = None,
    baseline: str = "bicubic",
) -> Path:
    """Write `evaluate`'s tables as one HTML file: verdicts, summaries, figures, every single value.

    tables: by what was measured ("clean", "jpeg40", "Set5").  title: what stands at the top.  protocol: by what the numbers
    were taken.  figures: by their captions; their alt texts go with them.  baseline: what the verdicts are against.  The file
    appears whole or not at all; one that is there is replaced.
    """
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>Protocol: <strong>{html.escape(protocol)}</strong>.</p>",
    ]
    for name, table in tables.items():
        summary = _wide(summary_text(table, baseline=baseline))
        parts += [f"<h2>{html.escape(name)}</h2>", _verdicts(table, baseline), summary]
    for caption, figure in (figures or {}).items():
        source = "data:image/png;base64," + base64.b64encode(figure.png()).decode()
        image = f'<img alt="{html.escape(figure.alt)}" src="{source}">'
        parts.append(f"<figure>{image}<figcaption>{html.escape(caption)}</figcaption></figure>")
    for name, table in tables.items():
        values = table.pivot_table(
            index="image", columns=["method", "metric"], values="value", sort=False
        )
        parts += [
            f"<h2>Every image: {html.escape(name)}</h2>",
            _wide(values.apply(lambda v: v.map(_number(v.name[1])))),
        ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head><body>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )
    return write_whole(Path(path), page.encode())


def summary_text(table: pd.DataFrame, *, baseline: str = "bicubic") -> pd.DataFrame:
    """`summarise(table)` as it is printed: PSNR with two decimals, SSIM with four, the gain with its interval."""
    summary = summarise(table, baseline=baseline)
    rows = {}
    for (method, metric), row in summary.iterrows():
        number = _number(metric)
        cells = {
            name: number(row[name]) for name in _COLUMNS if name not in ("above_baseline", "gain")
        }
        own = method == baseline
        cells["above_baseline"] = "" if own else f"{row['above_baseline']:.0%}"
        signed = [
            f"{'' if text.startswith('-') else '+'}{text}"
            for text in map(number, row[["gain", "gain_low", "gain_high"]])
        ]
        cells["gain"] = "" if own else f"{signed[0]} ({signed[1]} to {signed[2]})"
        rows[method, metric] = cells
    text = pd.DataFrame.from_dict(rows, orient="index").rename_axis(summary.index.names)
    return text.rename(
        columns={name: shown.format(baseline=baseline) for name, shown in _COLUMNS.items()}
    )


def _number(metric: str):
    return (lambda value: f"{value:.4f}") if metric == "ssim" else (lambda value: f"{value:.2f}")


def _verdicts(table: pd.DataFrame, baseline: str) -> str:
    psnr = table[table["metric"] == "psnr"].pivot(index="image", columns="method", values="value")
    methods = [method for method in dict.fromkeys(table["method"]) if method != baseline]
    lines = [
        f"{method} against {baseline}: {compare(psnr[baseline], psnr[method])}"
        for method in methods
    ]
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"


def _wide(table: pd.DataFrame) -> str:
    return f'<div class="wide">{table.to_html(border=0)}</div>'
