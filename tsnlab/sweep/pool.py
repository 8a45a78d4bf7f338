"""Who measures the points of a sweep: all cores of this machine, or a cluster of Dask; the same work in both places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Protocol

from tsnlab.closing import Closing
from tsnlab.sweep.task import Outcome, Task
from tsnlab.sweep.worker import Crew


class Pool(Protocol):
    """Takes points, gives outcomes; whatever dies on the way costs its point one repetition."""

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Measures all tasks, and gives each outcome as soon as it is there."""

    def close(self) -> None:
        """Interrupts what is being measured, and leaves nothing running."""


class LocalPool(Closing):
    """Workers on this machine.

    Args:
        jobs: how many at most.
        environment: variables that they have beside those of this process.
    """

    def __init__(self, jobs: int, environment: Mapping[str, str] | None = None) -> None:
        self._crew = Crew(environment)
        # a thread for each worker does nothing but wait for it
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="sweep")

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """See :meth:`Pool.run`."""
        for future in as_completed([self._threads.submit(self._crew.measure, task) for task in tasks]):
            yield future.result()

    def close(self) -> None:
        """See :meth:`Pool.close`."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._crew.close()
