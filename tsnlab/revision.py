"""Which code made a run: versions of tsnlab, of its libraries and of the checkout; for run.json."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tsnlab
from tsnlab.paths import NOTEBOOKS, PARAMS

if TYPE_CHECKING:
    from tsnlab.notebook import Parameter

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


class Fingerprint:
    """Tells whether two runs of a notebook would measure the same: same parameters, lab, notebook and code.

    Args:
        path: the notebook.
        known: its parameters, whose defaults count where nothing else is asked for.
    """

    def __init__(self, path: Path, known: Mapping[str, Parameter]) -> None:
        self._defaults = {name: one.default for name, one in known.items()}
        self._common = {"notebook": _cells(path), "code": code_digest(), "python": platform.python_version()}
        self._labs: dict[str, Any] = {}

    def of(self, values: Mapping[str, Any], repetition: int = 1) -> str:
        """The fingerprint of a run with these parameters, 32 hexadecimal digits.

        Raises:
            ConfigError: the lab file is not valid.
        """
        asked = {**self._defaults, **values}
        # where a run is kept and how its lab file is called is not what it measures
        asked.pop("run_folder", None)
        lab = self._lab(asked.pop("lab_file")) if "lab_file" in asked else None
        content = {**self._common, "parameters": asked, "lab": lab, "repetition": repetition}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    def _lab(self, lab_file: str) -> Any:
        from tsnlab.lab import load_lab_file

        if lab_file not in self._labs:
            self._labs[lab_file] = load_lab_file(lab_file).model_dump(mode="json", by_alias=True)
        return self._labs[lab_file]


@functools.cache
def code_digest() -> str:
    """SHA-256 of all that decides what a notebook measures: the package, the case files, the kernel's recipe.

    Unlike the revision it tells two modified checkouts apart, and needs no git. Read once: a process that has
    imported the code goes on with that.
    """
    package = Path(tsnlab.__file__).parent
    sources = [*package.rglob("*.py"), *(PARAMS / "cases").rglob("*.yaml")]
    sources += [file for file in (PARAMS / "kernel").rglob("*") if file.is_file()]
    digest = hashlib.sha256()
    for file in sorted(sources):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _cells(path: Path) -> list[str]:
    """The source of a notebook; outputs and metadata change nothing."""
    return ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]


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
