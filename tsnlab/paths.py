"""Where tsnlab keeps things: what comes with the project, and what it may build for the user."""

from __future__ import annotations

import os
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent.parent

PARAMS = _CHECKOUT / "params"
"""Lab files, case files and kernel fragments; in the checkout, also when installed with `pip install -e`."""

NOTEBOOKS = _CHECKOUT / "notebooks"
"""The notebooks of the cases."""


def cache_folder() -> Path:
    """The user's cache folder for tsnlab, which need not exist yet.

    Source: XDG Base Directory Specification: $XDG_CACHE_HOME, else ~/.cache; a relative value is ignored.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "tsnlab"
