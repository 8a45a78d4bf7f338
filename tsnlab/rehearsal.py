"""A notebook executed on imagined nodes, cell by cell, in this very process."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from tsnlab import kernel, notebook, session
from tsnlab.errors import ConfigError
from tsnlab.hosts.planned import EndOfPlan
from tsnlab.lab import load_lab_file
from tsnlab.plan import Plan, PlannedLab
from tsnlab.planned_kernel import planned_kernel
from tsnlab.run import asked


def rehearse(name: str, lab_file: str | Path, parameters: Mapping[str, Any] | None = None) -> Plan:
    """What a notebook would do on the nodes of a lab.

    Args:
        name: of a notebook that comes with tsnlab, or path of another.
        lab_file: the lab.
        parameters: of the notebook; values may be texts, as on a command line.

    Raises:
        ConfigError: there is no such notebook, parameter or lab; or it opens no lab.
        TsnlabError: a step cannot be done on a lab as it is assumed.
    """
    path = notebook.find(name)
    values = asked(path, lab_file, parameters or {})
    with tempfile.TemporaryDirectory() as folder, _imagined() as opened:
        _execute(path, {**values, notebook.OWN_PARAMETER: folder}, opened)
    if not opened:
        raise ConfigError(f"{path}: the notebook opens no lab, so that there is nothing to plan")
    return opened[0].plan


@contextmanager
def _imagined() -> Iterator[list[PlannedLab]]:
    """Within the block, whoever opens a lab gets an imagined one."""
    opened: list[PlannedLab] = []

    def stand_in(lab_file: str | Path = "virtual", folder: Path | None = None) -> PlannedLab:
        opened.append(PlannedLab(load_lab_file(lab_file), folder))
        return opened[-1]

    def kata_kernel(target: str = "virtual", **how: Any) -> Any:
        return planned_kernel(opened[-1], **how) if target == "kata" and opened else build(target, **how)  # type: ignore[call-overload]

    real, build = session.open_lab, kernel.build
    session.open_lab, kernel.build = stand_in, kata_kernel
    try:
        yield opened
    finally:
        session.open_lab, kernel.build = real, build
        for lab in opened:
            lab.close()


def _execute(path: Path, values: Mapping[str, Any], opened: list[PlannedLab]) -> None:
    """Runs the code cells up to the one that has to know what was measured."""
    import matplotlib as mpl

    mpl.use("Agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    title = ""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            title = _heading(source) or title
            continue
        if cell["cell_type"] != "code":
            continue
        if opened:
            opened[-1].plan.record.section = title
        try:
            # what a notebook prints is about numbers that there are none of
            with redirect_stdout(StringIO()):
                exec(compile(source, f"{path.name}, {cell['id']}", "exec"), names)
        except EndOfPlan as end:
            if "aside" in cell["metadata"].get("tags", []):
                continue  # what it measures is for the reader alone
            opened[-1].plan.ended = f"The plan ends here. {end}"
            return
        if "parameters" in cell["metadata"].get("tags", []):
            names |= values


def _heading(text: str) -> str:
    headings = [line for line in text.splitlines() if line.startswith("#")]
    return headings[-1].lstrip("# ") if headings else ""
