"""What ptp4l answers to ``pmc``, as values.

Source: pmc(8), linuxptp's pmc.c for the format; IEEE 1588 clause 15.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tsnlab.errors import SyncError
from tsnlab.hosts import Host

_HEADER = re.compile(r"^\s(\S+)-(\d+) seq \d+ RESPONSE MANAGEMENT (\S+)")
_FIELD = re.compile(r"^\t\t(\S+)\s+(.*?)\s*$")


@dataclass(frozen=True)
class Answer:
    """One answer to one query.

    Attributes:
        clock: identity of the clock that answers.
        port: its port; 0 for the clock as a whole.
        dataset: what was asked for.
        fields: as ptp4l names them.
    """

    clock: str
    port: int
    dataset: str
    fields: dict[str, str]

    def integer(self, name: str) -> int:
        """A field as a number, fractions cut off."""
        return int(float(self.fields[name])) if "x" not in self.fields[name] else int(self.fields[name], 16)


def parse(text: str) -> list[Answer]:
    """Every answer in what ``pmc`` printed."""
    answers: list[Answer] = []
    for line in text.splitlines():
        if header := _HEADER.match(line):
            answers.append(Answer(header[1], int(header[2]), header[3], {}))
        elif answers and (entry := _FIELD.match(line)):
            answers[-1].fields[entry[1]] = entry[2]
    return answers


def query(host: Host, dataset: str, *, domain: int = 0, transport_specific: int = 0, socket: str = "") -> list[Answer]:
    """Asks the ptp4l of a node; empty if none answers.

    Args:
        dataset: such as PORT_DATA_SET.
        domain, transport_specific: of ptp4l's section [global].
        socket: its `uds_address`; empty for ptp4l's own default.
    """
    words = ["pmc", "-u", "-b", "0", "-d", str(domain), "-t", hex(transport_specific)[2:]]
    words += ["-s", socket] if socket else []
    return parse(host.run([*words, f"GET {dataset}"], check=False).stdout)


def ask(host: Host, dataset: str, **where: Any) -> Answer:
    """The first answer of the ptp4l of a node.

    Args:
        dataset, where: see :func:`query`.

    Raises:
        SyncError: there is none.
    """
    answers = query(host, dataset, **where)
    if not answers:
        raise SyncError(f"{host.name}: ptp4l does not answer `pmc 'GET {dataset}'`; does it run, in the same domain?")
    return answers[0]
