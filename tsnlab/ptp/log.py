"""What ptp4l and phc2sys print, line by line, as values.

Source: linuxptp's print.c, clock.c, port.c, phc2sys.c, versions 1.8 to 4.4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_PREFIX = re.compile(r"^.*?(?:ptp4l|phc2sys)(?:\[\d+\])?(?:: )?\[(\d+\.\d+)\]:? (.*)$")
_RMS = re.compile(r"rms +(-?\d+) max +(-?\d+) freq +([+-]\d+) \+/- +(\d+)(?: delay +(-?\d+) \+/- +(\d+))?")
_ONE = re.compile(
    r"(?:(\S+) )?(master|phc|sys|pps) offset +(-?\d+) s(\d) freq +([+-]\d+)(?: (?:path )?delay +(-?\d+))?"
)
_STATE = re.compile(r"port (\d+)(?: \(([^)]+)\))?: (\S+) to (\S+) on (\S+)")


@dataclass(frozen=True)
class Offset:
    """An offset from the source of time.

    Attributes:
        monotonic_s: the program's CLOCK_MONOTONIC in seconds.
        worst_ns: the largest absolute offset since the line before, in nanoseconds.
        delay_ns: the path delay in nanoseconds; None if none has been measured.
        frequency_ppb: how far the clock is steered, in parts per billion.
        servo: 0 unlocked, 1 stepping, 2 locked, 3 locked and stable; None where the line is a summary.
        clock: which clock, as phc2sys 1.9 and later say.
    """

    monotonic_s: float
    worst_ns: int
    delay_ns: int | None
    frequency_ppb: int = field(default=0, compare=False)
    servo: int | None = field(default=None, compare=False)
    clock: str = field(default="", compare=False)


@dataclass(frozen=True)
class PortState:
    """A port that went from one state to another."""

    monotonic_s: float
    port: int
    before: str
    after: str
    event: str


@dataclass(frozen=True)
class Message:
    """Any other line."""

    monotonic_s: float
    text: str


def parse(line: str) -> Offset | PortState | Message | None:
    """One line of the log as a value; None if it is none of ptp4l's or phc2sys' lines."""
    prefix = _PREFIX.match(line)
    if prefix is None:
        return None
    moment, text = float(prefix[1]), prefix[2]
    if match := _RMS.search(text):
        delay = int(match[5]) if match[5] else None
        return Offset(moment, abs(int(match[2])), delay, int(match[3]), clock=text[: match.start()].strip())
    if match := _ONE.search(text):
        delay = int(match[6]) if match[6] else None
        clock = "" if match[2] == "master" else match[1] or ""
        return Offset(moment, abs(int(match[3])), delay, int(match[5]), int(match[4]), clock)
    if match := _STATE.search(text):
        return PortState(moment, int(match[1]), match[3], match[4], match[5])
    return Message(moment, text)
