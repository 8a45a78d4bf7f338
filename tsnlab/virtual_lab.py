"""The virtual lab: each node a namespace of one user-mode Linux, by default in virtual time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

from tsnlab import kernel
from tsnlab.deadline import Deadline
from tsnlab.errors import MachineError
from tsnlab.hosts import Host
from tsnlab.hosts.virtual import ENVIRONMENT, VirtualHost
from tsnlab.lab import LabFile
from tsnlab.paths import cache_folder
from tsnlab.session import SECOND, Lab
from tsnlab.virtual import network
from tsnlab.virtual.hardware import Hardware
from tsnlab.virtual.machine import Machine
from tsnlab.virtual.modules import load_order

_CARRIER = """
for try in $(seq 500); do [ "$(cat "$1")" = 1 ] && exit 0; sleep 0.01; done
echo "$0 has no link" >&2; exit 1
"""


class VirtualLab(Lab):
    """A lab that is one process of this machine; its time passes only while something is waited for.

    Args:
        spec: the lab file's content.
        folder: where transcript, console and journal are kept; None keeps nothing.

    Attributes:
        kernel: what it runs.
        machine: the process.
        hardware: its network devices, if its interfaces are no pairs of veth.
    """

    def __init__(self, spec: LabFile, folder: Path | None = None) -> None:
        self.kernel = kernel.build("virtual" if spec.kernel == "built" else "debian")
        self.hardware = Hardware(spec)
        self.machine = Machine(
            self.kernel,
            start_ns=spec.start_ns,
            folder=cache_folder() / "virtual",
            console=folder / "console.log" if folder else None,
            devices=self.hardware.make,
        )
        super().__init__(spec, folder)
        try:
            self._load_modules()
            places = [*spec.nodes, network.CABLES]
            self._hosts = {name: VirtualHost(name, self.machine, self._transcript) for name in places}
            self._connect()
        except BaseException:
            self.close()
            raise
        self._opened()

    def host(self, node: str) -> Host:
        """The node of that name, or the cables, as something that runs commands."""
        return self._hosts[node]

    @property
    def virtual_time(self) -> bool:
        """Whether time is simulated."""
        return self.kernel.virtual_time

    def now_ns(self) -> int:
        """CLOCK_TAI of the lab in nanoseconds, exact to the grain at which the lab is frozen (10 ms)."""
        return self.spec.start_ns + self.machine.now_ns if self.virtual_time else time.time_ns()

    def wait(self, done: Callable[[], bool], waited_for: str, *, lab_seconds: float, wall_seconds: float = 60) -> bool:
        """Lets the lab run until a predicate holds or so much of its time is over; see :meth:`Lab.wait`.

        Raises:
            MachineError: the kernel panicked, hung or was killed.
        """
        end_ns = self.now_ns() + int(lab_seconds * SECOND)
        self.machine.drive(lambda: done() or self.now_ns() >= end_ns, Deadline(wall_seconds), waited_for)
        return done()

    @property
    def badges(self) -> list[str]:
        """What every figure and file of this lab has to say about its numbers."""
        time = "simulated time" if self.virtual_time else "wall clock of a user-mode kernel"
        return ["virtual lab", *(["emulated I210"] if self.hardware.nics else []), time]

    @property
    def clock(self) -> str:
        """Which clock the numbers are read from, in words."""
        if self.hardware.nics:
            return "clocks of emulated I210 in steps of 8 ns, CLOCK_TAI of one kernel for all nodes, simulated time"
        if self.virtual_time:
            return "CLOCK_TAI of one kernel for all nodes, simulated time in steps of 32 ns"
        return "CLOCK_TAI of one kernel for all nodes, wall-clock time"

    @property
    def closed(self) -> bool:
        """Whether its kernel has ended, however it came to that."""
        return self.machine.closed

    def _close(self) -> None:
        self.machine.close()

    def __str__(self) -> str:
        return f"{self.spec}\n  Linux {self.kernel.version}, {', '.join(self.badges)}"

    def _repr_html_(self) -> str:
        from tsnlab.show import network as drawing

        badges = escape(" · ".join([f"Linux {self.kernel.version}", *self.badges]))
        heading = f"<p><b>Lab {escape(self.spec.name)}</b> — {badges}</p>"
        return f"{heading}{drawing.svg(self.spec)}{drawing.table(self.spec)}"

    def _load_modules(self) -> None:
        """What a prebuilt kernel has as modules; the one that tsnlab builds has everything in it."""
        if self.kernel.modules is None:
            return
        loading = [self.machine.submit({"do": "module", "path": str(path)}) for path in load_order(self.kernel.modules)]
        self.machine.drive(lambda: loading[-1].returncode is not None, Deadline(60), "kernel modules")
        for command in loading:
            if command.returncode != 0:
                raise MachineError(f"a kernel module cannot be loaded: {command.err.decode()}")

    def _connect(self) -> None:
        pids = {name: host.pid for name, host in self._hosts.items()}
        draft = self.machine.folder / "batch"
        self._hand_out_devices(pids, draft)
        for batch in network.batches(self.spec, pids):
            draft.write_text("".join(f"{line}\n" for line in batch.lines))
            self._hosts[batch.where].run([batch.tool, "-batch", str(draft)])
        for name in self.spec.nodes:
            # only the kernel that tsnlab builds can do this (see params/kernel/patches): elsewhere a gate counts
            # what fits into its window as if the link were ten times as fast
            self._hosts[name].run(["sh", "-c", "; ".join(network.speeds(self.spec, name))], check=False)
            for command in self.hardware.settings(name):
                self._hosts[name].run(command)
        self._await_links()

    def _await_links(self) -> None:
        """Devices negotiate their links, and their drivers look at them, which takes a moment."""
        for name in self.hardware.nics:
            node, _, interface = name.partition(":")
            self._hosts[node].run(["sh", "-c", _CARRIER, interface, f"/sys/class/net/{interface}/carrier"])

    def _hand_out_devices(self, pids: Mapping[str, int], draft: Path) -> None:
        if not self.hardware.nics:
            return
        draft.write_text("".join(f"{line}\n" for line in network.moves(self.spec, pids)))
        moving = self.machine.submit({"do": "run", "argv": ["ip", "-batch", str(draft)], "env": ENVIRONMENT})
        self.machine.drive(lambda: moving.returncode is not None, Deadline(60), "devices in their nodes")
        if moving.returncode != 0:
            raise MachineError(f"the lab's devices cannot be given to their nodes: {moving.err.decode()}")
