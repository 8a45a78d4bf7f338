"""iperf3's JSON, of client or server: the whole document (-J) or one event per line (--json-stream).

Source: esnet/iperf, src/iperf_api.c, versions 3.7 to 3.21.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tsnlab.errors import ConfigError
from tsnlab.formats.log import Collector, Log, document, lines

_END = ("bits_per_second", "jitter_ms", "lost_packets", "packets", "lost_percent", "out_of_order", "seconds", "bytes")
_PERIOD = ("bits_per_second", "lost_packets", "packets")


def read(path: str | os.PathLike[str]) -> Log:
    """The rate of each interval, and what the end says of sender and receiver.

    Old versions do not tell sent from received, but have one `sum`: it is then given as both. A stream that
    was cut short keeps its intervals.

    Raises:
        ConfigError: the file cannot be opened, or the document is no JSON of iperf3.
    """
    source, log = Path(path), Log("iperf3")
    periods = Collector("", "ms since the start")
    content = document(source)
    if content.lstrip()[:9].startswith(b'{"event"'):
        _read_stream(source, log, periods)
    else:
        _read_document(source, content, log, periods)
    log.series = periods.series()
    return log


def _read_document(source: Path, content: bytes, log: Log, periods: Collector) -> None:
    try:
        whole = json.loads(content)
        if not isinstance(whole, dict) or not {"start", "intervals", "end"} & set(whole):
            raise ValueError("neither start, intervals nor end")
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: not a JSON document of iperf3: {error}") from error
    for event in ("start", "end", "error"):
        _take(log, periods, event, whole.get(event), str(source))
    intervals = whole.get("intervals")
    for number, interval in enumerate(intervals if isinstance(intervals, list) else []):
        _take(log, periods, "interval", interval, f"{source}: interval {number}")


def _read_stream(source: Path, log: Log, periods: Collector) -> None:
    for number, text in lines(source):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
            event, data = record["event"], record["data"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            log.damage.note(f"{source}: line {number}", f"not an event of iperf3: {error!r}"[:160])
            continue
        _take(log, periods, event, data, f"{source}: line {number}")


def _take(log: Log, periods: Collector, event: Any, data: Any, where: str) -> None:
    try:
        if event == "error" and data:
            log.facts["error"] = str(data)
        elif event == "start" and data:
            log.facts["start"] = {key: data[key] for key in ("version", "test_start", "timestamp") if key in data}
        elif event == "interval" and data:
            whole = data["sum"]
            for name in _PERIOD:
                if name in whole:
                    periods.add(name, round(float(whole["end"]) * 1000), round(float(whole[name])))
        elif event == "end" and data:
            log.facts |= _ends(data)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        log.damage.note(where, f"an unknown form of {event}: {error!r}"[:160])


def _ends(data: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name, key in (("sent", "sum_sent"), ("received", "sum_received")):
        whole = data.get(key) or data.get("sum") or {}
        found[name] = {one: whole[one] for one in _END if one in whole}
    return found
