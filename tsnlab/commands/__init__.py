"""The commands of `tsnlab` that are more than a run: each module adds its own with `add`, and imports late."""

from __future__ import annotations

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_results(parser: argparse.ArgumentParser) -> None:
    """The option `--results`."""
    parser.add_argument("--results", metavar="DIR", default="results", help="where run folders are kept (results)")
