"""Debian's prebuilt kernel for user-mode Linux: nothing to build, no virtual time."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tsnlab.errors import KernelBuildError
from tsnlab.kernel.config import compare, parse_config, parse_fragment
from tsnlab.kernel.result import Kernel

BINARY = "linux.uml"
MODULES = Path("/usr/lib/uml/modules")

_NOTES = {
    "CONFIG_IGB": "Debian builds user-mode Linux without PCI",
    "CONFIG_NETWORK_PHY_TIMESTAMPING": "left out by Debian; no link of the virtual lab has a PHY",
}


def prebuilt(fragment: Path) -> Kernel:
    """The kernel of the package user-mode-linux, with the symbols of a fragment beside its own.

    A symbol that it lacks is shown, not an error: there is nothing to be changed about it.

    Raises:
        KernelBuildError: the package is not installed.
    """
    binary = shutil.which(BINARY)
    if binary is None:
        raise KernelBuildError(
            f"there is no {BINARY} here; as root: apt-get install --no-install-recommends user-mode-linux"
        )
    version = _ask(binary, "--version").strip()
    requested = parse_fragment(fragment.read_text(), str(fragment))
    return Kernel(
        path=Path(binary),
        version=version,
        virtual_time=False,
        modules=_modules(version),
        symbols=compare(requested, parse_config(_ask(binary, "--showconfig")), _NOTES),
    )


def _ask(binary: str, option: str) -> str:
    return subprocess.run([binary, option], check=True, capture_output=True, text=True).stdout


def _modules(version: str) -> Path:
    folder = MODULES / version
    if not folder.is_dir():
        raise KernelBuildError(
            f"{folder} is not there, although {BINARY} is of version {version};"
            " as root: apt-get install --reinstall user-mode-linux"
        )
    return folder
