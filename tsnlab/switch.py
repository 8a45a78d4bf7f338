"""The switch: the stream's VLAN, its PCP mapped to a traffic class, 802.1Qbv towards the listener.

Source: the guide, Step 3, Case 3 ("enabled 802.1qbv support on the TSN switch"); IEEE 802.1Q clause 8.6.8.4.
"""

from __future__ import annotations

from tsnlab import qdisc
from tsnlab.case import Case
from tsnlab.lab import Endpoint
from tsnlab.qdisc import Request
from tsnlab.session import Lab
from tsnlab.steps import Doing, Step, Steps
from tsnlab.virtual.network import learned

HANDLE = "200"
"""Handle of the taprio qdisc on the port towards the listener."""

_BURST = 1600
"""Bytes: one full frame with what it occupies on the wire beside it."""

_BUFFER = 524_288
"""Bytes that wait for a gate at most; more is lost, as in a switch."""


def configure(lab: Lab, case: Case) -> Steps:
    """Brings the switch into the state that the case asks for: VLAN, classification, and gates if it has them.

    Raises:
        StepError: what the kernel has in the end is not what the case asks for.
    """
    ports = [lab.spec.port_of(end) for end in (lab.talker, lab.listener)]
    steps = [_vlan(lab, case, port) for port in ports]
    steps.append(_classify(lab, case, ports[1]))
    steps.append(_gates(lab, case, ports[1]))
    return Steps("Switch", tuple(steps))


def _vlan(lab: Lab, case: Case, port: Endpoint) -> Step:
    """Admits the stream's VLAN at a port."""
    doing = Doing(lab.host(port.node))
    number = str(case.stream.vlan)
    before = _vlans(doing, port.interface)
    if number not in before:
        lab.journal.will_change(port.node, ["bridge", "vlan", "del", "vid", number, "dev", port.interface])
        doing.run(["bridge", "vlan", "add", "vid", number, "dev", port.interface])
        for line in learned(lab.spec, case.stream.vlan):
            if f" dev {port.interface} " in line:
                doing.run(["bridge", *line.split()])
    after = _vlans(doing, port.interface)
    return Step(port.node, f"VLANs of {port.interface}", ", ".join(before), ", ".join(after), tuple(doing.commands))


def _vlans(doing: Doing, interface: str) -> list[str]:
    words = doing.host.run(["bridge", "vlan", "show", "dev", interface]).stdout.split()
    return [word for word in words if word.isdecimal()]


def _classify(lab: Lab, case: Case, port: Endpoint) -> Step:
    """Sets priority and transmit queue of every frame that leaves a port, from its PCP alone.

    Both, explicitly: all nodes of the virtual lab share one kernel, where a frame still carries the queue that
    its sender's socket chose, and would wait behind the gate of another class.
    """
    doing = Doing(lab.host(port.node))
    before = _filters(doing, port.interface)
    if f"vlan_prio {case.stream.pcp}" not in before:
        base = ["tc", "filter", "add", "dev", port.interface, "egress"]
        lab.journal.will_change(port.node, ["tc", "qdisc", "del", "dev", port.interface, "clsact"])
        doing.run(["tc", "qdisc", "replace", "dev", port.interface, "clsact"])
        stream = ["action", "skbedit", "priority", str(case.stream.priority), "queue_mapping", "1"]
        rest = ["action", "skbedit", "priority", "0", "queue_mapping", "0"]
        doing.run([*base, "prio", "1", "protocol", "802.1q", "flower", "vlan_prio", str(case.stream.pcp), *stream])
        doing.run([*base, "prio", "2", "protocol", "all", "matchall", *rest])
    after = _filters(doing, port.interface)
    return Step(port.node, f"classes of {port.interface}", before, after, tuple(doing.commands))


def _filters(doing: Doing, interface: str) -> str:
    words = doing.host.run(["tc", "filter", "show", "dev", interface, "egress"]).stdout.split()
    pcps = [f"vlan_prio {words[i + 1]}" for i, word in enumerate(words) if word == "vlan_prio"]
    return ", ".join(f"{pcp}: class 1, else class 0" for pcp in pcps) or "none"


def _paced(lab: Lab, port: Endpoint, parent: str) -> Request:
    """A qdisc for the port's best-effort queue that gives its frames one after the other, at the link's rate.

    A switch's gate passes one frame when the line is free for it. taprio in software passes as many at once as
    fit into the rest of the window, and again as many after the next entry: they would still be on the wire
    when the stream's window has come.
    """
    rate = lab.spec.link_of(port).rate
    return Request((parent, "tbf", "rate", f"{rate}bit", "burst", str(_BURST), "limit", str(_BUFFER)))


def _gates(lab: Lab, case: Case, port: Endpoint) -> Step:
    """Turns 802.1Qbv of a port on or off."""
    doing = Doing(lab.host(port.node))
    before = after = qdisc.show(doing.host, port.interface)
    wanted = case.switch.taprio(case.stream) if case.switch is not None and case.switch.qbv else None
    present = qdisc.find(before, "taprio")
    if wanted is None and present is not None:
        doing.run(["tc", "qdisc", "del", "dev", port.interface, "root"])
        after = qdisc.show(doing.host, port.interface)
    elif wanted and (present is None or wanted.same_as(present["options"], lab.reference_ns)):
        children = {wanted.queue(0): _paced(lab, port, f"{HANDLE}:{wanted.queue(0) + 1:x}")}
        after = qdisc.replace_root(lab, doing, port, wanted, HANDLE, children)
    what = f"802.1Qbv of {port.interface}"
    return Step(port.node, what, qdisc.describe(before), qdisc.describe(after), tuple(doing.commands))
