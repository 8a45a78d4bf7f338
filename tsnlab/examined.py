"""What is found in one file: a capture of any format, or a log; as values, as JSON and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsnlab.packets import ARRIVAL_COLUMNS, CaptureInfo

if TYPE_CHECKING:
    from tsnlab.analysis.aggregate import Aggregate
    from tsnlab.analysis.statistics import Statistics
    from tsnlab.formats.chunk import Chunk, Damage, Source
    from tsnlab.formats.recognise import Options
    from tsnlab.gates import Running
    from tsnlab.schedule import Taprio

_MOST_SHOWN = 5


@dataclass(frozen=True)
class Wishes:
    """What the user says about a file, and wants of it.

    Attributes:
        options: what the file does not say itself.
        stream: only this one; None for all.
        window: the transmit window, nanoseconds in the cycle.
        taprio: the gates that the stream passes.
        traffic_class: the stream's, in these.
    """

    options: Options
    stream: int | None = None
    window: tuple[int, int] | None = None
    taprio: Taprio | None = None
    traffic_class: int | None = None


@dataclass(frozen=True)
class Result:
    """What was found in one file; `statistics` only if it holds packets."""

    path: Path
    content: dict[str, Any]
    damage: Damage
    statistics: Statistics | None = None


def examined(path: Path, wishes: Wishes) -> Result:
    """Reads a file to its end.

    Raises:
        ConfigError: it cannot be opened, or is not recognised.
    """
    from tsnlab.formats.recognise import LOGS, recognise

    kind = recognise(path)
    if kind in LOGS:
        return _log(path)
    from tsnlab.analysis.statistics import gather

    source = narrowed(path, wishes)
    statistics = gather(source)
    return Result(path, _content(path, kind, statistics, source.damage, wishes), source.damage, statistics)


def running(one: Aggregate, wishes: Wishes) -> Running | None:
    """The gates that a stream passes, as they run; without a base time, they begin with the stream's first cycle."""
    if wishes.taprio is None:
        return None
    from tsnlab.gates import Running

    return Running(wishes.taprio, wishes.options.base_ns or one.counts.first_start or 0)


def narrowed(path: Path, wishes: Wishes, columns: Sequence[str] | None = None) -> Narrowed:
    """A capture with what the user says about it; see `tsnlab.formats.recognise.open_capture`."""
    from tsnlab.formats.recognise import open_capture

    return Narrowed(open_capture(path, wishes.options, columns), wishes)


class Narrowed:
    """A capture with what the user says about it."""

    def __init__(self, source: Source, wishes: Wishes) -> None:
        self._source = source
        self._stream = wishes.stream
        self._window = wishes.window
        self._cycle_ns = wishes.options.cycle_ns
        # the counts of a file are those of all its streams
        self.counted = source.counted and self._stream is None

    @property
    def about(self) -> CaptureInfo:
        """The capture's description, with the window and the cycle that the user gave."""
        about = self._source.about
        fields: dict[str, Any] = {"window": self._window} if self._window else {}
        if self._cycle_ns and not about.cycle_ns:
            fields["cycle_ns"] = self._cycle_ns
        return about.model_copy(update=fields)

    @property
    def damage(self) -> Damage:
        """What could not be read."""
        return self._source.damage

    def chunks(self) -> Iterator[Chunk]:
        """The packets of the chosen stream, or all."""
        for chunk in self._source.chunks():
            yield chunk if self._stream is None else self._of_stream(chunk)

    def _of_stream(self, chunk: Chunk) -> Chunk:
        """The stream's packets; only those that arrived, as what was lost is told from their numbers."""
        chosen = chunk.columns["stream"] == self._stream
        if self._source.counted:
            chosen &= sum(chunk.columns[name] != 0 for name in ARRIVAL_COLUMNS if name in chunk.columns) > 0
        return chunk.where(chosen)


def _content(path: Path, kind: str, statistics: Statistics, damage: Damage, wishes: Wishes) -> dict[str, Any]:
    from tsnlab.analysis.findings import findings

    about = statistics.info()
    content: dict[str, Any] = {"file": str(path), "format": kind, "lab": about.lab, "case": about.case}
    content |= {"complete": about.complete, **statistics.indicators().to_json()}
    streams = {}
    for number, one in sorted(statistics.streams.items()):
        own = statistics.indicators(number).to_json()["indicators"]
        streams[str(number)] = {"indicators": own, **findings(one, about), "gates": _gates(one, about, wishes)}
    content["streams"] = streams
    if statistics.ignored:
        damage.note(str(path), f"packets of more than {len(streams)} streams", statistics.ignored)
    content["damage"] = {"dropped": damage.dropped, "flaws": damage.flaws}
    return content


def _gates(one: Aggregate, about: CaptureInfo, wishes: Wishes) -> list[dict[str, Any]] | None:
    """How many packets are sent and arrive while the stream's gate is open; None if no gates are known."""
    cycle_ns, gates = about.cycle_ns or one.cycle_ns(), running(one, wishes)
    if gates is None or not cycle_ns:
        return None
    from tsnlab.plot.gate_chart import openings, own_class

    found = openings(gates, cycle_ns, one.counts.first_start or gates.base_time_ns)
    own = own_class(found, about.window) if wishes.traffic_class is None else wishes.traffic_class
    mine = [opening for opening in found if opening.traffic_class == own]
    counts = [one.within_phase(opening.start_ns, opening.end_ns, cycle_ns) for opening in mine]
    names = ("traffic_class", "start_ns", "end_ns", "sent", "arrived")
    return [dict(zip(names, (*opening, *pair), strict=True)) for opening, pair in zip(mine, counts, strict=True)]


def _log(path: Path) -> Result:
    from tsnlab.analysis.summary import summarise
    from tsnlab.formats.recognise import open_log

    log = open_log(path)
    series = {}
    for name, one in log.series.items():
        series[name] = {"key": one.key, **summarise(one.values, seq=one.keys, unit=one.unit).to_json()}
        series[name] |= _stability(name, one.values, one.keys)
    content = {"file": str(path), "format": log.kind, "series": series, "facts": log.facts}
    content["damage"] = {"dropped": log.damage.dropped, "flaws": log.damage.flaws}
    return Result(path, content, log.damage)


def _stability(name: str, values: Any, keys: Any) -> dict[str, Any]:
    """The Allan deviation of offsets from the source of time, which are time errors; of others, nothing."""
    import numpy as np

    from tsnlab.analysis.stability import allan_deviation

    if not name.endswith(" offset") or len(values) < 4:
        return {}
    interval_s = float(np.median(np.diff(keys))) / 1000
    if interval_s <= 0:
        return {}
    times, deviations = allan_deviation(values, interval_s)
    return {"allan_deviation": [times.tolist(), deviations.tolist()]}


def texts(result: Result) -> Iterator[str]:
    """What a terminal shows of it, line by line."""
    yield f"{result.path}: {result.content['format']}"
    if result.statistics is not None:
        yield from _capture_texts(result.statistics, result.content)
    for name, series in result.content.get("series", {}).items():
        shown = (key for key in ("min", "mean", "max", "std") if series[key] is not None)
        numbers = ", ".join(f"{key} {series[key]:,}" for key in shown)
        values = "1 value" if series["count"] == 1 else f"{series['count']:,} values"
        yield f"{name}: {values}, {numbers} {series['unit']}".rstrip()
    for name, fact in result.content.get("facts", {}).items():
        yield from _fact_texts(name, fact)
    if result.damage:
        yield f"dropped: {result.damage.dropped}"
        yield from (f"  {flaw}" for flaw in result.damage.flaws[:_MOST_SHOWN])


def _fact_texts(name: str, fact: Any) -> Iterator[str]:
    """A list by the line, beginning and end of it; names and values beside each other."""
    if isinstance(fact, dict):
        for key, value in fact.items():
            yield from _fact_texts(f"{name} {key}", value)
    elif isinstance(fact, list):
        shown = fact if len(fact) <= 2 * _MOST_SHOWN else [*fact[:_MOST_SHOWN], "...", *fact[-_MOST_SHOWN:]]
        yield f"{name}:" if fact else f"{name}: none"
        yield from (f"  {one}" for one in shown)
    else:
        yield f"{name}: {fact:,}" if type(fact) in (int, float) else f"{name}: {fact}"


def _capture_texts(statistics: Statistics, content: dict[str, Any]) -> Iterator[str]:
    from tsnlab.analysis.findings import noteworthy

    streams = sorted(statistics.streams)
    for number in streams:
        if len(streams) > 1:
            yield f"stream {number}"
        yield str(statistics.indicators(number).table().text())
        yield from noteworthy(content["streams"][str(number)])
        yield from map(_gate_text, content["streams"][str(number)]["gates"] or ())
    if not streams:
        yield str(statistics.indicators().table().text())


def _gate_text(gate: dict[str, Any]) -> str:
    span = f"{gate['start_ns'] / 1000:g} to {gate['end_ns'] / 1000:g} us"
    return f"gate of class {gate['traffic_class']} open {span}: {gate['sent']} sent and {gate['arrived']} arrived in it"
