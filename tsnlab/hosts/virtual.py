"""A node of the virtual lab: commands run in its namespaces, inside the lab's kernel."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from tsnlab.deadline import Deadline
from tsnlab.hosts.base import DEFAULT_TIMEOUT, LineHandler, LineSplitter, Result
from tsnlab.hosts.transcript import Transcript
from tsnlab.virtual import agent
from tsnlab.virtual.machine import Command, Machine

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/run",
    "TMPDIR": "/run",
    # nothing is written beside the programs, and hashes are the same in every repetition
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
}
"""The environment of every command in a virtual lab."""


class VirtualProcess:
    """A command that runs in a node of the virtual lab; its time moves only while something is waited for."""

    def __init__(self, host: VirtualHost, argv: Sequence[str], on_line: LineHandler | None) -> None:
        self.argv = tuple(argv)
        self._host = host
        self._started = time.monotonic()
        self._out = bytearray()
        self._err = bytearray()
        self._lines = LineSplitter(on_line) if on_line else None
        self._command: Command = host.machine.submit(
            {"do": "run", "node": host.name, "argv": list(argv), "env": ENVIRONMENT}, self._receive
        )

    def _receive(self, kind: int, data: bytes) -> None:
        if kind == agent.ERR:
            self._err += data
        elif self._lines is not None:
            self._lines.feed(data)
        else:
            self._out += data

    @property
    def returncode(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._command.returncode

    @property
    def stderr(self) -> str:
        """What it has printed to standard error so far."""
        return self._err.decode(errors="replace")

    def wait(self, timeout: float) -> Result:
        """Lets the lab run until the command ends; see :class:`tsnlab.hosts.base.Process`."""
        machine = self._host.machine
        machine.drive(lambda: self.returncode is not None, Deadline(timeout), f"end of `{' '.join(self.argv)}`")
        assert self.returncode is not None
        seconds = time.monotonic() - self._started
        return Result(
            self._host.name, self.argv, self.returncode, self._out.decode(errors="replace"), self.stderr, seconds
        )

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the command and its children; takes effect when the lab next runs."""
        self._host.machine.submit({"do": "signal", "number": self._command.number, "signal": int(number)})

    def stop(self, timeout: float = 10.0) -> Result:
        """Asks it to end (SIGTERM) and waits; one that has ended already is no error."""
        if self.returncode is None:
            self.signal(signal.SIGTERM)
        return self.wait(timeout)


class VirtualHost:
    """A node of the virtual lab (see :class:`tsnlab.hosts.base.Host`)."""

    shares_files = True
    """Whether this machine's Python and files are there on the node."""

    def __init__(self, name: str, machine: Machine, transcript: Transcript) -> None:
        self.name = name
        self.machine = machine
        self._transcript = transcript
        answer = machine.submit({"do": "node", "name": name})
        machine.drive(lambda: answer.returncode is not None, Deadline(DEFAULT_TIMEOUT), f"namespaces of {name}")
        Result(name, ("namespaces",), answer.returncode or 0, "", answer.err.decode(), 0.0).check()
        self.pid = int(answer.out)

    def run(self, argv: Sequence[str], *, timeout: float = DEFAULT_TIMEOUT, check: bool = True) -> Result:
        """Runs a command to its end; see :class:`tsnlab.hosts.base.Host`."""
        lab_time_ns = self.machine.now_ns
        process = VirtualProcess(self, argv, None)
        try:
            result = process.wait(timeout)
        except BaseException:
            # whoever waited has given up: the command must not go on when the lab next runs
            if not self.machine.closed:
                process.signal(signal.SIGKILL)
            self._transcript.add(self.name, argv, lab_time_ns=lab_time_ns, returncode=None, seconds=timeout)
            raise
        self._transcript.add(
            self.name,
            argv,
            lab_time_ns=lab_time_ns,
            returncode=result.returncode,
            seconds=result.seconds,
            stderr=result.stderr,
        )
        return result.check() if check else result

    def start(self, argv: Sequence[str], on_line: LineHandler | None = None) -> VirtualProcess:
        """Starts a command; see :class:`tsnlab.hosts.base.Host`."""
        self._transcript.add(self.name, argv, lab_time_ns=self.machine.now_ns, returncode=None, seconds=0.0)
        return VirtualProcess(self, argv, on_line)

    def read_text(self, path: str) -> str:
        """The content of a file, as the node sees it."""
        return self.run(["cat", "--", path]).stdout

    def write_text(self, path: str, text: str) -> None:
        """Replaces the content of a file, as the node sees it (its /run is its own)."""
        draft = self.machine.folder / f"file-{os.urandom(4).hex()}"
        draft.write_text(text, encoding="utf-8")
        try:
            self.run(["cp", "--", str(draft), path])
        finally:
            Path(draft).unlink()
