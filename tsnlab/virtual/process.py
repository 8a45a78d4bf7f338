"""The lab's kernel as a process of this machine: started, stopped, continued, and never left behind."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tsnlab.deadline import Deadline

# Kills the kernel's process group and removes its folder as soon as the controlling process is gone, however it
# went: then this shell's standard input, a pipe that only the controlling process holds open, comes to its end.
_WARDEN = 'cat >/dev/null; kill -KILL -- "-$1" 2>/dev/null; rm -rf -- "$2"'

_PIPE_BYTES = 1 << 20

_DYING_S = 1.0
"""So long the rest of a killed group is waited for at most."""


class KernelProcess:
    """A running user-mode kernel and the pipes it writes to.

    Args:
        argv: the kernel and its parameters; ``{line}`` in them becomes the serial line's file descriptors.
        folder: its private folder, and its working directory; removed when it is gone.
        environment: what is added to an almost empty environment.

    Attributes:
        console: read end of what the kernel prints, non-blocking.
        line: read end of what the agent sends, non-blocking.
    """

    def __init__(self, argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.console, console_end = _pipe()
        self.line, line_end = _pipe()
        # nothing is ever written to it: the kernel's console and line only want something to listen to
        silent, self._silent_end = os.pipe()
        fds = f"fd:{silent},fd:{line_end}"
        self._process = subprocess.Popen(
            [word.replace("{line}", fds) for word in argv],
            stdin=silent,
            stdout=console_end,
            stderr=console_end,
            pass_fds=(silent, line_end),
            cwd=folder,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(folder), **environment},
        )
        self._warden = subprocess.Popen(
            ["/bin/sh", "-c", _WARDEN, "warden", str(self._process.pid), str(folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        for descriptor in (silent, console_end, line_end):
            os.close(descriptor)

    @property
    def pid(self) -> int:
        """Process id, and id of the process group of everything that belongs to it."""
        return self._process.pid

    def resume(self) -> None:
        """Continues it after :meth:`freeze`."""
        self._process.send_signal(signal.SIGCONT)

    def freeze(self) -> None:
        """Stops it where it is; it uses no processor time until it is continued.

        Only the kernel itself: its traced children stand still with it, and a signal to them would be taken for
        one of the guest's.
        """
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> int:
        """Ends it at once; returns its exit status, negative for a signal."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        # the guest's processes die by the same signal, a moment later
        deadline = Deadline(_DYING_S)
        while _is_alive(self._process.pid) and not deadline.expired:
            time.sleep(0.002)
        return status

    def close(self) -> None:
        """Ends it and everything that belongs to it."""
        self.kill()
        assert self._warden.stdin is not None
        self._warden.stdin.close()
        self._warden.wait()
        for descriptor in (self.console, self.line, self._silent_end):
            os.close(descriptor)


def _is_alive(group: int) -> bool:
    """Whether a process group has a member that is more than a zombie (proc(5): state and group in stat)."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _parent, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                return True
    return False


def read_available(descriptor: int) -> bytes | None:
    """What can be read now from a non-blocking descriptor; None at the end of the stream."""
    chunks: list[bytes] = []
    while True:
        try:
            data = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return b"".join(chunks)
        if not data:
            return b"".join(chunks) or None
        chunks.append(data)


def _pipe() -> tuple[int, int]:
    """A pipe that takes what a guest prints between two looks at it; a pipe, because epoll wants no file."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    with suppress(PermissionError):  # the user's limit on pipe memory is reached: a small pipe works, too
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return read_end, write_end
