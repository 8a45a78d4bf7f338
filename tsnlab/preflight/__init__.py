"""Whether the experiment can work on a lab's nodes: looked at, with the remedy, and nothing changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tsnlab import pci
from tsnlab.errors import CommandError, DeadlineError, HostError
from tsnlab.hosts import Host
from tsnlab.preflight import container_host, nic, node
from tsnlab.preflight.facts import Facts, gather
from tsnlab.preflight.table import Finding, Level, Preflight
from tsnlab.show.names import own

if TYPE_CHECKING:
    from tsnlab.session import Lab

__all__ = ["Facts", "Finding", "Level", "Preflight", "check", "examine"]


def check(lab: Lab) -> Preflight:
    """Looks at every node of an open lab; the nodes of a hardware lab all at the same time.

    A container that does not run is left out: what it will be given is looked at on the node it runs on.
    """
    containers = [spec.container for spec in lab.spec.nodes.values() if spec.container is not None]
    nodes = {name: (lab.host(name), list(spec.interfaces)) for name, spec in lab.spec.nodes.items()}
    for name, spec in lab.spec.nodes.items():
        if spec.container is not None and not _runs(lab.host(name)):
            del nodes[name]
    return examine(nodes, {container.node: container.passed_in for container in containers})


def examine(nodes: dict[str, tuple[Host, list[str]]], passed_in: Mapping[str, str] | None = None) -> Preflight:
    """Looks at nodes; one that cannot be reached is a finding, not an error.

    Args:
        nodes: each with its host and the interfaces of the experiment.
        passed_in: by node, the interface that a Kata container there is to have.
    """
    concurrent = all(getattr(host, "concurrent", False) for host, _ in nodes.values())
    # the nodes of the virtual lab live in one kernel, which does one thing at a time
    with ThreadPoolExecutor(max(1, len(nodes) if concurrent else 1)) as pool:
        looked = list(pool.map(lambda name: _examine(name, *nodes[name], (passed_in or {}).get(name)), nodes))
    findings = [finding for _, found in looked for finding in found]
    return Preflight((*findings, *_together([facts for facts, _ in looked if facts is not None])))


def _runs(host: Host) -> bool:
    try:
        return host.run(["true"], check=False).returncode == 0
    except (HostError, DeadlineError):
        return False


def _examine(name: str, host: Host, interfaces: list[str], passed_in: str | None) -> tuple[Facts | None, list[Finding]]:
    try:
        facts = gather(name, host, interfaces)
        findings = [*node.judge(facts), *nic.judge(facts)]
        if passed_in:
            findings += container_host.judge(facts, passed_in, _devices(host))
    except (HostError, DeadlineError) as error:
        return None, [Finding(name, "connection", "fail", str(error))]
    return facts, findings


def _devices(host: Host) -> tuple[pci.Device, ...]:
    try:
        return pci.scan(host)
    except CommandError:
        # a machine without PCI has no device of that name, which is then said
        return ()


def _together(facts: Sequence[Facts]) -> list[Finding]:
    """What must be the same everywhere."""
    by_offset: dict[str, list[str]] = defaultdict(list)
    for one in facts:
        by_offset[one.get("tai") or "not known"].append(one.node)
    if len(facts) < 2:
        return []
    what, seen = (
        "TAI offset of all nodes",
        "; ".join(f"{tai} s: {', '.join(names)}" for tai, names in by_offset.items()),
    )
    if len(by_offset) == 1:
        return [Finding("all", what, "pass", f"the same, {next(iter(by_offset))} s")]
    remedy = "CLOCK_TAI differs by whole seconds between them, and so would gates and launch times: make it one"
    return [Finding("all", what, "fail", seen, remedy)]


__dir__ = own(__name__)
