"""Counts of integers in bins of 1 ns: percentiles of any number of values, exact, in constant memory.

Bins are kept in pages where there are values, so a few values far away cost a page each. If the values are
spread over more pages than allowed, bins become 2, 4, 8 … wide, just wide enough. How wide depends on the
values only: not on their order, nor on how they were grouped.
"""

from __future__ import annotations

import math

import numpy as np

from tsnlab.analysis.moments import Moments
from tsnlab.analysis.summary import PERCENTILES
from tsnlab.formats.chunk import Integers

MOST_PAGES = 2048
_PAGE_BITS = 12
_PAGE = 1 << _PAGE_BITS
_BLOCK = 1 << 20


class Tally:
    """Counts values, shape (n,), int64; mergeable.

    Attributes:
        lowest: of all values, None without any.
        highest: likewise.
        shift: bins are 2**shift wide; 0 as long as all counts are exact to 1 ns.
    """

    def __init__(self, most_pages: int = MOST_PAGES) -> None:
        self.lowest: int | None = None
        self.highest: int | None = None
        self.shift = 0
        self._most_pages = most_pages
        self._pages: dict[int, Integers] = {}
        self._known: Moments | None = None  # what the pages say, until they say something else
        self._sums: Moments | None = None  # as soon as bins may be wider than 1 ns and do not tell them any more

    @property
    def moments(self) -> Moments:
        """The exact sums."""
        if self._sums is not None:
            return self._sums
        if self._known is None:
            self._known = Moments.of_pages(self._pages, _PAGE_BITS)
        return self._known

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(int(page.sum()) for page in self._pages.values())

    @property
    def resolution(self) -> int:
        """How wide a bin is: a value given by rank is at most `resolution - 1` above the true one."""
        return 1 << self.shift

    def add(self, values: Integers) -> None:
        """Counts values."""
        for start in range(0, len(values), _BLOCK):
            block = values[start : start + _BLOCK]
            low, high = int(block.min()), int(block.max())
            self._stretch(low, high)
            narrow = high - low <= 4 * len(block)
            self._sum_from_now_on(len(block) if not narrow else ((high - low) >> _PAGE_BITS) + 2)
            if self._sums is not None:
                self._sums.add(block)
            if narrow:
                self._add_narrow(block, low, high)
            else:
                # a histogram of this width would be longer than the values are many
                self._insert(*_counted(np.sort(block)))

    def merge(self, other: Tally) -> None:
        """Counts all values that another tally has counted."""
        if other.lowest is None or other.highest is None:
            return
        self._sum_from_now_on(self._most_pages + 1 if other._sums is not None else len(other._pages))
        if self._sums is not None:
            self._sums.merge(other.moments)
        self._stretch(other.lowest, other.highest)
        if other.shift > self.shift:
            self._widen(other.shift)
        self._insert(*other._filled())

    def bins(self) -> tuple[Integers, Integers]:
        """The lowest value of each bin that is not empty, ascending, and its count; shapes (n,)."""
        return self._filled()

    def at_rank(self, rank: int) -> int:
        """The value of this rank in ascending order, from 1; of a wider bin, its upper end.

        Raises:
            IndexError: there is no such rank.
        """
        return self.at_ranks([rank])[0]

    def at_ranks(self, ranks: list[int]) -> list[int]:
        """The values of these ranks, see `at_rank`."""
        if any(not 1 <= rank <= self.count for rank in ranks):
            raise IndexError(f"ranks {ranks} of {self.count} values")
        numbers = sorted(self._pages)
        ends = np.cumsum([int(self._pages[number].sum()) for number in numbers])
        return [self._at(rank, numbers, ends) for rank in ranks]

    def percentiles(self) -> dict[str, int]:
        """Those of `tsnlab.analysis.summary.PERCENTILES` that the count allows, by nearest rank.

        Ranks are computed in integers: in float64, 99.9 / 100 * 1000 is more than 999, and p99.9 off by one.
        """
        ranks = {name: math.ceil(share * self.count) for name, share in PERCENTILES.items()}
        given = {name: rank for name, rank in ranks.items() if 0 < rank < self.count}
        return dict(zip(given, self.at_ranks(list(given.values())), strict=True))

    def below(self, limit: int) -> int:
        """How many values are less than `limit`; of a wider bin that holds the limit, none."""
        values, counts = self._filled()
        return int(counts[values + (self.resolution - 1) < limit].sum())

    def above(self, limit: int) -> int:
        """How many values are greater than `limit`; of a wider bin that holds the limit, none."""
        values, counts = self._filled()
        return int(counts[values > limit].sum())

    def within(self, start: int, end: int, period: int) -> int:
        """How many values, modulo the period, are `start` or more and less than `end`; a wider bin by its lowest."""
        values, counts = self._filled()
        phases = values % period
        return int(counts[(phases >= start) & (phases < end)].sum())

    def _at(self, rank: int, numbers: list[int], ends: Integers) -> int:
        place = int(np.searchsorted(ends, rank))
        page = self._pages[numbers[place]]
        before = int(ends[place - 1]) if place else 0
        inside = int(np.searchsorted(np.cumsum(page), rank - before))
        upper = ((((numbers[place] << _PAGE_BITS) | inside) + 1) << self.shift) - 1
        assert self.highest is not None
        return min(upper, self.highest)

    def _sum_from_now_on(self, more_pages: int) -> None:
        """Takes the sums from the pages for the last time, if so many more of them could be too many."""
        if self._sums is None and len(self._pages) + more_pages > self._most_pages:
            self._sums, self._known = self.moments, None

    def _stretch(self, low: int, high: int) -> None:
        self.lowest = low if self.lowest is None else min(self.lowest, low)
        self.highest = high if self.highest is None else max(self.highest, high)

    def _add_narrow(self, values: Integers, low: int, high: int) -> None:
        first = low >> (_PAGE_BITS + self.shift)
        last = high >> (_PAGE_BITS + self.shift)
        start = (first << _PAGE_BITS) << self.shift
        if start < -(1 << 63):
            self._insert(*_counted(np.sort(values)))
            return
        steps = values - start
        counts = np.bincount(steps >> self.shift if self.shift else steps, minlength=(last - first + 1) << _PAGE_BITS)
        for row, page in enumerate(counts.reshape(-1, _PAGE)):
            # where a page is there already, adding nothing is quicker than looking for something
            if first + row in self._pages or page.any():
                self._add_page(first + row, page)
        self._fit()

    def _insert(self, values: Integers, counts: Integers) -> None:
        """Adds counts of values that are ascending and different, unless they share a bin."""
        if len(values) > self._most_pages:
            needed = self._needed(values)
            if needed > self.shift:
                self._widen(needed)
        bins = values >> self.shift
        pages = bins >> _PAGE_BITS
        starts = np.flatnonzero(np.diff(pages, prepend=pages[0] - 1 if len(pages) else 0))
        for start, end in zip(starts.tolist(), [*starts.tolist()[1:], len(bins)], strict=True):
            inside = bins[start:end] & (_PAGE - 1)
            filled = np.zeros(_PAGE, dtype=np.int64)
            if self.shift:
                np.add.at(filled, inside, counts[start:end])
            else:
                filled[inside] = counts[start:end]
            self._add_page(int(pages[start]), filled)
        self._fit()

    def _needed(self, values: Integers) -> int:
        """The shift at which these values and those counted fit the allowed number of pages."""
        shift = self.shift
        numbers = np.union1d(values >> (_PAGE_BITS + shift), np.array(sorted(self._pages), dtype=np.int64))
        while len(numbers) > self._most_pages:
            numbers = np.unique(numbers >> 1)
            shift += 1
        return shift

    def _add_page(self, number: int, counts: Integers) -> None:
        self._known = None
        page = self._pages.get(number)
        if page is None:
            self._pages[number] = counts.astype(np.int64)
        else:
            page += counts

    def _fit(self) -> None:
        if len(self._pages) > self._most_pages:
            self._widen(self._needed(np.zeros(0, dtype=np.int64)))

    def _widen(self, shift: int) -> None:
        values, counts = self._filled()
        self.shift = shift
        self._pages = {}
        if len(values):
            self._insert(values, counts)

    def _filled(self) -> tuple[Integers, Integers]:
        numbers = sorted(self._pages)
        none = np.zeros(0, dtype=np.int64)
        inside = [np.flatnonzero(self._pages[number]) for number in numbers]
        pairs = list(zip(numbers, inside, strict=True))
        values = [((number << _PAGE_BITS) | places) << self.shift for number, places in pairs]
        counts = [self._pages[number][places] for number, places in pairs]
        return np.concatenate([none, *values]), np.concatenate([none, *counts])


def _counted(ordered: Integers) -> tuple[Integers, Integers]:
    """The different values of an ascending array, and how often each is there."""
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[starts], np.diff(np.append(starts, len(ordered)))
