"""The rules behind `tsnlab.verdict`: evidence and limits in, verdicts out, a sentence for each failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsnlab.analysis.indicators import Indicators, rt_app_latency_ns, scheduled_times_ns
from tsnlab.analysis.uncertainty import implausible
from tsnlab.packets import CaptureInfo
from tsnlab.verdict import Limits, Verdict

if TYPE_CHECKING:
    import pandas as pd

NOTHING = "no packet was received"

# 1518 bytes of frame, 8 of preamble and 12 of gap, at 8 ns a byte (IEEE 802.3, 3.1.1 and 4.4.2)
FULL_FRAME_US = 12.3
_BLOCKED_US = 5.0  # a spread from which on waiting for other frames explains it better than clocks do
_FOLLOWS = 0.9  # correlation from which on scheduled times are said to follow the application


@dataclass(frozen=True)
class Evidence:
    """A capture and its indicators."""

    frame: pd.DataFrame
    indicators: Indicators

    @property
    def info(self) -> CaptureInfo:
        """What is known about the capture."""
        return self.indicators.info


def guards(evidence: Evidence, _limits: Limits) -> Iterator[Verdict]:
    """Whether the numbers may be believed: asked of every capture."""
    about = evidence.info
    complete = "complete" if about.complete else "cut short"
    cut = "" if about.complete else f"the measurement ended early; {about.received} packets had been received"
    yield Verdict("capture", "complete", complete, "", about.complete, cut)
    early = implausible(evidence.frame).negative
    synced = about.sync.get("ok") is True and not early
    found = "in sync" if synced else "unknown" if "ok" not in about.sync else "not in sync"
    apart = f"{early} packets arrived before they were sent: the clocks are apart" if early else sync_text(about)
    yield Verdict("clocks", "in sync", found, "", synced, "" if synced else apart)
    faults = "; ".join(_unaccounted(evidence))
    counted = f"{about.received} received, {about.lost} lost"
    yield Verdict("packets accounted for", f"{about.sent} sent", counted, "", not faults, faults)


def losses(evidence: Evidence, limits: Limits) -> Iterator[Verdict]:
    """Whether few enough packets are missing, and any arrived at all."""
    about = evidence.info
    if limits.lost_max is not None:
        passed = about.lost <= limits.lost_max and about.received > 0
        why = "" if passed else _why_lost(about)
        yield Verdict("packets lost", f"≤ {limits.lost_max}", about.lost, "packets", passed, why)
    if limits.received_min_share is not None:
        share = about.received / about.sent if about.sent else 0.0
        enough = share >= limits.received_min_share
        why = "" if enough else _why_lost(about)
        yield Verdict("packets received", f"≥ {limits.received_min_share:.0%}", 100 * share, "%", enough, why)


def scheduled(evidence: Evidence, limits: Limits) -> Iterator[Verdict]:
    """Whether packets arrive when they should, and as close together as they should."""
    times = evidence.indicators.scheduled_times_us
    name = "scheduled times"
    early, late = f"packet {times.seq_of_min} is the earliest", f"packet {times.seq_of_max} is the latest"
    controlled = "the case expects no control of transmit times, but something controls them"
    yield from _at_least(f"{name}, min", times.min, limits.scheduled_min_us, "µs", early)
    yield from _at_most(f"{name}, max", times.max, limits.scheduled_max_us, "µs", late)
    yield from _at_least(f"{name}, spread", times.spread, limits.scheduled_spread_min_us, "µs", controlled)
    why = _why_spread(evidence) if limits.scheduled_spread_max_us is not None else ""
    yield from _at_most(f"{name}, spread", times.spread, limits.scheduled_spread_max_us, "µs", why)


def application(evidence: Evidence, limits: Limits) -> Iterator[Verdict]:
    """Whether the program calls send when it should."""
    latency = evidence.indicators.rt_app_latency_us
    name = "RT application latency"
    early = f"packet {latency.seq_of_min} was sent sooner after its cycle began than the case expects"
    late = f"the program was too late with packet {latency.seq_of_max}"
    none = "the talker recorded no packet"
    yield from _at_least(f"{name}, min", latency.min, limits.rt_app_latency_min_us, "µs", early, none)
    yield from _at_most(f"{name}, max", latency.max, limits.rt_app_latency_max_us, "µs", late, none)


def jitter(evidence: Evidence, limits: Limits) -> Iterator[Verdict]:
    """Whether every packet is close enough to the mean."""
    values = evidence.indicators.network_jitter_ns
    worst = max((abs(end) for end in (values.min, values.max) if end is not None), default=None)
    why = f"packets {values.seq_of_min} (late) and {values.seq_of_max} (early) are the furthest from the mean"
    yield from _at_most("TSN network jitter, largest", worst, limits.jitter_abs_max_ns, "ns", why)


def window(evidence: Evidence, limits: Limits) -> Iterator[Verdict]:
    """Whether every packet arrives inside the transmit window of its cycle."""
    if not limits.inside_window:
        return
    name, times = "inside the transmit window", evidence.indicators.scheduled_times_us
    if evidence.info.window is None:
        yield Verdict(name, "a window", "none", "", False, "the capture names no transmit window to judge by")
        return
    start, end = (edge / 1000 for edge in evidence.info.window)
    limit = f"{start:g} to {end:g}"
    if times.min is None or times.max is None:
        yield Verdict(name, limit, None, "µs", False, NOTHING)
        return
    inside = start <= times.min and times.max <= end
    outside = times.seq_of_min if times.min < start else times.seq_of_max
    why = "" if inside else f"packet {outside} arrives while the gate of its class is closed"
    yield Verdict(name, limit, f"{times.min:.3f} to {times.max:.3f}", "µs", inside, why)


def load(evidence: Evidence, limits: Limits) -> Iterator[Verdict]:
    """Whether there was as much best-effort traffic as the case needs to show anything."""
    for key, what in (("offered_bps", "offered"), ("received_bps", "received")):
        rate = evidence.info.load.get(key)
        mbps = rate / 1e6 if isinstance(rate, int | float) else None
        why = f"with less best-effort traffic {what}, the case does not show what it is meant to show"
        none = "no load was measured"
        yield from _at_least(f"best-effort load {what}", mbps, limits.load_min_mbps, "Mbit/s", why, none)


RULES: tuple[Callable[[Evidence, Limits], Iterator[Verdict]], ...] = (
    guards,
    losses,
    scheduled,
    application,
    jitter,
    window,
    load,
)


def sync_text(about: CaptureInfo) -> str:
    """What is known about clocks that are not known to be synchronised, in a sentence."""
    if "ok" not in about.sync:
        return "nothing was recorded about their synchronisation, so times of two nodes cannot be compared"
    worst = about.sync.get("worst_offset_ns")
    offset = f" (worst offset {worst} ns)" if worst is not None else ""
    why = f": {about.sync['why']}" if about.sync.get("why") else ""
    return f"the clocks were not synchronised throughout{offset}{why}"


def _unaccounted(evidence: Evidence) -> Iterator[str]:
    about, rows = evidence.info, len(evidence.frame)
    arrived = evidence.indicators.scheduled_times_us.count
    if rows != about.sent:
        yield f"{about.sent} packets were sent, but the table has {rows} rows"
    if about.received + about.lost != about.sent:
        yield f"{about.received} received and {about.lost} lost do not make {about.sent} sent"
    if arrived + about.not_stamped != about.received:
        stamped = f"{arrived} arrivals with a time and {about.not_stamped} without"
        yield f"{stamped} do not make {about.received} received"
    if about.late_total > about.lost + about.warm_up:
        yield f"etf dropped {about.late_total} packets, but only {about.lost} are missing"


def _why_lost(about: CaptureInfo) -> str:
    if not about.received:
        return f"{NOTHING}, of {about.sent} sent"
    text = f"{about.lost} of {about.sent} packets did not arrive"
    if not about.late_total:
        return text
    reasons = ", ".join(f"{reason}: {count}" for reason, count in about.late.items())
    return f"{text}; etf dropped {about.late_total} before they left the talker ({reasons})"


def _why_spread(evidence: Evidence) -> str:
    """The likeliest reason for scheduled times that lie too far apart."""
    times = evidence.indicators.scheduled_times_us
    ends = f"packet {times.seq_of_min} is the earliest, {times.seq_of_max} the latest"
    if evidence.info.load.get("frames_sent") and (times.spread or 0) >= _BLOCKED_US:
        return (
            f"one 1518-byte frame occupies a 1 Gbit/s link for {FULL_FRAME_US} µs: "
            f"best-effort frames are getting in the way ({ends})"
        )
    if _correlation(evidence.frame) >= _FOLLOWS:
        return f"arrivals follow the program: nothing holds a packet until its transmit time ({ends})"
    return ends


def _correlation(frame: pd.DataFrame) -> float:
    """Pearson's correlation of scheduled times with application latencies; 0 where it is not defined."""
    times, latencies = scheduled_times_ns(frame), rt_app_latency_ns(frame)
    both = (times.notna() & latencies.notna()).to_numpy()
    pair = np.stack([column[both].to_numpy(np.int64) for column in (times, latencies)])
    if pair.shape[1] < 2 or (np.ptp(pair, axis=1) == 0).any():
        return 0.0
    return float(np.corrcoef(pair - pair[:, :1])[0, 1])


def _at_most(
    name: str, measured: float | None, limit: float | None, unit: str, why: str, none: str = NOTHING
) -> Iterator[Verdict]:
    if limit is not None:
        passed = measured is not None and measured <= limit
        reason = none if measured is None else "" if passed else why
        yield Verdict(name, f"≤ {limit:g}", measured, unit, passed, reason)


def _at_least(
    name: str, measured: float | None, limit: float | None, unit: str, why: str, none: str = NOTHING
) -> Iterator[Verdict]:
    if limit is not None:
        passed = measured is not None and measured >= limit
        reason = none if measured is None else "" if passed else why
        yield Verdict(name, f"≥ {limit:g}", measured, unit, passed, reason)
