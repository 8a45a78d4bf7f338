"""ip, bridge, ethtool and lspci on an imagined node."""

from __future__ import annotations

import json
from typing import Any

from tsnlab.hosts.planned.node import Answer, PlannedNode

_STAMPS = """\
Time stamping parameters for {interface}:
Capabilities:
	hardware-transmit
	software-transmit
	hardware-receive
	software-receive
	software-system-clock
	hardware-raw-clock
PTP Hardware Clock: {clock}
Hardware Transmit Timestamp Modes:
	off
	on
Hardware Receive Filter Modes:
	none
	all
"""

_SOFTWARE_STAMPS = """\
Time stamping parameters for {interface}:
Capabilities:
	software-transmit
	software-receive
	software-system-clock
PTP Hardware Clock: none
"""


def ip(node: PlannedNode, words: list[str]) -> Answer:
    """``ip [-d] [-j] link show|add|set|del``; all else is a change."""
    words = [word for word in words if not word.startswith("-")] if words[0].startswith("-") else words
    if words[:1] in (["l"], ["link"]) and (len(words) == 1 or words[1] == "show"):
        return _show(node, [word for word in words[2:] if word != "dev"])
    if words[:2] == ["link", "add"]:
        _add(node, words[2:])
    elif words[:2] == ["link", "set"]:
        _set(node, [word for word in words[2:] if word != "dev"])
    elif words[:2] == ["link", "del"]:
        node.links.pop(words[-1], None)
    elif words[1:2] == ["show"] or len(words) == 1:
        return Answer("[]\n")
    return Answer(changes=True)


def _show(node: PlannedNode, names: list[str]) -> Answer:
    if not names:
        return Answer(json.dumps(list(node.links.values())))
    if names[0] not in node.links:
        return Answer(status=1, err=f'Device "{names[0]}" does not exist.\n')
    return Answer(json.dumps([node.links[names[0]]]))


def _add(node: PlannedNode, words: list[str]) -> None:
    name = _after(words, "name") or (_after(words, "dev") or words[0])
    kind = _after(words, "type")
    more: dict[str, Any] = {}
    if kind == "vlan":
        data: dict[str, Any] = {"protocol": "802.1Q", "id": int(_after(words, "id") or 0), "flags": []}
        if "egress-qos-map" in words:
            pairs = [word.split(":") for word in words[words.index("egress-qos-map") + 1 :]]
            data["egress_qos"] = [{"from": int(one), "to": int(other)} for one, other in pairs]
        more = {"link": _after(words, "link"), "linkinfo": {"info_kind": "vlan", "info_data": data}}
    elif kind:
        more = {"linkinfo": {"info_kind": kind}}
    node.add_link(name, up=False, **more)


def _set(node: PlannedNode, words: list[str]) -> None:
    link = node.links.get(words[0])
    if link is None:
        return
    if "up" in words or "down" in words:
        node.switch_link(words[0], "up" in words)
    if master := _after(words, "master"):
        link["master"] = master
    if "nomaster" in words:
        link.pop("master", None)


def bridge(node: PlannedNode, words: list[str]) -> Answer:
    """``bridge vlan show|add``; all else is a change."""
    port = _after(words, "dev")
    if words[:2] == ["vlan", "show"]:
        numbers = node.vlans.get(port or "", [])
        return Answer("port vlan-id\n" + "".join(f"{port} {number}\n" for number in numbers))
    if words[:2] == ["vlan", "add"] and port:
        node.vlans.setdefault(port, []).append(int(_after(words, "vid") or 0))
    return Answer(changes=True)


def ethtool(node: PlannedNode, words: list[str]) -> Answer:
    """``ethtool -T|-i|-k|-l INTERFACE`` and other questions; ``-L INTERFACE combined N`` and other changes."""
    option, interface = (words[0], words[1]) if words[0].startswith("-") else ("", words[0])
    if interface not in node.links:
        return Answer(status=1, err="netlink error: No such device\n")
    if option == "-T":
        text = _STAMPS if node.hardware_clocks else _SOFTWARE_STAMPS
        return Answer(text.format(interface=interface, clock=_clock(node, interface)))
    if option in ("-L", "--set-channels"):
        node.queues[interface] = int(words[-1])
    if option in ("-L", "-K", "-C", "-N", "-U", "-s", "-G", "-A", "--set-channels", "--set-eee", "--change"):
        return Answer(changes=True)
    return Answer()


def _clock(node: PlannedNode, interface: str) -> int:
    """Ports of a switch share one clock, the guide's /dev/ptp1."""
    return 1 if node.vlans else 0


def lspci(node: PlannedNode, words: list[str]) -> Answer:
    """``lspci -nn -D``."""
    form = "{0} Ethernet controller [0200]: Intel Corporation I210 Gigabit Network Connection [{1}:{2}] (rev 03)\n"
    return Answer("".join(form.format(nic.bdf, nic.vendor, nic.product) for nic in node.nics.values()))


def _after(words: list[str], key: str) -> str | None:
    return words[words.index(key) + 1] if key in words[:-1] else None
