"""A guarded command behind three streams of bytes: the process that the hosts of real machines give."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from tsnlab.deadline import Deadline
from tsnlab.errors import DeadlineError, HostError
from tsnlab.hosts.base import LineHandler, LineSplitter, Result
from tsnlab.hosts.guard import guarded, returncode
from tsnlab.hosts.marks import Marks
from tsnlab.hosts.sudo import Sudo

_SLICE_S = 1.0
_KILL_S = 2.0


class Pipes(Protocol):
    """The streams of a running command; nothing of it blocks but :meth:`wait`."""

    def wait(self, seconds: float) -> None:
        """Waits until there is something to read or the command has ended, or so long."""

    def read_out(self) -> bytes:
        """What there is of standard output, possibly nothing."""

    def read_err(self) -> bytes:
        """What there is of standard error, possibly nothing."""

    def write(self, data: bytes) -> None:
        """Writes to standard input.

        Raises:
            OSError: there is nobody to read it.
        """

    def close(self) -> None:
        """Ends standard input, and with it the command; twice is no error."""

    def status(self) -> int | None:
        """The exit status once all output can be read; None before.

        Raises:
            HostError: the machine is not there any more.
        """


class PipedProcess:
    """A command on a real machine (see :class:`tsnlab.hosts.base.Process`).

    Its output is read, and its lines are handed over, whenever something of it is asked or waited for.

    Args:
        host: name of the node.
        argv: the command.
        open_pipes: starts a command line.
        sudo: with it, the command runs as root.
        on_line: takes its lines.
    """

    def __init__(
        self,
        host: str,
        argv: Sequence[str],
        open_pipes: Callable[[Sequence[str]], Pipes],
        sudo: Sudo | None,
        on_line: LineHandler | None,
    ) -> None:
        self.argv = tuple(argv)
        self._mark = f"[tsnlab {secrets.token_hex(8)}]"
        line = guarded(argv, self._mark)
        self._host = host
        self._sudo = sudo
        self._marks = Marks([self._mark, sudo.prompt] if sudo else [self._mark])
        self._answered = 0
        self._started = time.monotonic()
        self._out = bytearray()
        self._err = bytearray()
        self._lines = LineSplitter(on_line) if on_line else None
        self._returncode: int | None = None
        self._pipes = open_pipes(sudo.over(line) if sudo else line)

    @property
    def returncode(self) -> int | None:
        """Its exit status; None while it runs."""
        self.pump()
        return self._returncode

    @property
    def stderr(self) -> str:
        """What it has printed to standard error so far."""
        self.pump()
        return self._err.decode(errors="replace")

    def pump(self) -> None:
        """Takes what the command has printed, without waiting.

        Raises:
            HostError: the machine is not there any more, or sudo refuses.
        """
        if self._returncode is not None:
            return
        try:
            status = self._pipes.status()
        except HostError as error:
            raise HostError(
                f"{error}\n  `{' '.join(self.argv)}` was running; how it ended is not known, and it is not run again"
            ) from None
        while data := self._pipes.read_out():
            self._take(data)
        while data := self._pipes.read_err():
            self._err += self._marks.feed(data)
        self._answer()
        if status is not None:
            self._err += self._marks.rest()
            self._pipes.close()
            self._returncode = returncode(status)

    def wait(self, timeout: float) -> Result:
        """Waits for its end; see :class:`tsnlab.hosts.base.Process`."""
        deadline = Deadline(timeout)
        while self.returncode is None:
            deadline.check(f"end of `{' '.join(self.argv)}` on {self._host}", self._tail())
            self._pipes.wait(min(_SLICE_S, deadline.remaining or 0.0))
        seconds = time.monotonic() - self._started
        code = self._returncode
        assert code is not None
        out, err = (bytes(stream).decode(errors="replace") for stream in (self._out, self._err))
        return Result(self._host, self.argv, code, out, err, seconds)

    def wait_begun(self, timeout: float) -> None:
        """Waits until the guard has begun, or has not been let begin; before that, signals would be sudo's to read.

        Raises:
            DeadlineError: neither within so many seconds.
        """
        deadline = Deadline(timeout)
        while self.returncode is None and not self._marks.seen[self._mark]:
            deadline.check(f"start of `{' '.join(self.argv)}` on {self._host}", self._tail())
            self._pipes.wait(min(_SLICE_S, deadline.remaining or 0.0))

    def signal(self, name: str) -> None:
        """Sends a signal, named as for kill(1), to the command and its children."""
        with suppress(OSError):  # it has ended already
            self._pipes.write(name.encode() + b"\n")

    def stop(self, timeout: float = 10.0) -> Result:
        """Asks it to end (SIGTERM) and waits; one that has ended already is no error."""
        if self.returncode is None:
            self.signal("TERM")
        try:
            return self.wait(timeout)
        except DeadlineError:
            self.kill()
            raise

    def kill(self) -> None:
        """Ends the command and its children now; whoever calls it has an error to raise, so nothing else does."""
        self.signal("KILL")
        self._pipes.close()
        with suppress(DeadlineError, HostError):
            self.wait(_KILL_S)

    def _take(self, data: bytes) -> None:
        if self._lines is not None:
            self._lines.feed(data)
        else:
            self._out += data

    def _answer(self) -> None:
        """Gives sudo the password, once."""
        if self._sudo is None or self._marks.seen[self._sudo.prompt] == self._answered:
            return
        if self._answered:
            self._pipes.close()
            raise self._sudo.refused()
        self._answered = self._marks.seen[self._sudo.prompt]
        self._pipes.write(self._sudo.answer())

    def _tail(self) -> str:
        return self._err[-300:].decode(errors="replace").strip()
