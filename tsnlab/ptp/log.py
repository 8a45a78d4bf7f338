"""What ptp4l and phc2sys print, line by line, as values; and whole logs as tables.

Source: linuxptp's print.c, clock.c, port.c, fault.c, phc2sys.c, versions 1.8 to after 4.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# on standard output `ptp4l[SECONDS]: `, in syslog `ptp4l: [SECONDS] ` or `ptp4l[PID]: [SECONDS] ` after its own
_PREFIX = re.compile(r"^.*?(ptp4l|phc2sys)(?:\[\d+\])?(?:: )?\[(\d+\.\d+)\]:? (.*)$")
# a message_tag that systemd's units of version 4 set: `[ptp4l.0.config:6] `
_TAG = re.compile(r"^\[[^\]]*\] ")
_RMS = re.compile(r"(?:(\S+) +)?rms +(-?\d+) max +(-?\d+) freq +([+-]\d+) \+/- +(\d+)(?: delay +(-?\d+) \+/- +(\d+))?")
_ONE = re.compile(
    r"(?:(\S+) )?(master|phc|sys|pps) offset +(-?\d+) s(\d) freq +([+-]\d+)(?: (?:path )?delay +(-?\d+))?"
)
_STATE = re.compile(r"port (\d+)(?: \(([^)]+)\))?: ([A-Z_]+) to ([A-Z_]+) on ([A-Z_]+)(?: \((\w+)\))?")


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
        rms_ns: root of the mean square of a summary's offsets; None for a single one.
        frequency_spread_ppb, delay_spread_ns: standard deviations within a summary; None for a single one.
    """

    monotonic_s: float
    worst_ns: int
    delay_ns: int | None
    frequency_ppb: int = field(default=0, compare=False)
    servo: int | None = field(default=None, compare=False)
    clock: str = field(default="", compare=False)
    rms_ns: int | None = field(default=None, compare=False)
    frequency_spread_ppb: int | None = field(default=None, compare=False)
    delay_spread_ns: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class PortState:
    """A port that went from one state to another.

    Attributes:
        event: what brought it there.
        interface: of the port, as version 4 says; empty before.
        fault: which, where the event is one and the version says so.
    """

    monotonic_s: float
    port: int
    before: str
    after: str
    event: str
    interface: str = field(default="", compare=False)
    fault: str = field(default="", compare=False)


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
    program, moment, text = prefix[1], float(prefix[2]), _TAG.sub("", prefix[3])
    if match := _RMS.search(text):
        return _summary(program, moment, match)
    if match := _ONE.search(text):
        clock = match[1] or "" if program == "phc2sys" else ""
        return Offset(moment, abs(int(match[3])), _number(match[6]), int(match[5]), int(match[4]), clock)
    if match := _STATE.search(text):
        return PortState(moment, int(match[1]), match[3], match[4], match[5], match[2] or "", match[6] or "")
    return Message(moment, text)


def tables(lines: Iterable[str]) -> dict[str, pd.DataFrame]:
    """A whole log of one program.

    Returns:
        `offsets`, `states` and `messages`, one row each, with the columns that the values have as attributes.
    """
    import pandas as pd

    found = [value for line in lines if (value := parse(line.rstrip("\n"))) is not None]
    kinds = {"offsets": Offset, "states": PortState, "messages": Message}
    return {
        name: pd.DataFrame(
            [vars(value) for value in found if isinstance(value, kind)], columns=[each.name for each in fields(kind)]
        )
        for name, kind in kinds.items()
    }


def _summary(program: str, moment: float, match: re.Match[str]) -> Offset:
    return Offset(
        moment,
        abs(int(match[3])),
        _number(match[6]),
        int(match[4]),
        clock=(match[1] or "") if program == "phc2sys" else "",
        rms_ns=abs(int(match[2])),
        frequency_spread_ppb=int(match[5]),
        delay_spread_ns=_number(match[7]),
    )


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
