"""Intel's sample-app-taprio as the sender, with the options and the window file that the case asks for.

Its own receiver prints latencies and no times; as with the guide's authors, another one takes its frames: the listener.
What is peculiar about the program, and how it is dealt with:

- Without a base time it starts at no particular phase, and one that is less than the wake-up time ahead wraps: it is
  given the lab's reference, which is past, and moves it on by whole cycles.
- It wakes up `-z` before the transmit time, by default 1 ms: here as long before as the launch time is after the
  beginning of the cycle, so that it wakes up with the cycle.
- A window that begins at 0 or has no length is refused: without launch times (Case 1) the window is put 1 us into the
  cycle, and the program wakes up 1 us before it.
- It tags its frames itself and asks for the destination's address with ARP, on the interface and not on the VLAN.
- It goes on until it is stopped, and with `-E` it ends at the first frame that is dropped, so that is not used.

Source: intel/iotg_tsn_ref_sw, branch apollolake-i, sample-app-taprio.c and its tsn_prio5-s1s2s3.cfg.
"""

from __future__ import annotations

from typing import Any

from tsnlab import links, programs, stamping
from tsnlab.case import Case
from tsnlab.errors import ConfigError
from tsnlab.lab import Endpoint
from tsnlab.session import SECOND
from tsnlab.stamping import Stamping
from tsnlab.steps import Doing
from tsnlab.tools.base import Tool

WINDOW_FILE = "/tmp/tsnlab-sample-app.cfg"
CYCLES_NS = (1_000_000, 500_000_000)
"""The shortest and the longest cycle that it takes, `-t`."""

_SHORTEST_NS = 1_000
_LISTENER_S = 60


def window_file(case: Case) -> str:
    """The window configuration of a case: one packet in one window of each cycle.

    Raises:
        ConfigError: the program does not take the case's cycle.
    """
    stream = case.stream
    if not CYCLES_NS[0] <= stream.cycle <= CYCLES_NS[1]:
        raise ConfigError(
            f"{case.name}: sample-app-taprio takes cycles from {CYCLES_NS[0]} to {CYCLES_NS[1]} ns, not {stream.cycle}"
        )
    begin, end = stream.window or (_SHORTEST_NS, 2 * _SHORTEST_NS)
    lines: dict[str, int] = {
        "cycle_time": stream.cycle,
        "priority": stream.pcp,
        "number_of_windows": 1,
        "window_1_offset": max(begin, _SHORTEST_NS),
        "window_1_duration": end - max(begin, _SHORTEST_NS),
        "window_1_packets": 1,
    }
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def options(case: Case, interface: str, address: str, base_ns: int) -> list[str]:
    """The command that sends a case's stream.

    Args:
        interface: the talker's, without VLAN.
        address: IPv4 address of the listener.
        base_ns: the beginning of any cycle, in the past.
    """
    stream = case.stream
    begin = max(stream.window[0], _SHORTEST_NS) if stream.window else _SHORTEST_NS
    launch_ns = _SHORTEST_NS if stream.launch_ns is None else stream.launch_ns
    asked: dict[str, Any] = {
        "-i": interface,
        "-c": address,
        "-x": 1,
        "-w": WINDOW_FILE,
        "-v": stream.vlan,
        "-p": stream.priority,
        "-b": base_ns,
        "-e": launch_ns - begin,
        "-z": launch_ns,
    }
    words = [word for name, value in asked.items() for word in (name, str(value))]
    return ["sample-app-taprio", *words, *(["-S"] if stream.launch_ns is None else [])]


class SampleApp(Tool):
    """sample-app-taprio sends, tsnlab's listener receives."""

    _received = Stamping()

    def receive(self) -> None:
        """Starts the listener; see :class:`Tool`."""
        lab, stream = self.lab, self.case.stream
        self._received = stamping.prepare(lab, lab.listener, self.sync, sending=False)
        hardware = self._received.received == "hardware"
        argv = [
            *programs.command(lab, lab.listener.node, "listener.py"),
            links.vlan_name(lab.listener, self.case),
            "--sample-app",
            f"--base={lab.reference_ns}",
            f"--cycle={stream.cycle}",
            f"--count={stream.sent}",
            f"--quiet={0.5 + 5 * stream.cycle / SECOND}",
            f"--nic={lab.listener.interface}" if hardware else "--no-hardware",
        ]
        self.listener.start(lab, lab.listener.node, argv)
        self.listener.wait_for(lab, "timestamps")

    def send(self) -> None:
        """Writes the window file, makes the listener's address known, and starts the program; see :class:`Tool`."""
        lab, end = self.lab, self.lab.talker
        host = lab.host(end.node)
        address = _address(self.case, lab.listener, lab.spec.interface(lab.listener).address)
        lab.journal.will_change(end.node, ["rm", "-f", WINDOW_FILE])
        host.write_text(WINDOW_FILE, window_file(self.case))
        lab.journal.will_change(end.node, ["ip", "neigh", "del", address, "dev", end.interface])
        Doing(host).run(
            ["ip", "neigh", "replace", address, "lladdr", links.mac(lab, lab.listener), "dev", end.interface]
        )
        self.talker.process = host.start(options(self.case, end.interface, address, lab.reference_ns))

    def is_over(self) -> bool:
        """Whether all packets have come, or none come any more, or the program has ended."""
        return self.listener.ended or self.talker.ended

    def finish(self) -> None:
        """Stops the program, which goes on for ever; see :class:`Tool`."""
        self.talker.stop()
        self.listener.wait(_LISTENER_S)

    def late(self) -> dict[str, int]:
        """The program does not tell."""
        return {}

    def timestamps(self) -> dict[str, str]:
        """By whom packets were stamped; see :class:`Tool`."""
        return {"sent": "none", "received": str(self.listener.about.get("timestamps", self._received.received))}


def _address(case: Case, end: Endpoint, given: str | None) -> str:
    if given is None:
        raise ConfigError(f"{case.name}: {end} has no address in the lab file, which sample-app-taprio needs")
    return given.partition("/")[0]
