"""The options of a ptp4l configuration, checked before ptp4l sees them.

Source: linuxptp's config.c, versions 1.8 to after 4.4; ptp4l(8).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tsnlab.errors import ConfigError
from tsnlab.ptp.option_table import OLD_NAMES, OPTIONS, SINCE_4


def check(options: Mapping[str, str], *, section: str = "global") -> None:
    """Refuses what ptp4l would refuse, and what cannot mean what it says.

    Raises:
        ConfigError: names each option, with what is wrong.
    """
    found = [
        f"{name} {value}: {problem}" for name, value in options.items() if (problem := _problem(name, value, section))
    ]
    if options.get("gmCapable") == "0" and "1" in (options.get("clientOnly"), options.get("slaveOnly")):
        found.append("clientOnly 1: cannot be mixed with gmCapable 0 (1588's and 802.1AS's way to say the same)")
    if found:
        raise ConfigError(f"ptp4l's configuration, section [{section}]:\n  " + "\n  ".join(found))


def named_for(version: str, options: Mapping[str, str]) -> dict[str, str]:
    """The options with the names of a linuxptp version: clientOnly and serverOnly were slaveOnly and masterOnly.

    Raises:
        ConfigError: the version does not know an option.
    """
    major = int(match[1]) if (match := re.match(r"(\d+)", version)) else 4
    if major >= 4:
        return dict(options)
    if newer := sorted(SINCE_4 & set(options)):
        raise ConfigError(f"linuxptp {version.strip()} does not know {', '.join(newer)}; version 4 does")
    return {OLD_NAMES.get(name, name): value for name, value in options.items()}


def _problem(name: str, value: str, section: str) -> str:
    option = OPTIONS.get(name)
    if option is None:
        close = [known for known in OPTIONS if known.lower() == name.lower()]
        return f"unknown option; did you mean {close[0]}?" if close else "unknown option"
    if option.scope == "global" and section != "global":
        return "belongs into the section [global]"
    return option.problem(value)
