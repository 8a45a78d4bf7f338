"""A text file of a node that a step brings into a wanted state; what was there is kept for the undo."""

from __future__ import annotations

import difflib

from tsnlab.errors import StepError
from tsnlab.hosts import Host
from tsnlab.place import Place
from tsnlab.steps import Doing

_RESTORE = 'rm -f "$0.part"; [ ! -e "$0" ] || mv -f "$0" "$1"'


def read(host: Host, path: str) -> str | None:
    """The content of a file; None if there is none."""
    found = host.run(["cat", "--", path], check=False)
    return found.stdout if found.returncode == 0 else None


def write(lab: Place, node: str, doing: Doing, path: str, wanted: str, kept: str | None = None) -> str | None:
    """Writes a file unless it is as wanted, notes how that is undone, and reads it back.

    Args:
        doing: the step that it belongs to, which shows the difference.
        kept: where what was there is kept; None for beside it.

    Returns:
        The content before; None if there was no such file.

    Raises:
        CommandError: it cannot be written, for want of room or rights; it is as it was.
        StepError: it is not as it was written.
    """
    before = read(doing.host, path)
    if before == wanted:
        return before
    kept = kept or f"{path}.before-tsnlab"
    if before is None:
        lab.journal.will_change(node, ["rm", "-f", path])
        doing.run(["mkdir", "-p", path.rpartition("/")[0]])
    else:
        lab.journal.will_change(node, ["sh", "-c", _RESTORE, kept, path])
        # by another name until it is whole: a full disk must not make the undo put half a file back
        doing.run(["cp", "-p", path, f"{kept}.part"])
        doing.run(["mv", f"{kept}.part", kept])
    doing.host.write_text(path, wanted)
    doing.commands.append(diff(before or "", wanted, path))
    if read(doing.host, path) != wanted:
        raise StepError(f"{node}: {path} is not as it was written; is something else managing it?")
    return before


def diff(before: str, after: str, where: str) -> str:
    """The lines that differ, as ``diff -u`` shows them; all of them for a new file."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), where, where, lineterm="", n=1)
    return "\n".join(lines) if before else f"# {where}\n{after}".rstrip()
