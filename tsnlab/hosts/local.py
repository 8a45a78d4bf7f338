"""This machine as a node: commands run here, under the same guard as on a remote one."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from tsnlab.hosts.machine import MachineHost

_CHUNK = 1 << 20


class LocalPipes:
    """The three pipes of a child process (see :class:`tsnlab.hosts.piped.Pipes`)."""

    def __init__(self, argv: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        # unbuffered and in a session of its own: Ctrl-C is for the lab to act on
        self._process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True)
        self._poll = select.poll()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self._poll.register(stream.fileno(), select.POLLIN)

    def wait(self, seconds: float) -> None:
        """Waits for output, or until the command has closed both of its streams and ended."""
        open_streams = [s for s in (self._process.stdout, self._process.stderr) if s and not s.closed]
        if open_streams:
            self._poll.poll(seconds * 1000)
        else:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)

    def read_out(self) -> bytes:
        """What there is of standard output."""
        return self._read(self._process.stdout)

    def read_err(self) -> bytes:
        """What there is of standard error."""
        return self._read(self._process.stderr)

    def _read(self, stream: IO[bytes] | None) -> bytes:
        if stream is None or stream.closed:
            return b""
        data = stream.read(_CHUNK)
        if data == b"":
            self._poll.unregister(stream.fileno())
            stream.close()
        return data or b""

    def write(self, data: bytes) -> None:
        """Writes to standard input."""
        if self._process.stdin is None or self._process.stdin.closed:
            raise BrokenPipeError("standard input is closed")
        self._process.stdin.write(data)

    def close(self) -> None:
        """Ends standard input, and with it the command; what a child that lives on prints is lost."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        if self._process.returncode is not None:
            for stream in (self._process.stdout, self._process.stderr):
                if stream is not None:
                    stream.close()

    def status(self) -> int | None:
        """The exit status; what has been printed until now can be read at once."""
        status = self._process.poll()
        return None if status is None else status if status >= 0 else 128 - status


class LocalHost(MachineHost):
    """This machine (see :class:`tsnlab.hosts.base.Host`)."""

    def _open(self, argv: Sequence[str]) -> LocalPipes:
        return LocalPipes(argv)

    def _send(self, local: Path, draft: str) -> None:
        shutil.copyfile(local, draft)

    def _fetch(self, path: str, local: Path) -> None:
        shutil.copyfile(path, local)
