"""One deadline for every wait: a predicate, a limit in wall time, and what was seen."""

from __future__ import annotations

import time

from tsnlab.errors import DeadlineError


class Deadline:
    """A point in wall time by which something has to have happened.

    Args:
        seconds: from now on; None never expires.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    @property
    def remaining(self) -> float | None:
        """Seconds left, never negative; None if there is no limit."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether the time is up."""
        return self.remaining == 0.0

    def check(self, waited_for: str, seen: str = "") -> None:
        """Raises DeadlineError, naming what was waited for and what was seen, once the time is up."""
        if self.expired:
            raise DeadlineError(f"no {waited_for} within {self.seconds:g} s" + (f"; seen: {seen}" if seen else ""))
