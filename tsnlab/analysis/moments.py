"""Sums of integers and of their squares, without any rounding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tsnlab.formats.chunk import Integers

_BLOCK = 1 << 20
_NARROW = 1 << 21  # the squares of a block of deviations below this add up to less than 2**62
_LIMB = np.uint64(21)
_MASK = np.uint64((1 << 21) - 1)


@dataclass
class Moments:
    """Count, sum and sum of squares as integers of any size: the same for any order and any grouping."""

    count: int = 0
    total: int = 0
    squares: int = 0

    def add(self, values: Integers) -> None:
        """Adds values, shape (n,), int64."""
        for start in range(0, len(values), _BLOCK):
            self._add_block(values[start : start + _BLOCK])

    def merge(self, other: Moments) -> None:
        """Adds all that another one has counted."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares

    @classmethod
    def of_pages(cls, pages: Mapping[int, Integers], bits: int) -> Moments:
        """The sums of values that were counted: page `number` has the counts of `number << bits` and those after."""
        if not pages:
            return cls()
        inside = np.arange(1 << bits, dtype=np.int64)
        table = np.stack([np.ones_like(inside), inside, inside * inside], axis=1)
        sums = cls()
        for number, counts in pages.items():
            # below 2**bits, squares add up to less than 2**63 for 2**(63 - 2 * bits) values
            count, total, squares = (counts @ table).tolist()
            base = number << bits
            sums.merge(cls(count, total + count * base, squares + 2 * base * total + count * base * base))
        return sums

    def mean(self) -> Fraction:
        """The exact mean.

        Raises:
            ZeroDivisionError: nothing was counted.
        """
        return Fraction(self.total, self.count)

    def variance(self) -> Fraction:
        """The exact variance of these very values (divided by count).

        Raises:
            ZeroDivisionError: nothing was counted.
        """
        return Fraction(self.squares * self.count - self.total**2, self.count**2)

    def deviation(self) -> float:
        """The standard deviation of these very values."""
        return math.sqrt(self.variance())

    def _add_block(self, values: Integers) -> None:
        low, high = int(values.min()), int(values.max())
        if high - low < _NARROW:
            deltas = values - low
            total, squares = int(deltas.sum()), int(np.dot(deltas, deltas))
        else:
            total, squares = _wide_sums(values, low)
        count = len(values)
        self.count += count
        self.total += total + count * low
        self.squares += squares + 2 * low * total + count * low * low


def _wide_sums(values: Integers, low: int) -> tuple[int, int]:
    """The sums of deviations from `low` and of their squares, by limbs of 21 bits."""
    # in uint64 the difference is right even where it would overflow int64
    deltas = values.view(np.uint64) - np.uint64(low & 0xFFFF_FFFF_FFFF_FFFF)
    limbs = (deltas & _MASK, (deltas >> _LIMB) & _MASK, deltas >> np.uint64(42))
    total = sum(int(limb.sum()) << (21 * place) for place, limb in enumerate(limbs))
    squares = sum(
        int(np.dot(one, other)) << (21 * (i + j)) for i, one in enumerate(limbs) for j, other in enumerate(limbs)
    )
    return total, squares
