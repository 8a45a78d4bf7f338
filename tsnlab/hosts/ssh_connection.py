"""An SSH connection: host keys checked, kept alive, and known to be dead soon after it is."""

from __future__ import annotations

import logging
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Never

from tsnlab.errors import HostError
from tsnlab.hosts.ssh_target import Target

if TYPE_CHECKING:
    import paramiko

_CONNECT_S = 10.0
_PULSE_S = 3.0
_SILENT_PULSES = 4
_WINDOW = 1 << 28  # so much may a command print while nobody reads: it is not held up before


class Connection:
    """An open connection, over jump hosts if need be.

    Args:
        target: where to.
        node: what the lab calls it: errors begin with it.

    Raises:
        HostError: no connection; says why, and what to do.
    """

    def __init__(self, target: Target, node: str) -> None:
        self.target = target
        self.node = node
        self._clients: list[paramiko.SSHClient] = []
        self._proxy: _Proxy | None = None
        try:
            if target.proxy_command:
                self._proxy = _Proxy(target.proxy_command)
            for stop in (*target.jumps, target):
                self._clients.append(_client(stop, node, self._clients[-1] if self._clients else None, self._proxy))
        except BaseException:
            self.close()
            raise
        transport = self._clients[-1].get_transport()
        assert transport is not None
        self._transport = transport
        self._closed = threading.Event()
        self._heard = threading.Event()
        for task in (self._ask, self._watch):
            threading.Thread(target=task, name=f"ssh {target.name}", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether the other side has answered lately."""
        return self._transport.is_active()

    def check(self) -> None:
        """Raises HostError if the connection is lost."""
        if not self.alive:
            raise HostError(f"{self.node}: the connection to {self.target} was lost")

    def session(self) -> paramiko.Channel:
        """A new channel for one command.

        Raises:
            HostError: the connection is lost.
        """
        import paramiko

        try:
            return self._transport.open_session(window_size=_WINDOW, timeout=_CONNECT_S)
        except paramiko.ChannelException as error:
            raise HostError(f"{self.node}: the SSH server gives no new session: {error}") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            # it did not answer at all: nothing that is still sent over it may be carried out later
            self._transport.close()
            raise HostError(f"{self.node}: the connection to {self.target} was lost: {error}") from error

    def sftp(self) -> paramiko.SFTPClient:
        """A new channel for files.

        Raises:
            HostError: the connection is lost, or the server has no SFTP.
        """
        import paramiko

        try:
            return self._clients[-1].open_sftp()
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.check()
            raise HostError(f"{self.node}: no SFTP ({error}); enable `Subsystem sftp` in sshd_config") from error

    def close(self) -> None:
        """Ends it, and the commands that run over it; twice is no error."""
        if hasattr(self, "_closed"):
            self._closed.set()
        for client in reversed(self._clients):
            client.close()
        if self._proxy is not None:
            self._proxy.close()

    def _ask(self) -> None:
        """Asks for a sign of life again and again; any answer is one, and a refusal is the usual."""
        import paramiko

        while not self._closed.wait(_PULSE_S) and self._transport.is_active():
            with suppress(EOFError, OSError, paramiko.SSHException):
                self._transport.global_request("keepalive@openssh.com", wait=True)
            if self._transport.is_active():
                self._heard.set()

    def _watch(self) -> None:
        """Closes a connection whose other side is silent."""
        # in steps of its own: on a suspended laptop time goes on without it, and no server is dead for that
        silent = 0
        while not self._closed.wait(_PULSE_S) and self._transport.is_active():
            silent = 0 if self._heard.is_set() else silent + 1
            self._heard.clear()
            if silent >= _SILENT_PULSES:
                self._transport.close()


def _client(target: Target, node: str, through: paramiko.SSHClient | None, proxy: _Proxy | None) -> paramiko.SSHClient:
    import paramiko

    # paramiko logs what it also raises
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(_refusing(target, node))
    for file in target.known_hosts:
        if file.is_file():
            client.load_system_host_keys(str(file))
    try:
        client.connect(
            target.hostname,
            target.port,
            target.user,
            key_filename=_there(target.keys) or None,  # type: ignore[arg-type]  # a list is documented
            allow_agent=not target.only_these_keys,
            look_for_keys=not target.only_these_keys,
            timeout=_CONNECT_S,
            banner_timeout=_CONNECT_S,
            auth_timeout=_CONNECT_S,
            sock=proxy.socket if proxy else _through(through, target),
        )
        if through is None and proxy is None:
            _at_once(client)
    except (paramiko.SSHException, OSError, EOFError) as error:
        client.close()
        _explain(target, node, error)
    except BaseException:
        client.close()
        raise
    return client


def _there(keys: Sequence[str]) -> list[str]:
    """Those files of keys that exist; the others are no error for ssh(1) either."""
    return [key for key in keys if Path(key).expanduser().is_file()]


def _at_once(client: paramiko.SSHClient) -> None:
    """Sends small packets without waiting for the answer to the last one: 40 ms for every command."""
    transport = client.get_transport()
    if transport is not None and isinstance(transport.sock, socket.socket):
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Proxy:
    """The program that leads to a host, by a shell as ssh(1) has it, and our end of the socket between us.

    paramiko has one as well, which reads from pipes that its own closing has closed.
    """

    def __init__(self, command: str) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs:
            end = theirs.fileno()
            argv = ["sh", "-c", f"exec {command}"]
            self.process = subprocess.Popen(argv, stdin=end, stdout=end, stderr=subprocess.DEVNULL)

    def close(self) -> None:
        """Ends it; nothing of it is left."""
        self.socket.close()
        self.process.kill()
        self.process.wait()


def _through(client: paramiko.SSHClient | None, target: Target) -> paramiko.Channel | None:
    """A channel from the last jump host to the next one."""
    transport = client.get_transport() if client else None
    if transport is None:
        return None
    return transport.open_channel("direct-tcpip", (target.hostname, target.port), ("127.0.0.1", 0), timeout=_CONNECT_S)


def _refusing(target: Target, node: str) -> paramiko.MissingHostKeyPolicy:
    """What is done about a host key that nobody has accepted: nothing, but to say how it can be."""
    import paramiko

    class Refusing(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> Never:
            kind = key.get_name().removeprefix("ssh-").partition("-")[0]
            raise HostError(
                f"{node}: the host key of {target} is not known: {key.get_name()} {key.fingerprint}\n"
                "what to do: compare it with `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` on the node, and if it is"
                f" the same, accept it with `{_accepting(target, kind)}`"
            )

    return Refusing()


def _accepting(target: Target, kind: str) -> str:
    file = target.known_hosts[0]
    if target.jumps:
        return f"ssh -o UserKnownHostsFile={file} {target.name} true"
    return f"ssh-keyscan -t {kind} -p {target.port} {target.hostname} >> {file}"


def _explain(target: Target, node: str, error: Exception) -> Never:
    import paramiko

    if isinstance(error, paramiko.BadHostKeyException):
        raise HostError(
            f"{node}: the host key of {target} is not the one that was accepted: now {error.key.get_name()}"
            f" {error.key.fingerprint}\nwhat to do: if the node was installed anew, forget the old key with"
            f" `ssh-keygen -R '{target.known_as}' -f {target.known_hosts[0]}`; if not, somebody is in between"
        ) from error
    # without any key to try, paramiko does not even begin
    if isinstance(error, paramiko.AuthenticationException) or "No authentication methods" in str(error):
        tried = ", ".join(_there(target.keys)) or "the agent's keys and those in ~/.ssh"
        raise HostError(
            f"{node}: {target} does not let us in with {tried}: {error}\n"
            f"what to do: `ssh-copy-id -p {target.port} {target.user}@{target.hostname}`,"
            " or name the key in ~/.ssh/config"
        ) from error
    raise HostError(
        f"{node}: no SSH connection to {target}: {error}\n"
        f"what to do: see whether `ssh {target.name}` works, and whether the node is up"
    ) from error
