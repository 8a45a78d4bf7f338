"""The switch: its interfaces and bridge, the stream's VLAN and traffic class, 802.1Qbv towards the listener.

What is done depends on the switch, which the lab file tells (`switch` of the node): the guide's card, a Linux switch
with gates in its hardware, or a bridge whose gates are software, as in the virtual lab.

Source: the guide, "Set up an experimental TSN network", step 3, and Step 3, Case 3 ("enabled 802.1qbv support on the
TSN switch"); IEEE 802.1Q clause 8.6.8.4.
"""

from __future__ import annotations

from collections.abc import Callable

from tsnlab.case import Case
from tsnlab.lab import Endpoint, Switch
from tsnlab.session import Lab
from tsnlab.show.names import own
from tsnlab.steps import Step, Steps
from tsnlab.switch import by_hand, card, network, offload, port_gates, software, vlan
from tsnlab.switch.software import HANDLE

__all__ = ["HANDLE", "configure", "connect"]

_Setting = Callable[[Lab, Case, Endpoint, Endpoint], tuple[Step, ...]]


def connect(lab: Lab) -> Steps:
    """Brings the switch's interfaces and their bridge into the state that the lab file asks for.

    Raises:
        ConfigError: the lab file does not say enough.
        StepError: it is not so in the end.
    """
    steps = tuple(network.steps(lab))
    return Steps("Network of the switch" if steps else "Network of the switch: as it is, by the lab file", steps)


def configure(lab: Lab, case: Case) -> Steps:
    """Brings the switch into the state that the case asks for: network, VLAN, classification, gates if it has them.

    Raises:
        StepError, ConfigError: it cannot be, or is not so in the end; says why.
        CommandError: the kernel refused.
    """
    settings = lab.spec.nodes[lab.switch].switch or Switch()
    entry, exit_ = (lab.spec.port_of(end) for end in (lab.talker, lab.listener))
    steps = [*network.steps(lab), *(vlan.admit(lab, case, port) for port in (entry, exit_))]
    return Steps("Switch", (*steps, *_SETTINGS[settings.gates](lab, case, entry, exit_)))


def _in_software(lab: Lab, case: Case, _entry: Endpoint, exit_: Endpoint) -> tuple[Step, ...]:
    return software.classify(lab, exit_, case), software.gates(lab, exit_, case)


def _offloaded(lab: Lab, case: Case, entry: Endpoint, exit_: Endpoint) -> tuple[Step, ...]:
    return offload.classify(lab, entry, case), offload.gates(lab, exit_, port_gates.of(case))


def _by_tsntool(lab: Lab, case: Case, _entry: Endpoint, exit_: Endpoint) -> tuple[Step, ...]:
    return card.classify(lab, exit_, case), card.gates(lab, exit_, port_gates.of(case), "tsntool")


def _by_sysfs(lab: Lab, case: Case, _entry: Endpoint, exit_: Endpoint) -> tuple[Step, ...]:
    # its driver has no file for traffic classes: as delivered, each PCP has the class of its number
    return (card.gates(lab, exit_, port_gates.of(case), "sysfs"),)


def _by_hand(lab: Lab, case: Case, _entry: Endpoint, exit_: Endpoint) -> tuple[Step, ...]:
    return (by_hand.gates(exit_, port_gates.of(case), case.stream.pcp, lab.reference_ns),)


_SETTINGS: dict[str, _Setting] = {
    "software": _in_software,
    "tc": _offloaded,
    "tsntool": _by_tsntool,
    "sysfs": _by_sysfs,
    "by hand": _by_hand,
}

__dir__ = own(__name__)
