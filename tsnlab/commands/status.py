"""Exit statuses: 0 if all is well, 1 if a verdict does not hold, 2 for every other error, 130 if interrupted."""

from __future__ import annotations

from collections.abc import Iterable

OK, VERDICT_FAILED, ERROR, INTERRUPTED = 0, 1, 2, 130


def exit_status(statuses: Iterable[str]) -> int:
    """That of the worst run."""
    order = {"interrupted": INTERRUPTED, "error": ERROR, "failed": VERDICT_FAILED}
    known = set(statuses)
    return next((code for status, code in order.items() if status in known), OK)
