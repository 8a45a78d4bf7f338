"""What a measurement wants of whatever sends and receives its stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from tsnlab.case import Case
from tsnlab.node_report import Report
from tsnlab.ptp import Sync
from tsnlab.session import Lab


class Tool(ABC):
    """A sender and a receiver.

    Args:
        lab: the lab.
        case: the experiment.
        sync: the running synchronisation; None if there is none.
        raw: where what is said is kept.

    Attributes:
        talker, listener: the programs, with the packets that they have reported: rows of
            :data:`tsnlab.packets.TALKER_COLUMNS` and :data:`tsnlab.packets.LISTENER_COLUMNS`.
    """

    def __init__(self, lab: Lab, case: Case, sync: Sync | None, raw: Path | None) -> None:
        self.lab = lab
        self.case = case
        self.sync = sync
        self.talker = Report("talker", raw)
        self.listener = Report("listener", raw)

    @abstractmethod
    def receive(self) -> None:
        """Starts the receiver, and waits until it takes packets.

        Raises:
            CommandError, StepError: it does not come up.
        """

    @abstractmethod
    def send(self) -> None:
        """Starts the sender, which ends with the stream.

        Raises:
            CommandError, StepError: it does not come up.
        """

    def is_over(self) -> bool:
        """Whether the stream has ended."""
        return self.talker.ended

    @abstractmethod
    def finish(self) -> None:
        """Once the stream has ended: waits for the receiver, and takes what is still to be told.

        Raises:
            CommandError, DeadlineError: a program failed, or does not end.
        """

    @abstractmethod
    def late(self) -> dict[str, int]:
        """How many packets did not leave, by reason."""

    @abstractmethod
    def timestamps(self) -> dict[str, str]:
        """By whom packets were stamped when they were ``sent`` and ``received``, and why not by the interface."""
