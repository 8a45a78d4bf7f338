"""netlatency's own numbers: the three histograms of nl-calc, equal to the last digit.

Written from the formulas and the output of nl-calc (kontron/netlatency). Two modes:

- `stock`: nl-calc as it is since 2020, which makes every value an integer before it is counted.
- `guide`: what the guide's figures were made with: values stay floating point (its minima and maxima have
  decimals), scheduled times have 2000 bins instead of 1000, and timestamps end in Z.

Its peculiarities are kept, because its numbers are: a minimum or maximum of 0 counts as not set, and is
replaced by whatever comes next; a scheduled time equal to the number of bins lands in bin 0; the running mean
behind the jitter includes the present packet, is rounded to float64 with every packet, and goes on when the
histograms start anew; streams are not told apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tsnlab.formats.chunk import Chunk, Integers
from tsnlab.formats.digits import time_text

Mode = Literal["stock", "guide"]
Floats = npt.NDArray[np.float64]

_PROGRAM_BINS, _JITTER_BINS, _OFFSET = 50, 2000, 1000
_SCHEDULED_BINS: dict[Mode, int] = {"stock": 1000, "guide": 2000}
_EXACT = 1 << 53


class _Histogram:
    """One of nl-calc's histograms."""

    def __init__(self, kind: str, bins: int, offset: int | None = None) -> None:
        self.kind = kind
        self.bins = np.zeros(bins, dtype=np.int64)
        self.offset = offset
        self.count = self.outliers = self.time_error = 0
        self.low: float | int = 0
        self.high: float | int = 0

    def take(self, values: Floats, inside: Floats) -> None:
        """Counts values, and those of them that have a bin at their place."""
        self.count += len(values)
        self.low = _reset_at_zero(self.low, values)
        self.high = -_reset_at_zero(-self.high, -values)
        self.bins += np.bincount(inside.astype(np.int64), minlength=len(self.bins))

    def to_json(self, start: int | None, end: int | None, mode: Mode) -> dict[str, Any]:
        """The object that nl-calc prints, in its order of keys."""
        number: type[int] | type[float] = int if mode == "stock" else float
        content: dict[str, Any] = {"stream-id": 0, "count": self.count}
        for name, value in (("min", self.low), ("max", self.high)):
            content[name] = number(value) if value else 0
        content |= {"outliers": self.outliers, "time_error": self.time_error}
        if self.offset is not None:
            content["offset"] = self.offset
        content["histogram"] = self.bins.tolist()
        suffix = "Z" if mode == "guide" else ""
        for name, time in (("start-timestamp", start), ("end-timestamp", end)):
            content[name] = None if time is None else time_text(time) + suffix
        return {"type": self.kind, "object": content}


class NlCalc:
    """Computes what nl-calc computes, from packets in the order in which they were received.

    Args:
        interval_us: the cycle, netlatency's `interval-usec`.
        mode: which nl-calc, see this module.
        every: packets after which the histograms are given and start anew (nl-calc -c); 0 for never.

    Raises:
        ValueError: the interval is not positive.
    """

    def __init__(self, interval_us: int, mode: Mode = "stock", every: int = 0) -> None:
        if interval_us <= 0:
            raise ValueError(f"interval_us is {interval_us}; nl-calc takes times modulo the interval")
        self._interval_us = interval_us
        self._mode: Mode = mode
        self._every = every
        self._mean, self._packets = 0.0, 0
        self._ready: list[dict[str, Any]] = []
        self._start_anew()

    def add(self, chunk: Chunk) -> None:
        """Takes packets; a time that was not taken counts as 0, as netlatency writes it."""
        none = np.zeros(len(chunk), dtype=np.int64)
        columns = [chunk.columns.get(name, none) for name in ("interval_start", "tx_program", "rx_hardware")]
        begin = 0
        while begin < len(chunk):
            room = self._every - self._program.count if self._every else len(chunk)
            end = min(len(chunk), begin + room)
            self._take(*(column[begin:end] for column in columns))
            begin = end
            if self._every and self._program.count == self._every:
                self._ready += self._present()
                self._start_anew()

    def result(self) -> list[dict[str, Any]]:
        """All objects that nl-calc has printed at the end: three histograms, for each part and for the rest."""
        return [*self._ready, *self._present()]

    def _start_anew(self) -> None:
        self._program = _Histogram("histogram-program-latency", _PROGRAM_BINS)
        self._scheduled = _Histogram("histogram-scheduled-times", _SCHEDULED_BINS[self._mode])
        self._jitter = _Histogram("histogram-jitter", _JITTER_BINS, _OFFSET)
        self._start: int | None = None
        self._end: int | None = None

    def _present(self) -> list[dict[str, Any]]:
        histograms = (self._program, self._scheduled, self._jitter)
        return [one.to_json(self._start, self._end, self._mode) for one in histograms]

    def _take(self, start: Integers, program: Integers, arrival: Integers) -> None:
        if not len(start):
            return
        self._start = int(program[0]) if self._start is None else self._start
        self._end = max(int(program.max()), int(program[0]) if self._end is None else self._end)
        sent = self._counted(_thousandth(program - start) % self._interval_us)
        _bounded(self._program, sent, sent < len(self._program.bins))
        arrived = self._counted(_thousandth(arrival - start))
        bins = len(self._scheduled.bins)
        # its histogram has `value > bins` for outliers, and the last one comes out at bin 0
        _bounded(self._scheduled, arrived, arrived <= bins, bins)
        jitter = self._counted(self._from_running_mean((arrival - start) % (self._interval_us * 1000)))
        places = jitter + _OFFSET
        inside = (places >= 0) & (places < _JITTER_BINS)
        self._jitter.outliers += len(jitter) - int(inside.sum())
        self._jitter.take(jitter, places[inside])

    def _counted(self, values: Floats) -> Floats:
        return np.trunc(values) + 0.0 if self._mode == "stock" else values

    def _from_running_mean(self, values: Integers) -> Floats:
        """Mean so far - value; one packet after the other, since every step is rounded."""
        means, mean, count = [], self._mean, self._packets
        for value in values.tolist():
            mean = (count * mean + value) / (count + 1)
            count += 1
            means.append(mean)
        self._mean, self._packets = mean, count
        return np.array(means) - values


def nl_calc(chunks: Iterable[Chunk], interval_us: int, mode: Mode = "stock", every: int = 0) -> list[dict[str, Any]]:
    """The objects that nl-calc prints for a capture; see `NlCalc`."""
    calculator = NlCalc(interval_us, mode, every)
    for chunk in chunks:
        calculator.add(chunk)
    return calculator.result()


def _bounded(histogram: _Histogram, values: Floats, below: npt.NDArray[np.bool_], modulo: int | None = None) -> None:
    """Negative values are time errors, those that are not `below` outliers, all others have a bin."""
    inside = values[(values >= 0) & below]
    histogram.time_error += int((values < 0).sum())
    histogram.outliers += int((~below).sum())
    histogram.take(values, np.trunc(inside) % modulo if modulo else inside)


def _thousandth(values: Integers) -> Floats:
    """Nanoseconds as microseconds, the float64 nearest to the exact quotient, as Python divides."""
    quotients: Floats = values / 1000
    for place in np.flatnonzero(np.abs(values) >= _EXACT).tolist():
        # float64 does not hold these, and would be rounded twice
        quotients[place] = int(values[place]) / 1000
    return quotients


def _reset_at_zero(low: float | int, values: Floats) -> float:
    """The minimum of nl-calc: 0 stands for "not set", also where a value was 0.

    Until a value is negative, a 0 forgets all that came before; from then on the minimum never is 0 again.
    """
    ordered = values if low == 0 else np.concatenate([[low], values])
    negative = np.flatnonzero(ordered < 0)
    if len(negative):
        return float(ordered[negative[0] :].min())
    zeros = np.flatnonzero(ordered == 0)
    rest = ordered[zeros[-1] + 1 :] if len(zeros) else ordered
    return float(rest.min()) if len(rest) else 0.0
