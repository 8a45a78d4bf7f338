"""An imagined node as a host: the same interface as a real one, and nothing behind it."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Never

import tsnlab.node
from tsnlab.errors import CommandError
from tsnlab.hosts.base import DEFAULT_TIMEOUT, LineHandler, Result
from tsnlab.hosts.planned import programs, tools
from tsnlab.hosts.planned.node import PlannedNode
from tsnlab.hosts.planned.record import Record

_OWN = Path(tsnlab.node.__file__).parent
"""The programs for nodes, which are not to be printed whole."""


class EndOfPlan(Exception):
    """What comes next depends on what a program measures, which only the real one can tell."""


class PlannedProcess:
    """A program that would be running (see :class:`tsnlab.hosts.base.Process`)."""

    def __init__(self, host: PlannedHost, argv: Sequence[str], on_line: LineHandler | None) -> None:
        self.argv = tuple(argv)
        self._host = host
        self._on_line = on_line
        self._lines = programs.says(argv)
        self._ended = False
        self.measures = programs.measures(argv)
        self.spoke = False

    @property
    def returncode(self) -> int | None:
        """0 once it has been stopped."""
        return 0 if self._ended else None

    @property
    def stderr(self) -> str:
        """Nothing."""
        return ""

    def speak(self) -> None:
        """Hands over what the program would have said by now."""
        self.spoke = True
        lines, self._lines = self._lines, ()
        for line in lines if self._on_line is not None else ():
            assert self._on_line is not None
            self._on_line(line)

    def wait(self, timeout: float) -> Result:
        """Its end, if it does something and measures nothing.

        Raises:
            EndOfPlan: what it measures is not known.
        """
        if not programs.ends(self._host.node, self.argv):
            self.end_of_plan()
        self.speak()
        self._ended = True
        return Result(self._host.name, self.argv, 0, "", "", 0.0)

    def end_of_plan(self) -> Never:
        """Raises EndOfPlan: what it measures is not known."""
        program = next((PurePath(w).name for w in self.argv if w.endswith(".py")), self.argv[0])
        raise EndOfPlan(f"What comes next depends on what {program} on {self._host.name} measures.")

    def stop(self, timeout: float = 10.0) -> Result:
        """Notes that it is ended."""
        if not self._ended:
            self._ended = True
            self._host.record.add(self._host.name, "stop", self.argv)
        return Result(self._host.name, self.argv, 0, "", "", 0.0)


class PlannedHost:
    """An imagined node (see :class:`tsnlab.hosts.base.Host`).

    Args:
        node: its state.
        record: takes what would be changed.
        over_network: whether the real one is reached over a network.
    """

    concurrent = False

    def __init__(self, node: PlannedNode, record: Record, *, over_network: bool = False) -> None:
        self.name = node.name
        self.node = node
        self.record = record
        self.over_network = over_network
        self.processes: list[PlannedProcess] = []

    def run(self, argv: Sequence[str], *, timeout: float = DEFAULT_TIMEOUT, check: bool = True) -> Result:
        """Answers a question, or records a change."""
        answer = tools.run(self.node, list(argv))
        if answer.changes:
            self.record.add(self.name, "run", argv)
        result = Result(self.name, tuple(argv), answer.status, answer.out, answer.err, 0.0)
        return result.check() if check else result

    def start(self, argv: Sequence[str], on_line: LineHandler | None = None) -> PlannedProcess:
        """Records that a program is started."""
        self.record.add(self.name, "start", argv)
        self.node.files |= programs.leaves(argv)
        process = PlannedProcess(self, argv, on_line)
        self.processes.append(process)
        return process

    def read_text(self, path: str) -> str:
        """The content of a file.

        Raises:
            CommandError: it is not there.
        """
        if path not in self.node.files:
            raise CommandError(self.name, ["cat", "--", path], 1, f"cat: {path}: No such file or directory")
        return self.node.files[path]

    def write_text(self, path: str, text: str) -> None:
        """Records that a file is written."""
        program = _OWN / path.rpartition("-")[2] if path.endswith(".py") else None
        if program is not None and program.is_file():
            self.record.add(self.name, "copy", path=path, text=f"tsnlab/node/{program.name}")
        elif path in self.node.files:
            lines = difflib.unified_diff(self.node.files[path].splitlines(), text.splitlines(), lineterm="", n=1)
            self.record.add(self.name, "edit", path=path, text="\n".join(list(lines)[2:]))
        else:
            self.record.add(self.name, "write", path=path, text=text)
        self.node.files[path] = text

    def put(self, local: Path, path: str) -> None:
        """Records that a file is copied to the node."""
        what = "tsnlab's programs for nodes" if local.name.startswith("tsnlab-programs-") else str(local)
        self.record.add(self.name, "copy", path=path, text=what)
        self.node.files[path] = f"copy of {local}"
        self.node.sums[path] = hashlib.sha256(local.read_bytes()).hexdigest() if local.is_file() else ""

    def get(self, path: str, local: Path) -> None:
        """Records that a file is fetched."""
        self.record.add(self.name, "note", text=f"{path} of {self.name} is fetched as {local}")

    def close(self) -> None:
        """Nothing is open."""
