"""A dead-man's switch on a node: a change is taken back there if nobody says in time that it can stay.

For changes that may cut the connection over which they are made: then neither the controller nor its journal can undo
them. The node itself holds the undo, with a timer of systemd's, or a process that sleeps where there is none. Whoever
removes a file first, the timer or the controller, decides.

Source: systemd-run(1), setsid(1).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tsnlab.errors import DeadlineError, HostError, StepError
from tsnlab.hosts.base import Host

_ARM = """\
file=$1; seconds=$2; unit=$3; shift 3
: >"$file" || exit
set -- sh -c 'file=$1; shift; rm "$file" 2>/dev/null && exec "$@"' deadman "$file" "$@"
if [ -d /run/systemd/system ] && systemd-run --quiet --collect --unit="$unit" --on-active="$seconds" \
    --timer-property=AccuracySec=100ms -- "$@" 2>/dev/null; then
  exit 0
fi
setsid sh -c 'sleep "$0"; exec "$@"' "$seconds" "$@" </dev/null >/dev/null 2>&1 &
echo $! >"$file"
"""

_DISARM = """\
pid=$(cat "$1" 2>/dev/null)
rm "$1" 2>/dev/null || exit 9
if [ -n "$pid" ]; then kill -- "-$pid" 2>/dev/null || kill "$pid" 2>/dev/null
else systemctl stop "$2.timer" 2>/dev/null
fi
exit 0
"""

_FIRED = 9


@contextmanager
def deadman(host: Host, undo: Sequence[str], seconds: float = 60.0) -> Iterator[None]:
    """Within the block, the node runs a command by itself unless it can be told in time that all is well.

    An error in the block that is not about the connection ends it like its end: the journal takes the change back.

    Args:
        undo: a command that may be run twice.
        seconds: so long after the beginning of the block; longer than a lost connection takes to be noticed.

    Raises:
        StepError: it was too late, and the node has taken the change back.
    """
    name = f"tsnlab-deadman-{secrets.token_hex(6)}"
    file = f"/tmp/{name}"
    host.run(["sh", "-c", _ARM, "arm", file, f"{seconds:g}", name, *undo])
    try:
        yield
    except (HostError, DeadlineError):
        # the node is not heard any more, or too slowly: what it does with the change now is the right thing
        raise
    except BaseException:
        _disarm(host, file, name)
        raise
    if _disarm(host, file, name):
        raise StepError(
            f"{host.name}: the change took longer than {seconds:g} s, so the node has taken it back by itself\n"
            "what to do: see whether the connection to it is slow, and try again"
        )


def _disarm(host: Host, file: str, name: str) -> bool:
    """Whether it was too late."""
    return host.run(["sh", "-c", _DISARM, "disarm", file, name], check=False).returncode == _FIRED
