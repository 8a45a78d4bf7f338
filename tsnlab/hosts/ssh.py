"""A node that is reached over SSH."""

from __future__ import annotations

import select
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Never

from tsnlab.errors import CommandError, HostError
from tsnlab.hosts.base import DEFAULT_TIMEOUT
from tsnlab.hosts.machine import MachineHost
from tsnlab.hosts.piped import PipedProcess
from tsnlab.hosts.ssh_connection import Connection
from tsnlab.hosts.ssh_target import USER_CONFIG, Target, resolve
from tsnlab.hosts.sudo import Sudo
from tsnlab.hosts.transcript import Transcript
from tsnlab.progress import progress

if TYPE_CHECKING:
    import paramiko
    from tqdm.std import tqdm

_CHUNK = 1 << 20
_LINGER_S = 1.0


class SshPipes:
    """The channel of one command (see :class:`tsnlab.hosts.piped.Pipes`)."""

    def __init__(self, connection: Connection, argv: Sequence[str]) -> None:
        import paramiko

        self._connection = connection
        self._channel = connection.session()
        self._poll = select.poll()
        self._poll.register(self._channel.fileno(), select.POLLIN)
        self._ended: float | None = None
        try:
            # the only place where an argument list becomes a string, for the shell of the user who is logged in
            self._channel.exec_command(shlex.join(argv))
        except (paramiko.SSHException, OSError, EOFError) as error:
            connection.check()
            raise HostError(f"{connection.node}: the SSH server runs no command: {error}") from error

    def wait(self, seconds: float) -> None:
        """Waits for output, or the end."""
        self._poll.poll((_LINGER_S / 10 if self._ended else seconds) * 1000)
        if self._channel.eof_received and not self._channel.exit_status_ready():
            self._channel.status_event.wait(min(seconds, _LINGER_S))

    def read_out(self) -> bytes:
        """What there is of standard output."""
        return self._channel.recv(_CHUNK) if self._channel.recv_ready() else b""

    def read_err(self) -> bytes:
        """What there is of standard error."""
        return self._channel.recv_stderr(_CHUNK) if self._channel.recv_stderr_ready() else b""

    def write(self, data: bytes) -> None:
        """Writes to standard input."""
        self._channel.sendall(data)

    def close(self) -> None:
        """Ends standard input, and with it the command."""
        with suppress(OSError, EOFError):
            self._channel.shutdown_write()
        if self._ended is not None:
            self._channel.close()

    def status(self) -> int | None:
        """The exit status, once the output is complete: a child that lives on may keep it open, so not for long."""
        if not self._channel.exit_status_ready():
            self._connection.check()
            return None
        self._ended = self._ended or time.monotonic()
        if not self._channel.eof_received and time.monotonic() - self._ended < _LINGER_S:
            return None
        status = self._channel.recv_exit_status()
        if status == -1:
            raise HostError(f"{self._connection.node}: the connection to {self._connection.target} was lost")
        return status


class SshHost(MachineHost):
    """A node reached over SSH (see :class:`tsnlab.hosts.base.Host`).

    It connects with the first command, and again with the next one if the connection was lost; a command whose
    connection is lost is never run a second time.

    Args:
        name: of the node.
        destination: as for ssh(1), or with a port: ``user@10.0.0.1:2222``; None is the name.
        config: the user's SSH configuration.
    """

    over_network = True

    def __init__(
        self,
        name: str,
        destination: str | None = None,
        *,
        transcript: Transcript | None = None,
        sudo: Sudo | None = None,
        config: Path = USER_CONFIG,
    ) -> None:
        super().__init__(name, transcript, sudo)
        self.target: Target = resolve(destination or name, config)
        self._connection: Connection | None = None

    def connect(self) -> Connection:
        """The connection, made if there is none.

        Raises:
            HostError: no connection; says why, and what to do.
        """
        if self._connection is None or not self._connection.alive:
            if self._connection is not None:
                self._connection.close()
            self._connection = Connection(self.target, self.name)
        return self._connection

    def close(self) -> None:
        """Ends the connection and what runs over it; twice is no error."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def server_address(self) -> str:
        """The node's address that the connection came to, as the node sees it.

        Source: sshd(8), SSH_CONNECTION; sudo takes it away, so it is asked without.
        """
        process = PipedProcess(self.name, ["sh", "-c", 'echo "$SSH_CONNECTION"'], self._open, None, None)
        return process.wait(DEFAULT_TIMEOUT).check().stdout.split()[2].partition("%")[0]

    def _open(self, argv: Sequence[str]) -> SshPipes:
        return SshPipes(self.connect(), argv)

    def _send(self, local: Path, draft: str) -> None:
        title = f"{local.name} to {self.name}"
        with self._sftp(draft) as sftp, progress(local.stat().st_size, title, "B") as bar:
            sftp.put(str(local), draft, lambda done, _: _advance(bar, done))
            sftp.chmod(draft, 0o600)

    def _fetch(self, path: str, local: Path) -> None:
        with self._sftp(path) as sftp, progress(sftp.stat(path).st_size, f"{path} of {self.name}", "B") as bar:
            sftp.get(path, str(local), lambda done, _: _advance(bar, done))

    @contextmanager
    def _sftp(self, path: str) -> Iterator[paramiko.SFTPClient]:
        import paramiko

        connection = self.connect()
        try:
            with connection.sftp() as client:
                yield client
        except (paramiko.SSHException, OSError, EOFError) as error:
            connection.check()
            raise CommandError(self.name, ["sftp", path], 1, str(error)) from error


def _advance(bar: tqdm[Never], done: int) -> None:
    bar.update(done - bar.n)
