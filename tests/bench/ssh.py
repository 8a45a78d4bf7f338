"""Measures what an SSH host costs beside a local one, on a real sshd on loopback, and prints a table.

python -m tests.bench.ssh [--times N]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.remote.conftest import missing, plain_user, start_server
from tsnlab import preflight
from tsnlab.hosts.base import Host
from tsnlab.hosts.local import LocalHost
from tsnlab.hosts.ssh import SshHost


def hundred(host: Host) -> None:
    """A hundred commands, one after the other."""
    for number in range(100):
        host.run(["echo", str(number)])


def megabytes(host: Host) -> None:
    """50 MB of output of one command."""
    host.run(["head", "-c", "50000000", "/dev/zero"])


def five(hosts: list[SshHost]) -> None:
    """Preflight of five nodes at the same time."""
    preflight.examine({f"node{number}": (host, ["lo"]) for number, host in enumerate(hosts)})


def seconds(action: Callable[[], None], times: int) -> float:
    """The fastest of some runs: what else the machine does only ever adds to it."""
    found = []
    for _ in range(times):
        started = time.monotonic()
        action()
        found.append(time.monotonic() - started)
    return min(found)


def rows(folder: Path, times: int) -> Iterator[tuple[str, float]]:
    """What was measured, and how long it took."""
    server = start_server(folder / "sshd")
    hosts = [SshHost(f"node{number}", config=server.config(plain_user())) for number in range(5)]
    local = LocalHost("here")
    try:
        for host in hosts:
            host.run(["true"])
        yield "100 commands on this machine", seconds(lambda: hundred(local), times)
        yield "100 commands over an open SSH host", seconds(lambda: hundred(hosts[0]), times)
        yield "50 MB of output over SSH", seconds(lambda: megabytes(hosts[0]), times)
        yield "preflight of five nodes, in parallel", seconds(lambda: five(hosts), times)
    finally:
        for host in hosts:
            host.close()
        server.stop()


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=3)
    if reason := missing():
        sys.stdout.write(f"not measured: {reason}\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        for what, taken in rows(Path(folder), parser.parse_args().times):
            sys.stdout.write(f"{what:40} {taken:6.2f} s\n")


if __name__ == "__main__":
    main()
