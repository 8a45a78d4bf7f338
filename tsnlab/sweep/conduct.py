"""A sweep carried out: what has been measured before, what is left, and how it goes on whatever happens."""

from __future__ import annotations

import json
import os
import secrets
import signal
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from tsnlab import notebook
from tsnlab.errors import ConfigError
from tsnlab.folder import RESULTS, RunFolder, now, results_folder
from tsnlab.journal import JOURNAL
from tsnlab.kept import VARIABLE
from tsnlab.lab import LabFile, load_lab_file
from tsnlab.progress import progress
from tsnlab.report.catalogue import catalogue
from tsnlab.run import lab_file_of, lab_source, prepare
from tsnlab.sweep.page import make_page
from tsnlab.sweep.plan import Plan, Point
from tsnlab.sweep.pool import LocalPool, Pool
from tsnlab.sweep.table import MEASURED, SWEEP_JSON, is_measured, row
from tsnlab.sweep.task import Outcome, Task
from tsnlab.teardown import restore

_PREFIX = "sweep-"


@dataclass(frozen=True)
class Sweep:
    """How far a sweep is; computed from the runs in its results folder.

    Attributes:
        plan: its points.
        folder: where its table is kept.
        runs: the run.json of the latest run of each point that was begun, by key; measured ones before others.
    """

    plan: Plan
    folder: Path
    runs: Mapping[str, Mapping[str, Any]]

    @property
    def left(self) -> list[Point]:
        """The points that have not been measured yet, in the order in which they are."""
        return [point for point in self.plan.points if not is_measured(self.runs.get(point.key, {}))]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of its table, see `tsnlab.sweep.table`."""
        return [row(_point_json(point), self.runs.get(point.key)) for point in self.plan.points]


def conduct(
    plan: Plan,
    results: str | Path = RESULTS,
    *,
    jobs: int | None = None,
    scheduler: str = "",
    again: bool = False,
    show: bool = True,
) -> Sweep:
    """Measures the points of a plan that have not been measured yet, and writes the sweep's table.

    A point that ends with an error is recorded with it, and tried again the next time. Ctrl-C and SIGTERM
    interrupt the points that are being measured; the table of what there is, is written all the same.

    Args:
        plan: see :func:`tsnlab.sweep.load_plan`.
        results: where the run folders and the sweep's own folder are made.
        jobs: points measured at the same time; None for all cores, or 1 where points would disturb each other.
        scheduler: address of a Dask scheduler, such as tcp://host:8786, whose cluster measures instead of this machine.
        again: whether points that have been measured before are measured anew.
        show: whether progress is shown.

    Raises:
        ConfigError, KernelBuildError: the lab file or the lab's kernel, see :func:`tsnlab.run.prepare`; or the points
            are to be measured at the same time on a lab where they would disturb each other, or the cluster is not
            ready, see :class:`tsnlab.sweep.cluster.Cluster`.
        KeyboardInterrupt: it was interrupted.
    """
    machines = _machines(plan, jobs, scheduler)
    prepare(plan.notebook, plan.points[0].values, show=show)
    where = results_folder(results)
    before = look(plan, where)
    before.folder.mkdir(parents=True, exist_ok=True)
    (before.folder / SWEEP_JSON).write_text(json.dumps(_about(plan), indent=1) + "\n", encoding="utf-8")
    points = list(plan.points) if again else before.left
    sources: dict[str | None, str | None] = {file: lab_source(file) for file in _lab_files(plan)}
    known = notebook.parameters(plan.notebook)
    tasks = [_task(plan, point, sources.get(lab_file_of(known, point.values)), where) for point in points]
    if machines:
        _give_back(plan, where, machines)
    # the setup of machines is kept from point to point, and given back after the last
    kept = before.folder / JOURNAL
    whole = False
    try:
        with _stopped_by_signals():
            environment = {VARIABLE: str(kept)} if machines else {}
            count = min(jobs or default_jobs(plan), max(1, len(tasks)))
            pool = _cluster(scheduler, before.folder) if scheduler else LocalPool(count, environment)
            with closing(pool):
                _measure(plan, pool, tasks, show)
            whole = True
    finally:
        if machines and kept.is_file():
            restore(before.folder, machines)
        # who interrupts it does not want to wait for figures
        make_page(before.folder, figures=whole)
    return look(plan, where)


def look(plan: Plan, results: str | Path = RESULTS) -> Sweep:
    """How far a sweep is, without doing anything for it."""
    where = results_folder(results)
    wanted = {point.key for point in plan.points}
    runs: dict[str, Mapping[str, Any]] = {}
    for run in catalogue(where) if where.is_dir() else []:
        key = run.get("key", "")
        # a later attempt that failed does not undo an earlier one that did not
        if key in wanted and (is_measured(run) or not is_measured(runs.get(key, {}))):
            runs[key] = run
    return Sweep(plan, where / f"{_PREFIX}{plan.name}", runs)


def default_jobs(plan: Plan) -> int:
    """All cores where time is simulated, as labs then cannot disturb each other; 1 by the wall clock."""
    simulated = all(lab.kind == "virtual" and lab.kernel == "built" for lab in map(load_lab_file, _lab_files(plan)))
    return len(os.sched_getaffinity(0)) if simulated else 1


def _machines(plan: Plan, jobs: int | None, scheduler: str) -> LabFile | None:
    """The lab of real machines that the points are measured on, if it is one: there is one of each machine."""
    labs = [load_lab_file(file) for file in _lab_files(plan)]
    real = next((lab for lab in labs if lab.kind == "hardware"), None)
    if real is not None and (scheduler or (jobs or 1) > 1):
        raise ConfigError(
            f"lab {real.name} is of real machines: its points are measured one after the other, from here"
        )
    if real is not None and len(labs) > 1:
        raise ConfigError(f"lab {real.name} is of real machines: a sweep of several labs is one of virtual labs")
    return real


def _give_back(plan: Plan, results: Path, machines: LabFile) -> None:
    """Undoes what a sweep that was killed in the middle of a point has left on the machines.

    Raises:
        ConfigError: its worker has not ended yet, or it was not killed at all.
    """
    for journal in results.glob(f"{plan.notebook.stem}-*/{JOURNAL}"):
        run = RunFolder(journal.parent).settle()
        if run.get("sweep", {}).get("name") != plan.name:
            continue
        if run["status"] == "running":
            raise ConfigError(f"{journal.parent}: this point is being measured by another process; wait for its end")
        restore(journal.parent, machines)


def _lab_files(plan: Plan) -> list[str]:
    known = notebook.parameters(plan.notebook)
    found = {lab_file_of(known, point.values) for point in plan.points}
    return sorted(file for file in found if file is not None)


def _cluster(address: str, folder: Path) -> Pool:
    from tsnlab.sweep.cluster import Cluster

    return Cluster(address, str(folder))


def _measure(plan: Plan, pool: Pool, tasks: Sequence[Task], show: bool) -> None:
    failed = 0
    with progress(len(tasks), plan.name, "points", show=show) as bar:
        for outcome in pool.run(tasks):
            failed += outcome.status not in MEASURED
            bar.set_description_str(f"{plan.name}, {failed} with errors" if failed else plan.name, refresh=False)
            bar.update()
            if show and outcome.status not in MEASURED:
                bar.write(_explained(outcome), file=sys.stderr)


def _explained(outcome: Outcome) -> str:
    """An error in one line, said when it happens: a night is long."""
    first, *_ = [*outcome.error.splitlines(), ""]
    return f"{outcome.run or 'a point'}: {outcome.status}: {first}"


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP are taken like Ctrl-C, so that a sweep ends in order; what is ignored stays ignored."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signals = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) == signal.SIG_DFL]
    for one in signals:
        signal.signal(one, stop)
    try:
        yield
    finally:
        for one in signals:
            signal.signal(one, signal.SIG_DFL)


def _task(plan: Plan, point: Point, lab_source: str | None, results: Path) -> Task:
    token = secrets.token_hex(8)
    about = {"name": plan.name, "point": point.number, "axes": dict(point.axes), "token": token}
    marks = {"key": point.key, "sweep": about, "lab_source": lab_source}
    return Task(plan.notebook, point.values, results, marks, token)


def _about(plan: Plan) -> dict[str, Any]:
    points = [_point_json(point) for point in plan.points]
    axes = {name: list(values) for name, values in plan.axes.items()}
    about = {"name": plan.name, "title": plan.title, "indicator": plan.indicator, "notebook": plan.notebook.stem}
    return {**about, "written": now(), "axes": axes, "points": points}


def _point_json(point: Point) -> dict[str, Any]:
    return {"number": point.number, "axes": dict(point.axes), "values": dict(point.values), "key": point.key}


def seconds_per_point(plan: Plan, known: Sequence[Mapping[str, Any]]) -> float | None:
    """What a point may take: the median of earlier runs of its notebook, those of as many packets first.

    Args:
        plan: the sweep.
        known: the run.json of earlier runs.
    """
    runs = [run for run in known if run.get("case") == plan.notebook.stem and is_measured(run)]
    packets = plan.points[0].values.get("packets")
    alike = [run for run in runs if run["parameters"].get("packets") == packets]
    # a run in a sweep costs less than one for itself
    swept = [run for run in alike if "sweep" in run]
    seconds = [run["seconds"] for run in swept or alike or runs]
    return statistics.median(seconds) if seconds else None
