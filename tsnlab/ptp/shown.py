"""A synchronisation as a table, as JSON, in a notebook cell, and in the text of an error."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from tsnlab.ptp import chart

if TYPE_CHECKING:
    import pandas as pd

    from tsnlab.ptp.sync import Sync
    from tsnlab.session import Lab


def table(sync: Sync) -> pd.DataFrame:
    """Every offset so far, one row each.

    Columns: `node`, `program` (ptp4l or phc2sys), `time` (ns of the lab's CLOCK_TAI), `worst_offset_ns`,
    `path_delay_ns`, `frequency_ppb`, `state` (of the port at that time; empty for phc2sys).
    """
    import pandas as pd

    rows = [
        (clock.node, clock.program, moment, offset.worst_ns, offset.delay_ns, offset.frequency_ppb, _at(clock, moment))
        for clock in [*sync.clocks, *sync.phc2sys]
        for moment, offset in clock.offsets
    ]
    columns = ["node", "program", "time", "worst_offset_ns", "path_delay_ns", "frequency_ppb", "state"]
    frame = pd.DataFrame(rows, columns=columns)
    numbers = ("time", "worst_offset_ns", "path_delay_ns", "frequency_ppb")
    return frame.astype(dict.fromkeys(numbers, "Int64"))


def _at(clock: Any, moment_ns: int) -> str:
    before = [change.after for moment, change in clock.states if moment <= moment_ns]
    return before[-1] if before else ""


def to_json(sync: Sync) -> dict[str, Any]:
    """The state of every clock that follows, by node; phc2sys beside it by its clock."""
    found: dict[str, Any] = {
        clock.node: {
            "state": clock.state,
            "samples": len(clock.offsets),
            "worst_offset_ns": max((o.worst_ns for _, o in clock.offsets), default=None),
            "path_delay_ns": clock.offsets[-1][1].delay_ns if clock.offsets else None,
            "restarts": len(clock.ends),
        }
        for clock in sync.clocks
    }
    for place in sync.places:
        if place.node in found:
            found[place.node]["timestamping"] = place.timestamping
    return found


def html(sync: Sync) -> str:
    """The state of every program, and the course of its offsets."""
    charts = "".join(f"<div>{chart.svg(clock)}</div>" for clock in [*sync.clocks, *sync.phc2sys])
    return "<br>".join(escape(line) for line in str(sync).splitlines()) + charts


def doing(sync: Sync) -> str:
    """What each program is doing, with the last it said, in lines."""
    lines = []
    for clock in sync.everyone:
        lines.append(f"  {clock}")
        lines += [f"    {text}" for _, text in clock.messages[-4:]]
        lines += [f"    {text}" for text in clock.warnings[-3:]]
        trend = " ".join(str(offset.worst_ns) for _, offset in clock.offsets[-8:])
        lines += [f"    offsets, ns: {trend}"] if trend else []
    return "\n".join(lines)


def kept(sync: Sync, lab: Lab) -> list[str]:
    """Draws port states and offsets into the run folder; says where, in a line, if there is a folder."""
    if lab.folder is None:
        return []
    path = lab.folder / "clocks.html"
    body = f"{html(sync)}<pre>{escape(doing(sync))}</pre>"
    path.write_text(f"<!doctype html><meta charset=utf-8><title>Clocks</title>{body}\n", encoding="utf-8")
    return [f"offsets and port states, drawn: {path}"]
