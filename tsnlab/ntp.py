"""The guide's Step 1, first part: the clocks of the switch and of Node 1 are set by time servers, or run free.

The switch's system clock is what all other clocks follow. A node whose system clock phc2sys sets (the listener) must
have nobody else who sets it: there, whoever does is stopped.

Source: the guide, Step 1, "Configure NTP servers on the TSN switch and on Node 1".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tsnlab import node_file
from tsnlab.errors import ConfigError, StepError
from tsnlab.hosts import Host
from tsnlab.lab import LabFile
from tsnlab.ntp_daemons import DAEMONS, Daemon
from tsnlab.session import Lab
from tsnlab.show.names import own
from tsnlab.steps import Doing, Step, Steps

FREE = "free"
"""In the lab file: no time servers; the switch's clock is right by definition."""

AS_IT_IS = "as it is"

_PATIENCE_S = 30


def configure(lab: Lab, servers: Sequence[str] | Literal["free", "as it is"] | None = None) -> Steps:
    """Sets the time servers of the switch and of the node with the containers, or has nobody set their clocks.

    Args:
        servers: names or addresses, or ``free``; None for what the lab file says.

    Raises:
        ConfigError: a server is not a name.
        StepError: there is nothing on a node that could ask them, or none of them answers; says what to do.
    """
    wanted = lab.spec.ntp if servers is None else servers
    if lab.spec.kind == "virtual":
        return Steps("Time servers: none, the virtual lab's time is its kernel's")
    if wanted == AS_IT_IS:
        return Steps("Time servers: as they are; the lab file can name them (ntp: [...]) or say that clocks run free")
    steered = _steered(lab.spec)
    if isinstance(wanted, str):
        return Steps("Time servers: none, clocks run free", tuple(_stop(lab, n) for n in (*_roots(lab.spec), *steered)))
    if bad := [server for server in wanted if not server or server != server.strip() or " " in server]:
        raise ConfigError(f"ntp: expected names or addresses of servers; got {bad[0]!r}")
    asking = [_ask(lab, node, wanted) for node in _roots(lab.spec)]
    return Steps(f"Time servers: {', '.join(wanted)}", (*asking, *(_stop(lab, node) for node in steered)))


def _roots(spec: LabFile) -> list[str]:
    """The switch and the nodes that containers run on, whose own clocks nothing in the lab sets."""
    hosts = [node.container.node for node in spec.nodes.values() if node.container is not None]
    return list(dict.fromkeys([spec.roles.switch, *hosts]))


def _steered(spec: LabFile) -> list[str]:
    """Nodes of which phc2sys sets the system clock; a guest has nothing else that does."""
    listener = spec.roles.listener.node
    return [] if spec.nodes[listener].container is not None or listener in _roots(spec) else [listener]


def _ask(lab: Lab, node: str, servers: Sequence[str]) -> Step:
    doing = Doing(lab.host(node))
    daemon, unit, active = _find(doing.host)
    path = _path(doing.host, daemon)
    before = node_file.read(doing.host, path)
    text = daemon.edit(before or "", servers)
    if text != before or not active:
        # undone newest first: the file is back before the service reads it again
        lab.journal.will_change(node, ["systemctl", "restart" if active else "stop", unit])
        node_file.write(lab, node, doing, path, text)
        doing.run(["systemctl", "restart", unit])
    reached: list[str] = []

    def answered() -> bool:
        reached[:] = daemon.reached(doing.host.run(daemon.ask, check=False).stdout)
        return bool(reached)

    if not lab.wait(answered, f"an answer of a time server to {node}", lab_seconds=_PATIENCE_S):
        raise StepError(
            f"{node}: none of the time servers {', '.join(servers)} has answered {daemon.name} within {_PATIENCE_S} s\n"
            f"what to do: see `{' '.join(daemon.ask)}` there, and whether UDP port 123 is let through; or let the lab"
            " run free (`ntp: free` in its file)"
        )
    state = f"asks {', '.join(reached)}"
    return Step(
        node, f"{daemon.name}, {path}", "other servers" if doing.commands else state, state, tuple(doing.commands)
    )


def _stop(lab: Lab, node: str) -> Step:
    """Ends whatever sets the clock of a node; it comes back by the undo."""
    doing = Doing(lab.host(node))
    running = [unit for daemon in DAEMONS for unit in _active(doing.host, daemon)]
    for unit in running:
        lab.journal.will_change(node, ["systemctl", "start", unit])
        doing.run(["systemctl", "stop", unit])
    if still := [unit for daemon in DAEMONS for unit in _active(doing.host, daemon)]:
        raise StepError(f"{node}: {', '.join(still)} was stopped, and runs again\nwhat to do: see what starts it")
    nobody = "nobody sets the clock by NTP"
    before = f"{', '.join(running)} sets the clock" if running else nobody
    return Step(node, "system clock", before, nobody, tuple(doing.commands))


def _find(host: Host) -> tuple[Daemon, str, bool]:
    """What runs and sets the clock, else what is installed and could; its service, and whether that runs."""
    for daemon in DAEMONS:
        if units := _active(host, daemon):
            return daemon, units[0], True
    for daemon in DAEMONS:
        for unit in daemon.units:
            if host.run(["systemctl", "cat", unit], check=False).returncode == 0:
                return daemon, unit, False
    raise StepError(f"{host.name}: nothing there that could ask a time server\nwhat to do: apt-get install chrony")


def _active(host: Host, daemon: Daemon) -> list[str]:
    """The services of a daemon that run; one service may go by two names, and the first is enough."""
    said = ((unit, host.run(["systemctl", "is-active", unit], check=False)) for unit in daemon.units)
    return [unit for unit, result in said if result.stdout.strip() == "active"][:1]


def _path(host: Host, daemon: Daemon) -> str:
    for path in daemon.files:
        if daemon.own_file or host.run(["test", "-f", path], check=False).returncode == 0:
            return path
    raise StepError(f"{host.name}: {daemon.name} is there, but none of its files {', '.join(daemon.files)}")


__dir__ = own(__name__)
