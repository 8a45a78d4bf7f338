"""tsnlab: the guide *Enable TSN in Kata Containers* as a lab that runs.

The functions of this package are the guide's steps, each the size of a notebook cell; see the notebooks.
Nothing heavy is imported before it is used.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_FUNCTIONS = {"open_lab": "tsnlab.session", "load_case": "tsnlab.case", "new_run": "tsnlab.folder"}

__all__ = [
    "__version__",
    "analysis",
    "capture",
    "image",
    "kata",
    "kernel",
    "links",
    "live",
    "load_case",
    "new_run",
    "ntp",
    "open_lab",
    "plot",
    "preflight",
    "ptp",
    "qdisc",
    "switch",
    "verdict",
    "vfio",
]

if TYPE_CHECKING:
    from tsnlab import (
        analysis,
        capture,
        image,
        kata,
        kernel,
        links,
        live,
        ntp,
        plot,
        preflight,
        ptp,
        qdisc,
        switch,
        verdict,
        vfio,
    )
    from tsnlab.case import load_case
    from tsnlab.folder import new_run
    from tsnlab.session import open_lab


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(_FUNCTIONS[name]), name)
    if name in __all__:
        return importlib.import_module(f"tsnlab.{name}")
    raise AttributeError(f"module 'tsnlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])


def _introduce() -> None:
    """Tells IPython, where we are imported in it, how captures show themselves."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        from tsnlab.show import shell as view

        view.extend(shell)


_introduce()
