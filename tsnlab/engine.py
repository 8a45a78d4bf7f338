"""The papermill engine of `tsnlab run`: the notebook runs in this very Python, tells how far it is, can be stopped.

Imported only to execute a notebook, since it loads papermill.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from papermill.clientwrap import PapermillNotebookClient  # noqa: TID253 - a base class
from papermill.engines import Engine, papermill_engines  # noqa: TID253 - a base class

from tsnlab.progress import MARK
from tsnlab.ticker import Ticker

NAME = "tsnlab run"
_RESET_S = 10.0
_SAVE_EVERY_S = 30.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Ctrl-C, SIGTERM and SIGHUP while a notebook runs: the first interrupts the cell, a second gives up."""

    def __init__(self) -> None:
        self.requested = False
        self._interrupt: Callable[[], None] | None = None

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Takes the signals; outside of the main thread, where there are none, does nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        # what is ignored, as by nohup, stays ignored
        taken = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._take) for number in taken}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def passed_to(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """While cells are executed, the first signal calls this instead of ending the runner."""
        self._interrupt = interrupt
        try:
            yield
        finally:
            self._interrupt = None

    def check(self) -> None:
        """Raises KeyboardInterrupt once the run is to be stopped."""
        if self.requested:
            raise KeyboardInterrupt

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        if self.requested or self._interrupt is None:
            self.requested = True
            raise KeyboardInterrupt
        self.requested = True
        self._interrupt()


class _ThisPython(KernelSpecManager):
    """The kernel is this interpreter, whatever kernels the user has installed under the notebook's name."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        # what it logs about being interrupted or left alone is no news: the runner tells how the run has ended
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=50"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


class _Kernel(AsyncKernelManager):
    """A kernel that talks over Unix sockets in a folder of its own, so that no port is open to others."""

    def __init__(self, **settings: Any) -> None:
        self._sockets = Path(tempfile.mkdtemp(prefix="tsnlab-"))
        connection = str(self._sockets / "kernel.json")
        specs = _ThisPython()
        super().__init__(transport="ipc", connection_file=connection, kernel_spec_manager=specs, **settings)

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        await super()._async_cleanup_resources(restart)
        if not restart:
            shutil.rmtree(self._sockets, ignore_errors=True)

    cleanup_resources = _async_cleanup_resources


class WarmKernel:
    """A kernel that executes one notebook after another, so that starting it and importing is paid for once.

    Each notebook finds it as a new one would be, but for the modules that are imported already. A notebook that
    was cut short may have left a lab open: its kernel is to be closed.
    """

    def __init__(self) -> None:
        self.manager = _Kernel()
        self.client: Any = None

    def forget(self) -> None:
        """Removes what the last notebook has defined, and goes back to the folder where it began."""
        if self.client is not None:
            here = str(Path.cwd())
            code = f"import os; os.chdir({here!r}); get_ipython().reset(new_session=True)"
            run_sync(self.client.execute_interactive)(code, silent=True, store_history=False, timeout=_RESET_S)

    def close(self) -> None:
        """Ends the kernel and whatever lab is still open in it."""
        if self.client is not None:
            self.client.stop_channels()
        if self.manager.has_kernel:
            run_sync(self.manager.shutdown_kernel)()
        run_sync(self.manager.cleanup_resources)()


class _Client(PapermillNotebookClient):  # type: ignore[misc]  # papermill has no types
    """Executes cell after cell, and passes on what they say about their progress."""

    def __init__(
        self, notebook: Any, *, ticker: Ticker, stop: Stop, warm: WarmKernel | None = None, **settings: Any
    ) -> None:
        super().__init__(notebook, km=warm.manager if warm else None, kernel_manager_class=_Kernel, **settings)
        self.kc = warm.client if warm else None
        self._ticker = ticker
        self._stop = stop

    def papermill_execute_cells(self) -> None:
        with self._stop.passed_to(self._interrupt):
            super().papermill_execute_cells()

    def execute_cell(self, cell: Any, cell_index: int, **settings: Any) -> Any:
        self._stop.check()
        if cell.cell_type == "code":
            title = _title(self.nb.cells[:cell_index])
            self._ticker.cell(cell_index + 1, len(self.nb.cells), title, cell.id)
        return super().execute_cell(cell, cell_index, **settings)

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        content = msg["content"]
        if content.get("metadata") == MARK:
            self._ticker.says(content["data"].get("text/plain", ""))
        return super().process_message(msg, cell, cell_index)

    def _interrupt(self) -> None:
        # what JupyterLab's stop button does
        os.killpg(self.km.provisioner.pgid, signal.SIGINT)


class LabEngine(Engine):  # type: ignore[misc]  # papermill has no types
    """Executes a notebook; takes `ticker`, `stop` and `warm` beside papermill's own arguments."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        ticker: Ticker,
        stop: Stop,
        warm: WarmKernel | None = None,
        **_settings: Any,
    ) -> None:
        """Runs all cells up to the first that fails."""
        if warm is not None:
            warm.forget()
            nb_man.save = _seldom(nb_man.save)
        client = _Client(nb_man, ticker=ticker, stop=stop, warm=warm, kernel_name=kernel_name, timeout=None)
        try:
            client.execute()
        finally:
            if warm is not None:
                warm.client = client.kc


papermill_engines.register(NAME, LabEngine)


def _seldom(save: Callable[..., None]) -> Callable[..., None]:
    """Papermill's saving before and after every cell, once in a while: it costs as much as a short measurement.

    Papermill writes the whole notebook in the end, however that comes.
    """
    saved = time.monotonic()

    def save_now_and_then(**settings: Any) -> None:
        nonlocal saved
        if time.monotonic() - saved > _SAVE_EVERY_S:
            save(**settings)
            saved = time.monotonic()

    return save_now_and_then


def _title(before: list[Any]) -> str:
    """The heading that a cell stands under."""
    for cell in reversed(before):
        if cell.cell_type == "markdown":
            headings = [line for line in cell.source.splitlines() if line.startswith("#")]
            if headings:
                return str(headings[-1].lstrip("# "))
    return ""
