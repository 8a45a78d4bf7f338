"""The axis of a sweep: a list, a range or a logarithmic range, as the values it stands for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from tsnlab import files

Scalar = bool | int | float | str

_DIGITS, _LOG_DIGITS = 12, 4
"""Significant digits of a computed value: 0.1 + 0.2 is 0.3 in a table, and no ratio is exact to the nanosecond."""


class Range(files.Value):
    """Values from one number to another, both included: by `step`, or `count` of them, evenly or by ratio."""

    first: Annotated[int | float, Field(alias="from")]
    last: Annotated[int | float, Field(alias="to")]
    step: Annotated[int | float, Field(gt=0)] | None = None
    count: Annotated[int, Field(ge=2)] | None = None
    log: bool = False
    """Whether neighbours have a ratio in common instead of a distance."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.first >= self.last:
            raise ValueError(f"expected from < to; got {self.first} and {self.last}")
        if (self.step is None) == (self.count is None):
            raise ValueError("expected either a step or a count")
        if self.log and (self.first <= 0 or self.count is None):
            raise ValueError("a logarithmic range starts above 0 and has a count")
        return self

    def values(self) -> list[int | float]:
        """The values in ascending order; whole numbers if both ends are, each only once."""
        found = [self._tidy(value) for value in self._exact()]
        return list(dict.fromkeys(found))

    def _exact(self) -> list[float]:
        if self.step is not None:
            # a last value that rounding has moved a little beyond the end belongs to the range
            count = math.floor((self.last - self.first) / self.step + 1e-9) + 1
            return [self.first + index * self.step for index in range(count)]
        assert self.count is not None  # see _makes_sense
        shares = [index / (self.count - 1) for index in range(self.count)]
        if self.log:
            return [self.first * (self.last / self.first) ** share for share in shares]
        return [self.first + (self.last - self.first) * share for share in shares]

    def _tidy(self, value: float) -> int | float:
        whole = all(isinstance(one, int) for one in (self.first, self.last, self.step or 0))
        return round(value) if whole else float(f"{value:.{_LOG_DIGITS if self.log else _DIGITS}g}")


def _values(axis: object) -> tuple[Scalar, ...]:
    """The values of an axis as a file writes it: a list, a range, or a number of repetitions."""
    if isinstance(axis, dict):
        axis = _range(axis).values()
    elif type(axis) is int and axis >= 1:
        axis = list(range(1, axis + 1))
    if not isinstance(axis, list | tuple) or not axis:
        examples = "a list such as [1, 5], or a range such as {from: 1, to: 9, step: 2}"
        raise ValueError(f"expected {examples}; got {axis!r}")
    for value in axis:
        if not isinstance(value, Scalar):
            raise ValueError(f"expected numbers, texts or truth values; got {value!r}")
    if len({(type(value), value) for value in axis}) < len(axis):
        raise ValueError(f"a value stands twice in {list(axis)!r}; to measure it twice there is the axis `repetition`")
    return tuple(axis)


def _range(axis: dict[object, object]) -> Range:
    try:
        return Range.model_validate(axis)
    except ValidationError as error:
        raise ValueError("a range: " + "; ".join(map(_problem, error.errors()))) from None


def _problem(error: Mapping[str, Any]) -> str:
    key = "".join(f"{part}: " for part in error["loc"][:1])
    return key + str(error["msg"]).removeprefix("Value error, ")


Axis = Annotated[tuple[Scalar, ...], BeforeValidator(_values)]
"""The values of one axis, in order, each once."""
