"""802.1Qbv on the guide's own card, by TTTech's `tsntool` or by the files of its driver, which are read in both cases.

Source: the guide, Step 3, Case 3; kontron/kmod-tsnic-deip, deipce_fsc_sysfs.c.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Literal, Protocol

from tsnlab.case import Case
from tsnlab.deadline import Deadline
from tsnlab.errors import StepError
from tsnlab.hosts import Host
from tsnlab.journal import Journal
from tsnlab.lab import Endpoint
from tsnlab.schedule import Entry, Taprio
from tsnlab.schedule.gates import rolled
from tsnlab.steps import Doing, Step
from tsnlab.switch import control_list, port_gates, ports
from tsnlab.switch.ports import PortState

Way = Literal["tsntool", "sysfs"]

AHEAD_NS = 2_000_000_000
"""So far ahead of the port's clock the list begins: a base time in the past counts as a mistake for the driver."""

_PATIENCE_S = 10.0


class Timed(Protocol):
    """What the gates need of an open lab."""

    journal: Journal
    reference_ns: int

    def host(self, node: str) -> Host:
        """The node of that name."""


def gates(lab: Timed, port: Endpoint, wanted: Taprio | None, way: Way) -> Step:
    """Has a port's gates moved by a list, or opens them for good.

    Raises:
        StepError: the port has no such gates, or does not do in the end what it was told.
        ConfigError: the card cannot say the schedule in its ticks and rows.
    """
    doing = Doing(lab.host(port.node))
    before = ports.read(doing.host, port.interface)
    if wanted is None:
        if before.enabled:
            lab.journal.will_change(port.node, _restore(port, before))
            doing.run(_disable(port, way))
    else:
        entries = port_gates.in_rows(port_gates.on_ticks(wanted, before.tick_ns), before.longest_ns, before.rows)
        if not before.carries_out(entries, wanted.cycle_ns, lab.reference_ns):
            lab.journal.will_change(port.node, _restore(port, before))
            base_ns = rolled(lab.reference_ns, wanted.cycle_ns, before.now_ns + AHEAD_NS)
            _write(doing, port, way, entries, wanted.cycle_ns, base_ns)
            _require(doing.host, port, entries, wanted.cycle_ns, lab.reference_ns)
    after = ports.read(doing.host, port.interface)
    if after.enabled != (wanted is not None):
        raise StepError(f"{port}: the gates should be {'moving' if wanted else 'open'}, but are: {after}")
    return Step(port.node, f"802.1Qbv of {port.interface}", str(before), str(after), tuple(doing.commands))


def classify(lab: Timed, port: Endpoint, case: Case) -> Step:
    """Maps the stream's PCP to the traffic class of the same number, which is what the gates count by.

    Source: `tsntool brport wrtctbl PCP CLASS PORT`, and `rdtctbl`, which prints both in two columns.

    Raises:
        StepError: it is not so in the end.
    """
    doing, pcp = Doing(lab.host(port.node)), case.stream.pcp
    before = _class_of(doing.host, port, pcp)
    if before != str(pcp):
        undo = ["tsntool", "brport", "wrtctbl", str(pcp), before, port.interface]
        lab.journal.will_change(port.node, undo)
        doing.run(["tsntool", "brport", "wrtctbl", str(pcp), str(pcp), port.interface])
    after = _class_of(doing.host, port, pcp)
    if after != str(pcp):
        raise StepError(f"{port}: PCP {pcp} goes to traffic class {after}, not to {pcp}")
    what = f"traffic class of PCP {pcp} at {port.interface}"
    return Step(port.node, what, before, after, tuple(doing.commands))


def instructions(port: Endpoint, entries: Sequence[Entry], cycle_ns: int, base_ns: int) -> list[str]:
    """The commands of `tsntool` and the file that they take, for somebody to type."""
    rows = "".join(f"  {line}\n" for line in control_list.to_tsntool(entries).splitlines())
    commands = [" ".join(argv) for argv in _tsntool(port, cycle_ns, base_ns)]
    return [f"# {_file(port)}:\n{rows}".rstrip(), *commands]


def _class_of(host: Host, port: Endpoint, pcp: int) -> str:
    table = host.run(["tsntool", "brport", "rdtctbl", port.interface]).stdout
    classes: dict[str, str] = dict(re.findall(r"(?m)^\s*([0-7])\s+([0-7])\s*$", table))
    if str(pcp) not in classes:
        raise StepError(
            f"{port}: `tsntool brport rdtctbl` tells no traffic class of PCP {pcp}; is it TTTech's program? NXP has"
            f" another one of that name. It said:\n{table.strip()}"
        )
    return classes[str(pcp)]


def _file(port: Endpoint) -> str:
    return f"/run/tsnlab-{port.interface}.gcl"


def _tsntool(port: Endpoint, cycle_ns: int, base_ns: int) -> list[list[str]]:
    name, cycle = port.interface, control_list.cycle_text(cycle_ns)
    return [
        ["tsntool", "st", "disable", name],
        ["tsntool", "st", "wrcl", name, _file(port)],
        ["tsntool", "st", "configure", control_list.time_text(base_ns), cycle, "0", name],
    ]


def _disable(port: Endpoint, way: Way) -> list[str]:
    if way == "tsntool":
        return ["tsntool", "st", "disable", port.interface]
    return _echo("0", port, "GateEnabled")


def _write(doing: Doing, port: Endpoint, way: Way, entries: Sequence[Entry], cycle_ns: int, base_ns: int) -> None:
    if way == "tsntool":
        doing.host.write_text(_file(port), control_list.to_tsntool(entries))
        for argv in _tsntool(port, cycle_ns, base_ns):
            doing.run(argv)
        return
    for argv in _sysfs(port, entries, control_list.cycle_text(cycle_ns), control_list.time_text(base_ns)):
        doing.run(argv)


def _sysfs(port: Endpoint, entries: Sequence[Entry], cycle: str, base: str) -> list[list[str]]:
    """In this order: writing the length clears the rows beyond it, and `ConfigChange` begins what was prepared."""
    octal = "".join(f"\\{byte:03o}" for byte in control_list.to_bytes(entries))
    return [
        ["sh", "-c", f"printf '{octal}' > {ports.folder(port.interface)}/AdminControlList"],
        _echo(str(len(entries)), port, "AdminControlListLength"),
        _echo(cycle, port, "AdminCycleTime"),
        _echo("0", port, "AdminCycleTimeExtension"),
        _echo(base, port, "AdminBaseTime"),
        _echo("1", port, "GateEnabled"),
        _echo("1", port, "ConfigChange"),
    ]


def _echo(value: str, port: Endpoint, name: str) -> list[str]:
    return ["sh", "-c", f"echo {value} > {ports.folder(port.interface)}/{name}"]


def _restore(port: Endpoint, before: PortState) -> list[str]:
    """The undo; a list whose base time has passed is begun again in phase by the driver."""
    if not before.enabled:
        return _echo("0", port, "GateEnabled")
    base = control_list.time_text(before.base_ns)
    commands = _sysfs(port, before.running, control_list.cycle_text(before.cycle_ns), base)
    return ["sh", "-c", "; ".join(argv[2] for argv in commands)]


def _require(host: Host, port: Endpoint, entries: list[Entry], cycle_ns: int, reference_ns: int) -> None:
    """Waits until the list is carried out, which begins at its base time."""
    deadline = Deadline(_PATIENCE_S)
    while not (now := ports.read(host, port.interface)).carries_out(entries, cycle_ns, reference_ns):
        if deadline.expired:
            raise StepError(
                f"{port}: the gates are not moved by the list that was written, but: {now}"
                f" (base time {now.base_ns} ns, {now.errors} changes that the driver made)\n"
                "what to do: see `dmesg` on the switch; do its clock and the lab's agree?"
            )
        time.sleep(0.2)
