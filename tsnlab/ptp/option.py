"""One option of ptp4l's configuration file: where it may stand, and which values it takes.

Source: linuxptp's config.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SMALLEST, LARGEST = -(1 << 31), (1 << 31) - 1
"""Of a number in C."""

Scope = Literal["global", "port"]


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        scope: `global` options stand in the section [global] only, `port` options in any.
        low, high: of a number.
        words: of an enumeration, in any case.
        real: whether the number may have a fraction.
    """

    scope: Scope
    low: float = SMALLEST
    high: float = LARGEST
    words: tuple[str, ...] = ()
    real: bool = False
    text: bool = False

    def problem(self, value: str) -> str:
        """What is wrong with a value; empty if it is fine."""
        if self.text:
            return "" if value else "is empty"
        if self.words:
            known = value.lower() in {word.lower() for word in self.words}
            return "" if known else f"is none of {', '.join(self.words)}"
        try:
            number = float(value) if self.real else int(value, 0)
        except ValueError:
            return "is not a number" if self.real else "is not a whole number"
        return "" if self.low <= number <= self.high else f"is not within {self.low:g} to {self.high:g}"
