"""The workers of a sweep on this machine: a point goes to whichever is free, and outlives a worker that dies."""

from __future__ import annotations

import multiprocessing
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from tsnlab.closing import Closing
from tsnlab.sweep.worker import Outcome, Task, serve

_LIVES = 2
"""How often a point may be begun: a worker that dies costs its point one repetition."""

_STOP_S = 30.0
"""How long an interrupted point may take to keep its packets and close its lab."""


@dataclass
class _Worker:
    process: BaseProcess
    channel: Connection
    task: Task | None = None
    attempt: int = 0
    began: float = 0.0

    def give(self, task: Task, attempt: int) -> None:
        self.task, self.attempt, self.began = task, attempt, time.monotonic()
        # a worker that has died meanwhile is found dead when its outcome is waited for
        with suppress(BrokenPipeError):
            self.channel.send(task)

    def take(self) -> Outcome:
        """What the worker says; or that it has died."""
        seconds = time.monotonic() - self.began
        try:
            outcome = self.channel.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            why = f"the worker process died (exit code {self.process.exitcode})"
            return Outcome("error", error=why, seconds=seconds, died=True)
        assert isinstance(outcome, Outcome)
        return outcome


class Pool(Closing):
    """Worker processes.

    Args:
        jobs: how many at most.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        # not forked: a worker is to start without this process' threads and sockets
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Outcome]]:
        """Measures all tasks, and gives each with its outcome as soon as it has one."""
        waiting = deque((task, 1) for task in tasks)
        while waiting or any(worker.task for worker in self._workers):
            self._hand_out(waiting)
            busy = [worker for worker in self._workers if worker.task]
            ready = wait([worker.channel for worker in busy])
            for worker in busy:
                if worker.channel not in ready or worker.task is None:
                    continue
                outcome, task = worker.take(), worker.task
                worker.task = None
                if not worker.process.is_alive():
                    self._workers.remove(worker)
                if outcome.died and worker.attempt < _LIVES:
                    waiting.appendleft((task, worker.attempt + 1))
                else:
                    yield task, outcome

    def close(self) -> None:
        """Ends all workers; one in the middle of a point interrupts it, as Ctrl-C would."""
        for worker in self._workers:
            if worker.task:
                worker.process.terminate()
            with suppress(BrokenPipeError):
                worker.channel.send(None)
        for worker in self._workers:
            worker.process.join(_STOP_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.channel.close()
        self._workers.clear()

    def _hand_out(self, waiting: deque[tuple[Task, int]]) -> None:
        while waiting:
            worker = next((one for one in self._workers if one.task is None), None)
            if worker is None and len(self._workers) == self._jobs:
                return
            (worker or self._start()).give(*waiting.popleft())

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs,), name="tsnlab-sweep-worker")
        process.start()
        # only the worker holds its end, so that its death is the end of the file
        theirs.close()
        self._workers.append(_Worker(process, ours))
        return self._workers[-1]
