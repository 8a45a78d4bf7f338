"""How far a number may be off because the packets are only so many: confidence intervals.

The intervals of percentiles make no assumption about the distribution (order statistics: David and Nagaraja,
"Order Statistics", 7.1), and are exact in integers of rank. All assume that packets are independent of each
other; a drift or a periodic disturbance makes them less so, and the intervals too narrow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tsnlab.analysis.summary import PERCENTILES
from tsnlab.analysis.tally import Tally

CONFIDENCE = 0.95
Z = 1.959963984540054  # two-sided 95 % of the normal distribution
_FAR = 12  # standard deviations, beyond which the binomial distribution adds nothing in float64


@dataclass(frozen=True)
class Interval:
    """A percentile with the ends of its interval; None where so few packets cannot bound it."""

    value: int
    low: int | None
    high: int | None


def rank_interval(count: int, share: Fraction, confidence: float = CONFIDENCE) -> tuple[int | None, int | None]:
    """Ranks, from 1, between which the quantile `share` of the population lies with at least this confidence.

    None where even the smallest, or the largest, of `count` values does not bound it.
    """
    if count < 1:
        return None, None
    p = float(share)
    spread = math.ceil(_FAR * math.sqrt(count * p * (1 - p))) + 60
    centre = int((count + 1) * p)
    numbers = np.arange(max(0, centre - spread), min(count, centre + spread) + 1)
    # the binomial distribution of how many values lie below the quantile, from ratios of its neighbours
    ratios = np.log((count - numbers[:-1]) / (numbers[:-1] + 1)) + math.log(p / (1 - p))
    logs = np.concatenate([[0.0], np.cumsum(ratios)])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    limit = (1 - confidence) / 2
    below = np.flatnonzero(np.cumsum(weights) <= limit)
    from_top = np.flatnonzero(np.cumsum(weights[::-1]) <= limit)
    low = int(numbers[below[-1]]) + 1 if len(below) else None
    high = int(numbers[len(numbers) - 1 - from_top[-1]]) if len(from_top) else None
    return low, high


def percentile_intervals(tally: Tally, confidence: float = CONFIDENCE) -> dict[str, Interval]:
    """The percentiles that the count allows, each with its interval, in the unit of the values."""
    found = {}
    for name, value in tally.percentiles().items():
        ends = rank_interval(tally.count, PERCENTILES[name], confidence)
        low, high = (None if rank is None else tally.at_rank(rank) for rank in ends)
        found[name] = Interval(value, low, high)
    return found


def share_interval(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927); of no hits at all, from 0 to the "rule of three"."""
    if count < 1:
        return 0.0, 1.0
    if hits == 0:
        return 0.0, min(1.0, -math.log(1 - CONFIDENCE) / count)
    if hits == count:
        return max(0.0, 1 + math.log(1 - CONFIDENCE) / count), 1.0
    share = hits / count
    centre = share + Z * Z / (2 * count)
    half = Z * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    scale = 1 + Z * Z / count
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
