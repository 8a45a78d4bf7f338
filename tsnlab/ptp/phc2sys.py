"""phc2sys: how it is started, and the same comparison of two clocks made independently of it.

    switch   phc2sys -c /dev/ptp1 -s CLOCK_REALTIME -w -O 0
    nodes    phc2sys -s enp5s0 -c CLOCK_REALTIME -w -O 0

Source: the guide, Step 1; phc2sys(8), phc_ctl(8).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tsnlab.errors import SyncError
from tsnlab.hosts import Host

SYSTEM_CLOCK = "CLOCK_REALTIME"
_SOCKET = "/var/run/ptp4l"
_BETWEEN_S = 0.1
_OFFSET = re.compile(r"offset from CLOCK_REALTIME is (-?\d+)ns")


@dataclass(frozen=True)
class Phc2sys:
    """How phc2sys is started.

    Attributes:
        clock: which clock follows, `-c`.
        source: which one it follows, `-s`.
        offset_s: fixed offset between the two, `-O`; None takes what ptp4l says of UTC.
        wait: for ptp4l to be synchronised, `-w`.
        step_threshold_s: an offset above it is stepped away at any time, `-S`; 0 only steps in the beginning.
        transport_specific, domain: of ptp4l's section [global].
        socket: where ptp4l answers, `-z`.
    """

    clock: str
    source: str
    offset_s: int | None = 0
    wait: bool = True
    step_threshold_s: float = 0.0
    transport_specific: int = 0
    domain: int = 0
    socket: str = _SOCKET

    def beside(self, socket: str, domain: int) -> Phc2sys:
        """The same, waiting for a certain ptp4l."""
        return replace(self, socket=socket, domain=domain)

    def argv(self) -> list[str]:
        """The command, printing to standard output."""
        words = ["phc2sys", "-c", self.clock, "-s", self.source, "-m", "-q"]
        words += ["-w"] if self.wait else []
        words += [] if self.offset_s is None else ["-O", str(self.offset_s)]
        words += ["-S", str(self.step_threshold_s)] if self.step_threshold_s else []
        words += ["-n", str(self.domain)] if self.domain else []
        words += ["-z", self.socket] if self.socket != _SOCKET else []
        return [*words, f"--transportSpecific={self.transport_specific}"] if self.transport_specific else words


def offsets_ns(host: Host, device: str, samples: int = 1) -> list[int]:
    """How far a PHC is from CLOCK_REALTIME, by comparisons of its own (`phc_ctl cmp`), some time after each other.

    Raises:
        SyncError: they could not be compared.
    """
    words = ["cmp", *["wait", str(_BETWEEN_S), "cmp"] * (samples - 1)]
    result = host.run(["phc_ctl", device, *words], check=False)
    found = [int(text) for text in _OFFSET.findall(result.stdout)]
    if len(found) != samples:
        said = (result.stderr or result.stdout).strip()
        raise SyncError(f"{host.name}: {device} cannot be compared with CLOCK_REALTIME: {said}")
    return found
