"""Quantities with units, as lab and case files write them: "2 ms", "1 Gbit/s"; integers inside."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo

_DURATIONS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_RATES = {"bit/s": 1, "kbit/s": 10**3, "Mbit/s": 10**6, "Gbit/s": 10**9}
_QUANTITY = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*(\S+)\s*")


def _parse(value: object, units: dict[str, int], what: str, example: str) -> int:
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] not in units:
        raise ValueError(f'expected {what} with a unit ({", ".join(units)}), such as "{example}"; got {value!r}')
    number = Decimal(match[1]) * units[match[2]]
    if number != int(number):
        raise ValueError(f"{value!r} is finer than the smallest unit, 1 {next(iter(units))}")
    return int(number)


def duration_ns(value: object) -> int:
    """Nanoseconds of a duration such as ``"1250 us"``; ValueError says what was expected."""
    return _parse(value, _DURATIONS, "a duration", "500 us")


def rate_bps(value: object) -> int:
    """Bits per second of a rate such as ``"1 Gbit/s"``; ValueError says what was expected."""
    return _parse(value, _RATES, "a rate", "1 Gbit/s")


def _exact(value: object, info: ValidationInfo) -> bool:
    """Whether a value is a number of the smallest unit already: a checked value that is checked again."""
    return type(value) is int and bool(info.context and info.context.get("exact"))


DurationNs = Annotated[int, BeforeValidator(lambda v, info: v if _exact(v, info) else duration_ns(v))]
"""A duration in a file: text with a unit outside, int nanoseconds inside."""

RateBps = Annotated[int, BeforeValidator(lambda v, info: v if _exact(v, info) else rate_bps(v))]
"""A rate in a file: text with a unit outside, int bit/s inside."""


def show_duration(ns: int) -> str:
    """A duration in the largest unit that keeps it exact to three decimals: ``1.25 ms``."""
    for unit in ("s", "ms", "us"):
        if abs(ns) >= _DURATIONS[unit]:
            return f"{ns / _DURATIONS[unit]:g} {unit}"
    return f"{ns} ns"


def show_rate(bps: float) -> str:
    """A rate in the largest fitting unit: ``950 Mbit/s``."""
    for unit in ("Gbit/s", "Mbit/s", "kbit/s"):
        if abs(bps) >= _RATES[unit]:
            return f"{bps / _RATES[unit]:g} {unit}"
    return f"{bps:g} bit/s"
