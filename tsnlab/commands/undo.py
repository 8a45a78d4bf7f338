"""`tsnlab undo FOLDER --lab FILE`: what a run that was cut off has left changed on the nodes is taken back."""

from __future__ import annotations

import argparse
from pathlib import Path

from tsnlab.commands import Commands
from tsnlab.commands.status import OK

_WORDS = """\
Takes back what the steps of a run have changed on the nodes of a hardware lab, from the journal in its folder alone.
A run does so by itself when it ends; this is for one that was killed, or whose nodes could not be reached."""


def add(commands: Commands) -> None:
    """Adds the command."""
    undo = commands.add_parser("undo", help="restore the nodes after a run that was cut off", description=_WORDS)
    undo.add_argument("folder", metavar="FOLDER", type=Path, help="run folder")
    undo.add_argument("--lab", metavar="FILE", default="hardware", help="lab file the run was made with (hardware)")
    undo.set_defaults(action=_undo)


def _undo(arguments: argparse.Namespace) -> int:
    from tsnlab.errors import ConfigError
    from tsnlab.lab import load_lab_file
    from tsnlab.teardown import restore

    spec = load_lab_file(arguments.lab)
    if spec.kind != "hardware":
        raise ConfigError(f"lab {spec.name} is virtual: nothing of it is left when it is closed")
    print(f"{restore(arguments.folder, spec)} changes taken back")
    return OK
