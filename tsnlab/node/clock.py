"""Reads this node's clocks, or moves them, which only a fault that is injected on purpose does.

usage: clock.py read       prints {"realtime", "monotonic" (ns), "tai_offset" (s)}, each pair read at one moment
       clock.py jump NS    sets CLOCK_REALTIME forward by so much
       clock.py tai S      sets the kernel's offset of TAI from UTC

Source: clock_gettime(2), adjtimex(2) (ADJ_TAI).
"""

from __future__ import annotations

import ctypes
import sys
import time

import wire

ADJ_TAI = 0x0080
SECOND = 1_000_000_000
CLOCK_MONOTONIC_RAW = 4


class Timex(ctypes.Structure):
    """``struct timex``, as far as it is used, with room for the rest."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("rest", ctypes.c_byte * 256),
    ]


def adjust(**fields: int) -> None:
    """Calls adjtimex, or raises OSError."""
    request = Timex(**fields)
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(request)) < 0:
        raise OSError(ctypes.get_errno(), "adjtimex")


def main() -> None:
    """Does what the command line says."""
    command, *rest = sys.argv[1:]
    if command == "jump":
        time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns() + int(rest[0]))
    elif command == "tai":
        adjust(modes=ADJ_TAI, constant=int(rest[0]))
    else:
        monotonic = time.clock_gettime_ns(CLOCK_MONOTONIC_RAW)
        realtime = time.time_ns()
        tai_offset = round((wire.now_ns() - realtime) / SECOND)
        wire.say(realtime=realtime, monotonic=monotonic, tai_offset=tai_offset)


if __name__ == "__main__":
    main()
