"""A lab of real machines is used by one at a time: a lock on each of its nodes, held while the lab is open."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tsnlab.closing import Closing
from tsnlab.errors import ConfigError

_FOLDER = Path(tempfile.gettempdir()) / "tsnlab-locks"


class LabLock(Closing):
    """Locks nodes for this process; the kernel gives them free when the process ends, however it does.

    The locks are files of this machine, for all of its users: who works with the same nodes from another machine is
    not kept from it.

    Args:
        lab: its name, for errors.
        nodes: what the nodes are reached by; two labs that share a node share its lock.

    Raises:
        ConfigError: one of them is in use; says by which process.
    """

    def __init__(self, lab: str, nodes: Iterable[str], folder: Path = _FOLDER) -> None:
        self._held: list[int] = []
        folder.mkdir(mode=0o1777, parents=True, exist_ok=True)
        try:
            # in one order for all, so that two who want the same nodes do not end up with half of them each
            for node in sorted(set(nodes)):
                self._take(lab, node, folder / f"{re.sub('[^A-Za-z0-9@._-]', '_', node)}.lock")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Gives the nodes free."""
        while self._held:
            os.close(self._held.pop())

    def _take(self, lab: str, node: str, path: Path) -> None:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._held.append(lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, 200, 0).decode(errors="replace").strip() or "another process"
            wait = "wait for its end, or end it"
            raise ConfigError(f"lab {lab}: {node} is in use by {holder}; {wait}") from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"lab {lab}, process {os.getpid()}".encode(), 0)
