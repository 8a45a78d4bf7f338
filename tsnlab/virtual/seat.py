"""One processor for each virtual lab.

A user-mode kernel and its traced processes take turns at every system call. On one processor a turn is a switch;
between two it is a wake-up of the other, and a lab is three times slower. So each lab is bound to a processor
that no other lab on this machine has, as long as there is one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Seat:
    """A processor that is taken until :meth:`release`, or until this process ends.

    Args:
        folder: where all labs of this user note what is taken.

    Attributes:
        cpu: its number; None if all are taken, and then the scheduler may choose.
    """

    def __init__(self, folder: Path) -> None:
        self.cpu: int | None = None
        self._lock = -1
        for cpu in sorted(os.sched_getaffinity(0), reverse=True):
            lock = os.open(folder / f"cpu-{cpu}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            self.cpu, self._lock = cpu, lock
            return

    def bind(self, pid: int) -> None:
        """Binds a process, and all that it starts from now on, to the processor."""
        if self.cpu is not None:
            # a process that has ended already is reported where it is waited for
            with suppress(ProcessLookupError):
                os.sched_setaffinity(pid, {self.cpu})

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Keeps the calling thread on the processor as well: for one that takes turns with the lab at each register."""
        if self.cpu is None:
            yield
            return
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self.cpu})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    def release(self) -> None:
        """Gives the processor back."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
