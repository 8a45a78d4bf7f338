"""A summary of measured values: exact where integers allow it, and silent where the count does not."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.int64] | npt.NDArray[np.float64]

PERCENTILES: dict[str, Fraction] = {
    "p50": Fraction("0.5"),
    "p90": Fraction("0.9"),
    "p99": Fraction("0.99"),
    "p99_9": Fraction("0.999"),
    "p99_99": Fraction("0.9999"),
    "p99_999": Fraction("0.99999"),
}
_DECIMALS = 6  # of mean and deviation: a millionth of the unit, below which is only the noise of float64


@dataclass(frozen=True)
class Summary:
    """Count, extremes, moments and percentiles of values in `unit`; None where there are too few of them.

    `std` is the standard deviation of these very values (divided by count, not count - 1), `spread` is max
    - min, the peak-to-peak value. A percentile is the value of nearest rank, so always one that was
    measured; it is given only if at least one value ranks above it (p99_9 from 1000 values on), since below
    that it would be the maximum under another name. `seq_of_min` and `seq_of_max` are the sequence numbers
    of the first packets with these values.
    """

    unit: str
    count: int = 0
    min: float | None = None
    mean: float | None = None
    max: float | None = None
    std: float | None = None
    spread: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    p99_9: float | None = None
    p99_99: float | None = None
    p99_999: float | None = None
    seq_of_min: int | None = None
    seq_of_max: int | None = None

    def to_json(self) -> dict[str, Any]:
        """All fields under their names, as JSON takes them."""
        return asdict(self)


def summarise(
    values: Values, *, seq: npt.NDArray[np.int64] | None = None, unit: str = "ns", per_unit: int = 1
) -> Summary:
    """Summarises measured values.

    Args:
        values: shape (n,), int64 nanoseconds, or float64.
        seq: the sequence number of each value, shape (n,).
        unit: the unit of the summary.
        per_unit: how many of `values`' steps make one unit: 1000 turns nanoseconds into microseconds, with
            each result the float nearest to the exact decimal number. With 1, integers stay integers.
    """
    if not len(values):
        return Summary(unit)
    lowest, highest = int(values.argmin()), int(values.argmax())
    return Summary(
        unit=unit,
        count=len(values),
        min=_scaled(values[lowest], per_unit),
        mean=round(float(exact_mean(values) / per_unit), _DECIMALS) + 0.0,  # never -0.0
        max=_scaled(values[highest], per_unit),
        std=round(_deviation(values) / per_unit, _DECIMALS),
        spread=_scaled(values[highest].item() - values[lowest].item(), per_unit),
        **{name: _scaled(value, per_unit) for name, value in percentiles(values).items()},
        seq_of_min=None if seq is None else int(seq[lowest]),
        seq_of_max=None if seq is None else int(seq[highest]),
    )


def percentiles(values: Values) -> dict[str, Any]:
    """The percentiles of `PERCENTILES` that the count allows, by nearest rank.

    The rank is computed exactly: in float64, 99.9 / 100 * 1000 is more than 999, and p99.9 off by one.
    """
    ranks = {name: math.ceil(share * len(values)) for name, share in PERCENTILES.items()}
    given = {name: rank - 1 for name, rank in ranks.items() if 0 < rank < len(values)}
    ordered = np.partition(values, list(given.values())) if given else values
    return {name: ordered[index] for name, index in given.items()}


def exact_mean(values: Values) -> Fraction:
    """The mean without any rounding of integers, whatever their size; that of floats as float64 allows.

    Raises:
        ZeroDivisionError: there are no values.
    """
    if values.dtype.kind == "f":
        return Fraction(float(values.sum())) / len(values)
    # absolute times are near 1.6e18: their sum overflows int64, those of the halves do not
    integers = np.asarray(values, dtype=np.int64)
    high, low = int((integers >> 32).sum()), int((integers & 0xFFFF_FFFF).sum())
    return Fraction((high << 32) + low, len(values))


def _deviation(values: Values) -> float:
    # from an origin near the mean, since float64 has no digits left for the square of an absolute time
    origin = math.floor(exact_mean(values))
    deltas = (values - values.dtype.type(origin)).astype(np.float64)
    return float(deltas.std())


def _scaled(value: Any, per_unit: int) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    return plain if per_unit == 1 else plain / per_unit
