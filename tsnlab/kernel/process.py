"""Running the tools of the build: never left behind, and all they say is kept in the build log."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from tsnlab.errors import KernelBuildError

_TAIL_LINES = 15


@contextmanager
def running(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, which is ended with all its children when the block is left early."""
    process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, process_group=0)
    finished = False
    try:
        yield process
        process.wait()
        finished = True
    finally:
        if not finished:
            # children may be left although the process itself has ended, or nothing at all
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout:
            process.stdout.close()


def run_logged(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    on_line: Callable[[str], object] = str,
) -> None:
    """Runs a command to its end, adds what it says to the log and gives each line to `on_line`.

    Raises:
        KernelBuildError: it failed; the message has the end of the log and its path.
    """
    with (
        log.open("ab") as words,
        running(argv, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process,
    ):
        for line in cast(IO[bytes], process.stdout):
            words.write(line)
            on_line(line.decode(errors="replace"))
    if process.returncode:
        raise KernelBuildError(f"`{' '.join(argv)}` failed; the log {log} ends with:\n{tail(log)}")


def tail(log: Path) -> str:
    """The last lines of a log, indented for a message."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
    return "\n".join(f"  {line}" for line in lines)
