"""The guide's link steps: interfaces up, VLAN interfaces with their egress map, transmit queues.

Source: the guide, Step 1 (`ip link add link $INTERFACE name ${INTERFACE}.3 type vlan id 3`) and Step 3, Case 2
(`ethtool -L eth1 combined 4`, `vconfig set_egress_map eth1.3 6 6`).
"""

from __future__ import annotations

import json
from typing import Any

from tsnlab.case import Case
from tsnlab.errors import StepError
from tsnlab.hosts import Host
from tsnlab.lab import Endpoint
from tsnlab.schedule import Vlan
from tsnlab.session import Lab
from tsnlab.show.names import own
from tsnlab.steps import Doing, Step, Steps
from tsnlab.uplink import spare


def up(lab: Lab, *ends: Endpoint) -> Steps:
    """Brings up interfaces: the talker's and the listener's, unless others are named.

    Raises:
        StepError: an interface has no carrier: nothing is plugged in, or the other end is down.
    """
    return Steps("Interfaces up", tuple(_up(lab, end) for end in ends or (lab.talker, lab.listener)))


def vlan(lab: Lab, case: Case, *ends: Endpoint) -> Steps:
    """Makes the VLAN interfaces of the stream; the talker's maps the stream's SO_PRIORITY to its PCP.

    Args:
        ends: over which interfaces; the talker's and the listener's if none is named.

    Raises:
        StepError: an interface of that name is there and is not what the case asks for.
    """
    return Steps(f"VLAN {case.stream.vlan}", tuple(_vlan(lab, end, case) for end in ends or (lab.talker, lab.listener)))


def channels(lab: Lab, case: Case) -> Steps:
    """Gives the talker's interface the transmit queues that the case's schedule needs.

    Raises:
        CommandError: the interface cannot have so many.
    """
    return Steps("Transmit queues", (queues(lab, lab.talker, case.taprio.queue_count if case.taprio else 1),))


def vlan_name(end: Endpoint, case: Case) -> str:
    """The VLAN interface over an endpoint, named as in the guide: ``eth1.3``."""
    return f"{end.interface}.{case.stream.vlan}"


def mac(lab: Lab, end: Endpoint) -> str:
    """The address of an endpoint: as the lab file has it, or as its node says.

    Raises:
        StepError: the node has no such interface.
    """
    given = lab.spec.interface(end).mac
    return given if given is not None else str(_there(lab, end)["address"])


def show(host: Host, interface: str) -> dict[str, Any] | None:
    """What ``ip -d -j link show`` says of an interface; None if there is none of that name."""
    result = host.run(["ip", "-d", "-j", "link", "show", "dev", interface], check=False)
    return dict(json.loads(result.stdout)[0]) if result.returncode == 0 else None


def is_up(host: Host, interface: str) -> bool:
    """Whether an interface is switched on."""
    link = show(host, interface)
    return link is not None and "UP" in link["flags"]


def _there(lab: Lab, end: Endpoint) -> dict[str, Any]:
    """What ``ip link`` says of an endpoint, which has to be there and to be the one that the lab file means."""
    host = lab.host(end.node)
    link = show(host, end.interface)
    if link is None:
        others = json.loads(host.run(["ip", "-j", "link", "show"]).stdout or "[]")
        found = ", ".join(f"{other['ifname']} ({other.get('address', 'no address')})" for other in others)
        raise StepError(f"{end.node} has no interface {end.interface}; it has {found}: correct the lab file")
    given = lab.spec.interface(end).mac
    if given not in (None, link["address"]):
        raise StepError(f"{end}: is {link['address']}, but {given} in the lab file: correct it there, or leave it out")
    return link


def _up(lab: Lab, end: Endpoint) -> Step:
    doing = Doing(lab.host(end.node))
    before = _there(lab, end)
    if "UP" not in before["flags"]:
        lab.journal.will_change(end.node, ["ip", "link", "set", end.interface, "down"])
        doing.run(["ip", "link", "set", end.interface, "up"])
    after = show(doing.host, end.interface)
    if after is None or "LOWER_UP" not in after["flags"]:
        raise StepError(f"{end}: no carrier; is the cable plugged in and the other end up?")
    return Step(end.node, f"link {end.interface}", _state(before), _state(after), tuple(doing.commands))


def _state(link: dict[str, Any]) -> str:
    return str(link["operstate"]).lower()


def _vlan(lab: Lab, end: Endpoint, case: Case) -> Step:
    doing = Doing(lab.host(end.node))
    name = vlan_name(end, case)
    egress = {case.stream.priority: case.stream.pcp} if end == lab.talker else {}
    wanted = Vlan(number=case.stream.vlan, egress=egress)
    before = show(doing.host, name)
    if before is None:
        lab.journal.will_change(end.node, ["ip", "link", "del", name])
        doing.run(["ip", "link", "add", *wanted.to_ip(end.interface, name)])
    if not is_up(doing.host, name):
        doing.run(["ip", "link", "set", name, "up"])
    after = show(doing.host, name)
    if after is None or Vlan.from_ip_json(after) != wanted:
        is_now = _vlan_of(after)
        raise StepError(f"{end.node}: {name} should be {wanted}, but is {is_now}; `ip link del {name}` and run again")
    return Step(end.node, f"interface {name}", _vlan_of(before), str(wanted), tuple(doing.commands))


def _vlan_of(link: dict[str, Any] | None) -> str:
    return "not there" if link is None else str(Vlan.from_ip_json(link))


def queues(lab: Lab, end: Endpoint, wanted: int) -> Step:
    """Gives an interface at least so many transmit queues.

    Raises:
        CommandError: it cannot have so many.
        StepError: the node is reached over it.
    """
    doing = Doing(lab.host(end.node))
    before = transmit_queues(doing.host, end.interface)
    if before < wanted:
        spare(doing.host, end.interface)
        lab.journal.will_change(end.node, ["ethtool", "-L", end.interface, "combined", str(before)])
        doing.run(["ethtool", "-L", end.interface, "combined", str(wanted)])
        lab.disturbed_ns = lab.now_ns()
    after = transmit_queues(doing.host, end.interface)
    what = f"transmit queues of {end.interface}, at least {wanted}"
    return Step(end.node, what, str(before), str(after), tuple(doing.commands))


def transmit_queues(host: Host, interface: str) -> int:
    """How many transmit queues an interface uses now."""
    return sum(name.startswith("tx-") for name in host.run(["ls", f"/sys/class/net/{interface}/queues"]).stdout.split())


__dir__ = own(__name__)
