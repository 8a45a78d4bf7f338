"""Workers of a sweep on this machine: processes that measure points, and that a point outlives."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import Pipe

from tsnlab.closing import Closing
from tsnlab.sweep.task import Outcome, Task

_LIVES = 2
"""How often a point may be begun: a worker that dies costs its point one repetition."""

_STOP_S = 30.0
"""How long an interrupted point may take to keep its packets and close its lab."""

_PROGRAM = """\
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from tsnlab.sweep.bench import serve
serve({})"""


class Worker:
    """A process with a warm kernel; measures one point at a time.

    Args:
        environment: variables that it has beside those of this process.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        # a program of its own, not a fork: it is to start without this process' threads and sockets
        self._channel, theirs = Pipe()
        command = [sys.executable, "-P", "-c", _PROGRAM.format(theirs.fileno())]
        own = {**os.environ, **environment}
        self._process = subprocess.Popen(command, env=own, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        # only the process holds its end, so that its death is the end of the file
        theirs.close()
        self._busy = threading.Lock()

    @property
    def living(self) -> bool:
        """Whether it can be given a point."""
        return self._process.poll() is None

    def measure(self, task: Task) -> Outcome:
        """Measures a point; or says that the process has died over it."""
        with self._busy:
            try:
                self._channel.send(task)
                outcome = self._channel.recv()
            except (EOFError, OSError):
                why = f"the worker process died (exit code {self._process.wait()})"
                return Outcome("error", error=why, died=True)
        assert isinstance(outcome, Outcome)
        return outcome

    def interrupt(self) -> None:
        """Ends what is being measured, as Ctrl-C would, and then the process."""
        if self._busy.locked():
            self._process.terminate()
        with suppress(OSError):
            self._channel.send(None)

    def end(self) -> None:
        """Waits for the end of a process that was interrupted."""
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # whoever waits for an outcome finds out by himself
        with self._busy:
            self._channel.close()


class Crew(Closing):
    """As many workers as are asked for at the same time, by as many threads.

    Args:
        environment: variables that they have beside those of this process.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = environment or {}
        self._idle: deque[Worker] = deque()
        self._all: set[Worker] = set()
        self._lock = threading.Lock()
        self._closed = False

    def measure(self, task: Task) -> Outcome:
        """Measures a point; whoever dies over it is replaced."""
        for life in range(1, _LIVES + 1):
            worker = self._take()
            if worker is None:
                break
            outcome = worker.measure(task)
            self._give_back(worker)
            if outcome.died:
                outcome = task.concluded() or outcome
            if not outcome.died or life == _LIVES:
                return outcome
        return Outcome("interrupted", error="the sweep has ended")

    def close(self) -> None:
        """Ends all workers; a point that is being measured is interrupted, as by Ctrl-C."""
        with self._lock:
            self._closed = True
        for worker in self._all:
            worker.interrupt()
        for worker in self._all:
            worker.end()
        self._idle.clear()

    def _take(self) -> Worker | None:
        """A worker with nothing to do; None once the crew is closed."""
        with self._lock:
            if self._closed:
                return None
            # the latest first, whose kernel is the warmest
            while self._idle:
                worker = self._idle.pop()
                if worker.living:
                    return worker
                self._discard(worker)
            worker = Worker(self._environment)
            self._all.add(worker)
            return worker

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            if self._closed:
                return
            if worker.living:
                self._idle.append(worker)
            else:
                self._discard(worker)

    def _discard(self, worker: Worker) -> None:
        self._all.discard(worker)
        worker.end()
