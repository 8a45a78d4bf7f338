"""What preflight found, as a table that shows itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

Level = Literal["pass", "warn", "fail", "skip"]

_COLOUR = {"pass": "#00855f", "warn": "#a86f00", "fail": "#d0354a", "skip": "#777777"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at on one node.

    Attributes:
        level: ``fail``: the experiment cannot work; ``warn``: its numbers may suffer; ``skip``: not looked at.
        seen: what was found.
        remedy: what to do about it; empty if nothing is to be done.
    """

    node: str
    what: str
    level: Level
    seen: str
    remedy: str = ""


@dataclass(frozen=True, repr=False)
class Preflight:
    """Everything that was looked at."""

    findings: tuple[Finding, ...]
    title: str = "Preflight"

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What keeps the experiment from working."""
        return tuple(finding for finding in self.findings if finding.level == "fail")

    @property
    def summary(self) -> str:
        """How many of each kind, in one line."""
        counts = Counter(finding.level for finding in self.findings)
        return ", ".join(f"{counts[level]} {level}" for level in ("pass", "warn", "fail", "skip") if counts[level])

    def __str__(self) -> str:
        rows = [(finding.level, finding.node, finding.what, finding.seen) for finding in self.findings]
        widths = [max(len(row[column]) for row in rows) for column in range(3)] if rows else []
        lines = []
        for finding, row in zip(self.findings, rows, strict=True):
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append("  ".join([*cells, row[3]]).rstrip())
            if finding.remedy:
                lines.append(f"      -> {finding.remedy}")
        return "\n".join([*lines, self.summary])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        noted = [finding for finding in self.findings if finding.level in ("warn", "fail")]
        others = [finding for finding in self.findings if finding.level not in ("warn", "fail")]
        folded = (
            f"<details><summary>{len(others)} {'others' if noted else 'in all'}</summary>{_table(others)}</details>"
            if others
            else ""
        )
        return f"<p><b>{escape(self.title)}</b>: {escape(self.summary)}</p>{_table(noted) if noted else ''}{folded}"


def _table(findings: Sequence[Finding]) -> str:
    left = "style='text-align:left'"
    rows = "".join(
        f"<tr><td style='color:{_COLOUR[f.level]}'><b>{f.level}</b></td>"
        + "".join(f"<td {left}>{escape(cell)}</td>" for cell in (f.node, f.what, f.seen, f.remedy))
        + "</tr>"
        for f in findings
    )
    head = "".join(f"<th {left}>{name}</th>" for name in ("", "node", "what", "seen", "what to do"))
    return f"<table><tr>{head}</tr>{rows}</table>"
