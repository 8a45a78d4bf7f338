"""The run folder: everything that one run makes, under `results/`, written as it goes.

    results/case2-20250131T120000Z-3fa9c1/
        run.json              what was asked for, what came out, whether it holds; status and error
        notebook.ipynb        the executed notebook    report.html        the same to read
        packets.parquet       every packet             sync.parquet       the clocks in the course of the run
        transcript.jsonl      every command            console.log        what the lab's kernel said
        figures/              as SVG and PNG

`run.json` is there from the first moment on, with the status `running`. In the end the status is `done`
(measured, and every limit holds), `failed` (measured, and a limit does not hold), `error` or `interrupted`;
`error` then says why. A run whose process was killed is `abandoned`: whoever looks at it next writes that down.
"""

from __future__ import annotations

import datetime
import html
import io
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tsnlab import owner, revision
from tsnlab.errors import ConfigError
from tsnlab.paths import NOTEBOOKS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from tsnlab.case import Case
    from tsnlab.session import Lab

SCHEMA_VERSION = 1
RESULTS = "results"
RUN_JSON = "run.json"
PACKETS = "packets.parquet"
NOTEBOOK = "notebook.ipynb"
REPORT = "report.html"
TRANSCRIPT = "transcript.jsonl"

_SCREEN_DPI = 160
_MARKS = ("key", "sweep", "process", "notebook", "lab_source")
"""What the runner writes into run.json before the notebook takes the folder over."""


class Sync(Protocol):
    """How the clocks were synchronised."""

    def table(self) -> pd.DataFrame:
        """The time series."""

    def to_json(self) -> dict[str, Any]:
        """What run.json says."""


@dataclass(frozen=True)
class Picture:
    """A figure that has been drawn and saved; a notebook shows the same picture that is on disk."""

    figure: Figure
    png: bytes = field(repr=False)

    @classmethod
    def of(cls, figure: Figure) -> Picture:
        """A figure that is shown and not kept."""
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=_SCREEN_DPI)
        return cls(figure, drawn.getvalue())

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        # at half its size in pixels, so that it is sharp on every screen
        width, height = (int(inches * _SCREEN_DPI / 2) for inches in self.figure.get_size_inches())
        return self.png, {"width": width, "height": height}


@dataclass(frozen=True, repr=False)
class RunFolder:
    """The folder of one run; its path is all there is to it, everything else is on disk."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name: that of its folder."""
        return self.path.name

    def read(self) -> dict[str, Any]:
        """The content of run.json.

        Raises:
            ConfigError: there is none, or it is not JSON.
        """
        file = self.path / RUN_JSON
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{file}: not a run folder: {error.strerror}") from error
        except ValueError as error:
            raise ConfigError(f"{file}: not valid JSON: {error}") from error
        return dict(content)

    def settle(self) -> dict[str, Any]:
        """The content of run.json, after a run whose process was killed has been marked as abandoned.

        Raises:
            ConfigError: see :meth:`read`.
        """
        content = self.read()
        process = content.get("process")
        # a runner concludes with the seconds it took; without it, the notebook alone says how it ended
        unfinished = content.get("status") == "running" or ("key" in content and "seconds" not in content)
        if unfinished and process and content.get("status") != "abandoned" and owner.is_gone(process):
            why = f"process {process['pid']} on {process['host']}, which ran it, ended without a word"
            self.update(status="abandoned", error=why)
            content = self.read()
        return content

    def update(self, **fields: Any) -> None:
        """Sets fields of run.json; a reader sees either the old file or the new one, never a part."""
        self._write(self.read() | fields)

    def figure(self, figure: Figure, name: str) -> Picture:
        """Saves a figure as figures/NAME.svg and .png; as the last value of a cell it is shown as well."""
        folder = self.path / "figures"
        folder.mkdir(exist_ok=True)
        # without a date, the same packets give the same file
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        figure.savefig(folder / f"{name}.png", dpi=_SCREEN_DPI)
        return Picture(figure, (folder / f"{name}.png").read_bytes())

    def save(self, lab: Lab, case: Case, packets: pd.DataFrame, sync: Sync) -> RunFolder:
        """Keeps what was measured and all that is needed to believe and repeat it.

        The packets themselves have been written while they were measured.
        """
        from tsnlab.inventory import inventory

        sync.table().to_parquet(self.path / "sync.parquet")
        self.update(
            **measured(packets, case),
            title=case.title,
            guide=case.guide.model_dump(mode="json"),
            clocks=sync.to_json(),
            versions={"lab": lab.versions(), **inventory(lab), "controller": revision.libraries()},
            lab_file=lab.spec.model_dump(mode="json", by_alias=True),
            case_file=case.model_dump(mode="json", by_alias=True),
        )
        return self

    def _write(self, content: Mapping[str, Any]) -> None:
        draft = self.path / f".{RUN_JSON}.{os.getpid()}"
        draft.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
        draft.replace(self.path / RUN_JSON)

    def __repr__(self) -> str:
        kept = ", ".join(sorted(item.name for item in self.path.iterdir() if not item.name.startswith(".")))
        return f"run {self.name}, {self.read()['status']}\n  {self.path}: {kept}"

    def _repr_html_(self) -> str:
        title, _, rest = str(self).partition("\n")
        return f"<p><b>{html.escape(title)}</b><br>{html.escape(rest)}</p>"


def new_run(
    case_name: str,
    parameters: Mapping[str, Any],
    results: str | Path = RESULTS,
    folder: str | Path = "",
    marks: Mapping[str, Any] | None = None,
) -> RunFolder:
    """Makes a run folder with its run.json, or takes the one that the runner has made.

    Args:
        case_name: the case; the run is named after it.
        parameters: of the notebook.
        results: where run folders are kept. A relative path counts from the current folder. In the project's
            own notebooks/, where JupyterLab starts the notebooks, it counts from the folder above.
        folder: an empty folder, or one yet to be made, to use as it is; "" makes a new one in `results`.
        marks: what the runner knows of the run: `key` (see `tsnlab.revision.Fingerprint`), `sweep`.

    Raises:
        ConfigError: the folder holds another run, or cannot be made.
    """
    path = Path(folder).absolute() if folder else results_folder(results) / _name(case_name)
    try:
        path.mkdir(parents=True, exist_ok=bool(folder))
    except OSError as error:
        raise ConfigError(f"run folder {path} cannot be made: {error.strerror}") from error
    run = RunFolder(path)
    before = run.read() if (path / RUN_JSON).exists() else {}
    if before and (before["status"] != "running" or (path / PACKETS).exists()):
        raise ConfigError(f"run folder {path} holds a run already; name another one, or none for a new one")
    run._write(
        {
            "schema_version": SCHEMA_VERSION,
            "run": path.name,
            "case": case_name,
            "status": "running",
            "error": "",
            "started": now(),
            "finished": None,
            "parameters": dict(parameters),
            "code": revision.code(),
            "process": owner.this_process(),
            **(marks or {}),
            **{name: before[name] for name in _MARKS if name in before},
        }
    )
    return run


def results_folder(results: str | Path = RESULTS) -> Path:
    """Where run folders are kept, as an absolute path; for the rule see :func:`new_run`."""
    here = Path.cwd()
    return (NOTEBOOKS.parent if here == NOTEBOOKS else here) / results


def measured(packets: pd.DataFrame, case: Case | None = None) -> dict[str, Any]:
    """What run.json says of a capture: indicators with their uncertainty, packets, clock, load; verdicts of a case."""
    from tsnlab import packets as tables
    from tsnlab.analysis.indicators import indicators
    from tsnlab.analysis.uncertainty import uncertainties
    from tsnlab.verdict import judge

    about = tables.info(packets)
    fields = {**indicators(packets).to_json(), "lab": about.lab, "complete": about.complete}
    fields |= {"load": about.load, "sync": about.sync, "uncertainty": uncertainties(packets).to_json()}
    if case is None:
        return fields
    verdicts = judge(packets, case)
    status = "done" if verdicts.passed else "failed"
    return {**fields, "verdicts": verdicts.to_json(), "status": status, "finished": now()}


def now() -> str:
    """The time of day as run.json writes it: UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _name(case_name: str) -> str:
    moment = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{case_name}-{moment}-{secrets.token_hex(3)}"
