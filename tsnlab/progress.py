"""Progress and remaining time of whatever takes longer than two seconds.

One function for three places: a bar on a terminal, a line now and then in a log, and one line that
changes in a notebook cell (plain text, so that an executed notebook needs no widgets to be read).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Never, TypeVar, overload

if TYPE_CHECKING:
    from tqdm.std import tqdm

T = TypeVar("T")

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

    class Bar(tqdm):  # type: ignore[type-arg]  # subscriptable in its stubs only
        monitor_interval = 0  # no thread beside ours: every update looks at the clock

    total = what if what is None or isinstance(what, int) else None
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
        **_place(total is not None or hasattr(what, "__len__")),
    )


def _place(has_total: bool) -> dict[str, Any]:
    """The tqdm options for where we are: terminal, log or notebook."""
    if sys.stderr.isatty():
        return {"file": sys.stderr, "dynamic_ncols": True}
    plain = {"bar_format": _WITH_TOTAL if has_total else _WITHOUT_TOTAL, "smoothing": 0.1}
    if _in_notebook():
        return plain | {"file": _Cell(), "mininterval": _CELL_EVERY_S}
    return plain | {"file": _Lines(), "mininterval": _LINE_EVERY_S}


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


class _Lines:
    """A file for tqdm, which rewrites one line; here each rewriting becomes a line of a log."""

    def write(self, text: str) -> None:
        self.show(text.strip())

    def flush(self) -> None:
        sys.stderr.flush()

    def show(self, text: str) -> None:
        if text:
            sys.stderr.write(f"{text}\n")


class _Cell(_Lines):
    """The same for a notebook: one output that is replaced, and empty in the end."""

    def __init__(self) -> None:
        self._output: Any = None

    def show(self, text: str) -> None:
        from IPython.display import display

        data = {"text/plain": text}
        if self._output is None and text:
            self._output = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        elif self._output is not None:
            self._output.update(data, raw=True)
