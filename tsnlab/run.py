"""Runs: a notebook executed by papermill into a run folder, with a report, whatever comes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsnlab import errors, files, kernel, notebook, report, revision
from tsnlab.errors import ConfigError
from tsnlab.folder import NOTEBOOK, PACKETS, RESULTS, RunFolder, measured, new_run, now, results_folder
from tsnlab.lab import LABS, load_lab_file
from tsnlab.publication import SEAL, checksums, seal
from tsnlab.teardown import restore_if_needed
from tsnlab.ticker import Ticker

if TYPE_CHECKING:
    from tsnlab.engine import WarmKernel


def run(
    case: str,
    *,
    lab_file: str | Path | None = None,
    parameters: Mapping[str, Any] | None = None,
    results: str | Path = RESULTS,
    show: bool = True,
) -> Path:
    """Executes the notebook of a case into a new run folder, and writes its report.

    What came of it is the `status` of its run.json, see `tsnlab.folder`; a notebook that fails does not raise.

    Args:
        case: name of a notebook that comes with tsnlab, or path of another.
        lab_file: the lab, like the notebook's parameter of that name; None keeps the notebook's own.
        parameters: of the notebook; values may be texts, as on a command line.
        results: where the run folder is made.
        show: whether progress is shown.

    Returns:
        The run folder.

    Raises:
        ConfigError: there is no such notebook, parameter or lab file, or a value is not valid.
        KernelBuildError: the lab's kernel could not be built.
    """
    path = notebook.find(case)
    values = asked(path, lab_file, parameters or {})
    prepare(path, values, show=show)
    ticker = Ticker(path.stem, expected_seconds(path, results), show=show)
    folder = carry_out(path, values, results, ticker, marks=marks(path, values))
    restore_if_needed(folder, lab_file_of(notebook.parameters(path), values))
    return folder


def carry_out(
    path: Path,
    values: Mapping[str, Any],
    results: str | Path,
    ticker: Ticker,
    *,
    marks: Mapping[str, Any],
    warm: WarmKernel | None = None,
) -> Path:
    """Executes a notebook with checked parameters into a new run folder, and writes its report.

    Args:
        path: the notebook.
        values: its parameters, see :func:`asked`.
        results: where the run folder is made.
        ticker: told how far the run is.
        marks: see :func:`tsnlab.folder.new_run`.
        warm: a kernel to use instead of a new one.

    Returns:
        The run folder.
    """
    folder = new_run(path.stem, values, results, marks={"notebook": str(path), **marks})
    began = time.monotonic()
    try:
        outcome = _execute(path, folder, values, {"ticker": ticker, "warm": warm})
    finally:
        ticker.close()
    conclude(folder, outcome, time.monotonic() - began)
    return folder.path


def marks(path: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a run before it begins, see :func:`tsnlab.folder.new_run`."""
    known = notebook.parameters(path)
    key = revision.Fingerprint(path, known).of(values)
    return {"key": key, "notebook": str(path), "lab_source": lab_source(lab_file_of(known, values))}


def lab_source(lab_file: str | None) -> str | None:
    """The text of a lab file, as it is kept with a run; None if there is none."""
    if lab_file is None:
        return None
    try:
        return files.find(lab_file, LABS).read_text(encoding="utf-8")
    except (ConfigError, OSError):
        return None


def lab_file_of(known: Mapping[str, notebook.Parameter], values: Mapping[str, Any]) -> str | None:
    """The lab file of a run; None for a notebook that has no lab."""
    return str(values.get("lab_file", known["lab_file"].default)) if "lab_file" in known else None


def asked(path: Path, lab_file: str | Path | None, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The notebook's parameters as they are asked for, checked.

    Raises:
        ConfigError: there is no such parameter, or its value is not valid.
    """
    named = {} if lab_file is None else {"lab_file": str(lab_file)}
    return notebook.checked(path, {**named, **parameters})


def prepare(path: Path, values: Mapping[str, Any], *, show: bool = True) -> None:
    """Checks the lab file, and builds the lab's kernel where its progress can be seen.

    Raises:
        ConfigError, KernelBuildError: see :func:`run`.
    """
    lab_file = lab_file_of(notebook.parameters(path), values)
    if lab_file is not None:
        lab = load_lab_file(lab_file)
        if lab.kind == "virtual":
            kernel.build("virtual" if lab.kernel == "built" else "debian", progress=show)


def expected_seconds(path: Path, results: str | Path) -> dict[str, float]:
    """How long each cell of a notebook may take, by cell id: as in its last run here, or in that of another case."""
    wanted = {cell["id"] for cell in _cells(path)}
    folder = results_folder(results)
    for pattern in (f"{path.stem}-*", "*"):
        for run in sorted(folder.glob(f"{pattern}/{NOTEBOOK}"), reverse=True):
            taken = {cell["id"]: cell["metadata"].get("papermill", {}).get("duration") for cell in _cells(run)}
            if taken and all(taken.values()):
                return {name: seconds for name, seconds in taken.items() if name in wanted}
    return {}


def _cells(path: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["cells"])
    except (OSError, ValueError, KeyError):
        return []  # a run that was killed while it wrote


def _execute(path: Path, folder: RunFolder, values: Mapping[str, Any], engine: Mapping[str, Any]) -> dict[str, str]:
    """Executes the notebook; gives the status and the error it ended with, nothing if it ran through."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from tsnlab.engine import NAME, Stop

    output = notebook.literal(folder.path / NOTEBOOK)
    own = {**values, notebook.OWN_PARAMETER: str(folder.path)}
    settings = {"engine_name": NAME, "progress_bar": False, **engine}
    ticker: Ticker = engine["ticker"]
    with Stop().listening() as stop:
        try:
            papermill.execute_notebook(notebook.literal(path), output, own, stop=stop, **settings)
        except PapermillExecutionError as error:
            ended = ended_with(error.ename, error.evalue, stopped=stop.requested)
            return {**ended, "error": f"{ticker.where}: {ended['error']}"}
        except KeyboardInterrupt:
            return {"status": "interrupted", "error": ticker.where or "before the first cell"}
        except RuntimeError as error:
            # nbclient's, when the kernel of the notebook died
            return {"status": "error", "error": f"{ticker.where}: {error}"}
    return {}


def ended_with(kind: str, text: str, *, stopped: bool) -> dict[str, str]:
    """The status and error of a run that a cell's error has ended; tsnlab's own errors speak for themselves."""
    status = "interrupted" if stopped else {"VerdictError": "failed"}.get(kind, "error")
    said = text if text and hasattr(errors, kind) else f"{kind}: {text}".removesuffix(": ")
    return {"status": status, "error": said}


def conclude(folder: RunFolder, outcome: Mapping[str, str], seconds: float) -> None:
    """Writes down how a run ended, and what an interrupted measurement has left; then its report.

    Args:
        outcome: see :func:`ended_with`; empty if the notebook ran through.
    """
    content = folder.read()
    fields: dict[str, Any] = {"finished": now(), "seconds": round(seconds, 1), **outcome}
    if not outcome and content["status"] == "running":
        fields["status"] = "done"
    if "indicators" not in content and (folder.path / PACKETS).exists():
        from tsnlab.formats import parquet

        fields = {**measured(parquet.read(folder.path / PACKETS)), **fields}
    folder.update(**fields, checksums=checksums(folder.path))
    folder.update(**{SEAL: seal(folder.read())})
    report.make(folder.path)
