"""Queueing disciplines of the talker: taprio at the root, etf below the stream's queue, applied and read back.

Source: the guide, Step 3, Case 2; tc-taprio(8), tc-etf(8).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tsnlab import links
from tsnlab.case import Case
from tsnlab.errors import StepError
from tsnlab.hosts import Host
from tsnlab.schedule import Taprio
from tsnlab.session import Lab
from tsnlab.steps import Doing, Step, Steps

TALKER_HANDLE = "100"
"""Handle of the taprio qdisc on the talker, as in the guide."""

_PENDING_SECONDS = 3.0


def apply(lab: Lab, case: Case) -> Steps:
    """Brings the talker's interface to the case's taprio and etf qdiscs, and reads them back.

    The link is down meanwhile: attaching etf below a running taprio stops its gates for good.

    Raises:
        StepError: what the kernel has in the end is not what the case asks for.
        CommandError: the kernel refused; the message says what to do where that is known.
    """
    if case.taprio is None:
        return Steps("No qdiscs: TSN is not enabled in this case")
    end, host = lab.talker, lab.host(lab.talker.node)
    doing = Doing(host)
    before = describe(host, end.interface)
    if _differences(lab, case):
        replace_root(lab, doing, end.node, end.interface, case.taprio, TALKER_HANDLE, _etf(lab, case))
    after = describe(host, end.interface)
    if differences := _differences(lab, case):
        raise StepError(f"{end}: the qdiscs are not what {case.name} asks for:\n  " + "\n  ".join(differences))
    step = Step(end.node, f"qdiscs of {end.interface}", before, after, tuple(doing.commands))
    return Steps("taprio and etf", (step,))


def replace_root(
    lab: Lab,
    doing: Doing,
    node: str,
    interface: str,
    taprio: Taprio,
    handle: str,
    children: Mapping[int, Sequence[str]],
) -> None:
    """Replaces an interface's root qdisc by taprio, and some of its children, in the order that works.

    Args:
        children: by transmit queue, the arguments for ``tc`` of the qdisc that takes the queue's frames.
    """
    lab.journal.will_change(node, ["tc", "qdisc", "del", "dev", interface, "root"])
    was_up = links.is_up(doing.host, interface)
    doing.run(["ip", "link", "set", interface, "down"])
    if root(show(doing.host, interface)):
        # there is no change operation for etf, and taprio refuses another mapping: start afresh
        doing.run(["tc", "qdisc", "del", "dev", interface, "root"])
    base = ["tc", "qdisc", "replace", "dev", interface, "parent"]
    doing.run([*base, "root", *taprio.to_tc(lab.reference_ns, handle)])
    for queue, arguments in children.items():
        doing.run([*base, f"{handle}:{queue + 1:x}", *arguments])
    if was_up:
        doing.run(["ip", "link", "set", interface, "up"])
    _wait_for_schedule(lab, doing.host, interface)


def show(host: Host, interface: str) -> list[dict[str, Any]]:
    """What ``tc -j qdisc show`` says of an interface."""
    answer: list[dict[str, Any]] = json.loads(host.run(["tc", "-j", "qdisc", "show", "dev", interface]).stdout)
    return answer


def root(qdiscs: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The root qdisc that somebody has attached; None for the kernel's own, which cannot be deleted."""
    return next((q for q in qdiscs if q.get("root") and q["handle"] != "0:"), None)


def find(qdiscs: list[dict[str, Any]], kind: str, parent: str | None = None) -> dict[str, Any] | None:
    """The first qdisc of a kind, or the one below a parent."""
    return next((q for q in qdiscs if q["kind"] == kind and parent in (None, q.get("parent"))), None)


def describe(host: Host, interface: str) -> str:
    """The interface's root qdisc and the etf qdiscs below it, in short."""
    qdiscs = show(host, interface)
    top = root(qdiscs)
    if top is None:
        return "the kernel's default"
    below = [f"etf on {q['parent']}, delta {q['options']['delta']} ns" for q in qdiscs if q["kind"] == "etf"]
    return ", ".join([f"{top['kind']} {top['handle']}", *below])


def _etf(lab: Lab, case: Case) -> dict[int, list[str]]:
    """The etf qdisc below the stream's transmit queue, if the case has one."""
    if case.etf is None or case.taprio is None:
        return {}
    offload = lab.spec.interface(lab.talker).etf_offload
    return {case.taprio.queue(case.stream.priority): case.etf.to_tc(offload)}


def _differences(lab: Lab, case: Case) -> list[str]:
    """What the kernel has and the case does not ask for, or the other way round."""
    assert case.taprio is not None
    qdiscs = show(lab.host(lab.talker.node), lab.talker.interface)
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


def _wait_for_schedule(lab: Lab, host: Host, interface: str) -> None:
    """Waits until the schedule that was asked for is the running one, not a pending one."""
    for _ in range(20):
        taprio = find(show(host, interface), "taprio")
        if taprio is not None and "admin" not in taprio["options"] and taprio["options"].get("cycle_time"):
            return
        lab.wait(lambda: False, f"schedule of {interface}", lab_seconds=_PENDING_SECONDS / 20)
    raise StepError(f"{host.name}: the schedule of {interface} is still pending after {_PENDING_SECONDS} s")
