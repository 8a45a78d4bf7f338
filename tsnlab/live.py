"""A measurement that is looked at while it runs: in a notebook cell a picture that changes, elsewhere the progress bar.

The lab does not notice: its time stands still while a picture is drawn, and a picture is drawn now and then only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape

from tsnlab.case import Case
from tsnlab.packets import LISTENER_COLUMNS
from tsnlab.progress import Cell, in_notebook, progress
from tsnlab.show.names import own
from tsnlab.show.strip import Strip

Rows = Sequence[Sequence[int]]
"""What the listener reports: rows of :data:`tsnlab.packets.LISTENER_COLUMNS`, 0 for a time that was not taken."""

EVERY_S = 0.5
"""Wall time between two pictures, at least."""

_SHARE = 20
"""And so many times as long as the last picture took: drawing never costs more than a twentieth."""

_SEQ, _BEGIN, _SENT = (LISTENER_COLUMNS.index(name) for name in ("seq", "interval_start", "tx_program"))
_HARDWARE, _KERNEL, _PROGRAM = (LISTENER_COLUMNS.index(name) for name in ("rx_hardware", "rx_kernel", "rx_program"))


class Picture:
    """What has arrived so far: counts, extremes, and a strip of scheduled times and application latency.

    Args:
        case: what is being measured.

    Attributes:
        received: packets so far.
        missing: packets that have not arrived although a later one has.
    """

    def __init__(self, case: Case) -> None:
        self.title = case.title
        self.total = case.stream.packets
        self._warm_up = case.stream.warm_up
        self.strip = Strip()
        self.received = 0

    def add(self, rows: Rows) -> None:
        """Takes what the listener reports; packets of the warm-up do not count."""
        counted = [row for row in rows if row[_SEQ] > self._warm_up]
        self.received += len(counted)
        self.strip.add((row[_SEQ] - self._warm_up, *_in_cycle(row)) for row in counted)

    @property
    def missing(self) -> int:
        """How many packets have not arrived although a later one has; numbers begin at 1."""
        return max(0, self.strip.highest - self.received)

    @property
    def share(self) -> float:
        """How much of the measurement is done."""
        return min(1.0, self.received / self.total)

    def line(self) -> str:
        """All in one line."""
        return (
            f"{self.received} of {self.total} packets, {self.missing} missing; scheduled times {self.strip.scheduled}"
        )

    def html(self) -> str:
        """The picture, for a notebook."""
        counts = f"{self.received} of {self.total} packets, {self.missing} missing"
        return f"<p><b>{escape(self.title)}: {counts}</b></p>{self.strip.svg()}<div>{self.strip.legend()}</div>"


def _in_cycle(row: Sequence[int]) -> tuple[int | None, int | None]:
    """Scheduled time and application latency of one packet in ns, None where a time was not taken."""
    begin, sent = row[_BEGIN], row[_SENT]
    arrived = row[_HARDWARE] or row[_KERNEL] or row[_PROGRAM]
    return arrived - begin if arrived and begin else None, sent - begin if sent and begin else None


@contextmanager
def view(case: Case, *, live: bool = True) -> Iterator[Callable[[Rows], None]]:
    """Shows a measurement while the block runs; gives what takes the rows of the listener.

    Args:
        case: what is being measured.
        live: a picture in a notebook, extremes beside the bar in a terminal; False shows how far it is only.
    """
    if live and in_notebook():
        with _in_cell(case) as take:
            yield take
        return
    picture = Picture(case)
    with progress(picture.total, "packets received", "packets") as bar:

        def take_rows(rows: Rows) -> None:
            if live:
                picture.add(rows)
                bar.set_postfix_str(f"scheduled times {picture.strip.scheduled}", refresh=False)
            bar.update(len(rows))

        yield take_rows


@contextmanager
def _in_cell(case: Case) -> Iterator[Callable[[Rows], None]]:
    picture, cell = Picture(case), Cell()
    due, started = 0.0, time.monotonic()

    def take(rows: Rows) -> None:
        nonlocal due
        picture.add(rows)
        began = time.monotonic()
        if began >= due:
            ahead = (began - started) * (1 / picture.share - 1)
            cell.show(picture.line(), picture.share, picture.html(), label=f"about {ahead:.0f} s left")
            due = time.monotonic() + max(EVERY_S, _SHARE * (time.monotonic() - began))

    try:
        yield take
    finally:
        # however it ended, the last picture shows what there is
        cell.leave(picture.line(), picture.html())


__dir__ = own(__name__)
