"""`tsnlab index`: what has been measured, to read."""

from __future__ import annotations

import argparse

from tsnlab.commands import Commands, add_results
from tsnlab.commands.status import OK


def add(commands: Commands) -> None:
    """Adds the commands."""
    index = commands.add_parser("index", help="write index.html of a results folder")
    add_results(index)
    index.set_defaults(action=_index)


def _index(arguments: argparse.Namespace) -> int:
    from tsnlab import report

    print(report.index(arguments.results))
    return OK
