"""What a value says of itself, fact by fact: a small table in a notebook, lines in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel

from tsnlab.quantity import DurationNs, RateBps, show_duration, show_rate

if TYPE_CHECKING:
    from tsnlab.case import Case, Load, Stream, SwitchPort
    from tsnlab.verdict import Limits

_DURATION, _RATE = (get_args(kind)[1] for kind in (DurationNs, RateBps))
"""What marks a field as a duration or a rate."""

Fact = tuple[str, str]
"""A name and what there is to say."""


def text(title: str, facts: Iterable[Fact]) -> str:
    """A title, and a line for each fact."""
    return "\n".join([title, *(f"  {name:10} {said}" for name, said in facts)])


def html(title: str, facts: Iterable[Fact], drawing: str = "") -> str:
    """The same with a drawing between."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(said)}</td></tr>'
        for name, said in facts
    )
    return f"<p><b>{escape(title)}</b></p>{drawing}<table>{rows}</table>"


def of_value(value: BaseModel) -> Iterator[Fact]:
    """What a checked value has been given, key by key, with units; what is not set is left out."""
    for name, field in type(value).model_fields.items():
        given = getattr(value, name)
        if given in (None, [], {}, ()):
            continue
        if _DURATION in field.metadata:
            yield name, show_duration(given)
        elif _RATE in field.metadata:
            yield name, show_rate(given)
        elif isinstance(given, BaseModel):
            yield name, ", ".join(f"{inner} {said}" for inner, said in of_value(given))
        else:
            yield name, str(given)


def of_case(case: Case) -> Iterator[Fact]:
    """What is sent, by which schedule, against what load, and what is asked of the result."""
    yield "stream", _stream(case.stream)
    if case.stream.window is not None:
        yield "launch", _launch(case.stream)
    if case.etf is not None:
        yield "etf", f"hands a packet on {show_duration(case.etf.delta)} before its launch time, in software"
    if case.switch is not None:
        yield "switch", _switch(case.switch)
    if case.load is not None:
        yield "load", _load(case.load)
    yield "limits", ", ".join(_limits(case.limits)) or "none"
    low, high = case.guide.scheduled_times_us
    yield "guide", f"{case.guide.source}: scheduled times {low:g} to {high:g} us, {case.guide.packets} packets"


def _stream(stream: Stream) -> str:
    before = f" after {stream.warm_up} that are discarded" if stream.warm_up else ""
    return (
        f"{stream.packets} packets{before}, one every {show_duration(stream.cycle)}; VLAN {stream.vlan},"
        f" PCP {stream.pcp}, SO_PRIORITY {stream.priority}"
    )


def _launch(stream: Stream) -> str:
    assert stream.window is not None
    start, end = (f"{instant / 1000:g}" for instant in stream.window)
    return (
        f"{(stream.launch_ns or 0) / 1000:g} us after the cycle begins, in the transmit window from {start} to {end} us"
    )


def _switch(port: SwitchPort) -> str:
    if not port.qbv:
        return "802.1Qbv off"
    before, after = show_duration(port.before), show_duration(port.after)
    return f"802.1Qbv: best effort pauses from {before} before the launch time to {after} after it"


def _load(load: Load) -> str:
    if not load.rate:
        return "none"
    where = "the listener, through the stream's own switch port" if load.to == "listener" else "the load sink"
    return f"{show_rate(load.rate)} of {load.frame} byte frames to {where} ({load.tool})"


def _limits(limits: Limits) -> Iterator[str]:
    """The limits that are set, as their keys say them."""
    for name, value in limits.model_dump(exclude_defaults=True).items():
        yield name.replace("_", " ") if value is True else f"{name.replace('_', ' ')} {value:g}"
