"""An open lab: its hosts, its time, and how it is closed."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable
from html import escape
from pathlib import Path

from tsnlab import kernel
from tsnlab.closing import Closing
from tsnlab.deadline import Deadline
from tsnlab.errors import MachineError
from tsnlab.hosts import Host, Transcript
from tsnlab.hosts.virtual import VirtualHost
from tsnlab.journal import Journal
from tsnlab.lab import Endpoint, LabFile, load_lab_file
from tsnlab.paths import cache_folder
from tsnlab.virtual import network
from tsnlab.virtual.machine import Machine
from tsnlab.virtual.modules import load_order

SECOND = 1_000_000_000


class Lab(Closing):
    """A lab whose nodes can be used: commands run on :meth:`host`, and time passes while they do.

    Args:
        spec: the lab file's content.
        folder: where transcript, console and journal are kept; None keeps nothing.

    Attributes:
        badges: what every figure and file of this lab has to say about its numbers.
        journal: how what the steps changed is undone.
        reference_ns: an instant of CLOCK_TAI in the past, a whole second, that all schedules are aligned to.
    """

    def __init__(self, spec: LabFile, folder: Path | None = None) -> None:
        self.spec = spec
        self.folder = folder
        self._transcript = Transcript(folder / "transcript.jsonl" if folder else None)
        self.journal = Journal(folder / "journal.jsonl" if folder else None)
        self.kernel = kernel.build("virtual" if spec.kernel == "built" else "debian")
        self.machine = Machine(
            self.kernel,
            start_ns=spec.start_ns,
            folder=cache_folder() / "virtual",
            console=folder / "console.log" if folder else None,
        )
        try:
            self._load_modules()
            places = [*spec.nodes, network.CABLES]
            self._hosts = {name: VirtualHost(name, self.machine, self._transcript) for name in places}
            self._connect()
        except BaseException:
            self.close()
            raise
        self.reference_ns = self.now_ns() // SECOND * SECOND
        atexit.register(self.close)

    # --- nodes ------------------------------------------------------------------------------------

    def host(self, node: str) -> Host:
        """The node of that name, as something that runs commands."""
        return self._hosts[node]

    @property
    def talker(self) -> Endpoint:
        """The interface the stream is sent from."""
        return self.spec.roles.talker

    @property
    def listener(self) -> Endpoint:
        """The interface the stream is measured at."""
        return self.spec.roles.listener

    @property
    def switch(self) -> str:
        """The node that is the switch."""
        return self.spec.roles.switch

    # --- time -------------------------------------------------------------------------------------

    @property
    def virtual_time(self) -> bool:
        """Whether time is simulated."""
        return self.kernel.virtual_time

    def now_ns(self) -> int:
        """CLOCK_TAI of the lab in nanoseconds, exact to the grain at which the lab is frozen (10 ms).

        The guide runs with a TAI offset of 0 (`phc2sys -O 0`), and so does the virtual lab: CLOCK_TAI equals
        CLOCK_REALTIME.
        """
        return self.spec.start_ns + self.machine.now_ns if self.virtual_time else time.time_ns()

    def wait(self, done: Callable[[], bool], waited_for: str, *, lab_seconds: float, wall_seconds: float = 60) -> bool:
        """Lets the lab run until a predicate holds or so much of its time is over; returns whether it held.

        Raises:
            DeadlineError: neither came within the wall time.
        """
        end_ns = self.now_ns() + int(lab_seconds * SECOND)
        self.machine.drive(lambda: done() or self.now_ns() >= end_ns, Deadline(wall_seconds), waited_for)
        return done()

    # --- what it is -------------------------------------------------------------------------------

    @property
    def badges(self) -> list[str]:
        """What every figure and file of this lab has to say about its numbers."""
        return ["virtual lab", "simulated time" if self.virtual_time else "wall clock of a user-mode kernel"]

    @property
    def clock(self) -> str:
        """Which clock the numbers are read from, in words."""
        if self.virtual_time:
            return "CLOCK_TAI of one kernel for all nodes, simulated time in steps of 32 ns"
        return "CLOCK_TAI of one kernel for all nodes, wall-clock time"

    def versions(self) -> dict[str, str]:
        """What the nodes run: kernel and tools, each with the version it tells."""
        ask = {
            "kernel": ["uname", "-r"],
            "tc": ["tc", "-V"],
            "ptp4l": ["ptp4l", "-v"],
            "ethtool": ["ethtool", "--version"],
        }
        host = self.host(self.talker.node)
        answers = {name: host.run(argv, check=False) for name, argv in ask.items()}
        return {name: (r.stdout or r.stderr).strip() for name, r in answers.items() if r.returncode == 0}

    # --- life -------------------------------------------------------------------------------------

    def close(self) -> None:
        """Ends the lab; nothing of it is left but what is in its folder. Twice is no error."""
        atexit.unregister(self.close)
        self.machine.close()
        self._transcript.close()

    def undo(self) -> None:
        """Takes back what the steps have changed, newest first."""
        self.journal.unwind(self.host)

    def __str__(self) -> str:
        return f"{self.spec}\n  Linux {self.kernel.version}, {', '.join(self.badges)}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        nodes = "".join(
            f"<tr><td><b>{escape(name)}</b></td><td>{escape(node.title)}</td>"
            f"<td>{escape(', '.join(node.interfaces))}</td><td>{escape(self._roles(name))}</td></tr>"
            for name, node in self.spec.nodes.items()
        )
        badges = escape(" · ".join([f"Linux {self.kernel.version}", *self.badges]))
        return (
            f"<p><b>Lab {escape(self.spec.name)}</b> — {badges}</p>"
            f"<table><tr><th>node</th><th></th><th>interfaces</th><th>role</th></tr>{nodes}</table>"
        )

    def _roles(self, node: str) -> str:
        roles = self.spec.roles
        played = {"talker": roles.talker.node, "listener": roles.listener.node, "load source": roles.load_source.node}
        played |= {"load sink": roles.load_sink.node, "switch": roles.switch}
        return ", ".join(role for role, name in played.items() if name == node)

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
        for batch in network.batches(self.spec, pids):
            draft.write_text("".join(f"{line}\n" for line in batch.lines))
            self._hosts[batch.where].run([batch.tool, "-batch", str(draft)])
        for name in self.spec.nodes:
            # only the kernel that tsnlab builds can do this (see params/kernel/patches): elsewhere a gate counts
            # what fits into its window as if the link were ten times as fast
            self._hosts[name].run(["sh", "-c", "; ".join(network.speeds(self.spec, name))], check=False)


def open_lab(lab_file: str | Path = "virtual", folder: Path | None = None) -> Lab:
    """Opens the lab that a file describes: boots the virtual lab and wires its network, or connects to the nodes.

    Args:
        lab_file: path of a lab file, or the bare name of one that comes with tsnlab.
        folder: run folder for transcript, console and journal.

    Raises:
        ConfigError: the lab file is not valid.
        KernelBuildError, MachineError: the lab's kernel could not be built or booted.
        HostError: a node cannot be reached.
    """
    spec = load_lab_file(lab_file)
    if spec.kind == "hardware":
        from tsnlab.hardware import HardwareLab

        return HardwareLab(spec, folder)
    return Lab(spec, folder)
