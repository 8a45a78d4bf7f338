"""When schedules begin, in phase on every node and on the switch, and whether their gates then move.

All schedules count their cycles from one reference, the lab's. What the kernel is told is the first start of a cycle
that lies a little in the future: every interface is told so, none has begun when the others are still being set up,
and an interface that runs schedules itself may refuse a time in the past. Until it comes etf drops every frame, so the
step waits until the pending schedule has become the running one.

    reference                                          now            base time told
    |----cycle----|----cycle----|----...----|----cycle--+-|----cycle----|--------->
                                                        |<--- lead ---->|

Source: net/sched/sch_taprio.c, taprio_get_start_time.
"""

from __future__ import annotations

from typing import Any

from tsnlab import programs
from tsnlab.errors import StepError
from tsnlab.lab import Endpoint
from tsnlab.qdisc import kernel
from tsnlab.qdisc.kernel import Poke, show
from tsnlab.quantity import show_duration
from tsnlab.schedule import FULL_OFFLOAD, Taprio
from tsnlab.session import Lab

_LEAD_NS = 20_000_000
_MACHINE_LEAD_NS = 2_000_000_000
"""On a machine: commands take their time, over SSH as well."""

_PATIENCE_NS = 3_000_000_000
_OWN_TIME_NS = 1_000_000
_ORDINARY_PRIORITIES = range(7)
"""Those above need CAP_NET_ADMIN."""


def base_time(lab: Lab, node: str, taprio: Taprio) -> int:
    """The base time to tell a node: in phase with the lab's reference, a little ahead of the node's own clock.

    Its own, since before the clocks are synchronised nobody else knows its time.
    """
    if lab.virtual_time:
        return taprio.base_time_from(lab.reference_ns, lab.now_ns() + _LEAD_NS)
    now_ns = int(lab.host(node).run(["date", "+%s%N"]).stdout)
    return taprio.base_time_from(lab.reference_ns, now_ns + _MACHINE_LEAD_NS)


def poke(lab: Lab, where: str, taprio: Taprio, timed: set[int]) -> Poke:
    """Frames that get out within two cycles if the gates move, sent when the schedule has begun.

    Args:
        where: the node.
        timed: queues with a qdisc of their own: etf would drop what has no launch time.
    """
    if taprio.flags == FULL_OFFLOAD:
        # the kernel calls a schedule pending for good that an interface runs, and has no gates itself
        return Poke((), 0, 0)
    able = [p for p in _ORDINARY_PRIORITIES if taprio.spans(taprio.traffic_class(p)) and taprio.queue(p) not in timed]
    lead = _LEAD_NS if lab.virtual_time else _MACHINE_LEAD_NS
    here = programs.shared(lab.host(where))
    program = () if here else tuple(programs.command(lab, where, "qdisc.py"))
    return Poke(tuple(able), 2 * taprio.cycle_ns + _OWN_TIME_NS, lead + _PATIENCE_NS, program)


def check_gates(lab: Lab, end: Endpoint) -> None:
    """Makes sure that the gates of an interface move, as they may not after any change of the link.

    One frame of each priority whose class has a gate that opens is sent to nobody; after two cycles none may be
    queued any more. Without a schedule there is nothing to check.

    Raises:
        StepError: they stand still; says what to do.
        CommandError: the frames cannot be sent.
    """
    qdiscs = show(lab.host(end.node), end.interface)
    if (taprio := _taprio(qdiscs)) is not None:
        require_moving(end, taprio, queued(lab, end, qdiscs))


def queued(lab: Lab, end: Endpoint, qdiscs: list[dict[str, Any]]) -> int | None:
    """How many of some frames to nobody the gates of an interface have not let out; None if none can be sent.

    Args:
        qdiscs: the interface's, see :func:`tsnlab.qdisc.show`.

    Raises:
        CommandError: the frames cannot be sent.
    """
    taprio = _taprio(qdiscs)
    frames = poke(lab, end.node, taprio, _timed(qdiscs)) if taprio is not None else None
    if frames is None or not frames.priorities:
        return None
    return kernel.poke_now(lab.host(end.node), end.interface, frames)


def _taprio(qdiscs: list[dict[str, Any]]) -> Taprio | None:
    """The schedule among an interface's qdiscs."""
    top = next((q for q in qdiscs if q["kind"] == "taprio"), None)
    return None if top is None else Taprio.from_tc_json(top["options"])


def require_moving(end: Endpoint, taprio: Taprio, queued: int | None) -> None:
    """Refuses gates that stand still.

    Args:
        queued: frames that no gate has let out; None if none were sent.

    Raises:
        StepError: there are some; says what to do.
    """
    if queued:
        raise StepError(
            f"{end}: the gates stand still: {queued} frames are still queued after many cycles of"
            f" {show_duration(taprio.cycle_ns)}; a child that is attached while the link is up, or an interface that is"
            " switched off, stops them: take the link down, set taprio and its children, take it up again (qdisc.apply)"
        )


def _timed(qdiscs: list[dict[str, Any]]) -> set[int]:
    """The queues that have an etf."""
    return {int(q["parent"].partition(":")[2], 16) - 1 for q in qdiscs if q["kind"] == "etf"}
