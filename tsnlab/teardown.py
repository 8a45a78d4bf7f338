"""The nodes of a hardware lab given back as they were, from the journal that a run has left, whoever ran it."""

from __future__ import annotations

from pathlib import Path

from tsnlab.journal import JOURNAL, LEFT, Journal
from tsnlab.lab import LabFile, load_lab_file


def restore(folder: Path, spec: LabFile) -> int:
    """Takes back what a run has changed on the nodes of a hardware lab; gives how many changes that were.

    Args:
        folder: the run folder; the process that ran it has ended. Without a journal, what it left on purpose counts.
        spec: the lab.

    Raises:
        ConfigError: its journal is not readable.
        CommandError, HostError, DeadlineError: see :meth:`tsnlab.journal.Journal.unwind`.
    """
    from tsnlab.hardware import HardwareLab

    left = folder / LEFT
    journal = Journal.read(left if left.is_file() and not (folder / JOURNAL).is_file() else folder / JOURNAL)
    count = len(journal)
    with HardwareLab(spec) as lab:
        lab.journal = journal
        lab.undo()
    return count


def restore_if_needed(folder: Path, lab_file: str | None) -> None:
    """The same where there is something to restore: a run closes its lab itself, unless its kernel was killed."""
    if lab_file is None or not (folder / JOURNAL).is_file():
        return
    spec = load_lab_file(lab_file)
    if spec.kind == "hardware":
        restore(folder, spec)
