"""The process of a worker: a warm kernel that measures one point after another.

It holds nothing that matters: whatever becomes of it, the sweep knows from the run folders where it was.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from tsnlab import notebook
from tsnlab.closing import Closing
from tsnlab.errors import TsnlabError
from tsnlab.folder import RunFolder
from tsnlab.sweep.table import MEASURED
from tsnlab.sweep.task import Outcome, Task
from tsnlab.teardown import restore_if_needed
from tsnlab.ticker import Ticker

if TYPE_CHECKING:
    from tsnlab.engine import WarmKernel

_RUNS_OF_A_KERNEL = 100
"""After so many a kernel is replaced: what a library may leak stays bounded."""

IDLE_S = 60.0
"""Who has had nothing to do for so long ends: the sweep may be gone, on a cluster whose workers go on."""


class Bench(Closing):
    """Where points are measured one after the other, in a kernel that is kept while it is as good as new."""

    def __init__(self) -> None:
        self._warm: WarmKernel | None = None
        self._runs = 0

    def measure(self, task: Task) -> Outcome:
        """Measures a point; what goes wrong is told, never raised."""
        from tsnlab.run import carry_out, lab_file_of

        ticker = Ticker(task.notebook.stem, {}, show=False)
        warm = self._kernel()
        try:
            path = carry_out(task.notebook, task.values, task.results, ticker, marks=task.marks, warm=warm)
            content = RunFolder(path).read()
        except TsnlabError as error:
            self.close()
            return Outcome("error", error=str(error))
        died = content["status"] == "error" and not _alive(warm)
        if content["status"] not in MEASURED or self._runs >= _RUNS_OF_A_KERNEL:
            self.close()
            restore_if_needed(path, lab_file_of(notebook.parameters(task.notebook), task.values))
        return Outcome(content["status"], path.name, content["error"], died)

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


def serve(descriptor: int) -> None:
    """The life of a worker's process: tasks come in, outcomes go out, until None comes.

    Args:
        descriptor: of the socket to whoever has started it.
    """
    # Ctrl-C reaches the whole process group; the sweep decides who has to stop, and says so with SIGTERM
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = Connection(descriptor)
    tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(channel, tasks), daemon=True).start()
    with Bench() as bench:
        while (task := _next(tasks)) is not None:
            channel.send(bench.measure(task))


def _next(tasks: queue.SimpleQueue[Task | None]) -> Task | None:
    try:
        return tasks.get(timeout=IDLE_S)
    except queue.Empty:
        return None


def _listen(channel: Connection, tasks: queue.SimpleQueue[Task | None]) -> None:
    """A sweep that was killed cannot stop its workers; the kernel of the notebook follows, and its lab with it."""
    try:
        while True:
            tasks.put(channel.recv())
    except (EOFError, OSError):
        os._exit(1)


def _alive(warm: WarmKernel) -> bool:
    from jupyter_core.utils import run_sync

    return bool(warm.manager.has_kernel and run_sync(warm.manager.is_alive)())
