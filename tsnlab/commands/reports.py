"""`tsnlab report`, `results`, `rerun`, `publish`, `index`: what has been measured, to read, to repeat, to give away."""

from __future__ import annotations

import argparse
from pathlib import Path

from tsnlab.commands import Commands, add_results
from tsnlab.commands.status import OK, VERDICT_FAILED, exit_status

_REPORT_HELP = """\
Writes the report of each run anew; of several runs a comparison as well, in the current folder or where --to says;
of a sweep its table and report. The last line of the output is the page."""


def add(commands: Commands) -> None:
    """Adds the commands."""
    _add_report(commands)
    _add_list(commands)
    repeat = commands.add_parser("rerun", help="repeat a run with its stored parameters and compare")
    repeat.add_argument("run", metavar="RUN", help="run folder")
    add_results(repeat)
    repeat.set_defaults(action=_rerun)
    publish = commands.add_parser("publish", help="pack runs as a static web site and research object (RO-Crate)")
    publish.add_argument("runs", nargs="+", metavar="RUN", help="run folder")
    publish.add_argument("--to", metavar="DIR", default="publication", help="folder to be made (publication)")
    publish.add_argument(
        "--license", metavar="SPDX", default="CC-BY-4.0", help="licence of what is published (CC-BY-4.0)"
    )
    publish.set_defaults(action=_publish)
    index = commands.add_parser("index", help="write index.html of a results folder")
    add_results(index)
    index.set_defaults(action=_index)


def _add_report(commands: Commands) -> None:
    parser = commands.add_parser("report", help="write reports anew, and compare runs", description=_REPORT_HELP)
    parser.add_argument("folders", nargs="+", metavar="RUN|SWEEP", help="run folder, or the folder of a sweep")
    parser.add_argument("--to", metavar="PAGE", default="comparison.html", help="the comparison (comparison.html)")
    parser.add_argument(
        "--code",
        choices=["show", "fold", "hide"],
        default="fold",
        help="the code of the notebook in a run's report (fold)",
    )
    parser.set_defaults(action=_report)


def _add_list(commands: Commands) -> None:
    parser = commands.add_parser("results", help="list runs, chosen by case, outcome, date and parameters")
    parser.add_argument("--case", default="", help="runs of this case")
    parser.add_argument("--status", default="", help="done, failed, error, interrupted, abandoned or running")
    parser.add_argument("--since", default="", metavar="DATE", help="runs since then, such as 2025-01-31")
    parser.add_argument("--sort", default="", metavar="NAME", help="by a parameter, by spread, outcome or started")
    parser.add_argument(
        *("-p", "--parameter"),
        dest="parameters",
        action="append",
        nargs=2,
        metavar=("NAME", "VALUE"),
        default=[],
        help="runs with this value of a parameter; can be given several times",
    )
    add_results(parser)
    parser.set_defaults(action=_list)


def _report(arguments: argparse.Namespace) -> int:
    from tsnlab import report
    from tsnlab.report.comparison import compare
    from tsnlab.sweep.table import SWEEP_JSON

    runs = []
    for folder in map(Path, arguments.folders):
        if (folder / SWEEP_JSON).is_file():
            from tsnlab.sweep.page import make_page

            print(make_page(folder))
        else:
            print(report.make(folder, code=arguments.code))
            runs.append(folder)
    if len(runs) > 1:
        print(compare(runs, arguments.to))
    return OK


def _list(arguments: argparse.Namespace) -> int:
    from tsnlab.errors import ConfigError
    from tsnlab.folder import results_folder
    from tsnlab.report.catalogue import catalogue
    from tsnlab.report.listing import chosen, in_order, listing

    folder = results_folder(arguments.results)
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such results folder; `tsnlab run case1` makes the first run")
    wanted = {"case": arguments.case, "status": arguments.status, "since": arguments.since}
    runs = chosen(catalogue(folder), **wanted, parameters=dict(arguments.parameters))
    print(listing(in_order(runs, arguments.sort) if arguments.sort else runs))
    return OK


def _rerun(arguments: argparse.Namespace) -> int:
    from tsnlab.folder import RunFolder
    from tsnlab.rerun import rerun

    answer = rerun(arguments.run, results=arguments.results)
    print(f"{answer}\n{answer.after}")
    status = RunFolder(answer.after).read()["status"]
    return OK if answer.equal else exit_status([status]) or VERDICT_FAILED


def _publish(arguments: argparse.Namespace) -> int:
    from tsnlab.publication import publish

    print(publish(arguments.runs, arguments.to, license_id=arguments.license))
    return OK


def _index(arguments: argparse.Namespace) -> int:
    from tsnlab import report

    print(report.index(arguments.results))
    return OK
