"""Pieces of SVG, in colours that can be told from a light page, from a dark one and, if need be, without colour."""

from __future__ import annotations

from html import escape

STREAM = "#0072b2"
"""What is time-sensitive. This and the next colour are of Okabe and Ito's palette, safe for the colour-blind."""

OTHER = "#d55e00"
"""What is not: best effort, application latency, limits."""

FONT = 12
"""Pixels; and a letter is about half as wide."""


def sheet(width: float, height: float, label: str, *parts: str) -> str:
    """A drawing that shrinks on a narrow page; `label` says in words what it shows."""
    text = escape(label, quote=True)
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" style="max-width:100%;height:auto" role="img"'
        f' aria-label="{text}" font-size="{FONT}" fill="currentColor"><title>{text}</title>{"".join(parts)}</svg>'
    )


def text(x: float, y: float, words: str, *, anchor: str = "start", bold: bool = False, faint: bool = False) -> str:
    """Words whose line stands on y."""
    extra = (' font-weight="bold"' if bold else "") + (' opacity="0.75"' if faint else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, *, colour: str = "currentColor", extra: str = "") -> str:
    """A straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{extra and f" {extra}"}/>'


def box(x: float, y: float, width: float, height: float) -> str:
    """A frame with a faint ground."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6" fill="currentColor"'
        ' fill-opacity="0.05" stroke="currentColor" stroke-opacity="0.5"/>'
    )


def cut(words: str, width: float) -> str:
    """As much as fits into so many pixels."""
    room = int(width / (FONT * 0.52))
    return words if len(words) <= room else f"{words[: room - 1].rstrip()}…"
