"""The record of every command that was run on the lab's nodes."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path


class Transcript:
    """Appends one JSON object for each command to a file, as it ends; without a file it keeps nothing.

    Args:
        path: ``transcript.jsonl`` of a run folder, or None.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("a", encoding="utf-8") if path else None

    def add(
        self,
        node: str,
        argv: Sequence[str],
        *,
        lab_time_ns: int,
        returncode: int | None,
        seconds: float,
        stderr: str = "",
    ) -> None:
        """Records a command: when (wall and lab time), where, what, how it ended; None if it was only started."""
        if self._file is None:
            return
        record = {
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            "lab_time_ns": lab_time_ns,
            "node": node,
            "argv": list(argv),
            "returncode": returncode,
            "seconds": round(seconds, 4),
            "stderr": stderr[-2000:],
        }
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Closes the file; what was recorded stays."""
        if self._file is not None:
            self._file.close()
            self._file = None
