"""A small table of text that shows itself in a terminal and in a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

_TONES = {"good": "#00855f", "bad": "#cc4a00", "": ""}  # can be told from a light page and from a dark one


@dataclass(frozen=True)
class Table:
    """A title, a header, rows of the same length, and notes below; `align` has l or r for each column.

    `tones` colours the first cell of each row in HTML: "good", "bad" or "".
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: str
    notes: tuple[str, ...] = ()
    tones: tuple[str, ...] = ()

    def text(self) -> str:
        """The table in columns of equal width, for a terminal."""
        lines = (self.header, *self.rows)
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        head, *body = ("  ".join(map(_justified, line, widths, self.align)).rstrip() for line in lines)
        rule = "-" * max(map(len, (head, *body)))
        return "\n".join((self.title, head, rule, *body, *self.notes))

    def html(self) -> str:
        """The table for a notebook or a report; looks right on a light and on a dark page."""
        head = "".join(map(_heading, self.header, self.align))
        tones = self.tones or ("",) * len(self.rows)
        body = "".join(f"<tr>{_cells(row, self.align, tone)}</tr>" for row, tone in zip(self.rows, tones, strict=True))
        notes = "".join(f'<div style="opacity:0.8;font-size:90%">{escape(note)}</div>' for note in self.notes)
        return (
            f'<div class="tsnlab"><strong>{escape(self.title)}</strong>'
            f'<table style="font-variant-numeric:tabular-nums"><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table>{notes}</div>"
        )


def _justified(cell: str, width: int, align: str) -> str:
    return cell.rjust(width) if align == "r" else cell.ljust(width)


def _side(align: str) -> str:
    return "right" if align == "r" else "left"


def _heading(cell: str, align: str) -> str:
    return f'<th style="text-align:{_side(align)}">{escape(cell)}</th>'


def _cells(row: tuple[str, ...], align: str, tone: str) -> str:
    colour = f";color:{_TONES[tone]};font-weight:bold" if tone else ""
    styles = [f"text-align:{_side(one)}" for one in align]
    styles[0] += colour
    return "".join(f'<td style="{style}">{escape(cell)}</td>' for style, cell in zip(styles, row, strict=True))
