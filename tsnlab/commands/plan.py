"""`tsnlab plan NOTEBOOK --lab FILE`: the commands and files of a notebook or case, without a connection."""

from __future__ import annotations

import argparse

from tsnlab.commands import Commands
from tsnlab.commands.status import OK

_HELP = """\
Executes the cells of a notebook on imagined nodes, and prints the commands and the contents of files that it would
run and write on the real ones, in order, with what would take them back. Nothing is connected to and nothing is
changed. The plan ends where the notebook goes on with what it has measured."""


def add(commands: Commands) -> None:
    """Adds the command."""
    plan = commands.add_parser("plan", help="print what a notebook would do on a lab's nodes", description=_HELP)
    plan.add_argument("notebook", metavar="NOTEBOOK", help="name of a case or notebook (case2), or path of a notebook")
    plan.add_argument("--lab", metavar="FILE", default="hardware", help="lab file, or name of one (hardware)")
    plan.add_argument(
        "-p",
        dest="parameters",
        action="append",
        nargs=2,
        metavar=("NAME", "VALUE"),
        default=[],
        help="parameter of the notebook; can be given several times",
    )
    plan.set_defaults(action=_plan)


def _plan(arguments: argparse.Namespace) -> int:
    from tsnlab import rehearsal

    print(rehearsal.rehearse(arguments.notebook, arguments.lab, dict(arguments.parameters)))
    return OK
