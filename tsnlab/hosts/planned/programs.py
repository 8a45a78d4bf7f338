"""What programs that run in the background would say, as far as others wait for it: all is well, soon."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

_SLAVE = (
    "port 1 (eth1): LISTENING to UNCALIBRATED on RS_SLAVE",
    "port 1 (eth1): UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED",
)
_RMS = "rms   12 max   20 freq    +10 +/-   5 delay   500 +/-   2"
_OFFSET = "CLOCK_REALTIME phc offset        12 s2 freq     +10 delay   1200"
_SAMPLES = 40
"""More than anybody waits for."""


def says(argv: Sequence[str]) -> tuple[str, ...]:
    """The lines of a program that works, in the words of ptp4l and phc2sys, and of tsnlab's own."""
    names = [PurePath(word).name for word in argv]
    if "ptp4l" in names:
        return tuple(f"ptp4l[{second}.000]: {text}" for second, text in enumerate([*_SLAVE, *[_RMS] * _SAMPLES], 1))
    if "phc2sys" in names:
        return tuple(f"phc2sys[{second}.000]: {_OFFSET}" for second in range(1, _SAMPLES))
    own = {"listener.py": '{"timestamps": "hardware"}', "talker.py": '{"refused": 0}', "load.py": '{"frames": 0}'}
    return tuple(line for name, line in own.items() if name in names)
