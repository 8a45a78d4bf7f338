"""The command `tsnlab`: runs of the cases and the kernel of the virtual lab; further commands in `tsnlab.commands`.

Exit status: 0 if all is well, 1 if a verdict does not hold, 2 for every other error, 130 if interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import tsnlab
from tsnlab import analyse
from tsnlab.commands import Commands, add_results, check, plan, prove, reports, sweep, undo
from tsnlab.commands.status import ERROR, INTERRUPTED, OK, exit_status
from tsnlab.errors import TsnlabError

_MORE: tuple[Callable[[Commands], None], ...] = (
    sweep.add,
    reports.add,
    analyse.add_parser,
    check.add,
    undo.add,
    plan.add,
    prove.add,
)
"""What adds further commands."""

_RUN_HELP = """\
Executes the notebook of each case with papermill, one after the other, each into a run folder of its own.
The last line of the output is the run folder. Cases that come with tsnlab: case1, case2, case3; any other
notebook can be named by its path."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; gives the exit status.

    Args:
        argv: the arguments; None takes those of the process.
    """
    arguments = _parser().parse_args(argv)
    action: Callable[[argparse.Namespace], int] = arguments.action
    try:
        return action(arguments)
    except TsnlabError as error:
        print(f"tsnlab: {error}", file=sys.stderr)
        return ERROR
    except BrokenPipeError:
        # whoever reads our output has read enough, as `head` does; Python is not to flush what is left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        print("tsnlab: interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tsnlab", description="The guide 'Enable TSN in Kata Containers' as a lab that runs."
    )
    parser.add_argument("--version", action="version", version=f"tsnlab {tsnlab.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="execute the notebooks of cases", description=_RUN_HELP))
    kernel = commands.add_parser("kernel", help="the kernel of the virtual lab")
    steps = kernel.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_build(steps.add_parser("build", help="build it, unless the cache has it, and show its symbols"))
    for add in _MORE:
        add(commands)
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cases", nargs="+", metavar="CASE", help="name of a case, or path of a notebook")
    parser.add_argument("--lab", metavar="FILE", help="lab file, or name of one that comes with tsnlab (virtual)")
    parser.add_argument(
        "-p",
        dest="parameters",
        action="append",
        nargs=2,
        metavar=("NAME", "VALUE"),
        default=[],
        help="parameter of the notebook, such as -p packets 1000; can be given several times",
    )
    add_results(parser)
    parser.set_defaults(action=_run)


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", metavar="PATH", type=Path, help="kernel tree or tarball (Debian's package)")
    parser.add_argument("--jobs", metavar="N", type=int, help="compilers at a time (one more than there are cores)")
    parser.add_argument(
        "--fragment",
        dest="fragments",
        action="append",
        metavar="FILE",
        type=Path,
        help="configuration fragment; can be given several times (params/kernel/stx.conf and virtual.conf)",
    )
    parser.set_defaults(action=_build)


def _run(arguments: argparse.Namespace) -> int:
    from tsnlab import notebook, report
    from tsnlab.folder import RunFolder
    from tsnlab.run import asked, run

    parameters = dict(arguments.parameters)
    # a mistake in the last case is found before the first one runs
    for case in arguments.cases:
        asked(notebook.find(case), arguments.lab, parameters)
    runs = []
    for case in arguments.cases:
        path = run(case, lab_file=arguments.lab, parameters=parameters, results=arguments.results)
        runs.append(RunFolder(path).read())
        _tell(path, runs[-1])
        if runs[-1]["status"] == "interrupted":
            break
    page = report.index(arguments.results)
    if len(arguments.cases) > 1:
        print(f"\n{report.indicator_table(runs)}\n\n{page}\n{path}")
    return exit_status([content["status"] for content in runs])


def _tell(path: Path, content: dict[str, object]) -> None:
    """Says how a run ended: what is wrong on stderr, the run folder on stdout."""
    if content["error"]:
        print(f"{content['case']}: {content['status']}: {content['error']}", file=sys.stderr)
    print(path, flush=True)


def _build(arguments: argparse.Namespace) -> int:
    from tsnlab import kernel

    built = kernel.build(source=arguments.source, jobs=arguments.jobs, fragments=arguments.fragments)
    print(built)
    print(built.path)
    return OK
