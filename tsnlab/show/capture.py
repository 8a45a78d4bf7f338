"""A packets table in a notebook: how many, how they lie in their cycles, and the first and last of them to read.

The table itself is nanoseconds since 1970, nineteen digits each; `capture.head()` still shows them.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from tsnlab import packets
from tsnlab.show.strip import Envelope, Strip

if TYPE_CHECKING:
    import pandas as pd

    from tsnlab.analysis.table import Table

FEW = 20
"""A table of no more rows is shown as it is."""

_SHOWN = 3
_STEPS = {"tx_wakeup": "woken up", "tx_program": "sent", "tx_kernel_hardware": "left"}


def is_capture(frame: pd.DataFrame) -> bool:
    """Whether a table is that of a measurement, and too long to read."""
    return packets.ATTRS_KEY in frame.attrs and tuple(frame.columns) == packets.COLUMNS and len(frame) > FEW


def strip(frame: pd.DataFrame) -> Strip:
    """The whole measurement as a strip."""
    drawn = Strip()
    drawn.highest = int(frame["seq"].max())
    drawn.scheduled = _envelope(frame["seq"], packets.arrival(frame) - frame["interval_start"])
    drawn.latency = _envelope(frame["seq"], frame["tx_program"] - frame["interval_start"])
    return drawn


def _envelope(seq: pd.Series[int], times: pd.Series[int]) -> Envelope:
    return Envelope.of(packets.taken(seq[times.notna()]), packets.taken(times))


def html(frame: pd.DataFrame) -> str:
    """What a notebook shows."""
    drawn = strip(frame)
    return f"<p><b>{escape(title(frame))}</b></p>{drawn.svg()}<div>{drawn.legend()}</div>{table(frame).html()}"


def text(frame: pd.DataFrame) -> str:
    """What a terminal shows."""
    drawn = strip(frame)
    said = f"scheduled times      {drawn.scheduled}\napplication latency  {drawn.latency}"
    return f"{title(frame)}\n{said}\n{table(frame).text()}"


def title(frame: pd.DataFrame) -> str:
    """How many packets of what."""
    about = packets.info(frame)
    cut = "" if about.complete else ", CUT SHORT"
    part = "" if len(frame) == about.sent else f" ({len(frame)} of them in this table)"
    counts = f"{about.sent} sent, {about.received} received, {about.lost} lost{cut}{part}"
    return f"Packets of {about.case} on lab {about.lab}: {counts}"


def table(frame: pd.DataFrame) -> Table:
    """The first and the last packets, in microseconds after the beginning of their cycles."""
    from tsnlab.analysis.table import Table

    steps = {name: title for name, title in _STEPS.items() if frame[name].notna().any()}
    header = ("stream", "packet", "cycle begins (TAI)", *steps.values(), "arrived")
    ends = [*range(_SHOWN), *range(-_SHOWN, 0)]
    few = frame.iloc[ends].assign(arrival=packets.arrival(frame).iloc[ends])
    rows = list(_rows(few, [*steps, "arrival"]))
    gap = ("…",) * len(header)
    return Table(
        "us after the beginning of the cycle",
        header,
        (*rows[:_SHOWN], gap, *rows[_SHOWN:]),
        "r" * len(header),
        notes=("nanoseconds, row by row: .head(); extremes: tsnlab.analysis.indicators.indicators(…)",),
    )


def _rows(few: pd.DataFrame, steps: list[str]) -> Iterator[tuple[str, ...]]:
    for row in few.astype(object).where(few.notna(), None).to_dict("records"):
        begin = row["interval_start"]
        times = (None if begin is None or row[step] is None else row[step] - begin for step in steps)
        us = ("-" if time is None else f"{time / 1000:.3f}" for time in times)
        yield (str(row["stream"]), str(row["seq"]), "-" if begin is None else _clock(begin), *us)


def _clock(ns: int) -> str:
    """Hours to milliseconds of an instant."""
    moment = datetime.datetime.fromtimestamp(ns // 1_000_000_000, datetime.UTC)
    return f"{moment:%H:%M:%S}.{ns // 1_000_000 % 1000:03d}"
