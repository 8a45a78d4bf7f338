"""Whether the experiment can work on a lab's nodes: looked at, with the remedy, and nothing changed."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tsnlab.errors import DeadlineError, HostError
from tsnlab.hosts import Host
from tsnlab.preflight import nic, node
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
        findings = pool.map(lambda name: _examine(name, *nodes[name], (passed_in or {}).get(name)), nodes)
        return Preflight(tuple(finding for found in findings for finding in found))


def _runs(host: Host) -> bool:
    try:
        return host.run(["true"], check=False).returncode == 0
    except (HostError, DeadlineError):
        return False


def _examine(name: str, host: Host, interfaces: list[str], passed_in: str | None) -> list[Finding]:
    try:
        facts = gather(name, host, [*interfaces, passed_in] if passed_in else interfaces)
    except (HostError, DeadlineError) as error:
        return [Finding(name, "connection", "fail", str(error))]
    kata = node.judge_container_host(facts, passed_in) if passed_in else []
    return [*node.judge(facts), *nic.judge(facts), *kata]


__dir__ = own(__name__)
