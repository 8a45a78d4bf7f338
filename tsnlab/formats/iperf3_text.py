"""What iperf3 prints without -J: a line for each interval, and the sums of sender and receiver at the end.

Source: esnet/iperf, src/iperf_locale.c, versions 3.7 to 3.21. Numbers are rounded as they are printed; percentages are
computed anew, since `%.2g` prints all of them as 1e+02.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from tsnlab.formats.log import Collector, Log, lines

ROW = re.compile(
    r"\[ *(?P<id>\d+|SUM)\](?:\[\w+-\w+\])? +(?P<start>[\d.]{1,15})-(?P<end>[\d.]{1,15}) +sec"
    r" +[\d.]{1,15} [KMGT]?Bytes +(?P<rate>[\d.]{1,15}) (?P<unit>[KMGT]?)bits/sec"
    r"(?: +(?P<jitter>[\d.]{1,15}) ms +(?P<lost>\d{1,18})/(?P<total>\d{1,18}) \([\d.e+-]+%\)"
    r"| +(?P<datagrams>\d{1,18}))?"
)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BEGUN = re.compile(r"\[ *(?:\d+|SUM)\](?:\[\w+-\w+\])? +[\d.]+-")


def is_text(start: bytes) -> bool:
    """Whether a file that begins so is such a text."""
    return re.search(rb"^\[ ID\](?:\[Role\])? Interval +Transfer +Bitrate", start, re.MULTILINE) is not None


def read(path: str | os.PathLike[str]) -> Log:
    """The rate of each interval, and what the end says of sender and receiver.

    Where several streams run, their SUM is taken. A row that is not whole is damage.

    Raises:
        ConfigError: the file cannot be opened.
    """
    source, log = Path(path), Log("iperf3")
    rows: list[re.Match[str]] = []
    for number, text in lines(source):
        row = ROW.match(text)
        try:
            if row is not None and text.rstrip().endswith(("sender", "receiver")):
                log.facts["received" if text.rstrip().endswith("receiver") else "sent"] = _sum(row)
            elif row is not None:
                _numbers(row)
                rows.append(row)
            elif _BEGUN.match(text):
                log.damage.note(f"{source}: line {number}", "a row that is not whole")
            elif text.startswith(("iperf3: error", "iperf3: interrupt")):
                log.facts["error"] = text.removeprefix("iperf3: ")
        except ValueError as error:
            log.damage.note(f"{source}: line {number}", f"not a row of numbers: {error}")
    log.series = _periods(rows)
    return log


def _periods(rows: list[re.Match[str]]) -> dict[str, Any]:
    periods = Collector("", "ms since the start")
    sums = [row for row in rows if row["id"] == "SUM"]
    for row in sums or rows:
        end_ms, rate = _numbers(row)
        periods.add("bits_per_second", end_ms, rate)
        if row["total"] is not None:
            periods.add("lost_packets", end_ms, int(row["lost"]))
        if row["total"] or row["datagrams"]:
            periods.add("packets", end_ms, int(row["total"] or row["datagrams"]))
    return dict(periods.series())


def _numbers(row: re.Match[str]) -> tuple[int, int]:
    """When an interval ends, in milliseconds, and its rate in bits per second."""
    return round(float(row["end"]) * 1000), round(float(row["rate"]) * _UNITS[row["unit"]])


def _sum(row: re.Match[str]) -> dict[str, Any]:
    _, rate = _numbers(row)
    found: dict[str, Any] = {"bits_per_second": rate, "seconds": float(row["end"]) - float(row["start"])}
    if row["total"] is not None:
        lost, total = int(row["lost"]), int(row["total"])
        found |= {"jitter_ms": float(row["jitter"]), "lost_packets": lost, "packets": total}
        found["lost_percent"] = 100 * lost / total if total else 0.0
    elif row["datagrams"] is not None:
        found["packets"] = int(row["datagrams"])
    return found
