"""phc2sys on the switch, where the guide has it: the interface's clock follows the system clock.

    phc2sys -c /dev/ptp1 -s CLOCK_REALTIME -w -O 0

In the virtual lab the clock is netdevsim's: phc2sys steers a real /dev/ptp device, that no frame is stamped by. The
nodes' phc2sys, which sets their system clock from their interface's clock, has nothing to do there: all nodes share one
kernel's clock.

Source: the guide, Step 1; phc2sys(8).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tsnlab.errors import SyncError
from tsnlab.hosts import Host
from tsnlab.ptp.clock import Clock
from tsnlab.session import Lab

_NETDEVSIM = "/sys/bus/netdevsim"
_DEVICE = 1


@dataclass(frozen=True)
class Phc2sys:
    """How phc2sys is started.

    Attributes:
        clock: which clock follows, `-c`.
        source: which one it follows, `-s`.
        offset_s: fixed offset between the two, `-O`; None takes what ptp4l says of UTC.
        wait: for ptp4l to be synchronised, `-w`.
        step_threshold_s: an offset above it is stepped away at any time, `-S`; 0 only steps in the beginning.
        transport_specific: of ptp4l's section [global].
    """

    clock: str
    source: str
    offset_s: int | None = 0
    wait: bool = True
    step_threshold_s: float = 0.0
    transport_specific: int = 0

    def argv(self) -> list[str]:
        """The command, printing to standard output."""
        words = ["phc2sys", "-c", self.clock, "-s", self.source, "-m", "-q"]
        words += ["-w"] if self.wait else []
        words += [] if self.offset_s is None else ["-O", str(self.offset_s)]
        words += ["-S", str(self.step_threshold_s)] if self.step_threshold_s else []
        return [*words, f"--transportSpecific={self.transport_specific}"] if self.transport_specific else words


def start(lab: Lab, threshold_ns: int) -> Clock:
    """Starts it on the switch of the virtual lab, with a clock of netdevsim's."""
    host = lab.host(lab.switch)
    device = _device(lab, host)
    clock = Clock(lab.switch, threshold_ns, (device,), program="phc2sys")
    argv = Phc2sys(device, "CLOCK_REALTIME").argv()
    clock.process = host.start(argv, lambda line: clock.take(lab.now_ns(), line))
    return clock


def offset_ns(host: Host, device: str) -> int:
    """How far a PHC is from CLOCK_REALTIME, by a comparison of its own (`phc_ctl cmp`).

    Raises:
        SyncError: it could not be compared.
    """
    said = host.run(["phc_ctl", device, "cmp"]).stdout
    found = re.search(r"offset from CLOCK_REALTIME is (-?\d+)ns", said)
    if found is None:
        raise SyncError(f"{host.name}: {device} cannot be compared with CLOCK_REALTIME: {said.strip()}")
    return int(found[1])


def _device(lab: Lab, host: Host) -> str:
    """The PHC of a netdevsim device, which is made if it is not there."""
    place = f"{_NETDEVSIM}/devices/netdevsim{_DEVICE}/ptp"
    found = host.run(["ls", place], check=False)
    if found.returncode != 0:
        lab.journal.will_change(host.name, ["sh", "-c", f"echo {_DEVICE} > {_NETDEVSIM}/del_device"])
        host.run(["sh", "-c", f"echo '{_DEVICE} 1 1' > {_NETDEVSIM}/new_device"])
        found = host.run(["ls", place])
    return f"/dev/{found.stdout.split()[0]}"
