"""What Intel's sample-app-taprio writes: its log (zrx.log, and its output) and latencies.dat.

Source: intel/iotg_tsn_ref_sw, branch apollolake-i, sample-app-taprio.c.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tsnlab.formats.log import Collector, Log, lines

_PACKET = re.compile(
    r"TSN VLAN Priority (\d{1,3}) - Seq: (\d{1,10}) Latency = (-?\d{1,19}) ns Inter-packet latency = (-?\d{1,19}) ns"
)
_ROW = re.compile(r"(\d{1,3})\s+(-?\d{1,19})")
_MESSAGES = {
    "out_of_order": "Packet sequence number out of order",
    "repeated": "Same sequence number as previous",
    "queue_full": "msgsnd(): Message queue is full",
}


def read_log(path: str | os.PathLike[str]) -> Log:
    """The receiver's log: latency and inter-packet latency of each packet, by VLAN priority, in nanoseconds.

    The latency is the NIC's time of reception less CLOCK_TAI of the sender just before it sent. The first
    packet has no inter-packet latency (the program prints 0). Where the program says that its message queue
    was full, lines are missing, not packets.

    Raises:
        ConfigError: the file cannot be opened.
    """
    source, log = Path(path), Log("sample-app-taprio log")
    found = Collector("ns", "sequence number")
    first: set[str] = set()
    for number, text in lines(source):
        match = _PACKET.search(text)
        if match is None:
            _note_message(log, text, f"{source}: line {number}")
            continue
        try:
            found.add(f"latency priority {match[1]}", int(match[2]), int(match[3]))
            if match[1] in first:
                found.add(f"inter-packet latency priority {match[1]}", int(match[2]), int(match[4]))
            first.add(match[1])
        except ValueError as error:
            log.damage.note(f"{source}: line {number}", str(error))
    log.series = found.series()
    return log


def read_latencies(path: str | os.PathLike[str]) -> Log:
    """latencies.dat: the time between packets, by priority, in nanoseconds.

    Raises:
        ConfigError: the file cannot be opened.
    """
    source, log = Path(path), Log("sample-app-taprio latencies.dat")
    found = Collector("ns", "line")
    for number, text in lines(source):
        match = _ROW.fullmatch(text.strip())
        try:
            if match is not None:
                found.add(f"inter-packet latency priority {match[1]}", number, int(match[2]))
        except ValueError as error:
            log.damage.note(f"{source}: line {number}", str(error))
        if match is None and text.strip() and not text.startswith("#"):
            log.damage.note(f"{source}: line {number}", "not a priority and a number")
    log.series = found.series()
    return log


def _note_message(log: Log, text: str, where: str) -> None:
    for name, message in _MESSAGES.items():
        if message in text:
            log.facts[name] = log.facts.get(name, 0) + 1
            return
    if text.startswith("TSN VLAN Priority"):
        log.damage.note(where, "a line of a packet that is not whole")
