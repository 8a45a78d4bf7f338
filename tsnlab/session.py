"""An open lab: the contract that a virtual lab and one of machines keep, and how one is opened."""

from __future__ import annotations

import atexit
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, final

from tsnlab.closing import Closing
from tsnlab.hosts import Host, Transcript
from tsnlab.journal import Journal
from tsnlab.lab import Endpoint, LabFile, load_lab_file

if TYPE_CHECKING:
    from tsnlab.plan import Plan

SECOND = 1_000_000_000

_TOOLS = {
    "kernel": ["uname", "-r"],
    "tc": ["tc", "-V"],
    "ptp4l": ["ptp4l", "-v"],
    "ethtool": ["ethtool", "--version"],
}


class Lab(Closing):
    """A lab whose nodes can be used: commands run on :meth:`host`, and time passes while they do.

    Steps, measurements and reports know a lab by this alone.

    Args:
        spec: the lab file's content.
        folder: where transcript, journal and what else belongs to a run are kept; None keeps nothing.

    Attributes:
        journal: how what the steps changed is undone.
        reference_ns: an instant of CLOCK_TAI in the past, a whole second, that all schedules are aligned to.
        programs: by node, how the programs that were brought there are run; see :mod:`tsnlab.programs`.
        stops: what ends before changes are taken back, because it lives on them.
        disturbed_ns: when a step last took a link down, in ns of the lab's time: clocks have to be found synchronised
            by what they say after it.
    """

    reference_ns: int

    def __init__(self, spec: LabFile, folder: Path | None = None) -> None:
        self.spec = spec
        self.folder = folder
        self.journal = Journal(folder / "journal.jsonl" if folder else None)
        self.programs: dict[str, list[str]] = {}
        self.stops: list[Callable[[], None]] = []
        self.disturbed_ns = 0
        self._closed = False
        self._transcript = Transcript(folder / "transcript.jsonl" if folder else None)

    def _opened(self) -> None:
        """What is left to do when the nodes can be used; the last line of a constructor."""
        self.reference_ns = self.now_ns() // SECOND * SECOND
        atexit.register(self.close)

    # --- nodes ------------------------------------------------------------------------------------

    @abstractmethod
    def host(self, node: str) -> Host:
        """The node of that name, as something that runs commands."""

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
    @abstractmethod
    def virtual_time(self) -> bool:
        """Whether time is simulated."""

    @property
    def precise(self) -> bool:
        """Whether a case's own limits hold: not where programs wake up late by the wall clock and no NIC helps them."""
        return self.virtual_time or self.spec.interface(self.talker).etf_offload

    @abstractmethod
    def now_ns(self) -> int:
        """CLOCK_TAI of the lab in nanoseconds.

        The guide runs with a TAI offset of 0 (`phc2sys -O 0`): CLOCK_TAI equals CLOCK_REALTIME.
        """

    @abstractmethod
    def wait(self, done: Callable[[], bool], waited_for: str, *, lab_seconds: float, wall_seconds: float = 60) -> bool:
        """Lets the lab run until a predicate holds or so much of its time is over; returns whether it held.

        Whatever the nodes' programs print meanwhile is handed over.

        Raises:
            DeadlineError: neither came within the wall time.
            HostError: a node that the predicate asks is not there any more.
        """

    # --- what it is -------------------------------------------------------------------------------

    @property
    @abstractmethod
    def badges(self) -> list[str]:
        """What every figure and file of this lab has to say about its numbers."""

    @property
    @abstractmethod
    def clock(self) -> str:
        """Which clock the numbers are read from, in words."""

    def versions(self) -> dict[str, str]:
        """What the nodes run: kernel and tools, each with the version it tells."""
        return self._versions(self.talker.node)

    def _versions(self, node: str) -> dict[str, str]:
        host = self.host(node)
        answers = {name: host.run(argv, check=False) for name, argv in _TOOLS.items()}
        return {name: (r.stdout or r.stderr).strip() for name, r in answers.items() if r.returncode == 0}

    # --- life -------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether it has ended: its nodes cannot be asked any more."""
        return self._closed

    @final
    def close(self) -> None:
        """Ends the lab; nothing of it is left but what is in its folder. Twice is no error.

        Raises:
            HostError: a node does not answer; its part of the journal is kept for `tsnlab undo`.
        """
        atexit.unregister(self.close)
        try:
            self._close()
        finally:
            self._closed = True
            self._transcript.close()

    @abstractmethod
    def _close(self) -> None:
        """Ends what runs on the nodes, and leaves these as they were; twice is no error."""

    def undo(self) -> None:
        """Ends the synchronisation, and takes back what the steps have changed, newest first."""
        while self.stops:
            self.stops.pop()()
        self.journal.unwind(self.host)

    def dry_run(self) -> AbstractContextManager[Plan]:
        """Within the block the nodes are imagined: what steps would do there is gathered in a plan, and not done."""
        from tsnlab.plan import dry_run

        return dry_run(self)

    def __repr__(self) -> str:
        return str(self)


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
    from tsnlab.virtual_lab import VirtualLab

    return VirtualLab(spec, folder)
