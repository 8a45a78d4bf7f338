"""802.1Qbv on a switch whose Linux driver takes taprio's schedule into hardware (`flags 0x2`).

Source: tc-taprio(8); Documentation/networking/dsa/sja1105.rst; the drivers felix, sja1105, hellcreek, lan966x,
am65-cpsw, stmmac, igc and enetc have it.
"""

from __future__ import annotations

from tsnlab import qdisc
from tsnlab.case import Case
from tsnlab.lab import Endpoint
from tsnlab.schedule import Taprio, base_time
from tsnlab.session import Lab
from tsnlab.steps import Doing, Step

HANDLE = "200"


def gates(lab: Lab, port: Endpoint, wanted: Taprio | None) -> Step:
    """Gives a port the schedule to run itself, or takes it away.

    Raises:
        CommandError: the kernel refused, as it does if the driver has no such offload; says so, and what to do.
    """
    doing = Doing(lab.host(port.node))
    before = after = qdisc.show(doing.host, port.interface)
    present = qdisc.find(before, "taprio")
    if wanted is None and present is not None:
        lab.journal.will_change(port.node, qdisc.undo(doing.host, port.interface))
        doing.run(["tc", "qdisc", "del", "dev", port.interface, "root"])
        after = qdisc.show(doing.host, port.interface)
    elif wanted is not None and (present is None or differences(wanted, present["options"], lab.reference_ns)):
        after = qdisc.replace_root(lab, doing, port, wanted, HANDLE, {})
    what = f"802.1Qbv of {port.interface}, in hardware"
    return Step(port.node, what, qdisc.describe(before), qdisc.describe(after), tuple(doing.commands))


def differences(wanted: Taprio, options: dict[str, object], reference_ns: int) -> list[str]:
    """What differs in a port's taprio; another base time of the same phase does not."""
    found = wanted.differences(Taprio.from_tc_json(options))
    late_ns = (base_time(options) - reference_ns) % wanted.cycle_ns
    return [*found, f"base time: {late_ns} ns late in the cycle"] if late_ns else found


def classify(lab: Lab, port: Endpoint, case: Case) -> Step:
    """Gives frames with the stream's PCP the priority of that number where they come in; class n is priority n.

    Switches with a table of their own for it take this rule into hardware, and Linux follows it in software.
    """
    doing, pcp = Doing(lab.host(port.node)), case.stream.pcp
    wanted = f"PCP {pcp} is priority {pcp}"
    before = _classes(doing, port, pcp)
    if before != wanted:
        lab.journal.will_change(port.node, ["tc", "qdisc", "del", "dev", port.interface, "clsact"])
        doing.run(["tc", "qdisc", "replace", "dev", port.interface, "clsact"])
        base = ["tc", "filter", "add", "dev", port.interface, "ingress", "prio", "1", "protocol", "802.1q"]
        doing.run([*base, "flower", "vlan_prio", str(pcp), "action", "skbedit", "priority", str(pcp)])
    after = _classes(doing, port, pcp)
    return Step(port.node, f"classes of what comes in at {port.interface}", before, after, tuple(doing.commands))


def _classes(doing: Doing, port: Endpoint, pcp: int) -> str:
    words = doing.host.run(["tc", "filter", "show", "dev", port.interface, "ingress"]).stdout.split()
    there = f"vlan_prio {pcp} " in " ".join(words) and "skbedit" in words
    return f"PCP {pcp} is priority {pcp}" if there else "none"
