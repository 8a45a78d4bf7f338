"""The clock of a NIC: an oscillator that is never quite right, and a counter whose rate can be adjusted.

All arithmetic is in integers, so that a time read twice is the same time, and a run can be repeated to the bit.
"""

from __future__ import annotations

from collections.abc import Callable

_BILLION = 1_000_000_000

MAX_ERROR_PPB = 500_000_000
"""An oscillator further off than this is no oscillator (and the arithmetic wants its rate to be positive)."""


class HardwareClock:
    """A counter of nanoseconds that goes on at every tick of its oscillator.

    Args:
        now: tells the lab's time in nanoseconds.
        tick_ns: nominal time from tick to tick.
        error_ppb: by how much the oscillator is too fast, in 1e-9 (negative: too slow).
        fraction_bits: the counter's resolution is 2 to the power of minus this, in nanoseconds.

    Attributes:
        increment: what a tick adds to the counter, in units of its resolution.
    """

    def __init__(self, now: Callable[[], int], tick_ns: int, error_ppb: int = 0, fraction_bits: int = 32) -> None:
        self._now = now
        self._tick_ns = tick_ns
        self._bits = fraction_bits
        self.increment = tick_ns << fraction_bits
        self._origin_ns = 0
        self._ticks_at_origin = 0
        self._error_ppb = _checked(error_ppb)
        self._anchor_tick = 0
        self._anchor_value = 0

    @property
    def error_ppb(self) -> int:
        """By how much the oscillator is too fast; may be set at any time, as when its temperature changes."""
        return self._error_ppb

    @error_ppb.setter
    def error_ppb(self, error_ppb: int) -> None:
        now = self._now()
        self._ticks_at_origin = self._ticks(now)
        self._origin_ns = now
        self._error_ppb = _checked(error_ppb)

    def read(self, time_ns: int | None = None) -> int:
        """What the counter showed or will show, in whole nanoseconds, at a time of the lab; None is now."""
        return self._value(self._now() if time_ns is None else time_ns) >> self._bits

    def set(self, value_ns: int) -> None:
        """Sets the counter now."""
        self._anchor(value_ns << self._bits)

    def step(self, by_ns: int) -> None:
        """Moves the counter now."""
        self._anchor(self._value(self._now()) + (by_ns << self._bits))

    def adjust(self, by: int) -> None:
        """From now on a tick adds so many units of the counter's resolution more, or less, than its nominal time."""
        self._anchor(self._value(self._now()))
        self.increment = max(0, (self._tick_ns << self._bits) + by)

    def time_of(self, value_ns: int) -> int | None:
        """The lab's time at which the counter reaches a value; None if it never does."""
        missing = (value_ns << self._bits) - self._anchor_value
        if missing <= 0:
            return self._now()
        if self.increment == 0:
            return None
        ticks = self._anchor_tick + -(-missing // self.increment) - self._ticks_at_origin
        # the first nanosecond in which so many ticks have passed, the inverse of _ticks
        return self._origin_ns + -(-ticks * self._tick_ns * _BILLION // (_BILLION + self._error_ppb))

    def _anchor(self, value: int) -> None:
        self._anchor_tick = self._ticks(self._now())
        self._anchor_value = value

    def _ticks(self, time_ns: int) -> int:
        local = (time_ns - self._origin_ns) * (_BILLION + self._error_ppb)
        return self._ticks_at_origin + local // (self._tick_ns * _BILLION)

    def _value(self, time_ns: int) -> int:
        return self._anchor_value + (self._ticks(time_ns) - self._anchor_tick) * self.increment


def _checked(error_ppb: int) -> int:
    if abs(error_ppb) > MAX_ERROR_PPB:
        raise ValueError(f"an oscillator that is off by {error_ppb} ppb; expected at most {MAX_ERROR_PPB}")
    return error_ppb
