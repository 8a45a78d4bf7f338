"""Where an SSH destination leads, by ~/.ssh/config: address, port, user, keys, jump hosts.

Source: ssh_config(5); the reading is paramiko's.
"""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass
from pathlib import Path

from tsnlab.errors import ConfigError

USER_CONFIG = Path("~/.ssh/config")
USER_KNOWN_HOSTS = Path("~/.ssh/known_hosts")
SYSTEM_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")

_DESTINATION = re.compile(r"(?:(?P<user>[^@\s]+)@)?(?P<host>[^@:\s]+|\[[0-9a-fA-F:]+\])(?::(?P<port>\d+))?")


@dataclass(frozen=True)
class Target:
    """Everything that is needed to connect.

    Attributes:
        name: the destination as it was written.
        keys: files of private keys to try; the agent's and the usual ones are tried as well unless `only_these_keys`.
        jumps: the hosts between, first one first.
        proxy_command: a program whose standard input and output lead there; empty for a connection of TCP.
        known_hosts: files of accepted host keys.
    """

    name: str
    hostname: str
    port: int
    user: str
    keys: tuple[str, ...] = ()
    only_these_keys: bool = False
    jumps: tuple[Target, ...] = ()
    proxy_command: str = ""
    known_hosts: tuple[Path, ...] = ()

    @property
    def known_as(self) -> str:
        """How the host is called in known_hosts."""
        return self.hostname if self.port == 22 else f"[{self.hostname}]:{self.port}"

    def __str__(self) -> str:
        over = [*(jump.name for jump in self.jumps), *([f"`{self.proxy_command}`"] if self.proxy_command else [])]
        return f"{self.user}@{self.hostname}:{self.port}" + "".join(f" over {way}" for way in over)


def resolve(destination: str, config: Path = USER_CONFIG) -> Target:
    """What a destination such as ``node1`` or ``user@10.0.0.1:2222`` means.

    Args:
        config: the user's SSH configuration; one that is not there is as good as an empty one.

    Raises:
        ConfigError: the destination or the configuration cannot be understood.
    """
    return _resolve(destination, config, ())


def _resolve(destination: str, config: Path, seen: tuple[str, ...]) -> Target:
    if destination in seen:
        raise ConfigError(f"{config}: ProxyJump goes in a circle: {' -> '.join([*seen, destination])}")
    match = _DESTINATION.fullmatch(destination)
    if match is None:
        raise ConfigError(f"expected an SSH destination such as node1 or user@10.0.0.1:2222; got {destination!r}")
    settings = _lookup(match["host"].strip("[]"), config)
    jump, proxy = (settings.get(key) or "none" for key in ("proxyjump", "proxycommand"))
    if jump != "none" and proxy != "none":
        raise ConfigError(f"{config}: both ProxyJump and ProxyCommand for {destination}; which of the two is meant?")
    known = [Path(file) for file in str(settings.get("userknownhostsfile", USER_KNOWN_HOSTS)).split()]
    return Target(
        name=destination,
        hostname=str(settings["hostname"]),
        port=int(match["port"] or settings.get("port", 22)),
        user=match["user"] or settings.get("user") or getpass.getuser(),
        keys=tuple(settings.get("identityfile", ())),
        only_these_keys=settings.get("identitiesonly", "no") == "yes",
        jumps=() if jump == "none" else _chain(jump, config, (*seen, destination)),
        proxy_command="" if proxy == "none" else proxy,
        known_hosts=tuple(file.expanduser() for file in (*known, SYSTEM_KNOWN_HOSTS)),
    )


def _chain(jump: str, config: Path, seen: tuple[str, ...]) -> tuple[Target, ...]:
    """ProxyJump's list of hosts; only the first may need a jump of its own to be reached (ssh_config(5))."""
    first, *others = (_resolve(part.strip(), config, seen) for part in jump.split(","))
    return (*first.jumps, first, *others)


def _lookup(host: str, config: Path) -> dict[str, str]:
    import paramiko

    path = config.expanduser()
    try:
        known = paramiko.SSHConfig.from_path(str(path)) if path.is_file() else paramiko.SSHConfig()
    except paramiko.ssh_exception.ConfigParseError as error:
        raise ConfigError(f"{config}: {error}") from None
    return dict(known.lookup(host))
