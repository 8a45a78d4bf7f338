"""Queueing disciplines of the talker: taprio at the root, etf below the stream's queue, applied and read back.

Source: the guide, Step 3, Case 2; tc-taprio(8), tc-etf(8).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tsnlab import links
from tsnlab.case import Case
from tsnlab.errors import StepError
from tsnlab.hosts import Host
from tsnlab.lab import Endpoint
from tsnlab.qdisc import kernel, start
from tsnlab.qdisc.delta import recommend as recommend_delta
from tsnlab.qdisc.kernel import Request, show
from tsnlab.qdisc.proof import prove
from tsnlab.qdisc.start import check_gates
from tsnlab.schedule import NICS, Etf, Nic, Taprio, base_time
from tsnlab.session import Lab
from tsnlab.show.names import own
from tsnlab.steps import Doing, Step, Steps
from tsnlab.uplink import spare

__all__ = [
    "TALKER_HANDLE",
    "Request",
    "apply",
    "check_gates",
    "describe",
    "find",
    "nic_of",
    "prove",
    "recommend_delta",
    "replace_root",
    "root",
    "show",
    "undo",
]

TALKER_HANDLE = "100"
"""Handle of the taprio qdisc on the talker, as in the guide."""


def apply(lab: Lab, case: Case) -> Steps:
    """Brings the talker's interface to the case's taprio and etf qdiscs, and reads them back.

    The link is down meanwhile: attaching etf below a running taprio stops its gates for good. Gates that something
    else has stopped, as an interface that was switched off, are set anew.

    The base time is in phase with the lab's reference, as on every node and on the switch. It lies a little in the
    future (:mod:`tsnlab.qdisc.start`), and when this returns the schedule runs.

    Raises:
        ConfigError: the interface cannot run the case's schedule; nothing was changed.
        StepError: what the kernel has in the end is not what the case asks for, or its gates stand still.
        CommandError: the kernel refused; the message says why and what to do.
    """
    if case.taprio is None:
        return Steps("No qdiscs: TSN is not enabled in this case")
    end, doing = lab.talker, Doing(lab.host(lab.talker.node))
    nic_of(lab, end).check(case.taprio, case.etf, case.stream.priority)
    before = after = show(doing.host, end.interface, exact=_needs_netlink(case.taprio))
    if _differences(lab, case, before) or start.queued(lab, end, before):
        after = replace_root(lab, doing, end, case.taprio, TALKER_HANDLE, _etf(lab, case))
    if differences := _differences(lab, case, after):
        raise StepError(f"{end}: the qdiscs are not what {case.name} asks for:\n  " + "\n  ".join(differences))
    what = f"qdiscs of {end.interface}"
    step = Step(end.node, what, describe(before), describe(after), tuple(doing.commands))
    return Steps("taprio and etf", (step,))


def replace_root(
    lab: Lab,
    doing: Doing,
    end: Endpoint,
    taprio: Taprio,
    handle: str,
    children: Mapping[int, Request],
) -> list[dict[str, Any]]:
    """Replaces an interface's root qdisc by taprio, and some of its children, in the order that works.

    Args:
        children: by transmit queue, the qdisc that takes the queue's frames; its parent is ``HANDLE:QUEUE+1``.

    Returns:
        The qdiscs as they are then, see :func:`show`.

    Raises:
        CommandError: the kernel refused.
        StepError: the node is reached over the interface, the schedule does not start, or its gates stand still.
    """
    spare(doing.host, end.interface)
    lab.journal.will_change(end.node, undo(doing.host, end.interface))
    base_time_ns = start.base_time(lab, end.node, taprio)
    requests = [kernel.taprio(taprio, base_time_ns, handle), *children.values()]
    try:
        rebuilt = kernel.rebuild(doing, end.interface, requests, start.poke(lab, end.node, taprio, set(children)))
    finally:
        lab.disturbed_ns = lab.now_ns()
    top = find(rebuilt.qdiscs, "taprio")
    if rebuilt.queued is not None and (top is None or "admin" in top["options"]):
        raise StepError(
            f"{end}: the schedule is still pending: its base time, {base_time_ns}, did not come; is its clock set?"
        )
    start.require_moving(end, taprio, rebuilt.queued)
    return rebuilt.qdiscs


def _needs_netlink(taprio: Taprio) -> bool:
    """Whether older versions of tc do not show all of a schedule."""
    return bool(taprio.max_sdu or taprio.fp or any(entry.command != "S" for entry in taprio.schedule))


def nic_of(lab: Lab, end: Endpoint) -> Nic:
    """What the interface can do of a schedule, with the queues it uses now and the rate of its link."""
    known = NICS["I210"] if lab.spec.interface(end).etf_offload else NICS["veth"]
    queues = links.transmit_queues(lab.host(end.node), end.interface)
    return replace(known, queues=queues, rate_bps=lab.spec.link_of(end).rate)


def root(qdiscs: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The root qdisc that somebody has attached; None for the kernel's own, which cannot be deleted."""
    return next((q for q in qdiscs if q.get("root") and q["handle"] != "0:"), None)


def find(qdiscs: list[dict[str, Any]], kind: str, parent: str | None = None) -> dict[str, Any] | None:
    """The first qdisc of a kind, or the one below a parent."""
    return next((q for q in qdiscs if q["kind"] == kind and parent in (None, q.get("parent"))), None)


def describe(qdiscs: list[dict[str, Any]]) -> str:
    """An interface's root qdisc and the etf qdiscs below it, in short."""
    top = root(qdiscs)
    if top is None:
        return "the kernel's default"
    below = [f"etf on {q['parent']}, delta {q['options']['delta']} ns" for q in qdiscs if q["kind"] == "etf"]
    return ", ".join([f"{top['kind']} {top['handle']}", *below])


def _etf(lab: Lab, case: Case) -> dict[int, Request]:
    """The etf qdisc below the stream's transmit queue, if the case has one."""
    if case.etf is None or case.taprio is None:
        return {}
    offload = lab.spec.interface(lab.talker).etf_offload
    queue = case.taprio.queue(case.stream.priority)
    return {queue: kernel.etf(case.etf, f"{TALKER_HANDLE}:{queue + 1:x}", offload)}


def _differences(lab: Lab, case: Case, qdiscs: list[dict[str, Any]]) -> list[str]:
    """What the kernel has and the case does not ask for, or the other way round."""
    assert case.taprio is not None
    taprio = find(qdiscs, "taprio")
    if taprio is None:
        return ["there is no taprio qdisc"]
    found = case.taprio.same_as(taprio["options"], lab.reference_ns)
    if case.etf is not None:
        parent = f"{TALKER_HANDLE}:{case.taprio.queue(case.stream.priority) + 1:x}"
        etf = find(qdiscs, "etf", parent)
        offload = lab.spec.interface(lab.talker).etf_offload
        found += case.etf.same_as(etf["options"], offload) if etf else [f"there is no etf qdisc on {parent}"]
    return found


def undo(host: Host, interface: str) -> list[str]:
    """The command that brings back the taprio and etf that are there now, or deletes the root qdisc."""
    qdiscs = show(host, interface)
    top = find(qdiscs, "taprio")
    delete = ["tc", "qdisc", "del", "dev", interface, "root"]
    if top is None:
        # what the kernel refused to set is not there to be deleted
        return [
            "sh",
            "-c",
            'tc qdisc del dev "$0" root || ! tc qdisc show dev "$0" | grep -q "taprio.* root"',
            interface,
        ]
    base = ["tc", "qdisc", "replace", "dev", interface, "parent"]
    taprio = Taprio.from_tc_json(top["options"]).to_tc(base_time(top["options"]), top["handle"].rstrip(":"))
    commands = [["ip", "link", "set", interface, "down"], delete, [*base, "root", *taprio]]
    for child in (q for q in qdiscs if q["kind"] == "etf"):
        words = Etf.from_tc_json(child["options"]).to_tc(child["options"]["offload"] == "on")
        commands.append([*base, child["parent"], *words])
    commands.append(["ip", "link", "set", interface, "up"])
    return ["sh", "-c", "; ".join(shlex.join(command) for command in commands)]


__dir__ = own(__name__)
