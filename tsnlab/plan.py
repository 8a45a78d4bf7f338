"""Dry runs: the same steps on imagined nodes, whose commands and files are gathered and not carried out.

with lab.dry_run() as plan:
    tsnlab.qdisc.apply(lab, case)
plan
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from tsnlab.hosts import Host
from tsnlab.hosts.planned import Entry, PlannedHost, PlannedNode, Record
from tsnlab.hosts.planned.fresh import ASSUMED, nodes
from tsnlab.journal import Journal
from tsnlab.lab import LabFile
from tsnlab.session import SECOND, Lab
from tsnlab.virtual.network import CABLES


@dataclass
class Plan:
    """What would be done on a lab's nodes, in order.

    Attributes:
        spec: the lab.
        record: commands and files.
        journal: how all of it would be taken back.
        ended: why the plan goes no further; empty if it is whole.
    """

    spec: LabFile
    record: Record
    journal: Journal
    ended: str = ""
    imagined: dict[str, PlannedNode] = field(default_factory=dict, repr=False)

    @property
    def entries(self) -> list[Entry]:
        """Everything, in order."""
        return self.record.entries

    def commands(self, node: str | None = None) -> list[str]:
        """Every command of a node, or of all, as it would be typed; also of programs that stay running."""
        return [e.command for e in self.entries if e.kind in ("run", "start") and node in (None, e.node)]

    def files(self, node: str) -> dict[str, str]:
        """The files that are written on a node, by path, with their last content."""
        return {e.path: e.text for e in self.entries if e.kind == "write" and e.node == node}

    def __str__(self) -> str:
        lines = [f"plan for the lab {self.spec.name}: {len(self.commands())} commands; nothing was connected to"]
        lines += ["assumed:", *(f"  - {words}" for words in ASSUMED[self.spec.kind])]
        lines += ["where:", *(f"  - {words}" for words in self._places())]
        section = ""
        for entry in self.entries:
            if entry.section != section:
                section = entry.section
                lines += ["", f"## {section}"]
            lines.append(str(entry))
        lines += ["", self.ended] if self.ended else []
        if len(self.journal):
            lines += ["", "## When the lab is closed, or by `tsnlab undo` after a crash"]
            lines += [str(Entry("", node, "run", argv)) for node, argv in self.journal.entries]
        return "\n".join(lines)

    def _places(self) -> Iterator[str]:
        for name, node in self.spec.nodes.items():
            if node.container is not None:
                within = node.container
                yield f"{name}: every command by `{within.engine} exec {within.name}` on {within.node}"
            elif node.ssh is not None:
                yield f"{name}: ssh {node.ssh}" + (", every command by sudo" if node.sudo else "")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


class PlannedLab(Lab):
    """A lab of imagined nodes.

    Args:
        spec: the lab file's content.
        folder: of a run; what is kept there is not about anything that happened.
        now_ns: the time of the plan; None for the lab file's, or the present second.
    """

    def __init__(self, spec: LabFile, folder: Path | None = None, now_ns: int | None = None) -> None:
        super().__init__(spec, None)
        self.folder = folder
        self._now_ns = now_ns or spec.start_ns or _present_second()
        imagined = nodes(spec, self._now_ns)
        if spec.kind == "virtual":
            imagined[CABLES] = PlannedNode(CABLES, now_ns=self._now_ns)
        self.plan = Plan(spec, Record(), self.journal, imagined=imagined)
        reached = {name for name, node in spec.nodes.items() if node.ssh is not None}
        self._hosts = {
            name: PlannedHost(node, self.plan.record, over_network=name in reached) for name, node in imagined.items()
        }
        self._opened()

    def host(self, node: str) -> Host:
        """The imagined node of that name."""
        return self._hosts[node]

    @property
    def virtual_time(self) -> bool:
        """As in the lab that is planned for."""
        return self.spec.kind == "virtual" and self.spec.kernel == "built"

    def now_ns(self) -> int:
        """The time of the plan, which stands still but for what is waited for."""
        return self._now_ns

    def wait(self, done: Callable[[], bool], waited_for: str, *, lab_seconds: float, wall_seconds: float = 60) -> bool:
        """Hands over what programs would have said, and notes what is waited for; a second passes."""
        for host in self._hosts.values():
            for process in host.processes:
                process.speak()
        self.plan.record.add("", "wait", text=waited_for)
        self._now_ns += SECOND
        running = [process for host in self._hosts.values() for process in host.processes if process.spoke]
        if not done():
            for process in running:
                if process.measures and process.returncode is None:
                    process.end_of_plan()
        return done()

    @property
    def badges(self) -> list[str]:
        """What every figure of it has to say."""
        return ["plan, nothing was done"]

    @property
    def clock(self) -> str:
        """Which clock it is."""
        return "the time of the plan"

    def versions(self) -> dict[str, str]:
        """None: nothing was asked."""
        return {}

    def _close(self) -> None:
        """What would be taken back stays in the plan's journal."""

    def __str__(self) -> str:
        return f"{self.spec}\n  a plan: nothing is connected to"

    def _repr_html_(self) -> str:
        return self.spec._repr_html_()


@contextmanager
def dry_run(lab: Lab) -> Iterator[Plan]:
    """Within the block an open lab's nodes are imagined ones; afterwards it is as before.

    Raises:
        EndOfPlan: something depends on what is measured.
    """
    planned = PlannedLab(lab.spec, now_ns=lab.now_ns() // SECOND * SECOND)
    stand_ins: dict[str, Any] = {
        "host": planned.host,
        "wait": planned.wait,
        "now_ns": planned.now_ns,
        "journal": planned.journal,
        "programs": planned.programs,
        "folder": None,
    }
    own = {name: vars(lab)[name] for name in stand_ins if name in vars(lab)}
    vars(lab).update(stand_ins)
    try:
        yield planned.plan
    finally:
        for name in stand_ins:
            del vars(lab)[name]
        vars(lab).update(own)
        planned.close()


def _present_second() -> int:
    import time

    return time.time_ns() // SECOND * SECOND
