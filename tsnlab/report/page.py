"""The report of one run: its executed notebook as an HTML page that can be read and printed anywhere."""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tsnlab.errors import ConfigError
from tsnlab.folder import NOTEBOOK, REPORT, TRANSCRIPT, RunFolder
from tsnlab.report.glance import glance

if TYPE_CHECKING:
    from nbconvert import HTMLExporter

Code = Literal["show", "fold", "hide"]
TEMPLATES = Path(__file__).parent.parent / "templates"
_PICTURES = {"image/png", "image/svg+xml"}
_EMPTY = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


@dataclass(frozen=True)
class Command:
    """One line of the transcript."""

    lab_time_s: float
    text: str
    returncode: int | None
    seconds: float
    stderr: str


def make(folder: str | Path, *, code: Code = "fold") -> Path:
    """Writes report.html of a run folder, whatever the run has left there.

    Args:
        folder: the run folder.
        code: whether the cells' code is shown, folded under its telling line, or left out.

    Returns:
        The report.

    Raises:
        ConfigError: it is not a run folder, or its notebook cannot be read.
    """
    run = RunFolder(Path(folder))
    content = run.read()
    about = {
        "glance": glance(content),
        "commands": commands(run.path / TRANSCRIPT),
        "details": _details(content),
        "code": code,
    }
    source = run.path / NOTEBOOK
    # a run may have been stopped before its first cell, or its notebook is kept elsewhere
    text = source.read_text(encoding="utf-8") if source.exists() else _EMPTY
    try:
        page, _ = _exporter().from_notebook_node(captioned(text), resources={"tsnlab": about})
    except ValueError as error:
        raise ConfigError(f"{source}: not a notebook: {error}") from error
    (run.path / REPORT).write_text(page, encoding="utf-8")
    return run.path / REPORT


def render(template: str, **values: Any) -> str:
    """Fills in one of the templates for a whole page."""
    import jinja2

    environment = jinja2.Environment(loader=jinja2.FileSystemLoader([TEMPLATES, TEMPLATES / "report"]), autoescape=True)
    return environment.get_template(template).render(**values)


def commands(transcript: Path) -> dict[str, list[Command]]:
    """The commands of a transcript, node by node in order; none without a transcript."""
    found: dict[str, list[Command]] = {}
    lines = transcript.read_text(encoding="utf-8").splitlines() if transcript.exists() else []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue  # the last line of a run that was killed
        found.setdefault(record["node"], []).append(_command(record))
    return found


def _command(record: Mapping[str, Any]) -> Command:
    return Command(
        lab_time_s=record["lab_time_ns"] / 1e9,
        text=shlex.join(record["argv"]),
        returncode=record["returncode"],
        seconds=record["seconds"],
        stderr=record.get("stderr", "").strip(),
    )


def _details(run: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """What is folded away: parameters and versions as rows, lab and case as they were checked."""
    versions = run.get("versions", {})
    tables = {"Parameters": run.get("parameters", {})}
    tables |= {f"Versions: {where}": found for where, found in versions.items()}
    rows = {title: [(name, str(value)) for name, value in table.items()] for title, table in tables.items()}
    rows["Hashes (SHA-256)"] = _hashes(run)
    files = {"Lab file": run.get("lab_file"), "Case file": run.get("case_file")}
    return rows | {title: [("", _yaml(content))] for title, content in files.items() if content}


def _hashes(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the run made, and what tells it from another of the same parameters."""
    code = run.get("code", {})
    revision = f"{code.get('revision') or code.get('version', '-')}{', modified' if code.get('modified') else ''}"
    known = [("code", revision)] if code else []
    known += [("parameters, lab, notebook and code", run["key"])] if "key" in run else []
    return known + [(name, str(value)) for name, value in run.get("checksums", {}).items()]


def captioned(text: str) -> Any:
    """A notebook whose cells know the captions of their figures: numbered, after the heading they stand under.

    Raises:
        ValueError: it is not a notebook.
    """
    import nbformat

    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    number, heading = 0, ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = next((line.lstrip("# ") for line in cell.source.splitlines() if line.startswith("#")), heading)
        elif any(_PICTURES & output.get("data", {}).keys() for output in cell.get("outputs", [])):
            number += 1
            cell.metadata["caption"] = f"Figure {number}. {heading}".removesuffix(". ")
    return notebook


def _yaml(content: Mapping[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(dict(content), sort_keys=False, default_flow_style=None, width=100))


@functools.cache
def _exporter() -> HTMLExporter:
    """Its templates are compiled once: that takes as long as a short report."""
    from nbconvert import HTMLExporter

    # links from headings to themselves are of no use without a script that copies them
    settings = {"template_name": "report", "exclude_anchor_links": True}
    exporter = HTMLExporter(extra_template_basedirs=[str(TEMPLATES)], **settings)  # type: ignore[no-untyped-call]
    exporter.environment.filters |= {"first_line": first_line, "measured": _measured}
    return exporter


def _measured(value: float | str | None) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str("-" if value is None else value)


def first_line(source: str) -> str:
    """What a folded cell shows: its first line that asks tsnlab for something or defines something, else its first."""
    lines = source.splitlines()
    telling = [line for line in lines if "tsnlab." in line and not line.startswith(("import ", "from "))]
    telling += [line for line in lines if line.startswith("def ")]
    return [*telling, *lines, ""][0].strip()
