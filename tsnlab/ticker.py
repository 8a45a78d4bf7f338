"""One line in the terminal about a notebook that is being executed: which cell, what it does, time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TextIO

_REDRAW_S = 0.1
_LINE_EVERY_S = 10.0


class Ticker:
    """Shows how far the execution of a notebook has come.

    On a terminal the line is rewritten; in a log a new one is written now and then.

    Args:
        name: of the case.
        expected: seconds that cells are known to take, by their ids; empty if nothing is known.
        show: False shows nothing.
        stream: where to; stderr by default, since stdout is for results.

    Attributes:
        where: which cell it is, in words.
    """

    def __init__(
        self, name: str, expected: Mapping[str, float], *, show: bool = True, stream: TextIO | None = None
    ) -> None:
        self._name = name
        self._ahead = dict(expected)
        self._show = show
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self.where = ""
        self._count = self._title = self._said = ""
        self._cell_began = self._written = time.monotonic()
        self._cell_takes = 0.0

    def cell(self, number: int, total: int, title: str, cell_id: str) -> None:
        """A cell begins."""
        self.where = f"cell {number} of {total}" + (f", {title}" if title else "")
        self._count, self._title, self._said = f"[{number}/{total}]", title, ""
        self._cell_began = time.monotonic()
        self._cell_takes = self._ahead.pop(cell_id, 0.0)
        self._tell()

    def says(self, text: str) -> None:
        """A cell tells how far it is; an empty text that it is done."""
        self._said = text
        self._tell()

    def close(self) -> None:
        """Clears the line of a terminal."""
        if self._show and self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    @property
    def left_s(self) -> float:
        """Seconds left as far as they are known."""
        elapsed = time.monotonic() - self._cell_began
        return max(0.0, self._cell_takes - elapsed) + sum(self._ahead.values())

    def line(self) -> str:
        """What there is to say: short enough for a terminal of 80 columns."""
        left = f", about {self.left_s:.0f} s left" if self._ahead else ""
        # a cell that tells how far it is knows better than the last run
        return f"{self._name} {self._count} {self._said or self._title + left}"

    def _tell(self) -> None:
        now = time.monotonic()
        pause = _REDRAW_S if self._terminal else _LINE_EVERY_S
        if not self._show or now - self._written < pause:
            return
        self._written = now
        self._stream.write(f"\r\x1b[K{self._cut(self.line())}" if self._terminal else f"{self.line()}\n")
        self._stream.flush()

    def _cut(self, line: str) -> str:
        """A line that wraps could not be rewritten."""
        import shutil

        columns = shutil.get_terminal_size().columns - 1
        return line if len(line) <= columns else line[: columns - 1] + "…"
