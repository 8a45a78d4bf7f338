"""Processors with AMX: a small library, preloaded into the lab's kernel, without which its processes die.

See xstate.c beside this file for what it does and why.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tsnlab.errors import MachineError

_SOURCE = Path(__file__).with_name("xstate.c")


def needed() -> bool:
    """Whether this machine's processor has more state than a user-mode kernel before 6.13 can save."""
    return "amx_tile" in Path("/proc/cpuinfo").read_text(encoding="utf-8")


def library(folder: Path) -> Path:
    """The compiled library, built on first use.

    Args:
        folder: where it is kept.

    Raises:
        MachineError: there is no C compiler, or it failed.
    """
    text = _SOURCE.read_bytes()
    path = folder / f"xstate-{hashlib.sha256(text).hexdigest()[:12]}.so"
    if path.exists():
        return path
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise MachineError(
            "this processor (AMX) needs a small library for user-mode Linux: apt-get install gcc libc6-dev"
        )
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(draft), str(_SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MachineError(f"`{' '.join(command)}` failed:\n{done.stderr}")
    draft.rename(path)
    return path
