"""What IPython is told when tsnlab is imported in it: how a packets table shows itself.

A capture is a pandas table, which has no place for a view of its own; every other table looks as before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_NAMES = (("pandas", "DataFrame"), ("pandas.core.frame", "DataFrame"))
"""Where pandas says that its table is defined, from version 3 on and before."""


def extend(shell: Any) -> None:
    """Registers the views of captures with an interactive shell; pandas is not imported for that."""
    formatters = shell.display_formatter.formatters
    for module, name in _NAMES:
        for kind, view in (("text/html", _html), ("text/plain", _plain)):
            formatter = formatters[kind]
            formatter.for_type_by_name(module, name, view(formatter.for_type_by_name(module, name)))


def _html(before: Callable[..., Any] | None) -> Callable[..., Any]:
    def show(frame: pd.DataFrame) -> Any:
        from tsnlab.show import capture

        if capture.is_capture(frame):
            return capture.html(frame)
        return before(frame) if before is not None else frame._repr_html_()  # type: ignore[operator]

    return show


def _plain(before: Callable[..., Any] | None) -> Callable[..., Any]:
    def show(frame: pd.DataFrame, printer: Any, cycle: bool) -> None:
        from tsnlab.show import capture

        if capture.is_capture(frame):
            printer.text(capture.text(frame))
        elif before is not None:
            before(frame, printer, cycle)
        else:
            printer.text(repr(frame))

    return show
