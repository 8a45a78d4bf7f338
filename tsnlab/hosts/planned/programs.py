"""What programs that run in the background would say, as far as others wait for it: all is well, soon."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from tsnlab.hosts.planned.node import PlannedNode

_SLAVE = (
    "port 1 (eth1): LISTENING to UNCALIBRATED on RS_SLAVE",
    "port 1 (eth1): UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED",
)
_RMS = "rms   12 max   20 freq    +10 +/-   5 delay   500 +/-   2"
_OFFSET = "CLOCK_REALTIME phc offset        12 s2 freq     +10 delay   1200"
_SAMPLES = 40
"""More than anybody waits for."""


def measures(argv: Sequence[str]) -> bool:
    """Whether a program is the one that what comes next depends on: the talker."""
    names = [PurePath(word).name for word in argv]
    return "talker.py" in names or ("send" in names and "isochron" in names) or "sample-app-taprio" in names


def leaves(argv: Sequence[str]) -> dict[str, str]:
    """What the kernel tells of a program as soon as it runs: iperf3 listens on port 5201."""
    listens = "iperf3" in argv and "-s" in argv
    return {"/proc/net/tcp": "   0: 00000000:1451 00000000:0000 0A 00000000:00000000\n"} if listens else {}


def ends(node: PlannedNode, argv: Sequence[str]) -> bool:
    """Whether a program ends by itself and all is well; what it leaves is left then."""
    names = [PurePath(word).name for word in argv]
    if "build-kernel.sh" in names:
        linux = _linux(argv)
        fragments = [text for path, text in node.files.items() if path.endswith(".conf")]
        node.files[f"{linux}/.config"] = "\n".join(fragments)
        node.files[f"{linux}/include/config/kernel.release"] = f"{_version(argv)}\n"
    return "build-kernel.sh" in names or "git" in names


def _version(argv: Sequence[str]) -> str:
    return argv[argv.index("-v") + 1]


def _linux(argv: Sequence[str]) -> str:
    """Where Kata's script has the kernel's source; the folder that it is run in stands first."""
    return f"{next(word for word in argv if word.endswith('/work'))}/kata-linux-{_version(argv)}"


def says(argv: Sequence[str]) -> tuple[str, ...]:
    """The lines of a program that works, in the words of ptp4l and phc2sys, and of tsnlab's own."""
    names = [PurePath(word).name for word in argv]
    if "ptp4l" in names:
        return tuple(f"ptp4l[{second}.000]: {text}" for second, text in enumerate([*_SLAVE, *[_RMS] * _SAMPLES], 1))
    if "build-kernel.sh" in names:
        return (f"Kernel source ready: {_linux(argv)} ",)
    if "phc2sys" in names:
        return tuple(f"phc2sys[{second}.000]: {_OFFSET}" for second in range(1, _SAMPLES))
    own = {"listener.py": '{"timestamps": "hardware"}', "talker.py": '{"refused": 0}', "load.py": '{"frames": 0}'}
    return tuple(line for name, line in own.items() if name in names)
