"""What the data doctor has to say: findings, and the report that they make (notebook 01)."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SEVERITIES = (
    "error",
    "warning",
    "info",
)  # training fails or learns the wrong thing; learns less; good to know


@dataclass(frozen=True)
class Finding:
    """severity: "error", "warning" or "info".  problem, effect (on training) and fix are sentences; files lie under the root."""

    severity: str
    problem: str
    files: tuple[str, ...]
    effect: str
    fix: str


@dataclass(frozen=True)
class DatasetReport:
    """What the doctor found, worst first.  Prints as text; a notebook shows a table."""

    root: Path
    scale: int
    pictures: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing worse than info was found."""
        return all(finding.severity == "info" for finding in self.findings)

    def _summary(self) -> str:
        counts = {
            severity: sum(f.severity == severity for f in self.findings) for severity in SEVERITIES
        }
        found = ", ".join(
            f"{count} {severity}{'s' * (count != 1 and severity != 'info')}"
            for severity, count in counts.items()
        )
        return f"{self.root}, scale {self.scale}: {self.pictures} pictures; {found}."

    def __str__(self) -> str:
        lines = [self._summary()]
        for finding in self.findings:
            lines += ["", f"{finding.severity.upper()}: {finding.problem}"]
            parts = (
                ("files", some(finding.files)),
                ("effect", finding.effect),
                ("fix", finding.fix),
            )
            for label, text in parts:
                lines += textwrap.wrap(
                    text, 100, initial_indent=f"  {label + ':':8}", subsequent_indent=" " * 10
                )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            (finding.severity, finding.problem, some(finding.files), finding.effect, finding.fix)
            for finding in self.findings
        ]
        head = "".join(
            f'<th style="text-align: left">{name}</th>'
            for name in ("severity", "problem", "files", "effect on training", "fix")
        )
        body = "".join(
            "<tr>"
            + "".join(f'<td style="text-align: left">{html.escape(cell)}</td>' for cell in row)
            + "</tr>"
            for row in rows
        )
        return f"<p>{html.escape(self._summary())}</p><table><tr>{head}</tr>{body}</table>"


def some(files: tuple[str, ...]) -> str:
    return ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")


def finding(
    severity: str, problem: str, files: Iterable[str], effect: str, fix: str
) -> list[Finding]:
    """A list of one, or of none if no file is concerned."""
    files = tuple(files)
    return [Finding(severity, problem, files, effect, fix)] if files else []
