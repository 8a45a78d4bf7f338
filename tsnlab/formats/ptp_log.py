"""Logs of ptp4l and phc2sys as series: offsets with their sign, path delays, frequencies.

`tsnlab.ptp.log` reads the same lines while a run goes on, for what decides whether the clocks are locked; here
nothing of a line is left out. Source: linuxptp's clock.c, phc2sys.c and port.c, versions 1.8 to 4.4.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tsnlab.formats.log import Collector, Log, lines

_PREFIX = re.compile(r"(ptp4l|phc2sys)(?:\[\d{1,9}\])?(?:: )?\[(\d{1,12})\.(\d{3})\]:? (.*)$")
_N = r"([+-]?\d{1,18})"
_RMS = re.compile(rf"rms +{_N} max +{_N} freq +{_N} \+/- +{_N}(?: delay +{_N} \+/- +{_N})?")
_ONE = re.compile(rf"(?:master|phc|sys|pps) offset +{_N} s(\d) freq +{_N}(?: (?:path )?delay +{_N})?")
_STATE = re.compile(r"port (\d{1,5})(?: \([^)]{1,64}\))?: (\S{1,32}) to (\S{1,32}) on (\S{1,64})")
_MOST_STATES = 1000


def read(path: str | os.PathLike[str]) -> Log:
    """The log as series by program, keyed by milliseconds of CLOCK_MONOTONIC, and the changes of port states.

    Raises:
        ConfigError: the file cannot be opened.
    """
    source, log = Path(path), Log("linuxptp log")
    found = Collector("ns", "ms of CLOCK_MONOTONIC", {"frequency (ppb)": "ppb", "servo state": ""})
    states: list[str] = []
    for number, text in lines(source):
        prefix = _PREFIX.search(text)
        if prefix is None:
            if text.strip():
                log.damage.note(f"{source}: line {number}", "not a line of ptp4l or phc2sys")
            continue
        moment = int(prefix[2]) * 1000 + int(prefix[3])
        _take(found, prefix[1], moment, prefix[4])
        state = _STATE.search(prefix[4])
        if state and len(states) < _MOST_STATES:
            states.append(f"{prefix[2]}.{prefix[3]} port {state[1]}: {state[2]} to {state[3]} on {state[4]}")
    log.series = found.series()
    log.facts["states"] = states
    return log


def _take(found: Collector, program: str, moment: int, text: str) -> None:
    if match := _RMS.search(text):
        named = {"offset rms": match[1], "offset max": match[2], "frequency (ppb)": match[3], "delay": match[5]}
    elif match := _ONE.search(text):
        named = {"offset": match[1], "frequency (ppb)": match[3], "delay": match[4], "servo state": match[2]}
    else:
        return
    for name, value in named.items():
        if value is not None:
            found.add(f"{program} {name}", moment, int(value))
