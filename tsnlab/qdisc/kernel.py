"""The qdiscs of an interface as the kernel has them: replaced, read, and asked whether their gates move.

Where this machine's Python runs beside the interface, over netlink, by a program on the node; elsewhere by ``tc``
(:mod:`tsnlab.qdisc.plain`), and only the frames that show whether gates move are sent by that program, brought there.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsnlab import node, programs
from tsnlab.hosts import Host
from tsnlab.qdisc import netlink, plain, refusal
from tsnlab.schedule import Etf, Taprio
from tsnlab.steps import Doing

_PROGRAM = Path(node.__file__).parent / "qdisc.py"


@dataclass(frozen=True)
class Request:
    """One qdisc to be set.

    Attributes:
        tc: the arguments after ``tc qdisc replace dev DEV parent``.
        body: the same as a netlink request; None if only ``tc`` can say it.
    """

    tc: tuple[str, ...]
    body: bytes | None = None


def taprio(value: Taprio, base_time_ns: int, handle: str) -> Request:
    """Sets taprio at the root."""
    return Request(("root", *value.to_tc(base_time_ns, handle)), netlink.taprio(value, base_time_ns, handle))


def etf(value: Etf, parent: str, offload: bool) -> Request:
    """Sets etf below a queue of the root qdisc, whose class is `parent` (``100:2`` for queue 1)."""
    return Request((parent, *value.to_tc(offload)), netlink.etf(value, parent, offload))


def beside(host: Host) -> bool:
    """Whether this machine's Python and files are there on a host."""
    return programs.shared(host)


def program(interface: str, *arguments: str) -> list[str]:
    """The command that talks netlink on a node that has this machine's files."""
    return [sys.executable, "-E", "-S", str(_PROGRAM), interface, *arguments]


@dataclass(frozen=True)
class Rebuilt:
    """What came of it.

    Attributes:
        qdiscs: as :func:`show` gives them.
        queued: frames that were still queued after two cycles, of those sent to nobody; None if none were sent.
    """

    qdiscs: list[dict[str, Any]]
    queued: int | None


def rebuild(doing: Doing, interface: str, requests: Sequence[Request], poke: Poke) -> Rebuilt:
    """Sets an interface's qdiscs anew in the order that works: link down, root, children, link up.

    The step remembers the ``tc`` and ``ip`` commands it amounts to.

    Raises:
        CommandError: the kernel refused; says why, on which versions, and what to do. The link is as it was.
    """
    base = ["tc", "qdisc", "replace", "dev", interface, "parent"]
    commands = [[*base, *request.tc] for request in requests]
    if not beside(doing.host):
        qdiscs, was_up = plain.rebuild(doing, interface, commands, poke.patience_ns)
        queued = poke_now(doing.host, interface, poke) if was_up and poke.priorities else None
        return Rebuilt(qdiscs, queued)
    wanted = [r.body.hex() if r.body else argv for r, argv in zip(requests, commands, strict=True)]
    order = {"qdiscs": wanted, "patience": poke.patience_ns, **poke.order()}
    result = doing.host.run(program(interface, "rebuild", json.dumps(order)), check=False)
    said: dict[str, Any] = json.loads(result.stdout or f'{{"errno": {result.returncode}, "message": "", "index": 0}}')
    if "errno" in said:
        text = result.stderr.strip() or said["message"]
        raise refusal.error(doing.host, interface, commands[said["index"]], text, said["errno"])
    link = [["ip", "link", "set", interface, state] for state in ("down", "up")]
    done = [link[0], *commands, link[1]] if said["was_up"] else commands
    doing.commands += [shlex.join(argv) for argv in done]
    return Rebuilt([_as_tc(record) for record in said["qdiscs"]], said.get("queued"))


@dataclass(frozen=True)
class Poke:
    """Frames to nobody, one of each priority, that show whether gates move: none is queued after a while.

    Attributes:
        priorities: of the frames; none sends none.
        wait_ns: after so long none may be queued any more.
        patience_ns: so long a schedule may wait for its base time before they are sent.
        program: how the program that sends them is begun on a node that has not this machine's files.
    """

    priorities: tuple[int, ...]
    wait_ns: int
    patience_ns: int = 3_000_000_000
    program: tuple[str, ...] = ()

    def order(self) -> dict[str, Any]:
        """For the program on the node."""
        return {"poke": list(self.priorities), "wait": self.wait_ns}


def poke_now(host: Host, interface: str, frames: Poke) -> int:
    """Sends them now; returns how many are still queued after the wait."""
    order = json.dumps(frames.order())
    argv = [*frames.program, interface, "poke", order] if frames.program else program(interface, "poke", order)
    return int(json.loads(host.run(argv).stdout)["queued"])


def show(host: Host, interface: str, *, exact: bool = False) -> list[dict[str, Any]]:
    """The qdiscs of an interface, in the form of ``tc -j qdisc show``.

    Args:
        exact: over netlink where that is possible, for what older versions of ``tc`` do not show (max-sdu, fp,
            queue lengths); ``tc`` is faster.
    """
    if exact and beside(host):
        said = json.loads(host.run(program(interface, "show")).stdout)
        return [_as_tc(record) for record in said["qdiscs"]]
    return plain.show(host, interface)


def attempt(host: Host, interface: str, bodies: Sequence[bytes]) -> list[dict[str, Any]]:
    """Sets each request at the root of an interface, reads it back and deletes it again.

    Returns:
        For each ``{"kind", "options"}`` as read back, or ``{"errno", "message"}`` of the refusal.
    """
    path = "/run/tsnlab-requests"
    host.write_text(path, "".join(f"{body.hex()}\n" for body in bodies))
    lines = host.run(program(interface, "try", path), timeout=120).stdout.splitlines()
    return [_as_tc(record) if "body" in record else record for record in map(json.loads, lines)]


def _as_tc(record: dict[str, Any]) -> dict[str, Any]:
    kind, options = netlink.options_of(bytes.fromhex(record["body"]))
    found: dict[str, Any] = {"kind": kind, "handle": _name(record["handle"]), "options": options}
    found |= {"root": True} if record["parent"] == netlink.ROOT else {"parent": _name(record["parent"])}
    return {**found, "qlen": record["qlen"], "drops": record["drops"]}


def _name(number: int) -> str:
    minor = number & 0xFFFF
    return f"{number >> 16:x}:{minor:x}" if minor else f"{number >> 16:x}:"
