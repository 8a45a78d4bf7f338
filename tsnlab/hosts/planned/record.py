"""What would be done, in order: commands, files, programs that are started, and what is waited for."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["run", "start", "stop", "write", "edit", "copy", "wait", "note"]


@dataclass(frozen=True)
class Entry:
    """One thing that would be done.

    Attributes:
        section: the part of the plan it belongs to: the heading of a notebook's cell.
        node: where; empty for what is no node's.
        argv: the command.
        path, text: the file that is written, and its content; of one that is there already, what is changed in it.
    """

    section: str
    node: str
    kind: Kind
    argv: tuple[str, ...] = ()
    path: str = ""
    text: str = ""

    @property
    def command(self) -> str:
        """The command as it would be typed; of a long script that has a name, the name."""
        words = list(self.argv)
        if words[:2] == ["sh", "-c"] and len(words) > 3 and "\n" in words[2]:
            return shlex.join([*words[:2], f"(script {words[3]})", *words[4:]])
        return shlex.join(words)

    def __str__(self) -> str:
        if self.kind == "write":
            end = "" if self.text.endswith("\n") or not self.text else "\n"
            return f"{self.node}$ cat > {shlex.quote(self.path)} <<'END'\n{self.text}{end}END"
        if self.kind == "edit":
            return f"{self.node}: in {self.path}\n{self.text}"
        if self.kind == "copy":
            return f"{self.node}: {self.text} is copied to {self.path}"
        if self.kind == "wait":
            return f"  wait for {self.text}"
        if self.kind == "note":
            return f"  {self.text}"
        if self.kind == "stop":
            return f"{self.node}: end `{self.command}`"
        return f"{self.node}$ {self.command}" + (" &" if self.kind == "start" else "")


@dataclass
class Record:
    """The entries, and the section that the next one belongs to."""

    entries: list[Entry] = field(default_factory=list)
    section: str = ""

    def add(self, node: str, kind: Kind, argv: Sequence[str] = (), *, path: str = "", text: str = "") -> None:
        """Notes one thing."""
        self.entries.append(Entry(self.section, node, kind, tuple(argv), path, text))
