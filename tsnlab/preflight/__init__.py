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

if TYPE_CHECKING:
    from tsnlab.session import Lab

__all__ = ["Facts", "Finding", "Level", "Preflight", "check", "examine"]


def check(lab: Lab) -> Preflight:
    """Looks at every node of an open lab; the nodes of a hardware lab all at the same time."""
    nodes = {name: (lab.host(name), list(spec.interfaces)) for name, spec in lab.spec.nodes.items()}
    return examine(nodes)


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


def _examine(name: str, host: Host, interfaces: list[str], passed_in: str | None) -> list[Finding]:
    try:
        facts = gather(name, host, [*interfaces, passed_in] if passed_in else interfaces)
    except (HostError, DeadlineError) as error:
        return [Finding(name, "connection", "fail", str(error))]
    kata = node.judge_container_host(facts, passed_in) if passed_in else []
    return [*node.judge(facts), *nic.judge(facts), *kata]
