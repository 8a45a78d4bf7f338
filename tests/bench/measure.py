"""Runs a command to its end, and says how long it took and how much memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Of a whole process, start-up included: wall-clock and processor seconds, and its largest memory in MB."""

    seconds: float
    processor: float
    megabytes: float


def cost(argv: list[str]) -> Cost:
    """Runs a command with its output thrown away.

    Raises:
        RuntimeError: it failed.
    """
    start = time.perf_counter()
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{argv[:4]} failed with status {process.returncode}")
    return Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def middle(costs: list[Cost]) -> Cost:
    """The median of times, each kind by itself, and the largest memory."""
    return Cost(
        statistics.median(one.seconds for one in costs),
        statistics.median(one.processor for one in costs),
        max(one.megabytes for one in costs),
    )
