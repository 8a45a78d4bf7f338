"""What a step on a node needs of an open lab, and no more."""

from __future__ import annotations

from typing import Protocol

from tsnlab.hosts import Host
from tsnlab.journal import Journal


class Place(Protocol):
    """Nodes that can be worked on, and the journal of how it is undone; every open lab is one."""

    journal: Journal

    def host(self, node: str) -> Host:
        """The node of that name, as something that runs commands."""
