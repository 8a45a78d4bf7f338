"""Progress and remaining time of whatever takes longer than two seconds.

One function for three places: a bar on a terminal, a line now and then in a log, and a bar in a notebook cell. That
one is plain HTML, which needs no widgets, and it is gone in the end, so that an executed notebook does not keep it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any, Never, TypeVar, overload

if TYPE_CHECKING:
    from tqdm.std import tqdm

T = TypeVar("T")

MARK = {"tsnlab": "progress"}
"""Metadata of an output that tells how far a cell is, for whoever executes the notebook."""

_QUIET_S = 2.0
_LINE_EVERY_S = 15.0
_CELL_EVERY_S = 0.5
_WITH_TOTAL = "{desc}: {percentage:.0f}%, {n_fmt} of {total_fmt}{unit}, {elapsed} gone, {remaining} left"
_WITHOUT_TOTAL = "{desc}: {n_fmt}{unit}, {elapsed} gone"


@overload
def progress(what: Iterable[T], desc: str, unit: str = ..., *, show: bool = ...) -> tqdm[T]: ...
@overload
def progress(what: int | None, desc: str, unit: str = ..., *, show: bool = ...) -> tqdm[Never]: ...
def progress(what: Iterable[Any] | int | None, desc: str, unit: str = "steps", *, show: bool = True) -> tqdm[Any]:
    """Shows how far something has come, on stderr or in the notebook cell, once it lasts over 2 s.

    Args:
        what: what to iterate over; or the number of units in all (None if not known), and then the
            result is a context manager whose `update(units)` is called as they are done.
        desc: what is going on.
        unit: what is counted; "B" is written as kB, MB, GB.
        show: False shows nothing.
    """
    from tqdm.std import tqdm

    total = what if what is None or isinstance(what, int) else None
    place = _place(total is not None or hasattr(what, "__len__"))
    file = place["file"]  # tqdm wraps it

    class Bar(tqdm):  # type: ignore[type-arg]  # subscriptable in its stubs only
        monitor_interval = 0  # no thread beside ours: every update looks at the clock

        def display(self, msg: str | None = None, pos: int | None = None) -> Any:
            if not isinstance(file, Cell):
                return super().display(msg, pos)
            file.show(str(self) if msg is None else msg, self.n / self.total if self.total else None)
            return True

    return Bar(
        None if what is None or isinstance(what, int) else what,
        desc=desc,
        total=total,
        unit=unit if unit == "B" else f" {unit}",
        unit_scale=unit == "B",
        miniters=1,
        delay=_QUIET_S,
        leave=False,
        disable=not show,
        **place,
    )


def _place(has_total: bool) -> dict[str, Any]:
    """The tqdm options for where we are: terminal, log or notebook."""
    if in_notebook():
        plain = {"bar_format": _WITH_TOTAL if has_total else _WITHOUT_TOTAL, "smoothing": 0.1}
        return plain | {"file": Cell(), "mininterval": _CELL_EVERY_S}
    if sys.stderr.isatty():
        return {"file": sys.stderr, "dynamic_ncols": True}
    plain = {"bar_format": _WITH_TOTAL if has_total else _WITHOUT_TOTAL, "smoothing": 0.1}
    return plain | {"file": _Lines(), "mininterval": _LINE_EVERY_S}


def in_notebook() -> bool:
    """Whether this runs in the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


class _Lines:
    """A file for tqdm, which rewrites one line; here each rewriting becomes a line of a log."""

    def write(self, text: str) -> None:
        if text.strip():
            sys.stderr.write(f"{text.strip()}\n")

    def flush(self) -> None:
        sys.stderr.flush()


class Cell:
    """One output of a notebook cell that is replaced again and again, and empty in the end."""

    def __init__(self) -> None:
        self._output: Any = None

    def write(self, text: str) -> None:
        """Takes what tqdm writes beside the bar itself: nothing to show."""

    def flush(self) -> None:
        """Nothing is kept back."""

    def show(self, text: str, share: float | None = None, html: str = "", label: str = "") -> None:
        """Replaces the output.

        Args:
            text: how far it is, in one line; an empty one removes all.
            share: of the whole that is done, if that is known.
            html: what stands below the bar.
            label: what stands beside the bar; by default the text.
        """
        self._replace(text, f"{_bar(label or text, share)}{html}" if text else "", MARK)

    def leave(self, text: str, html: str) -> None:
        """Replaces the output by what is to stay in the notebook."""
        self._replace(text, html, {})

    def _replace(self, text: str, html: str, about: dict[str, str]) -> None:
        from IPython.display import display

        data = {"text/plain": text, "text/html": html}
        if self._output is not None:
            self._output.update(data, raw=True, metadata=about)
        elif text:
            self._output = display(data, raw=True, metadata=about, display_id=True)  # type: ignore[no-untyped-call]


def _bar(text: str, share: float | None) -> str:
    value = "" if share is None else f' value="{share:.4f}"'
    return f'<div><progress max="1"{value}></progress> {escape(text)}</div>'
