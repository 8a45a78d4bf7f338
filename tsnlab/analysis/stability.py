"""Whether a run stays the same while it lasts: drift of its values, and Allan deviation of its clocks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tsnlab.analysis.confidence import Z
from tsnlab.analysis.slices import Course

Floats = npt.NDArray[np.float64]

_LEAST, _GROUPS = 8, 64


@dataclass(frozen=True)
class Drift:
    """How the mean moves in the course of a run.

    `slope` is in nanoseconds per hour, with the ends of its 95 % interval; `moved_ns` is the difference of the
    largest and the smallest mean of `groups` parts of the run. `trend_z` is Mann's and Kendall's statistic:
    beyond ±1.96, a trend is there with 95 % confidence, whatever its shape. The run is `stationary` if it is
    not.
    """

    slope: float
    slope_low: float
    slope_high: float
    moved_ns: float
    trend_z: float
    groups: int

    @property
    def stationary(self) -> bool:
        """Whether no trend can be shown."""
        return abs(self.trend_z) < Z


def drift(course: Course) -> Drift | None:
    """The drift of what a course shows; None if it has less than 8 slices."""
    groups = min(_GROUPS, len(course.times) // 2 if len(course.times) >= 2 * _LEAST else len(course.times))
    if groups < _LEAST:
        return None
    parts = np.array_split(np.arange(len(course.times)), groups)
    weights = [course.counts[part] for part in parts]
    means = np.array([np.average(course.means[part], weights=one) for part, one in zip(parts, weights, strict=True)])
    hours = np.array([(course.times[part] - course.times[0]).mean() for part in parts]) / 3.6e12
    slope, half = _slope(hours, means)
    return Drift(slope, slope - half, slope + half, float(np.ptp(means)), _trend(means), groups)


def _slope(x: Floats, y: Floats) -> tuple[float, float]:
    """The slope of the regression line and half its 95 % interval, 0 for a single moment."""
    from_mean = x - x.mean()
    square = float((from_mean**2).sum())
    if square == 0:
        return 0.0, 0.0
    slope = float((from_mean * (y - y.mean())).sum() / square)
    rest = y - y.mean() - slope * from_mean
    return slope, Z * math.sqrt(float((rest**2).sum()) / max(len(x) - 2, 1) / square)


def _trend(values: Floats) -> float:
    """Mann (1945) and Kendall (1975): how many pairs rise rather than fall, in standard deviations."""
    count = len(values)
    score = float(np.sign(values[None, :] - values[:, None])[np.triu_indices(count, 1)].sum())
    _, ties = np.unique(values, return_counts=True)
    variance = (count * (count - 1) * (2 * count + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    if variance <= 0 or score == 0:
        return 0.0
    return (score - math.copysign(1, score)) / math.sqrt(variance)


def allan_deviation(offsets_ns: npt.ArrayLike, interval_s: float) -> tuple[Floats, Floats]:
    """The overlapping Allan deviation of a clock from its time errors (NIST SP 1065, 5.2.5).

    Args:
        offsets_ns: time errors in nanoseconds, shape (n,), taken every `interval_s` seconds.
        interval_s: the interval.

    Returns:
        Averaging times in seconds, doubling, and the deviations (dimensionless), both of shape (m,).
    """
    phase = np.asarray(offsets_ns, dtype=np.float64) * 1e-9
    factors = [1 << power for power in range(max(len(phase) // 2, 1).bit_length()) if 2 * (1 << power) < len(phase)]
    deviations = []
    for factor in factors:
        second = phase[2 * factor :] - 2 * phase[factor:-factor] + phase[: -2 * factor]
        deviations.append(math.sqrt(float((second**2).mean()) / 2) / (factor * interval_s))
    return np.array(factors) * interval_s, np.array(deviations)
