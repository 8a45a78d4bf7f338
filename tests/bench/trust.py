"""Schedules and time on the virtual lab, in figures: `python -m tests.bench.trust` prints them as Markdown."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import tsnlab
from tests.lab.test_schedules import INTERFACE, NODE, invalid
from tests.unit.schedules import generated
from tsnlab import faults, qdisc
from tsnlab.qdisc import kernel, netlink

COUNT, INVALID = 1000, 200
DEADLINE_S = 20.0


def say(text: str) -> None:
    """Prints a line."""
    sys.stdout.write(f"{text}\n")


def schedules(lab: Any) -> None:
    """Generated ones: accepted and read back equal; invalid ones: refused by both."""
    host = lab.host(NODE)
    values = [generated(seed) for seed in range(COUNT)]
    started = time.monotonic()
    answers = kernel.attempt(host, INTERFACE, [netlink.taprio(value, base, "100") for value, base in values])
    took = time.monotonic() - started
    same = sum("errno" not in a and v.same_as(a["options"], b) == [] for (v, b), a in zip(values, answers, strict=True))
    say(f"| generated schedules accepted and read back equal | {same} of {COUNT} | {took:.1f} s |")
    wrong = [invalid(seed)[0] for seed in range(INVALID)]
    answers = kernel.attempt(host, INTERFACE, [netlink.taprio(value, 0, "100") for value in wrong])
    say(f"| invalid ones refused by the kernel as well | {sum('errno' in a for a in answers)} of {INVALID} | |")


def applied(lab: Any) -> None:
    """The guide's schedule, set and read back, several times."""
    case, seconds = tsnlab.load_case("case2"), []
    for _ in range(5):
        lab.host("node1").run(["tc", "qdisc", "del", "dev", "eth1", "root"], check=False)
        started = time.monotonic()
        qdisc.apply(lab, case)
        seconds.append(time.monotonic() - started)
    lab.host("node1").run(["tc", "qdisc", "del", "dev", "eth1", "root"])
    say(f"| the guide's schedule applied and read back | 5 times | {min(seconds):.2f} to {max(seconds):.2f} s |")


def proved(lab: Any) -> None:
    """The largest difference of all behaviours."""
    proof = qdisc.prove(lab)
    errors = [abs(outcome.error_ns) for outcome in proof.outcomes if outcome.error_ns is not None]
    say(f"| behaviours proved | {sum(o.holds for o in proof.outcomes)} of {len(proof.outcomes)} | {max(errors)} ns |")


def diagnosed(lab: Any) -> None:
    """Six faults, and the lab's time until the diagnosis names each."""
    injected: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "grandmaster gone": ("grandmaster gone", faults.grandmaster_gone),
        "ptp4l killed": ("ptp4l ended", lambda sync: faults.ptp4l_killed(sync, "node2")),
        "link down": ("link down", lambda sync: faults.link_down(lab, lab.talker)),
        "closed gate": ("closed gate", lambda sync: faults.closed_gate(lab, lab.talker)),
        "clock of one interface jumped": (
            "clock jump",
            lambda sync: faults.interface_clock_jump(lab, sync, "node2", 0.5),
        ),
        "TAI offset wrong": ("wrong TAI offset", lambda sync: faults.wrong_tai_offset(lab, 37)),
    }
    for fault, (kind, inject) in injected.items():
        sync = tsnlab.ptp.launch(lab).wait_locked()
        started_ns, wall = lab.now_ns(), time.monotonic()
        with inject(sync):
            lab.wait(lambda s=sync: not s.locked, "the fault", lab_seconds=DEADLINE_S if "TAI" not in fault else 0.1)
            named = [cause for cause in sync.diagnose() if cause.kind == kind]
        where = named[0].node if named else "NOT FOUND"
        lab_s, wall_s = (lab.now_ns() - started_ns) / 1e9, time.monotonic() - wall
        say(f"| {fault} | named: {kind} ({where}) | {lab_s:.1f} s of the lab's time, {wall_s:.1f} s |")
        sync.stop()


def main() -> None:
    """All of it."""
    say("| what | result | |\n|---|---|---|")
    with tsnlab.open_lab("virtual") as lab:
        for part in (schedules, applied, proved, diagnosed):
            part(lab)


if __name__ == "__main__":
    main()
