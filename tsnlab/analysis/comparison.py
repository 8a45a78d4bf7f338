"""Whether two runs differ, and by how much, with a statement of confidence."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tsnlab.analysis.confidence import Interval, Z, percentile_intervals
from tsnlab.analysis.tally import Tally

_SURE = 0.01
_DIGITS = 3


@dataclass(frozen=True, repr=False)
class Comparison:
    """A second run beside a first one; nanoseconds, and positive where the second is later.

    Attributes:
        mean_difference: of the means.
        mean_low: the lower end of its 95 % interval.
        mean_high: the upper end.
        distance: the largest difference of the two distributions, from 0 to 1 (Kolmogorov-Smirnov).
        p_value: how likely such a distance is between two runs of the same kind.
        percentiles: by name, both runs' percentiles with their intervals, and whether these do not overlap.
    """

    mean_difference: float
    mean_low: float
    mean_high: float
    distance: float
    p_value: float
    percentiles: dict[str, tuple[Interval, Interval, bool]]

    @property
    def differs(self) -> bool:
        """Whether the distributions differ, with 99 % confidence."""
        return self.p_value < _SURE

    def __repr__(self) -> str:
        return self.statement()

    def statement(self) -> str:
        """What can be said, in a sentence."""
        moved = f"means differ by {self.mean_difference:.{_DIGITS}f} ns"
        bounds = f"95 % interval {self.mean_low:.{_DIGITS}f} to {self.mean_high:.{_DIGITS}f} ns"
        apart = [name for name, (_, _, clear) in self.percentiles.items() if clear]
        where = f"; percentiles clearly apart: {', '.join(apart)}" if apart else "; no percentile is clearly apart"
        if self.differs:
            return f"The runs differ (p = {self.p_value:.2g}): {moved} ({bounds}){where}."
        return f"No difference can be shown (p = {self.p_value:.2g}): {moved} ({bounds}){where}."

    def to_json(self) -> dict[str, Any]:
        """All numbers, and the statement."""
        pairs = {
            name: {"first": asdict(one), "second": asdict(other), "apart": clear}
            for name, (one, other, clear) in self.percentiles.items()
        }
        numbers = ("mean_difference", "mean_low", "mean_high", "distance", "p_value")
        return {**{name: getattr(self, name) for name in numbers}, "percentiles": pairs, "statement": self.statement()}


def compare(first: Tally, second: Tally, effective: tuple[int, int] | None = None) -> Comparison | None:
    """Compares the values of two runs; None if either has none.

    Args:
        first: the values of one run.
        second: of the other.
        effective: as many independent values as those of each run stand for (`confidence.dependence`); None for all.

    The means by Welch's interval, the distributions by the two-sample test of Kolmogorov and Smirnov in its
    asymptotic form, which errs on the side of "no difference" for values that repeat.
    """
    if not first.count or not second.count:
        return None
    difference = float(second.moments.mean() - first.moments.mean())
    counts = effective or (first.count, second.count)
    half = Z * math.sqrt(sum(float(one.moments.variance()) / n for one, n in zip((first, second), counts, strict=True)))
    distance = _distance(first, second)
    ours, theirs = (percentile_intervals(one, effective=n) for one, n in zip((first, second), counts, strict=True))
    pairs = {name: (ours[name], theirs[name], _apart(ours[name], theirs[name])) for name in ours if name in theirs}
    chance = _kolmogorov(distance, *counts)
    return Comparison(difference, difference - half, difference + half, distance, chance, pairs)


def _apart(one: Interval, other: Interval) -> bool:
    return any(
        low.high is not None and high.low is not None and low.high < high.low
        for low, high in ((one, other), (other, one))
    )


def _distance(first: Tally, second: Tally) -> float:
    pairs = [tally.bins() for tally in (first, second)]
    everywhere = np.union1d(pairs[0][0], pairs[1][0])
    shares: list[npt.NDArray[np.float64]] = []
    for values, counts in pairs:
        ends = np.concatenate([[0], np.cumsum(counts)])
        shares.append(ends[np.searchsorted(values, everywhere, side="right")] / float(ends[-1]))
    return float(np.max(np.abs(shares[0] - shares[1])))


def _kolmogorov(distance: float, first: int, second: int) -> float:
    """The limiting distribution, with Stephens' correction for finite counts (1970)."""
    root = math.sqrt(first / (first + second) * second)
    scaled = (root + 0.12 + 0.11 / root) * distance
    if scaled < 0.3:
        return 1.0
    terms = ((2 if k % 2 else -2) * math.exp(-2 * k * k * scaled * scaled) for k in range(1, 101))
    return min(1.0, max(0.0, sum(terms)))
