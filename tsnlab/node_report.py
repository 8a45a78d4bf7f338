"""What one program on a node says while it runs, line by line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Never

from tsnlab.errors import StepError
from tsnlab.hosts import Process
from tsnlab.session import Lab

Rows = Sequence[Sequence[int]]

_READY_S = 30


class Report:
    """A program's packets and other records.

    Attributes:
        rows: its packets so far.
        stamps: when packets left, so far.
        about: its other records, merged.
        process: the program; None before it is started.
        on_rows: is given the packets of each line as it comes, in the order of the program's columns: of the listener's
            :data:`tsnlab.packets.LISTENER_COLUMNS`. It is called while the lab is waited for, and should be quick.
    """

    def __init__(self, name: str, raw: Path | None) -> None:
        self.name = name
        self.rows: list[list[int]] = []
        self.stamps: list[list[int]] = []
        self.about: dict[str, Any] = {}
        self.process: Process | None = None
        self.on_rows: Callable[[Rows], None] | None = None
        self._raw = raw

    def start(self, lab: Lab, node: str, argv: Sequence[str]) -> None:
        """Starts the program on a node."""
        self.process = lab.host(node).start(argv, self.take)

    def take(self, line: str) -> None:
        """Takes one JSON line.

        Raises:
            StepError: it is none.
        """
        try:
            record: dict[str, Any] = json.loads(line)
        except ValueError:
            raise StepError(f"the {self.name} says what is no record of it: {line[:200]!r}") from None
        if self._raw is not None:
            with self._raw.open("a", encoding="utf-8") as file:
                file.write(f'{{"from":"{self.name}","said":{line}}}\n')
        rows = record.pop("packets", [])
        self.rows += rows
        self.stamps += record.pop("stamps", [])
        self.about |= record
        if rows and self.on_rows is not None:
            self.on_rows(rows)

    def wait(self, seconds: float) -> None:
        """Waits for the end of the program.

        Raises:
            CommandError, DeadlineError: it failed, or does not end within so many seconds.
        """
        assert self.process is not None
        self.process.wait(seconds).check()

    def stop(self) -> None:
        """Asks the program to end, if it runs, and waits for that."""
        if self.process is not None:
            self.process.stop()

    @property
    def ended(self) -> bool:
        """Whether the program was started and has ended."""
        return self.process is not None and self.process.returncode is not None

    @property
    def has_failed(self) -> bool:
        """Whether it has ended, and not well."""
        return self.process is not None and self.process.returncode not in (None, 0)

    def failed(self) -> Never:
        """Raises what a program that has ended too early has to say.

        Raises:
            CommandError: it failed.
            StepError: it did not, but is not there any more.
        """
        assert self.process is not None
        self.process.stop().check()
        raise StepError(f"the {self.name} ended before it was ready: {self.process.stderr}")

    def wait_for(self, lab: Lab, key: str) -> None:
        """Waits until the program has said something.

        Raises:
            CommandError, StepError: it ended, or said nothing in time.
        """
        lab.wait(lambda: key in self.about or self.ended, f"{self.name} to be ready", lab_seconds=_READY_S)
        if key not in self.about:
            self.failed()
