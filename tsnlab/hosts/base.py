"""The contract of every host: how commands are run, and what they give back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tsnlab.errors import CommandError

LineHandler = Callable[[str], None]
"""Takes one line of a program's standard output, without its end, as soon as it is printed."""

DEFAULT_TIMEOUT = 30.0
"""Seconds of wall time a command may take if nothing else is said."""


@dataclass(frozen=True)
class Result:
    """What a command did.

    Attributes:
        host: name of the node.
        argv: the command.
        returncode: its exit status; negative for the signal that ended it.
        stdout, stderr: what it printed.
        seconds: wall time.
    """

    host: str
    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float

    def check(self, remedy: str = "") -> Result:
        """Itself, if the command succeeded.

        Raises:
            CommandError: it did not.
        """
        if self.returncode != 0:
            raise CommandError(self.host, self.argv, self.returncode, self.stderr or self.stdout, remedy)
        return self


class Process(Protocol):
    """A command that runs while others are run."""

    argv: tuple[str, ...]

    @property
    def returncode(self) -> int | None:
        """Its exit status; None while it runs."""

    @property
    def stderr(self) -> str:
        """What it has printed to standard error so far."""

    def wait(self, timeout: float) -> Result:
        """Waits for its end.

        Raises:
            DeadlineError: it still runs after so many seconds of wall time.
        """

    def stop(self, timeout: float = 10.0) -> Result:
        """Asks it to end (SIGTERM) and waits; one that has ended already is no error."""


class Host(Protocol):
    """A node of the lab, as something that runs commands."""

    name: str

    def run(self, argv: Sequence[str], *, timeout: float = DEFAULT_TIMEOUT, check: bool = True) -> Result:
        """Runs a command to its end.

        Args:
            argv: program and arguments; no shell is between.
            timeout: seconds of wall time.
            check: whether a failure raises.

        Raises:
            CommandError: the command failed.
            DeadlineError: it did not end in time.
        """

    def start(self, argv: Sequence[str], on_line: LineHandler | None = None) -> Process:
        """Starts a command; its lines are handed over while the host is waited for."""

    def read_text(self, path: str) -> str:
        """The content of a file of the node."""

    def write_text(self, path: str, text: str) -> None:
        """Replaces the content of a file of the node."""


class LineSplitter:
    """Cuts a stream of bytes into lines and hands them on; keeps what follows the last one."""

    def __init__(self, handler: LineHandler) -> None:
        self._handler = handler
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Takes what has been read."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._handler(line.decode(errors="replace"))
