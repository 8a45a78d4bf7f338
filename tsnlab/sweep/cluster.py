"""A cluster of Dask's distributed scheduler that measures points; `pip install tsnlab[dask]`, also on its workers.

A worker of the cluster keeps a crew for each sweep, as this machine does for its own. The cluster needs the folders of
this machine: the notebooks and params, the results folder, the lab's kernel in its cache.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tsnlab import revision
from tsnlab.closing import Closing
from tsnlab.errors import ConfigError
from tsnlab.sweep.task import Outcome, Task
from tsnlab.sweep.worker import Crew

_CONNECT_S = 10
_BEGUN = ".begun"
"""Folder in that of the sweep: the points that a worker of the cluster has begun."""

_crews: dict[str, Crew] = {}
"""On a worker of the cluster: the crews of the sweeps that it measures points of."""


class Cluster(Closing):
    """A running cluster.

    Args:
        address: of its scheduler: `tcp://host:8786`.
        sweep: what distinguishes the sweep from others on the same cluster: its folder.

    Raises:
        ConfigError: Dask is not installed, no scheduler answers, it has no worker, or one of them has other code.
    """

    def __init__(self, address: str, sweep: str) -> None:
        try:
            import distributed
        except ImportError as error:
            raise ConfigError("--scheduler needs Dask: pip install 'tsnlab[dask]'") from error
        self._sweep = sweep
        self._futures: list[Any] = []
        try:
            self._client: Any = distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            start = "start one with `dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`"
            raise ConfigError(f"no scheduler of Dask answers at {address}: {error}; {start}") from error
        try:
            self._check(address)
            # a sweep that was killed cannot interrupt what it has begun here
            self._on_every_worker(_close, sweep)
        except BaseException:
            self._client.close()
            raise

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """See :meth:`tsnlab.sweep.pool.Pool.run`; a worker that dies has its points measured by another."""
        from distributed import as_completed

        self._futures = [self._client.submit(_measure, self._sweep, task, pure=False) for task in tasks]
        for future in as_completed(self._futures, loop=self._client.loop):
            error = future.exception()
            yield future.result() if error is None else Outcome("error", error=f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """See :meth:`tsnlab.sweep.pool.Pool.close`; the cluster itself goes on."""
        self._client.cancel(self._futures)
        self._client.run(_close, self._sweep, on_error="ignore")
        self._client.close()
        shutil.rmtree(Path(self._sweep) / _BEGUN, ignore_errors=True)

    def _check(self, address: str) -> None:
        """Whether the workers would measure what this machine would."""
        try:
            digests = self._on_every_worker(_digest)
        except ImportError as error:
            raise ConfigError(
                f"{address}: a worker cannot import tsnlab ({error}); install it there as well"
            ) from error
        except OSError as error:
            raise ConfigError(f"{address}: a worker does not answer: {error}") from error
        if not digests:
            raise ConfigError(f"{address}: has no workers; start them with `dask worker {address} --nthreads 1`")
        for worker, digest in digests.items():
            if digest != revision.code_digest():
                raise ConfigError(
                    f"worker {worker} of {address} has other code than this machine; start it anew with it"
                )

    def _on_every_worker(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        return dict(self._client.run(function, *arguments))


def _measure(sweep: str, task: Task) -> Outcome:
    """On a worker. What it gives lives there, too: when the worker dies, Dask asks another one for all of it again."""
    mark = Path(sweep) / _BEGUN / task.token
    mark.parent.mkdir(exist_ok=True)
    before = task.concluded() if mark.exists() else None
    mark.touch()
    return before or _crews.setdefault(sweep, Crew()).measure(task)


def _close(sweep: str) -> None:
    if crew := _crews.pop(sweep, None):
        crew.close()


def _digest() -> str:
    return revision.code_digest()
