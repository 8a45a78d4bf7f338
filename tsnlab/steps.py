"""What a step did, as a value that shows itself."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from tsnlab.hosts import Host


@dataclass(frozen=True, repr=False)
class Step:
    """One thing of one node brought into a wanted state.

    Attributes:
        node: where.
        what: what was brought into a state, in the guide's words.
        before, after: the state as it was read; the same text if nothing had to be done.
        commands: what was run to change it; empty if nothing had to be done.
    """

    node: str
    what: str
    before: str
    after: str
    commands: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything had to be done."""
        return bool(self.commands)

    def __str__(self) -> str:
        lines = [f"{self.node}: {self.what}: {_change(self)}", *(f"  $ {command}" for command in self.commands)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<table>{_row(self)}</table>"


@dataclass(frozen=True, repr=False)
class Steps:
    """Several steps taken together, in order."""

    title: str
    steps: tuple[Step, ...] = field(default=())

    @property
    def changed(self) -> bool:
        """Whether anything had to be done."""
        return any(step.changed for step in self.steps)

    def __str__(self) -> str:
        lines = [self.title]
        for step in self.steps:
            lines += [f"  {line}" for line in str(step).splitlines()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<p><b>{escape(self.title)}</b></p><table>{''.join(map(_row, self.steps))}</table>"


def _row(step: Step) -> str:
    cells = "".join(f"<td style='text-align:left'>{escape(cell)}</td>" for cell in (step.what, _change(step)))
    return f"<tr><td><b>{escape(step.node)}</b></td>{cells}</tr>{_commands(step)}"


def _change(step: Step) -> str:
    return f"{step.before} → {step.after}" if step.changed else f"{step.after} (nothing to do)"


def _commands(step: Step) -> str:
    if not step.commands:
        return ""
    text = escape("\n".join(step.commands))
    return f"<tr><td></td><td colspan=2 style='text-align:left'><pre>{text}</pre></td></tr>"


class Doing:
    """Runs the commands of one step and remembers them."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.commands: list[str] = []

    def run(self, argv: Sequence[str]) -> None:
        """Runs one command of the step.

        Raises:
            CommandError: it failed.
        """
        self.host.run(argv)
        self.commands.append(shlex.join(argv))

    def attempt(self, argv: Sequence[str]) -> None:
        """Runs one command of the step that may fail, because what it should bring about is there already."""
        self.host.run(argv, check=False)
        self.commands.append(shlex.join(argv))
