"""What sends and receives the stream, as the case says: tsnlab's own programs, isochron or sample-app-taprio."""

from __future__ import annotations

from pathlib import Path

from tsnlab.case import Case
from tsnlab.ptp import Sync
from tsnlab.session import Lab
from tsnlab.tools.base import Tool
from tsnlab.tools.isochron import Isochron
from tsnlab.tools.own import Own
from tsnlab.tools.sample_app import SampleApp

__all__ = ["Isochron", "Own", "SampleApp", "Tool", "of"]

_TOOLS: dict[str, type[Tool]] = {"tsnlab": Own, "isochron": Isochron, "sample-app-taprio": SampleApp}


def of(lab: Lab, case: Case, sync: Sync | None, raw: Path | None) -> Tool:
    """The tool that a case asks for; see :class:`Tool` for the arguments."""
    return _TOOLS[case.stream.tool](lab, case, sync, raw)
