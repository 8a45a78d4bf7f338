"""The shell script that stands over every command on a real machine, so that none outlives the lab.

SSH without a terminal does not end a command whose connection is gone, and `docker exec` and sudo do not pass signals
on. So a command runs in a process group of its own, beside a watcher that reads the session's standard input: a line
there is the name of a signal for the group, and its end, however it came, ends the group.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence

GUARD = """\
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" LC_ALL=C; export PATH LC_ALL
exec 3<&0
printf %s "$0" >&2
setsid "$@" </dev/null 3<&- &
child=$!
tell() { kill -s "$1" -- "-$child" || kill -s "$1" "$child"; }
{
  while read -r name <&3; do tell "$name"; done
  tell TERM; sleep 2; tell KILL
} >/dev/null 2>&1 &
watcher=$!
exec 3<&- >/dev/null 2>&1
wait "$child"
status=$?
kill -s KILL "$watcher"
exit "$status"
"""
"""A POSIX shell script; its arguments are the command, its name is what it prints on standard error when it begins.
What the command leaves running when it ends by itself lives on, as after any command of a shell."""


def guarded(argv: Sequence[str], mark: str) -> list[str]:
    """A command with the guard over it.

    Args:
        mark: is printed on standard error before all else; from then on signals can be sent.
    """
    return ["/bin/sh", "-c", GUARD, mark, *argv]


def returncode(status: int) -> int:
    """The exit status of a guarded command: a shell tells the signal that ended it as 128 and its number."""
    number = status - 128
    return -number if number in set(signal.Signals) else status
