"""A run repeated with the parameters that it has stored, and compared with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsnlab import notebook
from tsnlab.errors import ConfigError
from tsnlab.folder import RESULTS, RunFolder, results_folder
from tsnlab.run import lab_source, run

_STATISTICS = ("count", "min", "mean", "max", "std")


@dataclass(frozen=True, repr=False)
class Rerun:
    """Two runs with the same parameters.

    Attributes:
        before, after: their run folders.
        same_code: whether lab, notebook and code are the same too; None if the first run has not stored them.
        differences: each statistic that is not equal, with its value in both runs.
    """

    before: Path
    after: Path
    same_code: bool | None
    differences: tuple[tuple[str, Any, Any], ...]

    @property
    def equal(self) -> bool:
        """Whether all statistics are equal."""
        return not self.differences

    def __str__(self) -> str:
        code = {True: "the same code and lab", False: "other code, notebook or lab", None: "code not known"}
        head = f"{self.before.name}, repeated with {code[self.same_code]}: "
        if self.equal:
            return head + "equal statistics"
        lines = [f"  {name}: {before} before, {after} now" for name, before, after in self.differences]
        return "\n".join([f"{head}{len(lines)} statistics differ", *lines])

    def __repr__(self) -> str:
        return str(self)


def rerun(folder: str | Path, *, results: str | Path = RESULTS, show: bool = True) -> Rerun:
    """Repeats a run with its stored parameters into a new run folder, and compares.

    Raises:
        ConfigError: it is not a run folder, it has measured nothing, or its notebook is not to be found.
        KernelBuildError: see :func:`tsnlab.run.run`.
    """
    first = RunFolder(Path(folder))
    content = first.read()
    if "indicators" not in content:
        raise ConfigError(f"{first.path}: has measured nothing that a repetition could be compared with")
    where = content.get("notebook") or content["case"]
    known = notebook.parameters(notebook.find(where))
    parameters = {name: value for name, value in content["parameters"].items() if name in known}
    if "lab_file" in parameters:
        parameters["lab_file"] = _lab_file(content, results_folder(results))
    second = RunFolder(run(where, parameters=parameters, results=results, show=show))
    again = second.read()
    same = content["key"] == again.get("key") if "key" in content else None
    return Rerun(first.path, second.path, same, tuple(differing(content, again)))


def _lab_file(content: Mapping[str, Any], folder: Path) -> str:
    """The lab file of a run, or one written anew beside it if that has been changed since, or is not there any more."""
    named, text = str(content["parameters"]["lab_file"]), content.get("lab_source")
    if text is None or lab_source(named) == text:
        return named
    written = folder / f"{content['run']}-lab.yaml"
    written.write_text(text, encoding="utf-8")
    return str(written)


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The statistics and counts that are not the same in two run.json."""
    for name, summary in before["indicators"].items():
        other = after.get("indicators", {}).get(name, {})
        for statistic in _STATISTICS:
            if summary.get(statistic) != other.get(statistic):
                yield f"{name}.{statistic}", summary.get(statistic), other.get(statistic)
    for name in ("sent", "received", "lost", "late"):
        counts = [run.get("packets", {}).get(name) for run in (before, after)]
        if counts[0] != counts[1]:
            yield f"packets.{name}", counts[0], counts[1]
