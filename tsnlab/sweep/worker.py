"""A worker of a sweep: a process with a warm kernel that measures one point after another.

It holds nothing that matters: whatever becomes of it, the sweep knows from the run folders where it was.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsnlab.closing import Closing
from tsnlab.errors import TsnlabError
from tsnlab.folder import RunFolder
from tsnlab.ticker import Ticker

if TYPE_CHECKING:
    from tsnlab.engine import WarmKernel

_RUNS_OF_A_KERNEL = 100
"""After so many a kernel is replaced: what a library may leak stays bounded."""


@dataclass(frozen=True)
class Task:
    """A point to measure."""

    notebook: Path
    values: Mapping[str, Any]
    results: Path
    marks: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of a point: its run and status, see `tsnlab.folder`; no run if there was not even a folder."""

    status: str
    run: str = ""
    error: str = ""
    seconds: float = 0.0
    died: bool = False
    """Whether the process that measured it was killed: no fault of the point."""


class Bench(Closing):
    """Where points are measured one after the other, in a kernel that is kept while it is as good as new."""

    def __init__(self) -> None:
        self._warm: WarmKernel | None = None
        self._runs = 0

    def measure(self, task: Task) -> Outcome:
        """Measures a point; what goes wrong is told, never raised."""
        from tsnlab.run import carry_out

        ticker = Ticker(task.notebook.stem, {}, show=False)
        warm = self._kernel()
        try:
            path = carry_out(task.notebook, task.values, task.results, ticker, marks=task.marks, warm=warm)
        except TsnlabError as error:
            self.close()
            return Outcome("error", error=str(error))
        content = RunFolder(path).read()
        died = content["status"] == "error" and not _alive(warm)
        if content["status"] not in ("done", "failed") or self._runs >= _RUNS_OF_A_KERNEL:
            self.close()
        return Outcome(content["status"], path.name, content["error"], content["seconds"], died)

    def close(self) -> None:
        """Ends the kernel; the next point gets a new one."""
        if self._warm is not None:
            self._warm.close()
        self._warm = None

    def _kernel(self) -> WarmKernel:
        from tsnlab.engine import WarmKernel

        if self._warm is None:
            self._warm, self._runs = WarmKernel(), 0
        self._runs += 1
        return self._warm


def serve(channel: Connection) -> None:
    """The life of a worker process: tasks come in, outcomes go out, until None comes."""
    # Ctrl-C reaches the whole process group; the sweep decides who has to stop, and says so with SIGTERM
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_sweep, daemon=True).start()
    with Bench() as bench, suppress(EOFError):
        while (task := channel.recv()) is not None:
            channel.send(bench.measure(task))


def _end_with_the_sweep() -> None:
    """A sweep that was killed cannot stop its workers; the kernel of the notebook follows, and its lab with it."""
    sweep = multiprocessing.parent_process()
    if sweep is not None:
        wait([sweep.sentinel])
        os._exit(1)


def _alive(warm: WarmKernel) -> bool:
    from jupyter_core.utils import run_sync

    return bool(warm.manager.has_kernel and run_sync(warm.manager.is_alive)())
