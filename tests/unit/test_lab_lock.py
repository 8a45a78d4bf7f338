"""A lab of real machines is used by one at a time, whatever becomes of who used it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tsnlab.errors import ConfigError
from tsnlab.lab_lock import LabLock

HOLD = """\
import sys
from pathlib import Path
from tsnlab.lab_lock import LabLock
lock = LabLock("theirs", ["node2:22", "node1:22"], Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()"""


def test_a_lab_in_use_names_the_process_and_is_free_when_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match=f"lab ours: node2:22 is in use by lab theirs, process {process.pid}"):
            LabLock("ours", ["node2:22", "node3:22"], tmp_path)
        # who did not get all of a lab holds nothing of it
        LabLock("another", ["node3:22"], tmp_path).close()
        process.kill()
        process.wait()
    with LabLock("ours", ["node2:22", "node3:22"], tmp_path), pytest.raises(ConfigError, match="in use by lab ours"):
        LabLock("another", ["node3:22"], tmp_path)
    LabLock("another", ["node3:22"], tmp_path).close()
