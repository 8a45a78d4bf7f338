"""Runs to publish: a folder that any static web host serves, that is a research object with checksums as well.

Source: RO-Crate 1.1, https://w3id.org/ro/crate/1.1: `ro-crate-metadata.json` describes all files in schema.org's words.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tsnlab import report
from tsnlab.errors import ConfigError
from tsnlab.folder import NOTEBOOK, REPORT, RUN_JSON, RunFolder, now

CRATE = "ro-crate-metadata.json"
SUMS = "SHA256SUMS"
SEAL = "seal"
LICENSE = "CC-BY-4.0"
"""Of published results, unless another is asked for; tsnlab's own is Apache-2.0."""

_TYPES = {
    ".ipynb": "application/x-ipynb+json",
    ".html": "text/html",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of everything that a run has made, by path in its folder; what is written anew is left out."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    names = {file.relative_to(folder).as_posix(): file for file in files}
    return {name: _sha256(file) for name, file in names.items() if name not in (RUN_JSON, REPORT)}


def seal(content: Mapping[str, Any]) -> str:
    """SHA-256 of what a run.json says, but for the seal itself: it is in the file, so that an edited one is known."""
    sealed = {name: value for name, value in content.items() if name != SEAL}
    return hashlib.sha256(json.dumps(sealed, sort_keys=True).encode()).hexdigest()


def publish(folders: Sequence[str | Path], target: str | Path, *, license_id: str = LICENSE) -> Path:
    """Copies runs into a new folder with an index, checksums and a description as a research object.

    Args:
        folders: run folders.
        target: the folder to be made.
        license_id: the licence of what is published, as SPDX names it.

    Returns:
        The folder.

    Raises:
        ConfigError: the folder exists already; or a run is not finished, or its outputs are not those that it made.
    """
    runs = [RunFolder(Path(folder).resolve()) for folder in folders]
    for run in runs:
        check(run)
    place = Path(target)
    try:
        place.mkdir(parents=True)
    except FileExistsError as error:
        raise ConfigError(f"{place}: exists already; name a folder that is yet to be made") from error
    for run in runs:
        shutil.copytree(run.path, place / run.name, ignore=shutil.ignore_patterns(".*"))
        report.make(place / run.name)
    report.index(place.resolve())
    sums = {file.relative_to(place).as_posix(): _sha256(file) for file in sorted(place.rglob("*")) if file.is_file()}
    (place / CRATE).write_text(json.dumps(_crate(place, sums, license_id), indent=1) + "\n", encoding="utf-8")
    sums[CRATE] = _sha256(place / CRATE)
    (place / SUMS).write_text("".join(f"{value}  {name}\n" for name, value in sums.items()), encoding="utf-8")
    return place


def check(run: RunFolder) -> None:
    """Whether a run can be published: it is finished, and its outputs are those that it made, in order.

    Raises:
        ConfigError: says what is stale or edited, and what to do.
    """
    content = run.settle()
    if content["status"] not in ("done", "failed"):
        raise ConfigError(f"{run.path}: {content['status']}: only a run that came to its end can be published")
    stored = content.get("checksums")
    if not stored:
        raise ConfigError(f"{run.path}: has no checksums; repeat it: tsnlab rerun {run.path}")
    if content.get(SEAL) != seal(content):
        raise ConfigError(f"{run.path / RUN_JSON}: was edited after the run; repeat the run: tsnlab rerun {run.path}")
    present = checksums(run.path)
    for name in sorted(stored.keys() | present.keys()):
        if stored.get(name) != present.get(name):
            what = "is missing" if name not in present else "was added" if name not in stored else "was edited"
            raise ConfigError(f"{run.path / name}: {what} after the run; repeat the run: tsnlab rerun {run.path}")
    _check_order(run.path / NOTEBOOK)


def _check_order(notebook: Path) -> None:
    """Whether the cells of a notebook were executed once each, from the first to the last."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code" and cell["source"]]
    if counts != list(range(1, len(counts) + 1)):
        raise ConfigError(f"{notebook}: its cells were not executed once each in order; repeat the run")


def _crate(place: Path, sums: Mapping[str, str], license_id: str) -> dict[str, Any]:
    runs = [RunFolder(folder).read() for folder in sorted(place.iterdir()) if (folder / RUN_JSON).is_file()]
    about: dict[str, Any] = {"@id": CRATE, "@type": "CreativeWork", "about": {"@id": "./"}}
    about["conformsTo"] = {"@id": "https://w3id.org/ro/crate/1.1"}
    parts = [{"@id": f"{run['run']}/"} for run in runs]
    root: dict[str, Any] = {"@id": "./", "@type": "Dataset", "name": "Runs of tsnlab", "datePublished": now()}
    root["description"] = "Measurements of the guide 'Enable TSN in Kata Containers', made by tsnlab"
    terms = {"@id": f"https://spdx.org/licenses/{license_id}", "@type": "CreativeWork", "name": license_id}
    root["license"] = {"@id": terms["@id"]}
    top = [{"@id": name} for name in sums if "/" not in name]
    root["hasPart"] = [*parts, *top]
    described = [item for run in runs for item in _described(run, [name for name in sums if _of(name, run)])]
    files = [_file(place, name, value) for name, value in sums.items()]
    return {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [about, root, terms, *described, *files]}


def _of(name: str, run: Mapping[str, Any]) -> bool:
    return name.startswith(f"{run['run']}/")


def _described(run: Mapping[str, Any], files: Sequence[str]) -> list[dict[str, Any]]:
    """A run as a data set, and as the action that made it from parameters with a certain code."""
    name, code = run["run"], run["code"]
    parts = [{"@id": file} for file in files]
    data: dict[str, Any] = {
        "@id": f"{name}/",
        "@type": "Dataset",
        "name": run.get("title", run["case"]),
        "hasPart": parts,
    }
    data["description"] = f"{run['status']}; {', '.join(run.get('badges', []))}"
    tool = {"@id": f"#tsnlab-{name}", "@type": "SoftwareApplication", "name": "tsnlab", "version": code["version"]}
    tool["license"] = "https://spdx.org/licenses/Apache-2.0"
    tool["softwareVersion"] = f"{code['revision'] or code['version']}{', modified' if code['modified'] else ''}"
    values = [
        {"@id": f"#{name}-{key}", "@type": "PropertyValue", "name": key, "value": value}
        for key, value in run["parameters"].items()
    ]
    action: dict[str, Any] = {"@id": f"#run-{name}", "@type": "CreateAction", "instrument": {"@id": tool["@id"]}}
    action |= {"startTime": run["started"], "endTime": run["finished"], "result": {"@id": data["@id"]}}
    action["object"] = [{"@id": value["@id"]} for value in values]
    return [data, action, tool, *values]


def _file(place: Path, name: str, value: str) -> dict[str, Any]:
    path = place / name
    kind = _TYPES.get(path.suffix, "text/plain")
    size = str(path.stat().st_size)
    return {"@id": name, "@type": "File", "encodingFormat": kind, "contentSize": size, "sha256": value}


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
