"""What the steps changed, and how it is undone: kept on disk, unwound newest first."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tsnlab.hosts import Host


class Journal:
    """Undo commands, written before the change they undo.

    Args:
        path: ``journal.jsonl`` of a run folder; None keeps them in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._undo: list[tuple[str, tuple[str, ...]]] = []

    def will_change(self, node: str, undo: Sequence[str]) -> None:
        """Notes the command that will undo the change a step is about to make."""
        self._undo.append((node, tuple(undo)))
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"node": node, "undo": list(undo)}) + "\n")
                # the change follows at once, and may be what takes the power or the network away
                file.flush()
                os.fsync(file.fileno())

    def unwind(self, host: Callable[[str], Host]) -> None:
        """Runs the undo commands, newest first; one that fails does not keep the others from being run.

        Raises:
            CommandError: the first that failed, after all were tried.
        """
        failed = []
        while self._undo:
            node, argv = self._undo.pop()
            result = host(node).run(argv, check=False)
            if result.returncode != 0:
                failed.append(result)
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        if failed:
            failed[0].check("the lab may not be as it was; see its transcript")

    def __len__(self) -> int:
        return len(self._undo)
