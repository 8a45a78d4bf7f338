"""The process that a run belongs to, so that a run whose process was killed can be told from one that goes on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_START_TIME = 19
"""Place of `starttime` among the fields of /proc/PID/stat after the name. Source: proc_pid_stat(5), field 22."""


def this_process() -> dict[str, Any]:
    """What identifies this process for as long as a file may be kept: its number alone is used again."""
    pid = os.getpid()
    return {"host": platform.node(), "boot": _boot(), "namespace": _namespace(), "pid": pid, "began": _began(pid)}


def is_gone(owner: Mapping[str, Any]) -> bool:
    """Whether a process has certainly ended; False where that cannot be seen from here, as on another host."""
    if owner.get("host") != platform.node():
        return False
    if owner.get("boot") != _boot():
        return True  # the host has been started again since
    if owner.get("namespace") != _namespace():
        return False  # in a container: its numbers mean nothing here
    return bool(_began(owner["pid"]) != owner["began"])


def _boot() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip()


def _namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())


def _began(pid: int) -> int | None:
    """When a process was started, in clock ticks since boot; None if there is none, or only its remains."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else int(fields[_START_TIME - 1])
