"""What a sweep hands out and what it gets back: a point to measure, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsnlab.errors import ConfigError
from tsnlab.folder import RUN_JSON, RunFolder
from tsnlab.sweep.table import is_measured


@dataclass(frozen=True)
class Task:
    """A point to measure."""

    notebook: Path
    values: Mapping[str, Any]
    results: Path
    marks: Mapping[str, Any]
    token: str
    """Distinguishes this measurement of the point from every other; it is in the run.json as well."""

    def concluded(self) -> Outcome | None:
        """What came of it, if whoever measured it died after that: nothing is measured twice."""
        for path in self.results.glob(f"{self.notebook.stem}-*/{RUN_JSON}"):
            with suppress(ConfigError):
                content = RunFolder(path.parent).read()
                if content.get("sweep", {}).get("token") == self.token and is_measured(content):
                    return Outcome(content["status"], path.parent.name, content["error"])
        return None


@dataclass(frozen=True)
class Outcome:
    """What came of a point: its run and status, see `tsnlab.folder`; no run if there was not even a folder."""

    status: str
    run: str = ""
    error: str = ""
    died: bool = False
    """Whether the process that measured it was killed: no fault of the point."""
