"""Which sequence numbers of a stream arrived: losses, duplicates, reordering and loss bursts, exactly.

Numbers are kept as a set in pages of 65536, as a short list, a bitmap or "all" (as roaring bitmaps do:
Lemire et al., 2016), so a day of packets takes a few kilobytes for each place where some are missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tsnlab.formats.chunk import Integers

_HALF = 1 << 31  # of the numbers that 32 bits can tell
_BITS = 16
_PAGE = 1 << _BITS
_SPARSE = 4096  # up to so many numbers, a list takes less than a bitmap
_ALL: npt.NDArray[np.uint8] = np.zeros(0, dtype=np.uint8)

Page = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Bursts:
    """Losses in a row: how many bursts of each length, and where the longest begins (None without losses)."""

    lengths: dict[int, int] = field(default_factory=dict)
    longest: int = 0
    longest_seq: int | None = None


class CountingOn:
    """Sequence numbers of 32 bits that begin anew at 0 as numbers that do not: each is the nearest to the one before.

    So a number may be up to 2**31 - 1 higher or lower than the one before.
    """

    def __init__(self) -> None:
        self._raw: int | None = None
        self._turns = 0  # what has been added to the last one, a multiple of 2**32

    def __call__(self, seq: Integers) -> Integers:
        """The numbers counted on, shape (n,)."""
        if not len(seq):
            return seq
        before = int(seq[0]) if self._raw is None else self._raw
        self._raw = int(seq[-1])
        low, high = min(before, int(seq.min())), max(before, int(seq.max()))
        if high - low < _HALF:
            return seq + self._turns if self._turns else seq
        steps = np.diff(seq, prepend=before)
        turns = self._turns + np.cumsum((((steps + _HALF) & (2 * _HALF - 1)) - _HALF) - steps)
        self._turns = int(turns[-1])
        return np.asarray(seq + turns, dtype=np.int64)


class Sequences:
    """The sequence numbers of one stream, in order of arrival.

    Attributes:
        received: how many different numbers arrived.
        duplicated: arrivals of a number that had arrived before.
        reordered: first arrivals after that of a higher number (RFC 4737, section 3).
        first: the lowest number, None if nothing arrived.
        last: the highest number.
    """

    def __init__(self) -> None:
        self.received = self.duplicated = self.reordered = 0
        self.first: int | None = None
        self.last: int | None = None
        self._pages: dict[int, Page] = {}
        self._run = (0, 0)  # numbers from, and up to, which have arrived one after the other

    @property
    def sent(self) -> int:
        """How many packets were sent, as far as the numbers tell: those between the first and the last."""
        return 0 if self.first is None or self.last is None else self.last - self.first + 1

    @property
    def lost(self) -> int:
        """How many numbers between the first and the last did not arrive."""
        return self.sent - self.received

    def add(self, seq: Integers) -> npt.NDArray[np.bool_] | None:
        """Takes arrivals, shape (n,); gives which of them are first arrivals, None if all are."""
        if not len(seq):
            return None
        start, steps = int(seq[0]), np.diff(seq)
        if (self.last is None or start > self.last) and bool((steps == 1).all()):
            self._extend(start, start + len(seq))
            return None
        self._flush()
        fresh = self._enter(seq, rising=bool((steps > 0).all()))
        self._count(seq if fresh is None else seq[fresh], len(seq))
        return fresh

    def bursts(self) -> Bursts:
        """The losses between the first and the last number, by length."""
        self._flush()
        lengths: Counter[int] = Counter()
        longest, where, expected = 0, None, self.first or 0
        for number in sorted(self._pages):
            for starts, gaps in self._gaps(number, expected):
                kinds, counts = np.unique(gaps, return_counts=True)
                lengths.update(dict(zip(kinds.tolist(), counts.tolist(), strict=True)))
                if gaps.max() > longest:
                    longest, where = int(gaps.max()), int(starts[gaps.argmax()]) % (2 * _HALF)
            expected = self._end(number)
        return Bursts(dict(sorted(lengths.items())), longest, where)

    def _extend(self, start: int, end: int) -> None:
        if start == self._run[1] and self._run[0] < self._run[1]:
            self._run = (self._run[0], end)
        else:
            self._flush()
            self._run = (start, end)
        self.first = start if self.first is None else min(self.first, start)
        self.last = end - 1
        self.received += end - start

    def _count(self, fresh: Integers, arrived: int) -> None:
        self.duplicated += arrived - len(fresh)
        self.received += len(fresh)
        if not len(fresh):
            return
        # the highest number before each arrival
        before = np.maximum.accumulate(np.concatenate([[-1 if self.last is None else self.last], fresh]))[:-1]
        self.reordered += int((fresh < before).sum())
        low, high = int(fresh.min()), int(fresh.max())
        self.first = low if self.first is None else min(self.first, low)
        self.last = high if self.last is None else max(self.last, high)

    def _flush(self) -> None:
        start, end = self._run
        while start < end:
            number = start >> _BITS
            stop = min(end, (number + 1) << _BITS)
            if stop - start == _PAGE:
                self._pages[number] = _ALL
            else:
                self._put(number, np.arange(start & (_PAGE - 1), ((stop - 1) & (_PAGE - 1)) + 1))
            start = stop
        self._run = (0, 0)

    def _enter(self, seq: Integers, *, rising: bool) -> npt.NDArray[np.bool_] | None:
        """Puts numbers into their pages; which are new, None if all are."""
        order = None if rising else np.argsort(seq, kind="stable")
        ordered = seq if order is None else seq[order]
        new = np.ones(len(seq), dtype=np.bool_)
        new[1:] = ordered[1:] != ordered[:-1]
        pages = ordered >> _BITS
        starts = np.flatnonzero(np.concatenate([[True], pages[1:] != pages[:-1]])).tolist()
        for start, end in zip(starts, [*starts[1:], len(seq)], strict=True):
            inside = (ordered[start:end] & (_PAGE - 1)).astype(np.intp)
            known = self._put(int(pages[start]), inside)
            new[start:end] &= ~known
        if bool(new.all()):
            return None
        if order is None:
            return new
        back = np.empty_like(new)
        back[order] = new
        return back

    def _put(self, number: int, inside: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Adds numbers, ascending, to a page; which of them it held before."""
        page = self._pages.get(number)
        if page is _ALL:
            return np.ones(len(inside), dtype=np.bool_)
        if (0 if page is None else len(page) if page.dtype == np.uint16 else _PAGE) + len(inside) <= _SPARSE:
            return self._put_sparse(number, page, inside)
        bits = np.zeros(_PAGE, dtype=np.bool_)
        bits[self._inside(number)] = True
        known = bits[inside]
        bits[inside] = True
        self._pages[number] = _ALL if bits.all() else np.packbits(bits)
        return known

    def _put_sparse(self, number: int, page: Page | None, inside: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        held = np.zeros(0, dtype=np.uint16) if page is None else page
        fresh = inside.astype(np.uint16)
        known = np.isin(fresh, held)
        self._pages[number] = np.union1d(held, fresh).astype(np.uint16)
        return known

    def _inside(self, number: int) -> npt.NDArray[np.intp]:
        """The numbers of a page, ascending, counted from where the page begins."""
        page = self._pages.get(number)
        if page is None:
            return np.zeros(0, dtype=np.intp)
        if page is _ALL:
            return np.arange(_PAGE)
        if page.dtype == np.uint16:
            return page.astype(np.intp)
        return np.flatnonzero(np.unpackbits(page.astype(np.uint8)))

    def _gaps(self, number: int, expected: int) -> Iterator[tuple[Integers, Integers]]:
        """(first missing number, how many are missing) of each gap up to the last number of a page."""
        base = number << _BITS
        if self._pages[number] is _ALL:
            places = np.array([base], dtype=np.int64)
        else:
            places = base + self._inside(number).astype(np.int64)
        before = np.concatenate([[expected], places[:-1] + 1])
        gaps = places - before
        missing = gaps > 0
        if missing.any():
            yield before[missing], gaps[missing]

    def _end(self, number: int) -> int:
        inside = self._inside(number)
        return (number << _BITS) + int(inside[-1]) + 1
