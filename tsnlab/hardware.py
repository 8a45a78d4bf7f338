"""An open lab of real machines, reached over SSH; the guide's own is params/labs/hardware.yaml."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tsnlab.deadline import Deadline
from tsnlab.hosts import Host
from tsnlab.hosts.container import ContainerHost
from tsnlab.hosts.ssh import SshHost
from tsnlab.hosts.ssh_target import USER_CONFIG, resolve
from tsnlab.hosts.sudo import Sudo
from tsnlab.journal import JOURNAL, Journal
from tsnlab.kept import kept_journal
from tsnlab.lab import LabFile
from tsnlab.lab_lock import LabLock
from tsnlab.session import Lab

_LOOK_S = 0.05


class HardwareLab(Lab):
    """A lab of real machines; each is connected to by the first command that it is given, for one user at a time.

    Args:
        spec: the lab file's content.
        folder: where transcript and journal are kept; None keeps nothing.
        ssh_config: the user's SSH configuration.
    """

    def __init__(self, spec: LabFile, folder: Path | None = None, ssh_config: Path = USER_CONFIG) -> None:
        super().__init__(spec, folder)
        self._ssh_config = ssh_config
        self._lock: LabLock | None = None
        self._machines = {
            name: SshHost(
                name,
                node.ssh,
                transcript=self._transcript,
                sudo=Sudo(name) if node.sudo else None,
                config=ssh_config,
            )
            for name, node in spec.nodes.items()
            if node.container is None
        }
        self._containers = {
            name: ContainerHost(name, self._machines[node.container.node], node.container.engine, node.container.name)
            for name, node in spec.nodes.items()
            if node.container is not None
        }
        self._kept = kept_journal()
        if self._kept is not None and self._kept.is_file():
            self.journal = Journal.read(self._kept)
            self.journal.move(folder / JOURNAL if folder else None)
        self._opened()

    def host(self, node: str) -> Host:
        """The node of that name, as something that runs commands; from the first on, nobody else can use the lab.

        Raises:
            ConfigError: the lab is in use.
        """
        if self._lock is None and not self.closed:
            targets = [resolve(node.ssh, self._ssh_config) for node in self.spec.nodes.values() if node.ssh]
            self._lock = LabLock(self.spec.name, [f"{target.hostname}:{target.port}" for target in targets])
        return self._containers.get(node) or self._machines[node]

    @property
    def virtual_time(self) -> bool:
        """Never: time is that of the machines."""
        return False

    def now_ns(self) -> int:
        """This machine's time, which is the nodes' only as well as both are set."""
        return time.time_ns()

    def wait(self, done: Callable[[], bool], waited_for: str, *, lab_seconds: float, wall_seconds: float = 60) -> bool:
        """Waits until a predicate holds or so many seconds are over; see :meth:`tsnlab.session.Lab.wait`."""
        end, deadline = Deadline(lab_seconds), Deadline(wall_seconds)
        while not done() and not end.expired:
            deadline.check(waited_for)
            time.sleep(_LOOK_S)
        return done()

    @property
    def badges(self) -> list[str]:
        """What every figure and file of this lab has to say about its numbers."""
        return [self.spec.badge or "hardware"]

    @property
    def clock(self) -> str:
        """Which clock the numbers are read from, in words."""
        return "CLOCK_TAI of each node, synchronised by PTP"

    def _close(self) -> None:
        try:
            if self._kept is None:
                self.undo()
            elif len(self.journal):
                self.journal.move(self._kept)
        finally:
            for host in self._machines.values():
                host.close()
            if self._lock is not None:
                self._lock.close()

    def __str__(self) -> str:
        return str(self.spec)

    def _repr_html_(self) -> str:
        return self.spec._repr_html_()
