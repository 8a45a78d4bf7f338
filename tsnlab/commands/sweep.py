"""`tsnlab sweep`: a notebook at many points."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from tsnlab.commands import Commands, add_results
from tsnlab.commands.status import ERROR, OK

if TYPE_CHECKING:
    from tsnlab.sweep import Plan, Sweep

_HELP = """\
Executes a notebook at every point of a sweep file, each into a run folder of its own, and gathers one table.
Interrupted or killed, the same command goes on where it was: a point that has been measured with the same
parameters, lab, notebook and code is not measured again. The last line of the output is the sweep's folder."""


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = commands.add_parser("sweep", help="execute a notebook at many points", description=_HELP)
    parser.add_argument("file", metavar="FILE", help="sweep file, or name of one that comes with tsnlab (etf-delta)")
    add_results(parser)
    parser.add_argument("--dry-run", action="store_true", help="show points, order and estimated time; measure nothing")
    parser.add_argument("--jobs", metavar="N", type=int, help="points at a time (all cores; 1 by the wall clock)")
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        default="",
        help="measure on a cluster of Dask (tcp://host:8786), not on this machine",
    )
    parser.add_argument("--again", action="store_true", help="measure anew what has been measured before")
    parser.set_defaults(action=_sweep)


def _sweep(arguments: argparse.Namespace) -> int:
    from tsnlab import report
    from tsnlab.sweep import conduct, load_plan

    if arguments.jobs is not None and arguments.jobs < 1:
        print("tsnlab: --jobs: expected a number of processes from 1", file=sys.stderr)
        return ERROR
    plan = load_plan(arguments.file)
    if arguments.dry_run:
        print(_preview(plan, arguments))
        return OK
    options = {"jobs": arguments.jobs, "scheduler": arguments.scheduler, "again": arguments.again}
    sweep = conduct(plan, arguments.results, **options)
    print(_summary(sweep))
    print(f"{report.index(arguments.results)}\n{sweep.folder}")
    return ERROR if sweep.left else OK


def _preview(plan: Plan, arguments: argparse.Namespace) -> str:
    """Points in the order in which they will be measured, and how long that may take."""
    from tsnlab.report.catalogue import catalogue
    from tsnlab.sweep.conduct import default_jobs, look, seconds_per_point

    sweep = look(plan, arguments.results)
    left = plan.points if arguments.again else sweep.left
    lines = [f"{plan.title}: {len(plan.points)} points of {plan.notebook.stem}, {len(left)} to measure"]
    lines += [f"  {point.number:4}  {point}{'' if point in left else '   (measured)'}" for point in plan.points]
    results = sweep.folder.parent
    seconds = seconds_per_point(plan, catalogue(results) if results.is_dir() else [])
    jobs = arguments.jobs or default_jobs(plan)
    if seconds is None:
        return "\n".join([*lines, "estimated time: not known, as this notebook has not been run here yet"])
    total = seconds * -(-len(left) // jobs)
    return "\n".join([*lines, f"estimated time: {_clock(total)}, {jobs} at a time, {seconds:.1f} s each"])


def _summary(sweep: Sweep) -> str:
    statuses = [row["status"] for row in sweep.rows]
    counts = {"measured, all limits hold": "done", "measured, a limit does not hold": "failed"}
    lines = [f"{statuses.count(status):5}  {what}" for what, status in counts.items() if status in statuses]
    for row in sweep.rows:
        if row["status"] not in counts.values():
            lines.append(
                f"point {row['point']}: {row['status']}: {row['error'].splitlines()[0] if row['error'] else ''}"
            )
    return "\n".join([sweep.plan.title, *lines])


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
