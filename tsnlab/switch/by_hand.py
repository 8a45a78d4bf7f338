"""802.1Qbv on a switch that somebody configures by hand: what to enter, in the words of tc and of the guide's card."""

from __future__ import annotations

import shlex

from tsnlab.lab import Endpoint
from tsnlab.schedule import Taprio
from tsnlab.steps import Step
from tsnlab.switch import card
from tsnlab.switch.offload import HANDLE


def gates(port: Endpoint, wanted: Taprio | None, pcp: int, base_ns: int) -> Step:
    """Says what has to be entered; nothing is done, and nothing can be read back."""
    what = f"802.1Qbv of {port.interface}, by hand"
    if wanted is None:
        return Step(port.node, what, "not known", "not known: it should be off")
    tc = ["tc", "qdisc", "replace", "dev", port.interface, "parent", "root", *wanted.to_tc(base_ns, HANDLE)]
    lines = [
        f"# to be done by hand: PCP {pcp} to traffic class {pcp}, and these gates (bit n is class n)",
        *card.instructions(port, wanted.entries, wanted.cycle_ns, base_ns),
        "# or, where Linux runs the switch:",
        shlex.join(tc),
    ]
    return Step(port.node, what, "not known", "as entered by hand", tuple(lines))
