"""Processes that have to be gone when what started them is."""

from __future__ import annotations

import time
from pathlib import Path


def below(pid: int) -> list[int]:
    """The processes below a process, the nearest first."""
    found = [pid]
    for one in found:
        try:
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:  # it has just ended
            continue
    return found[1:]


def left(pids: list[int], seconds: float = 20) -> list[int]:
    """Those that still run after a while; what has ended and was not waited for counts as gone."""
    end = time.monotonic() + seconds
    while (running := list(filter(_runs, pids))) and time.monotonic() < end:
        time.sleep(0.05)
    return running


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
