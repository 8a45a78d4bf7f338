"""What ptp4l and phc2sys say, kept line by line as they say it: nothing is lost with who listens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tsnlab.ptp.clock import Clock
    from tsnlab.session import Lab

NAME = "clocks.jsonl"
"""In the run folder: one object a line, with `time` (ns of the lab's time), `node`, `program` and `line`."""


class Record:
    """The file, opened for each line; nothing without a run folder."""

    def __init__(self, lab: Lab) -> None:
        self._path = lab.folder / NAME if lab.folder else None

    def add(self, clock: Clock, now_ns: int, line: str) -> None:
        """Keeps one line."""
        if self._path is None:
            return
        said = {"time": now_ns, "node": clock.node, "program": clock.program, "line": line}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(said) + "\n")
