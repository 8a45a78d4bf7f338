"""Everything that is found out about a stream, as one value for JSON: what a metrologist asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from tsnlab.analysis.aggregate import Aggregate, Measured
from tsnlab.analysis.confidence import Dependence, dependence, mean_interval, percentile_intervals, share_interval
from tsnlab.analysis.stability import drift
from tsnlab.analysis.tally import Tally
from tsnlab.packets import CaptureInfo

_TAIL_POINTS = 64


def findings(one: Aggregate, about: CaptureInfo) -> dict[str, Any]:
    """The statistics of a stream; times in nanoseconds.

    Returns:
        `scheduled` and `application`: percentiles with intervals, extremes, tail, drift, resolution;
        `deadline`: arrivals outside the transmit window; `loss_bursts`; `jitter` by its named definitions;
        `periodic`: lines of the spectrum.
    """
    cycle_ns, tally = about.cycle_ns or one.cycle_ns(), one.scheduled.tally
    return {
        "scheduled": _measured(one.scheduled),
        "application": _measured(one.application),
        "jitter": jitter(one),
        "deadline": deadline(one.scheduled.tally, about.window, dependence(one.scheduled.slices.course(), tally)),
        "loss_bursts": asdict(one.sequences.bursts()),
        "periodic": [asdict(line) for line in one.spectrum.lines(cycle_ns)],
        "cycle_ns": cycle_ns,
    }


def jitter(one: Aggregate) -> dict[str, Any]:
    """Jitter by its named definitions, in nanoseconds; None where there are too few packets.

    - `peak_to_peak`: largest - smallest scheduled time.
    - `standard_deviation`: of the scheduled times.
    - `largest_from_mean`: the largest deviation from the mean, either way (netlatency's jitter, of the run).
    - `rfc3550_interarrival`: smoothed differences of neighbours, at the last packet (also iperf3's).
    - `rfc5481_ipdv_largest`: the largest difference of neighbours; `…_p99_9` its percentile, by size.
    - `rfc5481_pdv_p99_9`: the percentile of what is above the smallest scheduled time.
    """
    tally, steps = one.scheduled.tally, one.variation
    if tally.lowest is None or tally.highest is None:
        return {}
    mean = tally.moments.mean()
    high = tally.percentiles().get("p99_9")
    largest = None if steps.lowest is None or steps.highest is None else max(abs(steps.lowest), abs(steps.highest))
    return {
        "peak_to_peak": tally.highest - tally.lowest,
        "standard_deviation": tally.moments.deviation(),
        "largest_from_mean": float(max(tally.highest - mean, mean - tally.lowest)),
        "rfc3550_interarrival": one.smoothed_variation_ns(),
        "rfc5481_ipdv_largest": largest,
        "rfc5481_ipdv_p99_9": _by_size(steps),
        "rfc5481_pdv_p99_9": None if high is None else high - tally.lowest,
    }


def deadline(tally: Tally, window: tuple[int, int] | None, depends: Dependence | None = None) -> dict[str, Any] | None:
    """How many arrivals are before or after the window, and the 95 % interval of their share."""
    if window is None or not tally.count:
        return None
    early, late = tally.below(window[0]), tally.above(window[1])
    independent = tally.count if depends is None else depends.effective
    low, high = share_interval((early + late) * independent / tally.count, independent)
    return {"window": list(window), "early": early, "late": late, "share_low": low, "share_high": high}


def tail(tally: Tally, points: int = _TAIL_POINTS) -> tuple[np.ndarray[Any, np.dtype[np.int64]], ...]:
    """The complementary distribution: values, ascending, and how many are as large or larger; shapes (n,).

    Of many values, those are kept that matter to a logarithmic axis of shares; always the largest.
    """
    values, counts = tally.bins()
    from_top = np.cumsum(counts[::-1])[::-1]
    if len(values) <= points:
        return values, from_top
    wanted = np.unique(np.geomspace(1, tally.count, points).round().astype(np.int64))
    places = np.unique(len(values) - np.searchsorted(from_top[::-1], wanted, side="left") - 1)
    places = np.union1d(np.clip(places, 0, len(values) - 1), [len(values) - 1])
    return values[places], from_top[places]


def noteworthy(found: dict[str, Any]) -> Iterator[str]:
    """What a reader has to know of a stream's `findings`, a sentence each."""
    high = found["scheduled"]["percentiles"].get("p99_9")
    if high:
        bound = "unbounded" if high["high"] is None else f"{high['high']} ns"
        yield f"p99.9 of scheduled times: {high['value']} ns, 95 % interval {high['low']} ns to {bound}"
    if found["scheduled"]["resolution_ns"] > 1:
        yield f"percentiles are exact to {found['scheduled']['resolution_ns']} ns: the values are spread too far"
    missed = found["deadline"]
    if missed:
        most = f"with 95 % confidence at most {missed['share_high']:.3g} of all"
        yield f"outside the window: {missed['early']} early, {missed['late']} late; {most}"
    bursts = found["loss_bursts"]
    if bursts["longest"]:
        yield f"losses: the longest burst is {bursts['longest']} packets, from sequence number {bursts['longest_seq']}"
    for line in found["periodic"]:
        period, hertz = line["period_packets"], line["frequency_hz"]
        yield f"periodic: {line['amplitude_ns']:.3g} ns every {period:.4g} packets ({hertz:.4g} Hz)"
    depends = found["scheduled"]["dependence"]
    if depends["inflation"] > 1 and depends["effective"] < found["scheduled"]["count"]:
        yield (
            f"packets depend on each other: intervals are those of {depends['effective']:,} independent ones "
            f"(batch means, {depends['batches']} parts)"
        )
    moved = found["scheduled"]["drift"]
    if moved and not moved["stationary"]:
        yield f"drift: {moved['slope']:.3g} ns per hour, means moved by {moved['moved_ns']:.3g} ns"


def _measured(measured: Measured) -> dict[str, Any]:
    tally = measured.tally
    values, counts = tail(tally)
    moved = drift(measured.slices.course())
    depends = dependence(measured.slices.course(), tally)
    intervals = percentile_intervals(tally, effective=depends.effective)
    return {
        "count": tally.count,
        "resolution_ns": tally.resolution,
        "dependence": asdict(depends),
        "mean_interval": list(mean_interval(tally, depends.effective)) if tally.count else None,
        "percentiles": {name: asdict(one) for name, one in intervals.items()},
        "smallest": [asdict(one) for one in measured.smallest.list()],
        "largest": [asdict(one) for one in measured.largest.list()],
        "tail": [values.tolist(), counts.tolist()],
        "drift": None if moved is None else {**asdict(moved), "stationary": moved.stationary},
    }


def _by_size(steps: Tally) -> int | None:
    values, counts = steps.bins()
    if steps.count < 1000:
        return None
    sizes = np.abs(values)
    order = np.argsort(sizes, kind="stable")
    rank = -(-steps.count * 999 // 1000)
    return int(sizes[order][np.searchsorted(np.cumsum(counts[order]), rank)])
