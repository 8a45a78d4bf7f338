"""What the steps changed, and how it is undone: kept on disk, unwound newest first."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tsnlab.errors import ConfigError, DeadlineError, HostError, TsnlabError
from tsnlab.hosts import Host, Result

JOURNAL = "journal.jsonl"
"""Its file in a run folder: there while something is to be taken back when the run ends, however it ends."""

LEFT = "left.jsonl"
"""The same of changes that stay on purpose: only `tsnlab undo` takes them back."""


class Journal:
    """Undo commands, written before the change they undo.

    Args:
        path: ``journal.jsonl`` of a run folder; None keeps them in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._undo: list[tuple[str, tuple[str, ...]]] = []
        self._left = False

    def will_change(self, node: str, undo: Sequence[str]) -> None:
        """Notes the command that will undo the change a step is about to make."""
        self._undo.append((node, tuple(undo)))
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"node": node, "undo": list(undo)}) + "\n")
                # the change follows at once, and may be what takes the power or the network away
                file.flush()
                os.fsync(file.fileno())

    @classmethod
    def read(cls, path: Path) -> Journal:
        """The journal that an earlier process has left behind.

        Raises:
            ConfigError: there is none, or it is not a journal.
        """
        journal = cls(path)
        try:
            # what comes after the last end of a line was cut short, and then the change was not begun
            lines = path.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
            journal._undo = [(entry["node"], tuple(entry["undo"])) for entry in map(json.loads, lines)]
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}; nothing is to be undone, or it has been") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path}: not a journal of tsnlab: {error}") from error
        return journal

    def move(self, path: Path | None) -> None:
        """Keeps it on disk in another place from now on; the old one goes when the new one is there."""
        before, self._path = self._path, path
        self._keep(self._undo)
        if before is not None and before != path:
            before.unlink(missing_ok=True)

    def unwind(self, host: Callable[[str], Host]) -> None:
        """Runs the undo commands, newest first; one that fails does not keep the others from being run.

        Changes that were left (:meth:`leave`) stay.

        Raises:
            CommandError: the first that failed, after all were tried.
            HostError, DeadlineError: a node did not answer; what is to be undone there stays in the journal.
        """
        if self._left:
            return
        failed: list[Result] = []
        lost: list[tuple[tuple[str, tuple[str, ...]], TsnlabError]] = []
        while self._undo:
            node, argv = entry = self._undo.pop()
            try:
                result = host(node).run(argv, check=False)
            except (HostError, DeadlineError) as error:
                lost.insert(0, (entry, error))
                continue
            if result.returncode != 0:
                failed.append(result)
        self._keep([entry for entry, _ in lost])
        if lost:
            raise lost[-1][1]
        if failed:
            failed[0].check("the lab may not be as it was; see its transcript")

    def _keep(self, entries: list[tuple[str, tuple[str, ...]]]) -> None:
        """Has nothing but these entries left, in memory and on disk."""
        self._undo = entries
        if self._path is None:
            return
        if not entries:
            self._path.unlink(missing_ok=True)
            return
        draft = self._path.with_suffix(".draft")
        lines = [json.dumps({"node": node, "undo": list(undo)}) + "\n" for node, undo in entries]
        draft.write_text("".join(lines), encoding="utf-8")
        draft.replace(self._path)

    def leave(self) -> int:
        """Has what was changed stay; how it is undone stays on disk beside the journal, for `tsnlab undo`.

        Returns:
            How many changes stay.
        """
        if self._path is not None and self._undo:
            self.move(self._path.with_name(LEFT))
        self._left = True
        return len(self._undo)

    @property
    def entries(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Node and undo command of each change, in the order in which they would be run: the newest first."""
        return tuple(reversed(self._undo))

    def __len__(self) -> int:
        return len(self._undo)
