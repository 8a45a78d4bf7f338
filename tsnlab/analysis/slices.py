"""What a value did in the course of a run: its minimum, mean and maximum in slices of time, in constant memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tsnlab.formats.chunk import Integers

MOST_SLICES = 1024
_FIRST_SHIFT = 20
_LIMIT = 1 << 38  # values are limited to this for the mean, so that no sum of a slice overflows


@dataclass(frozen=True)
class Course:
    """The slices that hold values, by time; arrays of shape (n,).

    `times` are the beginnings of the slices and `lowest` and `highest` the extremes in them, int64
    nanoseconds; `means` float64 nanoseconds; `width_ns` is how long a slice takes.
    """

    times: Integers
    counts: Integers
    lowest: Integers
    means: npt.NDArray[np.float64]
    highest: Integers
    width_ns: int


class Slices:
    """Extremes and sums of values in slices of time that become wider as the run becomes longer.

    Slices begin at multiples of their width, which is the smallest power of two with which the run fits, so
    they do not depend on how the values were grouped.
    """

    def __init__(self, most: int = MOST_SLICES) -> None:
        self._most = most
        self._shift = _FIRST_SHIFT
        self._ends: tuple[int, int] | None = None
        self._table = np.zeros((5, 0), dtype=np.int64)  # slice, count, lowest, total, highest

    def add(self, times: Integers, values: Integers) -> None:
        """Takes values at times, int64 nanoseconds; shapes (n,)."""
        if not len(values):
            return
        if not bool((times[1:] >= times[:-1]).all()):
            order = np.argsort(times, kind="stable")
            times, values = times[order], values[order]
        low, high = int(times[0]), int(times[-1])
        self._fit(low, high)
        places = np.arange(low >> self._shift, (high >> self._shift) + 1)
        starts = np.searchsorted(times, places[1:] << self._shift)
        starts = np.concatenate([[0], starts])
        counts = np.diff(starts, append=len(times))
        places, starts, counts = (column[counts > 0] for column in (places, starts, counts))
        safe = values
        if int(values.min()) < -_LIMIT or int(values.max()) > _LIMIT:
            safe = np.clip(values, -_LIMIT, _LIMIT)
        rows = np.stack(
            [
                places,
                counts,
                np.minimum.reduceat(values, starts),
                np.add.reduceat(safe, starts),
                np.maximum.reduceat(values, starts),
            ]
        )
        self._table = _merged(np.concatenate([self._table, rows], axis=1))

    def course(self) -> Course:
        """The slices so far."""
        places, counts, lowest, totals, highest = self._table
        means = totals / np.maximum(counts, 1)
        return Course(places << self._shift, counts, lowest, means, highest, 1 << self._shift)

    def _fit(self, low: int, high: int) -> None:
        if self._ends:
            low, high = min(low, self._ends[0]), max(high, self._ends[1])
        self._ends = (low, high)
        shift = self._shift
        while (high >> shift) - (low >> shift) >= self._most:
            shift += 1
        if shift > self._shift:
            self._table[0] >>= shift - self._shift
            self._shift = shift
            self._table = _merged(self._table)


def _merged(rows: Integers) -> Integers:
    """One row for each slice, ascending."""
    places = rows[0]
    if not len(places):
        return rows
    if not bool((places[1:] >= places[:-1]).all()):
        rows = rows[:, np.argsort(places, kind="stable")]
        places = rows[0]
    starts = np.flatnonzero(np.concatenate([[True], places[1:] != places[:-1]]))
    return np.stack(
        [
            places[starts],
            np.add.reduceat(rows[1], starts),
            np.minimum.reduceat(rows[2], starts),
            np.add.reduceat(rows[3], starts),
            np.maximum.reduceat(rows[4], starts),
        ]
    )
