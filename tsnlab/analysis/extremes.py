"""The smallest and the largest values of a capture, each with its packet and its time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tsnlab.formats.chunk import Integers

KEPT = 5


@dataclass(frozen=True, order=True)
class Extreme:
    """A value, the packet it belongs to, and when that packet's cycle began (nanoseconds)."""

    value: int
    stream: int
    seq: int
    time: int


class Extremes:
    """The few smallest (`sign` 1) or largest (`sign` -1) values; of equal ones, the first by stream and seq."""

    def __init__(self, sign: int = 1, kept: int = KEPT) -> None:
        self._sign = sign
        self._kept = kept
        self._best: list[Extreme] = []  # values times sign, so that smaller is more extreme

    def add(self, values: Integers, stream: Integers, seq: Integers, time: Integers) -> None:
        """Takes values and their packets, all of shape (n,)."""
        if not len(values):
            return
        rows = self._candidates(values, stream, seq)
        if not len(rows):
            return
        order = np.lexsort((seq[rows], stream[rows], self._sign * values[rows]))[: self._kept]
        chosen = rows[order]
        columns = (column[chosen].tolist() for column in (self._sign * values, stream, seq, time))
        found = [Extreme(*row) for row in zip(*columns, strict=True)]
        self._best = sorted([*self._best, *found])[: self._kept]

    def merge(self, other: Extremes) -> None:
        """Takes those of another capture."""
        self._best = sorted([*self._best, *other._best])[: self._kept]

    def list(self) -> list[Extreme]:
        """The most extreme value first."""
        return [Extreme(self._sign * one.value, one.stream, one.seq, one.time) for one in self._best]

    def _candidates(self, values: Integers, stream: Integers, seq: Integers) -> npt.NDArray[np.intp]:
        """The rows that may be among the kept ones."""
        if len(self._best) < self._kept:
            # enough of them to be sure, without sorting all
            place = min(self._kept, len(values)) - 1
            lead = self._sign * values
            return np.flatnonzero(lead <= np.partition(lead, place)[place])
        worst = self._best[-1]
        limit = worst.value * self._sign
        if int(values.min()) > limit if self._sign > 0 else int(values.max()) < limit:
            return np.zeros(0, dtype=np.intp)
        rows = np.flatnonzero(values <= limit if self._sign > 0 else values >= limit)
        # equal values are common where clocks are coarse: only those of earlier packets matter
        of, numbers = stream[rows], seq[rows]
        later = (of > worst.stream) | ((of == worst.stream) & (numbers >= worst.seq))
        kept: npt.NDArray[np.intp] = rows[(values[rows] != limit) | ~later]
        return kept
