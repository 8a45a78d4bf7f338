"""What the nodes of a lab run, for run.json: packages of the tools that a run uses, the kernel's configuration."""

from __future__ import annotations

import functools
import hashlib
import subprocess
from typing import Any

from tsnlab.session import Lab

PACKAGES = ("iproute2", "ethtool", "linuxptp", "iperf3", "python3", "user-mode-linux", "openssh-server", "containerd")

_ASK = """
for file in /proc/config.gz "/boot/config-$(uname -r)"; do
    [ -r "$file" ] && zcat -f "$file" | sha256sum | sed 's/ .*//; s/^/config /' && break
done
if command -v dpkg-query >/dev/null; then
    dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\\n' "$@" 2>/dev/null | sed -n 's/^installed //p'
elif command -v rpm >/dev/null; then
    rpm -q --queryformat '%{NAME} %{VERSION}-%{RELEASE}\\n' "$@" | grep -v 'not installed'
fi
exit 0
"""
"""Prints a line for the kernel's configuration, if it can be read, and one for each package that is installed."""

CONFIG = "kernel configuration (SHA-256)"


def inventory(lab: Lab) -> dict[str, dict[str, str]]:
    """By node, the versions of its packages and the hash of its kernel's configuration, as far as it tells them.

    The nodes of a virtual lab have the files of this machine, and one kernel.
    """
    from tsnlab.virtual_lab import VirtualLab

    if isinstance(lab, VirtualLab):
        config = lab.kernel.config
        own = {CONFIG: hashlib.sha256(config.read_bytes()).hexdigest()} if config else {}
        return {"nodes": {**own, **_of_this_machine()}}
    return {name: _read(lab.host(name).run(_command(), check=False).stdout) for name in lab.spec.nodes}


@functools.cache
def _of_this_machine() -> dict[str, str]:
    """Once for each process: a sweep asks for every point."""
    answer = subprocess.run(_command(), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    found = _read(answer.stdout)
    found.pop(CONFIG, None)
    return found


def _command() -> list[str]:
    return ["sh", "-c", _ASK, "inventory", *PACKAGES]


def _read(text: str) -> dict[str, Any]:
    lines = [line.split(" ", 1) for line in text.splitlines() if " " in line]
    return {CONFIG if name == "config" else name: version for name, version in lines}
