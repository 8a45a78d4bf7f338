"""Pieces of SVG, put together to an image that is the same on a light page, on a dark one and in print."""

from __future__ import annotations

import base64
from html import escape

STREAM = "#0072b2"
"""What is time-sensitive. This and the next colour are of Okabe and Ito's palette, safe for the colour-blind."""

OTHER = "#d55e00"
"""What is not: best effort, application latency, limits."""

SOURCE = "data:image/svg+xml;base64,"
"""What the address of a drawing begins with."""

FONT = 12
"""Pixels; and a letter is about half as wide."""


_INK, _PAPER = "#222222", "#ffffff"

_DARK = "<style>[data-jp-theme-light='false'] img.tsnlab {filter: invert(0.92) hue-rotate(180deg)}</style>"
"""JupyterLab's dark themes; a notebook that is not trusted has no styles, and shows the drawing on white."""


def sheet(width: float, height: float, label: str, *parts: str) -> str:
    """A drawing as an HTML image that shrinks on a narrow page; `label` says in words what it shows.

    An image, and not SVG within the page: of that, JupyterLab keeps nothing but the letters when a notebook that
    somebody else has executed is opened.
    """
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-size="{FONT}"'
        f' font-family="DejaVu Sans, Verdana, Helvetica, sans-serif" fill="{_INK}" color="{_INK}">'
        f'<rect width="100%" height="100%" rx="4" fill="{_PAPER}"/>{"".join(parts)}</svg>'
    )
    data = base64.b64encode(drawing.encode()).decode()
    return (
        f'{_DARK}<img class="tsnlab" alt="{escape(label, quote=True)}" width="{width:.0f}" height="{height:.0f}"'
        f' style="max-width:100%;height:auto" src="{SOURCE}{data}">'
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
