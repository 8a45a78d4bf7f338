"""Measures how fast the virtual lab is, and prints a table: its own time against the wall's.

python -m tests.bench.lab [--packets N] [--times N]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import tsnlab
from tsnlab.case import Case
from tsnlab.ptp import Sync
from tsnlab.session import Lab


class Row(NamedTuple):
    """One thing that was timed."""

    what: str
    lab_seconds: float
    wall_seconds: float

    def __str__(self) -> str:
        ratio = f"{self.lab_seconds / self.wall_seconds:6.1f} times real time" if self.lab_seconds else ""
        return f"{self.what:44} {self.wall_seconds:7.2f} s  {ratio}"


def prepared(case: Case) -> tuple[Lab, Sync]:
    """A lab with the case's steps taken and its clocks locked."""
    lab = tsnlab.open_lab()
    tsnlab.links.vlan(lab, case)
    tsnlab.links.channels(lab, case)
    tsnlab.qdisc.apply(lab, case)
    tsnlab.switch.configure(lab, case)
    return lab, tsnlab.ptp.launch(lab).wait_locked()


def measurement(name: str, what: str, packets: int, **parameters: object) -> Row:
    """Times one measurement of a case, start-up of its programs included."""
    case = tsnlab.load_case(name, packets=packets, **parameters)
    lab, sync = prepared(case)
    with lab:
        lab_ns, wall = lab.now_ns(), time.monotonic()
        tsnlab.capture.record(lab, case, sync)
        return Row(what, (lab.now_ns() - lab_ns) / 1e9, time.monotonic() - wall)


def rows(packets: int) -> Iterator[Row]:
    """Everything that is timed once."""
    started = time.monotonic()
    with tsnlab.open_lab() as lab:
        yield Row("lab opened: booted, wired", 0, time.monotonic() - started)
        started = time.monotonic()
        for _ in range(20):
            lab.host("node1").run(["true"])
        yield Row("a command, one of 20", 0, (time.monotonic() - started) / 20)
    yield measurement("case2", "Case 2", packets)
    yield measurement("case3", "Case 3, 953 Mbit/s, 802.1Qbv", packets)
    yield measurement("case3", "Case 3, 953 Mbit/s, no 802.1Qbv", packets, switch_qbv=False)


def main() -> None:
    """Prints the best of several times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packets", type=int, default=5000)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    best: dict[str, Row] = {}
    for _ in range(options.times):
        for row in rows(options.packets):
            if row.what not in best or row.wall_seconds < best[row.what].wall_seconds:
                best[row.what] = row
    sys.stdout.write("\n".join(map(str, best.values())) + "\n")


if __name__ == "__main__":
    main()
