"""What preflight found, as a table that shows itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import Literal

Level = Literal["pass", "warn", "fail", "skip"]

_COLOUR = {"pass": "#2a7a2a", "warn": "#b36b00", "fail": "#b00020", "skip": "#777777"}


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
        rows = "".join(
            f"<tr><td style='color:{_COLOUR[f.level]}'><b>{f.level}</b></td><td>{escape(f.node)}</td>"
            f"<td style='text-align:left'>{escape(f.what)}</td><td style='text-align:left'>{escape(f.seen)}</td>"
            f"<td style='text-align:left'>{escape(f.remedy)}</td></tr>"
            for f in self.findings
        )
        head = "<tr><th></th><th>node</th><th>what</th><th>seen</th><th>what to do</th></tr>"
        return f"<p><b>Preflight</b>: {escape(self.summary)}</p><table>{head}{rows}</table>"
