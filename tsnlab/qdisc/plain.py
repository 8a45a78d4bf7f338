"""Qdiscs by ``tc`` alone, for nodes that have not this machine's files: over SSH and in containers.

Source: tc(8), ip-link(8).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from tsnlab.errors import CommandError
from tsnlab.hosts import Host
from tsnlab.qdisc import refusal
from tsnlab.steps import Doing

_LOOK_S = 0.02
_SETTLE_S = "0.1"  # a driver that resets its NIC to offload a qdisc takes the link down a little later
_LOOK_NS = 20_000_000
_CARRIER_LOOKS = 200  # with what the commands take, 4 to 8 s; 1000BASE-T takes 1 to 3 s to negotiate


def show(host: Host, interface: str) -> list[dict[str, Any]]:
    """The qdiscs of an interface, as ``tc -j qdisc show`` gives them.

    Raises:
        CommandError: there is no such interface.
    """
    return parse(host.run(["tc", "-j", "qdisc", "show", "dev", interface]).stdout)


def parse(text: str) -> list[dict[str, Any]]:
    """What ``tc -j qdisc show`` printed; up to version 6.1 a pending schedule makes it invalid JSON."""
    answer: list[dict[str, Any]] = json.loads(re.sub(r',\{"base_time"', ',"admin":{"base_time"', text))
    return answer


def rebuild(
    doing: Doing, interface: str, commands: Sequence[Sequence[str]], patience_ns: int
) -> tuple[list[dict[str, Any]], bool]:
    """Link down, old root deleted, each command, link up, until the schedule runs.

    Returns:
        The qdiscs then, and whether the link was up (else nothing runs yet).

    Raises:
        CommandError: the kernel refused; says why, on which versions, and what to do. The link is as it was.
    """
    host = doing.host
    was_up = "UP" in json.loads(host.run(["ip", "-j", "link", "show", "dev", interface]).stdout)[0]["flags"]
    if was_up:
        doing.run(["ip", "link", "set", interface, "down"])
    refused = None
    try:
        _establish_all(doing, interface, commands)
    except CommandError as error:
        refused = error
    finally:
        if was_up:
            doing.run(["ip", "link", "set", interface, "up"])
    late = was_up and not _carrier(host, interface) and _await_carrier(host, interface)
    if refused is not None:
        if not late:
            raise refused
        # while its link is down an interface may count as one of 10 Mbit/s, for which short entries are refused
        _establish_all(doing, interface, commands)
        host.run(["sleep", _SETTLE_S])
        _await_carrier(host, interface)
    if late and any(q["kind"] == "taprio" for q in show(host, interface)):
        # the link came later than the interface, and a taprio that runs is stopped by that: start it again
        host.run(commands[0])
    return (_running(host, interface, patience_ns) if was_up else show(host, interface)), was_up


def _carrier(host: Host, interface: str) -> bool:
    return host.run(["cat", f"/sys/class/net/{interface}/carrier"], check=False).stdout.strip() == "1"


def _await_carrier(host: Host, interface: str) -> bool:
    """Waits until the link has been negotiated; False if it is not after a while, as without a cable."""
    for _ in range(_CARRIER_LOOKS):
        if _carrier(host, interface):
            return True
        host.run(["sleep", str(_LOOK_S)])
    return False


def _establish_all(doing: Doing, interface: str, commands: Sequence[Sequence[str]]) -> None:
    if any(q.get("root") and q["handle"] != "0:" for q in show(doing.host, interface)):
        doing.run(["tc", "qdisc", "del", "dev", interface, "root"])
    for argv in commands:
        _establish(doing, interface, argv)


def _establish(doing: Doing, interface: str, argv: Sequence[str]) -> None:
    result = doing.host.run(argv, check=False)
    if result.returncode != 0:
        raise refusal.error(doing.host, interface, argv, result.stderr.strip(), result.returncode)
    doing.commands.append(shlex.join(argv))


def _running(host: Host, interface: str, patience_ns: int) -> list[dict[str, Any]]:
    """The qdiscs as soon as no schedule is pending, or when patience is over."""
    qdiscs = show(host, interface)
    for _ in range(patience_ns // _LOOK_NS):
        if not any(q["kind"] == "taprio" and "admin" in q["options"] for q in qdiscs):
            break
        host.run(["sleep", str(_LOOK_S)])
        qdiscs = show(host, interface)
    return qdiscs
