"""Which code made a run: versions of tsnlab, of its libraries and of the checkout; for run.json."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata

import tsnlab
from tsnlab.paths import NOTEBOOKS

LIBRARIES = ("numpy", "pandas", "pyarrow", "matplotlib", "pydantic", "ipykernel", "papermill", "nbconvert")
_TIMEOUT_S = 5.0


def code() -> dict[str, str | bool | None]:
    """The version of tsnlab; in a checkout also its revision and whether it was modified, else None.

    Never fails: a run without git is still a run.
    """
    described = _describe()
    return {
        "version": tsnlab.__version__,
        "revision": described.removesuffix("-dirty") if described else None,
        "modified": described.endswith("-dirty") if described else None,
    }


def libraries() -> dict[str, str]:
    """Python and the libraries that the numbers and figures were made with."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in LIBRARIES}}


def _describe() -> str:
    """What `git describe` says of the checkout; empty without a checkout, git or a first commit."""
    checkout = NOTEBOOKS.parent
    if not (checkout / ".git").exists():
        return ""
    argv = ["git", "-C", str(checkout), "describe", "--always", "--tags", "--dirty"]
    try:
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
