"""The setup of a hardware lab kept from one run to the next: the journal goes along, and is unwound in the end.

A sweep sets the variable for its workers. A lab that is closed then leaves the nodes as they are, but for the programs
that run there, and hands its journal over to the next one; steps find what did not change, and have nothing to do.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "TSNLAB_KEPT_JOURNAL"


def kept_journal() -> Path | None:
    """Where the journal is kept between two runs; None where each run gives the nodes back as they were."""
    named = os.environ.get(VARIABLE, "")
    return Path(named) if named else None
