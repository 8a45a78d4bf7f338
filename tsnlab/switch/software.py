"""802.1Qbv in software: on a bridge whose ports are ordinary interfaces, as in the virtual lab.

Source: IEEE 802.1Q clause 8.6.8.4; tc-taprio(8), tc-flower(8), tc-skbedit(8), tc-tbf(8).
"""

from __future__ import annotations

from tsnlab import qdisc
from tsnlab.case import Case
from tsnlab.lab import Endpoint
from tsnlab.qdisc import Request
from tsnlab.session import Lab
from tsnlab.steps import Doing, Step

HANDLE = "200"
"""Handle of the taprio qdisc on the port towards the listener."""

_BURST = 1600
"""Bytes: one full frame with what it occupies on the wire beside it."""

_BUFFER = 524_288
"""Bytes that wait for a gate at most; more is lost, as in a switch."""


def classify(lab: Lab, port: Endpoint, case: Case) -> Step:
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


def gates(lab: Lab, port: Endpoint, case: Case) -> Step:
    """Turns 802.1Qbv of a port on or off."""
    doing = Doing(lab.host(port.node))
    before = after = qdisc.show(doing.host, port.interface)
    wanted = case.switch.taprio(case.stream) if case.switch is not None and case.switch.qbv else None
    present = qdisc.find(before, "taprio")
    if wanted is None and present is not None:
        lab.journal.will_change(port.node, qdisc.undo(doing.host, port.interface))
        doing.run(["tc", "qdisc", "del", "dev", port.interface, "root"])
        after = qdisc.show(doing.host, port.interface)
    elif wanted and (present is None or wanted.same_as(present["options"], lab.reference_ns)):
        children = {wanted.queue(0): _paced(lab, port, f"{HANDLE}:{wanted.queue(0) + 1:x}")}
        after = qdisc.replace_root(lab, doing, port, wanted, HANDLE, children)
    what = f"802.1Qbv of {port.interface}"
    return Step(port.node, what, qdisc.describe(before), qdisc.describe(after), tuple(doing.commands))
