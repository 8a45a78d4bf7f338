"""The interfaces of the switch and the bridge that joins them.

On the guide's switch: NetworkManager off, the service `network` on, one script for each interface. What the scripts say
also takes effect at once, without a new start. On another Linux switch: a bridge with VLANs.

Source: the guide, "Set up an experimental TSN network", step 3; systemctl(1), bridge(8).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tsnlab import node_file
from tsnlab.errors import StepError
from tsnlab.hosts import Host
from tsnlab.lab import Node
from tsnlab.rollback import unless_cut
from tsnlab.session import Lab
from tsnlab.steps import Doing, Step
from tsnlab.switch import scripts
from tsnlab.uplink import spare

_MANAGER, _SERVICE = "NetworkManager", "network"


def steps(lab: Lab) -> Iterator[Step]:
    """The steps that the lab file asks for, each done as it is asked for."""
    node = lab.spec.nodes[lab.switch]
    if node.switch is None or node.switch.network == "as it is":
        return
    if node.switch.network == "scripts":
        for interface, text in scripts.texts(node).items():
            yield _script(lab, interface, text, management=interface == node.switch.management)
    yield _bridge(lab, node)
    if node.switch.network == "scripts":
        # last: only then is there something that configures the interfaces in its place
        yield _services(lab)


def _services(lab: Lab) -> Step:
    """The undo is on the node as well: without NetworkManager it may not be reachable."""
    doing = Doing(lab.host(lab.switch))
    before = _states(doing.host)
    commands = [
        *([["systemctl", "stop", _MANAGER]] if before[_MANAGER][0] == "active" else []),
        *([["systemctl", "disable", _MANAGER]] if before[_MANAGER][1] == "enabled" else []),
        *([["systemctl", "enable", _SERVICE]] if before[_SERVICE][1] != "enabled" else []),
    ]
    if commands:
        with unless_cut(lab, lab.switch, ["sh", "-c", "; ".join(_undo(before))]):
            for argv in commands:
                doing.run(argv)
    after = _states(doing.host)
    if after[_MANAGER][0] == "active" or after[_SERVICE][1] != "enabled":
        raise StepError(f"{lab.switch}: {_words(after)}; {_SERVICE} should be enabled and {_MANAGER} not active")
    return Step(lab.switch, "services", _words(before), _words(after), tuple(doing.commands))


def _undo(before: dict[str, tuple[str, str]]) -> list[str]:
    active, enabled = before[_MANAGER]
    return [
        *([] if before[_SERVICE][1] == "enabled" else [f"systemctl disable {_SERVICE}"]),
        *([f"systemctl enable {_MANAGER}"] if enabled == "enabled" else []),
        *([f"systemctl start {_MANAGER}"] if active == "active" else []),
    ]


def _states(host: Host) -> dict[str, tuple[str, str]]:
    """Of both services: whether each is active, and whether it is enabled."""
    ask = ("is-active", "is-enabled")
    return {name: (_word(host, ask[0], name), _word(host, ask[1], name)) for name in (_MANAGER, _SERVICE)}


def _word(host: Host, question: str, service: str) -> str:
    said = host.run(["systemctl", question, service], check=False).stdout.split()
    return said[0] if said else "not there"


def _words(states: dict[str, tuple[str, str]]) -> str:
    return ", ".join(f"{name} {active}, {enabled}" for name, (active, enabled) in states.items())


def _script(lab: Lab, interface: str, text: str, *, management: bool) -> Step:
    doing, path = Doing(lab.host(lab.switch)), scripts.path(interface)
    before = node_file.read(doing.host, path)
    wanted = scripts.keeping_addresses(text, before) if management and before else text
    node_file.write(lab, lab.switch, doing, path, wanted)
    state = "not there" if before is None else "as asked for" if before == wanted else "another text"
    return Step(lab.switch, path, state, "as asked for", tuple(doing.commands))


def _bridge(lab: Lab, node: Node) -> Step:
    """The bridge with all its ports, up."""
    assert node.bridge is not None
    assert node.switch is not None
    doing, bridge = Doing(lab.host(lab.switch)), node.bridge
    ports = [*node.interfaces, *([node.switch.internal_port] if node.switch.internal_port else [])]
    before = _links(doing.host)
    if bridge not in before:
        if node.switch.network == "scripts":
            raise StepError(
                f"{lab.switch}: there is no bridge {bridge}: the card's driver makes it\nwhat to do: see `lsmod`, and"
                " whether the kernel is the one that the driver was made for (4.9.11 for the guide's)"
            )
        lab.journal.will_change(lab.switch, ["ip", "link", "del", bridge])
        doing.run(["ip", "link", "add", "name", bridge, "type", "bridge", "vlan_filtering", "1"])
    for port in ports:
        if before.get(port, {}).get("master") != bridge:
            spare(doing.host, port)
            lab.journal.will_change(lab.switch, ["ip", "link", "set", port, "nomaster"])
            doing.run(["ip", "link", "set", port, "master", bridge])
    for name in [bridge, *ports, *([node.switch.service_port] if node.switch.service_port else [])]:
        if "UP" not in before.get(name, {}).get("flags", []):
            lab.journal.will_change(lab.switch, ["ip", "link", "set", name, "down"])
            doing.run(["ip", "link", "set", name, "up"])
    after = _links(doing.host)
    if outside := [port for port in ports if after.get(port, {}).get("master") != bridge]:
        raise StepError(f"{lab.switch}: {', '.join(outside)} should be a port of {bridge}, and is not")
    return Step(
        lab.switch, f"bridge {bridge}", _members(before, bridge), _members(after, bridge), tuple(doing.commands)
    )


def _links(host: Host) -> dict[str, dict[str, Any]]:
    return {link["ifname"]: link for link in json.loads(host.run(["ip", "-j", "link", "show"]).stdout)}


def _members(links: dict[str, dict[str, Any]], bridge: str) -> str:
    if bridge not in links:
        return "not there"
    return ", ".join(sorted(name for name, link in links.items() if link.get("master") == bridge)) or "no ports"
