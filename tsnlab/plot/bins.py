"""Bins for histograms of integers: as wide as the clock's step if that fits, else a round multiple of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MOST_BINS = 160


@dataclass(frozen=True)
class Histogram:
    """Counts, shape (n,), between edges, shape (n + 1,), all `width` apart; in the unit of the values.

    `lowest` is the smallest value.
    """

    counts: npt.NDArray[np.int64]
    edges: npt.NDArray[np.float64]
    width: int
    lowest: int


def histogram(values: npt.NDArray[np.int64], *, most: int = MOST_BINS) -> Histogram:
    """Counts integers in at most `most` bins fitted to their range.

    All clocks step: if 256 ns lie between two readings and bins were 100 ns wide, most would be empty and
    some would hold twice as much. So the width is a multiple of the step, and the values lie in the middle
    of their bins.

    Args:
        values: shape (n,), n > 0.
        most: how many bins at most, 2 or more.
    """
    return weighted(values, np.ones(len(values), dtype=np.int64), most=most)


def weighted(values: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], *, most: int = MOST_BINS) -> Histogram:
    """Likewise, of values that are there `counts` times each; shapes (n,), n > 0."""
    lowest = int(values.min())
    steps = values - lowest
    # of values that are all the same, the step cannot be told: 1
    step = int(np.gcd.reduce(steps)) or 1
    per_bin = _round_up(int(steps.max()) // step // most + 1)
    places = steps // (step * per_bin)
    filled = np.zeros(int(places.max()) + 1, dtype=np.int64)
    np.add.at(filled, places, counts)
    edges = lowest - step / 2 + np.arange(len(filled) + 1, dtype=np.float64) * (step * per_bin)
    return Histogram(filled, edges, step * per_bin, lowest)


def _round_up(number: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50 and so on."""
    scale: int = 10 ** (len(str(number)) - 1)
    return next(digit for digit in (scale, 2 * scale, 5 * scale, 10 * scale) if digit >= number)
