"""The statistics of a capture of any length: its streams, and the indicators of all of them together."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tsnlab.analysis.aggregate import Aggregate, Measured
from tsnlab.analysis.confidence import dependence
from tsnlab.analysis.indicators import Indicators
from tsnlab.analysis.summary import Summary
from tsnlab.analysis.tally import Tally
from tsnlab.formats.chunk import Chunk, Source, ahead
from tsnlab.packets import ARRIVAL_COLUMNS, ArrivalColumn, CaptureInfo

MOST_STREAMS = 512
_DECIMALS = 6  # as in tsnlab.analysis.summary


class Statistics:
    """Takes a capture chunk by chunk; gives the indicators and all that the figures need.

    Attributes:
        about: what is known about the capture; see `info` for it with the counts.
        arrival: the column that stands for the arrival; the one in `about`, or the first of rx_hardware,
            rx_kernel and rx_program that the first packet with an arrival has.
        streams: the statistics of each stream, by its number.
        ignored: packets of further streams, of which a damaged file can name any number.
    """

    def __init__(self, about: CaptureInfo, *, counted: bool = False) -> None:
        self.about = about
        self.arrival: ArrivalColumn | None = about.arrival
        self.streams: dict[int, Aggregate] = {}
        self.ignored = 0
        self._counted = counted
        self._better: ArrivalColumn | None = None

    @property
    def better_arrival(self) -> ArrivalColumn | None:
        """An arrival column that comes before the one in use, and turned out to have values after all."""
        return self._better

    @property
    def received(self) -> int:
        """How many different packets have arrived."""
        return sum(one.sequences.received for one in self.streams.values())

    def add(self, chunk: Chunk) -> None:
        """Takes packets of any streams, in the order of the file."""
        if not len(chunk):
            return
        self._choose_arrival(chunk)
        stream = chunk.columns["stream"]
        known = int(stream[0]) in self.streams or len(self.streams) < MOST_STREAMS
        if known and stream[0] == stream[-1] and bool((stream == stream[0]).all()):
            self._of(int(stream[0])).add(chunk, rows_arrived=not self._counted)
            return
        left = len(chunk)
        for one in np.unique(stream)[: MOST_STREAMS + len(self.streams)].tolist():
            if one not in self.streams and len(self.streams) >= MOST_STREAMS:
                continue
            part = chunk.where(stream == one)
            self._of(one).add(part, rows_arrived=not self._counted)
            left -= len(part)
        self.ignored += left

    def info(self) -> CaptureInfo:
        """What is known about the capture, with the counts that its rows show unless the file had its own."""
        column = {"arrival": self.arrival if self._any_arrival() else None}
        streams = self.streams.values()
        if not self.about.cycle_ns and len(self.streams) == 1:
            column["cycle_ns"] = next(iter(streams)).cycle_ns()  # type: ignore[assignment]
        if self._counted:
            return self.about.model_copy(update=column)
        counts = ("sent", "received", "lost", "duplicated", "reordered")
        told = {name: sum(getattr(one.sequences, name) for one in streams) for name in counts}
        told["not_stamped"] = sum(one.counts.not_stamped for one in streams)
        return self.about.model_copy(update={**column, **told})

    def indicators(self, stream: int | None = None) -> Indicators:
        """The three indicators of one stream, or of all packets; the same as those of the whole table."""
        chosen = self.streams.values() if stream is None else [self.streams[stream]]
        scheduled = _together([one.scheduled for one in chosen])
        application = _together([one.application for one in chosen])
        return Indicators(
            scheduled_times_us=_summary(scheduled),
            rt_app_latency_us=_summary(application),
            network_jitter_ns=_jitter(scheduled),
            info=self.info(),
        )

    def together(self) -> Measured:
        """The scheduled times of all streams, without their course."""
        return _together([one.scheduled for one in self.streams.values()])

    def effective(self) -> int:
        """As many independent packets as the scheduled times of all streams stand for, see `confidence.dependence`."""
        measured = [one.scheduled for one in self.streams.values()]
        return sum(dependence(one.slices.course(), one.tally).effective for one in measured)

    def _any_arrival(self) -> bool:
        return self.about.arrival is not None or any(one.scheduled.tally.count for one in self.streams.values())

    def _of(self, stream: int) -> Aggregate:
        if stream not in self.streams:
            self.streams[stream] = Aggregate(self.arrival)
        return self.streams[stream]

    def _choose_arrival(self, chunk: Chunk) -> None:
        if self.about.arrival is not None:
            return
        if self.arrival is None:
            self.arrival = _first_arrival(chunk)
            for one in self.streams.values():
                one.arrival = self.arrival
        if self.arrival is not None and self._better is None:
            before = ARRIVAL_COLUMNS[: ARRIVAL_COLUMNS.index(self.arrival)]
            self._better = next((name for name in before if _has_values(chunk, name)), None)


def gather(source: Source) -> Statistics:
    """The statistics of a capture in a file, read once, or again if a better arrival column turns up late."""
    about = source.about
    while True:
        statistics = Statistics(about, counted=source.counted)
        for chunk in ahead(source.chunks()):
            statistics.add(chunk)
        statistics.about = source.about.model_copy(update={"arrival": about.arrival})
        if statistics.better_arrival is None:
            return statistics
        about = source.about.model_copy(update={"arrival": statistics.better_arrival})


def _has_values(chunk: Chunk, name: str) -> bool:
    times = chunk.column(name)
    return times is not None and bool(times.any())


def _first_arrival(chunk: Chunk) -> ArrivalColumn | None:
    """The arrival column of the first packet that has any; told from one packet, chunks do not matter."""
    places = {name: int(np.argmax(chunk.columns[name] != 0)) for name in ARRIVAL_COLUMNS if _has_values(chunk, name)}
    return min(places, key=lambda name: places[name], default=None)


def _together(parts: Iterable[Measured]) -> Measured:
    listed = list(parts)
    if len(listed) == 1:
        return listed[0]
    whole = Measured()
    for part in listed:
        whole.merge(part)
    return whole


def _summary(measured: Measured) -> Summary:
    """In microseconds, as `tsnlab.analysis.summary.summarise` gives it."""
    tally = measured.tally
    if tally.lowest is None or tally.highest is None:
        return Summary("us")
    shares: dict[str, Any] = {name: value / 1000 for name, value in tally.percentiles().items()}
    return Summary(
        unit="us",
        count=tally.count,
        min=tally.lowest / 1000,
        mean=round(float(tally.moments.mean() / 1000), _DECIMALS) + 0.0,
        max=tally.highest / 1000,
        std=round(tally.moments.deviation() / 1000, _DECIMALS),
        spread=(tally.highest - tally.lowest) / 1000,
        **shares,
        seq_of_min=measured.smallest.list()[0].seq,
        seq_of_max=measured.largest.list()[0].seq,
    )


def _jitter(measured: Measured) -> Summary:
    """The jitter is the scheduled time seen from the mean, with early packets positive: ranks run backwards."""
    tally = measured.tally
    if tally.lowest is None or tally.highest is None:
        return Summary("ns")
    ranks = jitter_ranks(tally)
    shares: dict[str, Any] = dict(
        zip(ranks, (jitter_of(tally, value) for value in tally.at_ranks(list(ranks.values()))), strict=True)
    )
    low, high = jitter_of(tally, tally.highest), jitter_of(tally, tally.lowest)
    return Summary(
        unit="ns",
        count=tally.count,
        min=low,
        mean=0.0,
        max=high,
        std=round(tally.moments.deviation(), _DECIMALS),
        spread=high - low,
        **shares,
        seq_of_min=measured.largest.list()[0].seq,
        seq_of_max=measured.smallest.list()[0].seq,
    )


def jitter_ranks(tally: Tally) -> dict[str, int]:
    """The rank among scheduled times, ascending, of each percentile of the jitter that the count allows."""
    from tsnlab.analysis.summary import PERCENTILES

    ranks = {name: math.ceil(share * tally.count) for name, share in PERCENTILES.items()}
    return {name: tally.count - rank + 1 for name, rank in ranks.items() if 0 < rank < tally.count}


def jitter_of(tally: Tally, scheduled: int) -> float:
    """The jitter of a scheduled time in nanoseconds; float64 only ever holds small differences."""
    mean = tally.moments.mean()
    origin = round(mean)
    return float(mean - origin) - float(scheduled - origin)
