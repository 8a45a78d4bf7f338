"""How far a number may be off because the packets are only so many: confidence intervals.

The intervals of percentiles make no assumption about the distribution (order statistics: David and Nagaraja,
"Order Statistics", 7.1), and are exact in integers of rank, for packets that are independent of each other. A drift or
a slow disturbance makes them less so: then the means of parts of the run differ by more than chance (batch means: Law,
"Simulation Modeling and Analysis", 9.5.3), and as many independent packets are reckoned with as explain it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tsnlab.analysis.slices import Course
from tsnlab.analysis.summary import PERCENTILES
from tsnlab.analysis.tally import Tally

CONFIDENCE = 0.95
Z = 1.959963984540054  # two-sided 95 % of the normal distribution
_Z_99 = 2.3263478740408408  # one-sided
_BATCHES, _LEAST_BATCHES = 64, 16
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


@dataclass(frozen=True)
class Dependence:
    """How much packets depend on each other: `effective` independent ones would say as much about the mean.

    `inflation` is the variance of the means of `batches` parts of the run, over that of independent packets. What
    chance explains (99 %) is no dependence: then `effective` is the count.
    """

    effective: int
    inflation: float
    batches: int


def dependence(course: Course, tally: Tally) -> Dependence:
    """What the means of parts of a run say; without at least 16 parts, or any variance, nothing."""
    groups = min(_BATCHES, len(course.times) // 2)
    variance = float(tally.moments.variance()) if tally.count else 0.0
    if groups < _LEAST_BATCHES or variance <= 0:
        return Dependence(tally.count, 1.0, 0)
    parts = np.array_split(np.arange(len(course.times)), groups)
    counts = np.array([course.counts[part].sum() for part in parts], dtype=np.float64)
    means = np.array([np.average(course.means[part], weights=course.counts[part]) for part in parts])
    centre = np.average(means, weights=counts)
    inflation = float((counts * (means - centre) ** 2).sum() / (groups - 1) / variance)
    # the 99 % point of chi squared over its degrees of freedom (Wilson and Hilferty, 1931)
    degrees = groups - 1
    chance = (1 - 2 / (9 * degrees) + _Z_99 * math.sqrt(2 / (9 * degrees))) ** 3
    effective = tally.count if inflation <= chance else max(1, int(tally.count / inflation))
    return Dependence(effective, inflation, groups)


def mean_interval(tally: Tally, effective: int) -> tuple[float, float]:
    """The 95 % interval of the mean, for so many independent values; of none, nothing is known."""
    if not tally.count:
        return -math.inf, math.inf
    mean, half = float(tally.moments.mean()), Z * tally.moments.deviation() / math.sqrt(max(1, effective))
    return mean - half, mean + half


def percentile_intervals(
    tally: Tally, confidence: float = CONFIDENCE, effective: int | None = None
) -> dict[str, Interval]:
    """The percentiles that the count allows, each with its interval, in the unit of the values.

    Args:
        tally: the values.
        confidence: of the intervals.
        effective: as many independent values as these stand for, see `dependence`; None for all.
    """
    found = {}
    count = tally.count
    independent = count if effective is None else min(effective, count)
    for name, value in tally.percentiles().items():
        low, high = rank_interval(independent, PERCENTILES[name], confidence)
        # the same shares of all values, rounded outwards
        low = None if low is None else (low - 1) * count // independent + 1
        high = None if high is None else -(-high * count // independent)
        ends = (None if rank is None else tally.at_rank(rank) for rank in (low, high))
        found[name] = Interval(value, *ends)
    return found


def share_interval(hits: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927); of no hits at all, from 0 to the "rule of three".

    Args:
        hits: how many of them; a part of one where packets stand for fewer independent ones.
        count: how many there are.
    """
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
