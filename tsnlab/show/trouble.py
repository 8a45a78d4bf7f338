"""An error of tsnlab in a cell: what it says and which line asked for it, instead of pages of calls inside tsnlab.

``%tb`` shows the whole traceback of the last error, ``%xmode Verbose`` of all that come.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tsnlab.errors import TsnlabError

_PACKAGE = str(Path(__file__).parents[1])
_RED, _BOLD, _FAINT, _END = "\x1b[1;31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"
_WHOLE = "_tsnlab_shown"


def lines(error: TsnlabError) -> list[str]:
    """The error as IPython prints it: short at first, whole when it is asked for again (``%tb``)."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    ask_again = getattr(error, _WHOLE, False)
    if shell is not None and (ask_again or shell.InteractiveTB.mode != "Context"):
        return list(shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__))
    setattr(error, _WHOLE, True)
    return short(error)


def short(error: TsnlabError) -> list[str]:
    """What is wrong, what to do, which line of the user's asked for it, and where in tsnlab it was found."""
    calls = traceback.extract_tb(error.__traceback__)
    return [
        f"{_RED}{type(error).__name__}{_END}: {_message(str(error))}",
        *(f"{_FAINT}{line}{_END}" for line in _where(calls)),
    ]


def _message(text: str) -> str:
    """The message with what is to be done set off."""
    return "\n".join(
        f"{_BOLD}{line}{_END}" if line.lstrip().startswith("what to do:") else line for line in text.splitlines()
    )


def _where(calls: Sequence[traceback.FrameSummary]) -> list[str]:
    inside = next((index for index, call in enumerate(calls) if call.filename.startswith(_PACKAGE)), len(calls))
    asked = calls[:inside][-1:]
    found = [f"asked for in line {call.lineno}: {call.line}" for call in asked if call.line]
    chain = " > ".join(f"{Path(call.filename).name}:{call.lineno}" for call in calls[inside:])
    return [*found, f"raised in {chain}; %tb shows it all"] if chain else found
