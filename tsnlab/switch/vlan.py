"""The stream's VLAN, admitted at ports of the switch's bridge."""

from __future__ import annotations

from tsnlab.case import Case
from tsnlab.lab import Endpoint
from tsnlab.session import Lab
from tsnlab.steps import Doing, Step
from tsnlab.virtual.network import learned


def admit(lab: Lab, case: Case, port: Endpoint) -> Step:
    """Admits the stream's VLAN at a port.

    Raises:
        CommandError: the port belongs to no bridge, or that has no VLANs.
    """
    doing = Doing(lab.host(port.node))
    number = str(case.stream.vlan)
    before = _numbers(doing, port.interface)
    if number not in before:
        lab.journal.will_change(port.node, ["bridge", "vlan", "del", "vid", number, "dev", port.interface])
        doing.run(["bridge", "vlan", "add", "vid", number, "dev", port.interface])
        # in virtual time nobody is there to answer a flooded frame, so the bridge is told what it would learn
        for line in learned(lab.spec, case.stream.vlan) if lab.spec.kind == "virtual" else ():
            if f" dev {port.interface} " in line:
                doing.run(["bridge", *line.split()])
    after = _numbers(doing, port.interface)
    return Step(port.node, f"VLANs of {port.interface}", ", ".join(before), ", ".join(after), tuple(doing.commands))


def _numbers(doing: Doing, interface: str) -> list[str]:
    words = doing.host.run(["bridge", "vlan", "show", "dev", interface]).stdout.split()
    return [word for word in words if word.isdecimal()]
