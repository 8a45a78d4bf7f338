"""`tsnlab check LAB`: whether the experiment can work on a lab's nodes."""

from __future__ import annotations

import argparse

from tsnlab.commands import Commands
from tsnlab.commands.status import OK, VERDICT_FAILED


def add(commands: Commands) -> None:
    """Adds the command."""
    words = "Looks at every node of a lab and tells what is missing, with the remedy; changes nothing."
    check = commands.add_parser("check", help="look whether a lab's nodes have what is needed", description=words)
    check.add_argument("lab", nargs="?", default="virtual", help="lab file, or name of one that comes with tsnlab")
    check.set_defaults(action=_check)


def _check(arguments: argparse.Namespace) -> int:
    from tsnlab import preflight
    from tsnlab.session import open_lab

    with open_lab(arguments.lab) as lab:
        found = preflight.check(lab)
    print(found)
    return VERDICT_FAILED if found.failed else OK
