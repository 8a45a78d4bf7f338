"""The statistics of one stream, gathered chunk by chunk in constant memory.

All of them are the same however the packets are cut into chunks. An aggregate can be looked at at any time,
so also while the packets are still arriving.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tsnlab.analysis.extremes import Extremes
from tsnlab.analysis.sample import Sample
from tsnlab.analysis.sequences import CountingOn, Sequences
from tsnlab.analysis.slices import Slices
from tsnlab.analysis.spectrum import Spectrum
from tsnlab.analysis.tally import Tally
from tsnlab.formats.chunk import Chunk, Integers
from tsnlab.packets import ArrivalColumn

_SMOOTHED = 1024  # packets back, what RFC 3550 smooths has lost all weight in float64


class Measured:
    """One quantity of a stream: all its values counted, the extremes with their packets, its course."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.smallest = Extremes(1)
        self.largest = Extremes(-1)
        self.slices = Slices()

    def add(self, values: Integers, chunk: Chunk) -> None:
        """Takes the values of the packets of a chunk, all of them, in nanoseconds."""
        if not len(values):
            return
        self.tally.add(values)
        columns = chunk.columns
        for extremes in (self.smallest, self.largest):
            extremes.add(values, columns["stream"], columns["seq"], columns["interval_start"])
        self.slices.add(columns["interval_start"], values)

    def merge(self, other: Measured) -> None:
        """Adds what another stream's has counted, all but its course."""
        self.tally.merge(other.tally)
        self.smallest.merge(other.smallest)
        self.largest.merge(other.largest)


@dataclass
class Counts:
    """What became of the packets of a stream, told from its rows."""

    rows: int = 0
    not_stamped: int = 0
    first_start: int | None = None
    last_start: int | None = None


class Aggregate:
    """All that is gathered of one stream.

    Attributes:
        scheduled: arrival - interval_start.
        application: tx_program - interval_start.
        variation: differences of the scheduled times of neighbouring packets (RFC 5481, IPDV).
        sequences: the sequence numbers that arrived.
        counts: rows, and when the first and the last cycle began.
        spectrum: of the scheduled times.
        lost_in: how many packets of the rows have no arrival, by slices of time.
    """

    def __init__(self, arrival: ArrivalColumn | None) -> None:
        self.arrival = arrival
        self.scheduled = Measured()
        self.application = Measured()
        self.variation = Tally()
        self.sequences = Sequences()
        self.counts = Counts()
        self.spectrum = Spectrum()
        self._sample = Sample(3)
        self._count_on = CountingOn()
        self._last: int | None = None
        self._recent: Integers = np.zeros(0, dtype=np.int64)

    def add(self, chunk: Chunk, *, rows_arrived: bool) -> None:
        """Takes packets of this stream, in the order in which they arrived.

        Args:
            chunk: the packets.
            rows_arrived: whether there is a row for each arrival (a capture of the listener), or one for each
                packet that was sent, with no time of arrival if it was lost (the `packets` table).
        """
        if not len(chunk):
            return
        arrival = self._times(chunk, self.arrival)
        if rows_arrived:
            fresh = self.sequences.add(self._count_on(chunk.columns["seq"]))
            if fresh is not None:
                chunk, arrival = chunk.where(fresh), arrival[fresh]
        else:
            seq, part = chunk.columns["seq"], _taken(arrival)
            self.sequences.add(self._count_on(seq if part is None else seq[part]))
        if not len(chunk):
            return
        self._count(chunk, arrival)
        self._measure(chunk, arrival)

    def sample(self) -> Integers:
        """Some packets that have both latencies: seq, interval_start, application latency, scheduled time; (4, n)."""
        seq, start, program, arrival = self._sample.rows()
        return np.stack([seq, start, program - start, arrival - start])

    def within_phase(self, start_ns: int, end_ns: int, cycle_ns: int) -> tuple[int, int]:
        """How many packets are sent, and how many arrive, in this part of the cycle, its end not included."""
        sent, arrived = (one.tally.within(start_ns, end_ns, cycle_ns) for one in (self.application, self.scheduled))
        return sent, arrived

    def cycle_ns(self) -> int:
        """The cycle as the packets show it, rounded to nanoseconds; 0 if they do not."""
        counts, steps = self.counts, self.sequences.sent - 1
        if counts.first_start is None or counts.last_start is None or steps < 1:
            return 0
        return round((counts.last_start - counts.first_start) / steps)

    def smoothed_variation_ns(self) -> float | None:
        """The interarrival jitter of RFC 3550, section 6.4.1 (and iperf3), at the last packet."""
        if not len(self._recent):
            return None
        weights = 0.9375 ** np.arange(len(self._recent))[::-1] / 16
        return float((self._recent * weights).sum())

    def _times(self, chunk: Chunk, name: str | None) -> Integers:
        taken = chunk.column(name) if name else None
        return np.zeros(len(chunk), dtype=np.int64) if taken is None else taken

    def _count(self, chunk: Chunk, arrival: Integers) -> None:
        counts = self.counts
        counts.rows += len(chunk)
        part = _taken(arrival)
        counts.not_stamped += 0 if part is None else len(chunk) - int(np.count_nonzero(part))
        starts = self._times(chunk, "interval_start")
        part = _taken(starts)
        starts = starts if part is None else starts[part]
        if len(starts):
            low, high = int(starts.min()), int(starts.max())
            counts.first_start = low if counts.first_start is None else min(low, counts.first_start)
            counts.last_start = high if counts.last_start is None else max(high, counts.last_start)

    def _measure(self, chunk: Chunk, arrival: Integers) -> None:
        start, program = (self._times(chunk, name) for name in ("interval_start", "tx_program"))
        begun, sent, arrived = (_taken(times) for times in (start, program, arrival))
        part = _both(begun, sent)
        self.application.add(_less(program, start, part), _part(chunk, part))
        part = _both(begun, arrived)
        scheduled = _less(arrival, start, part)
        self.scheduled.add(scheduled, _part(chunk, part))
        if len(scheduled):
            self.spectrum.add(scheduled)
            self._vary(scheduled)
        self._choose(chunk, _both(part, sent), start, program, arrival)

    def _vary(self, scheduled: Integers) -> None:
        if self._last is not None:
            scheduled = np.concatenate([[self._last], scheduled])
        self._last = int(scheduled[-1])
        if len(scheduled) > 1:
            steps = np.diff(scheduled)
            self.variation.add(steps)
            self._recent = np.concatenate([self._recent, np.abs(steps[-_SMOOTHED:])])[-_SMOOTHED:]

    def _choose(self, chunk: Chunk, part: Part, *times: Integers) -> None:
        columns = (chunk.columns["seq"], *times)
        self._sample.add(*(columns if part is None else (one[part] for one in columns)))


Part = npt.NDArray[np.bool_] | None


def _taken(times: Integers) -> Part:
    """Which times were taken; None if all were, which is the rule and saves copies."""
    return None if (len(times) and times.min() > 0) or times.all() else times != 0


def _both(one: Part, other: Part) -> Part:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _part(chunk: Chunk, part: Part) -> Chunk:
    return chunk if part is None else chunk.where(part)


def _less(later: Integers, earlier: Integers, part: Part) -> Integers:
    return later - earlier if part is None else later[part] - earlier[part]
