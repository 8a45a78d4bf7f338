"""A fair choice of packets for figures: every 2**n-th sequence number, never more than fit on a page."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tsnlab.formats.chunk import Integers

MOST_POINTS = 4096


class Sample:
    """Rows whose sequence number is a multiple of a power of two, just large enough to keep few.

    Which rows these are depends on all rows that were added, not on how they were grouped.
    """

    def __init__(self, columns: int, most: int = MOST_POINTS) -> None:
        self._most = most
        self._shift = 0
        self._rows = np.zeros((columns + 1, 0), dtype=np.int64)

    def add(self, seq: Integers, *columns: Integers) -> None:
        """Takes rows: their sequence numbers and the columns to keep, shapes (n,)."""
        if not len(seq):
            return
        step = 1 << self._shift
        first = -int(seq[0]) & (step - 1)
        chosen: slice | npt.NDArray[np.intp] = slice(first, None, step)
        fresh = seq[chosen]
        # mostly, numbers follow each other: then all rows a step apart are the ones, and no others
        if int(seq[-1]) - int(seq[0]) != len(seq) - 1 or not bool((np.diff(seq) == 1).all()):
            chosen = np.flatnonzero(seq & (step - 1) == 0)
            fresh = seq[chosen]
        if not len(fresh):
            return
        fresh = np.stack([fresh, *(column[chosen] for column in columns)])
        self._rows = np.concatenate([self._rows, fresh], axis=1)
        while self._rows.shape[1] > self._most and self._shift < 32:
            self._shift += 1
            self._rows = self._rows[:, self._rows[0] & ((1 << self._shift) - 1) == 0]

    def rows(self) -> Integers:
        """Sequence numbers and columns, shape (columns + 1, rows)."""
        return self._rows
