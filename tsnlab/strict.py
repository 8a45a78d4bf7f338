"""`papermill --engine tsnlab`: a notebook as `tsnlab run` executes it, where papermill was asked for.

Registered as papermill's entry point `papermill.engine`, so that papermill imports it at every start: light, and not
to be imported for anything else.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from papermill.engines import Engine  # noqa: TID253 - a base class


class StrictEngine(Engine):  # type: ignore[misc]  # papermill has no types
    """Executes a notebook with checked parameters into a run folder, with a report; leaves nothing behind.

    Papermill only warns of a parameter that the notebook does not have; here it is an error before anything starts. A
    lab of real machines is locked while it is open (see `tsnlab.lab_lock`), and what was changed there is taken
    back even if the kernel of the notebook is killed.
    """

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_settings: Any) -> None:
        """Runs all cells up to the first that fails.

        Raises:
            ConfigError: there is no such parameter, or its value is not valid; the lab is in use.
        """
        from tsnlab import notebook, run
        from tsnlab.folder import NOTEBOOK, new_run
        from tsnlab.teardown import restore_if_needed

        path = Path(nb_man.nb.metadata.papermill["input_path"])
        known = notebook.parameters(path)
        given = dict(nb_man.nb.metadata.papermill["parameters"])
        where = given.pop(notebook.OWN_PARAMETER, "")
        values = notebook.checked_against(known, path.stem, given)
        run.prepare(path, values)
        if notebook.OWN_PARAMETER not in known:
            _execute(nb_man, kernel_name, values)
            return
        folder = new_run(path.stem, values, folder=where, marks=run.marks(path, values))
        began, outcome = time.monotonic(), {"status": "interrupted", "error": "before the last cell"}
        try:
            _execute(nb_man, kernel_name, {**values, notebook.OWN_PARAMETER: str(folder.path)})
            outcome = _outcome(nb_man.nb)
        except RuntimeError as error:
            # nbclient's, when the kernel of the notebook died
            outcome = {"status": "error", "error": str(error)}
            raise
        finally:
            _keep(nb_man.nb, folder.path / NOTEBOOK)
            run.conclude(folder, outcome, time.monotonic() - began)
            restore_if_needed(folder.path, run.lab_file_of(known, values))


def _execute(nb_man: Any, kernel_name: str, values: Mapping[str, Any]) -> None:
    from papermill.parameterize import parameterize_notebook

    from tsnlab.engine import LabEngine, Stop
    from tsnlab.ticker import Ticker

    nb_man.nb = parameterize_notebook(nb_man.nb, dict(values))
    # the cell with the parameters is a new one
    nb_man.notebook_start()
    with Stop().listening() as stop:
        LabEngine.execute_managed_notebook(nb_man, kernel_name, ticker=Ticker("", {}, show=False), stop=stop)


def _outcome(executed: Any) -> dict[str, str]:
    """The status and error of an executed notebook; nothing if it ran through."""
    from tsnlab import run

    for cell in executed.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return run.ended_with(output.ename, output.evalue, stopped=output.ename == "KeyboardInterrupt")
    return {}


def _keep(executed: Any, path: Path) -> None:
    import nbformat

    nbformat.write(executed, path)  # type: ignore[no-untyped-call]
