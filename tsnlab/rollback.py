"""Changes that may cut the connection to a node: noted in the journal, and taken back by the node itself if they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tsnlab.hosts.deadman import deadman
from tsnlab.place import Place


@contextmanager
def unless_cut(lab: Place, node: str, undo: Sequence[str], seconds: float = 60.0) -> Iterator[None]:
    """Notes the undo; a node that is reached over a network runs it by itself if it is not heard of in time.

    Args:
        undo: a command that may be run twice: by the node, and from the journal.
        seconds: how long the change may take.

    Raises:
        StepError: it took longer.
    """
    lab.journal.will_change(node, undo)
    host = lab.host(node)
    if not getattr(host, "over_network", False):
        yield
        return
    with deadman(host, undo, seconds):
        yield
