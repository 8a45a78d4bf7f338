"""How far a number can be trusted: the uncertainty of each indicator, from what is known about its capture.

Three parts, each a half-width in nanoseconds:

- **synchronisation**: a scheduled time is the difference of two clocks, the talker's, which its cycles are counted by,
  and the listener's. Both follow the same source, each within the worst offset that was seen: twice that. The
  application latency is taken on one clock, and has no such part. The jitter is a difference of scheduled times, in
  which what is constant cancels: what is left is at most the same. Where talker and listener are read by one and the
  same clock (`one_clock`, namespaces of one kernel with timestamps in software) there is no such part at all, whatever
  offset their ptp4l has seen: it is what its messages waited for other frames.
- **resolution**: the step of the timestamps, as they show it themselves: the smallest difference between two values
  that differ; if all are the same, the greatest step that they and the cycle are multiples of.
- **count**: the mean of N values is known to 1.96 standard deviations over the root of N (95 %, values that do not
  depend on each other). It says nothing of the extremes: with N values, a share of 3/N of later ones may lie beyond
  them (95 %, the rule of three).

Source: JCGM 100 (GUM) 4.3 for limits, 4.2.3 for the mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsnlab import packets
from tsnlab.analysis.indicators import TITLES, network_jitter_ns, rt_app_latency_ns, scheduled_times_ns
from tsnlab.analysis.table import Table
from tsnlab.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

_CONFIDENCE_95 = 1.96
_RULE_OF_THREE = 3


@dataclass(frozen=True)
class Uncertainty:
    """Of one indicator, in nanoseconds; None where nothing is known.

    Attributes:
        sync_ns: half-width that comes from the clocks.
        resolution_ns: half-width that comes from the step of the timestamps.
        mean_ns: 95 % half-width of the mean that comes from the count.
        count: how many values.
    """

    sync_ns: int | None
    resolution_ns: int | None
    mean_ns: float | None
    count: int

    @property
    def single_ns(self) -> int | None:
        """Half-width of a single value: synchronisation and resolution together, as limits add up."""
        if self.sync_ns is None or self.resolution_ns is None:
            return None
        return self.sync_ns + self.resolution_ns

    @property
    def beyond_share(self) -> float | None:
        """Share of later values that may lie beyond the extremes that were seen (95 %)."""
        return min(1.0, _RULE_OF_THREE / self.count) if self.count else None


@dataclass(frozen=True)
class Implausible:
    """Path delays that cannot be true: then the clocks are wrong, or what is said of gates, rather than the path.

    Attributes:
        negative: packets that arrived before they were sent.
        beyond: packets that were longer on their way than their gate is open, from when they were sent or it opened.
    """

    negative: int
    beyond: int

    def __str__(self) -> str:
        if not self.negative and not self.beyond:
            return "no path delay is implausible"
        found = [f"{self.negative} packets arrived before they were sent: the clocks are apart"] * bool(self.negative)
        found += [f"{self.beyond} packets were longer on their way than their gate is open"] * bool(self.beyond)
        return "; ".join(found)


@dataclass(frozen=True, repr=False)
class Uncertainties:
    """The uncertainty of each indicator of a capture; shows itself as a table."""

    scheduled_times: Uncertainty
    rt_app_latency: Uncertainty
    network_jitter: Uncertainty
    info: packets.CaptureInfo
    implausible: Implausible

    def to_json(self) -> dict[str, Any]:
        """By indicator, every part and the sum."""
        names = ("scheduled_times", "rt_app_latency", "network_jitter")
        found: dict[str, Any] = {
            name: {**vars(getattr(self, name)), "single_ns": getattr(self, name).single_ns} for name in names
        }
        return {**found, "implausible": vars(self.implausible)}

    def table(self) -> Table:
        """One row for each indicator."""
        each = (self.scheduled_times, self.rt_app_latency, self.network_jitter)
        stamped = f"{self.info.received - self.info.not_stamped} of {self.info.received} arrivals have a timestamp"
        return Table(
            title="Uncertainty, ± ns",
            header=("", "clocks", "resolution", "single value", "mean (95 %)", "beyond the extremes"),
            rows=tuple(_row(title, value) for title, value in zip(TITLES.values(), each, strict=True)),
            align="lrrrrr",
            notes=(stamped, f"clock: {self.info.clock or 'not named'}", str(self.implausible)),
        )

    def __repr__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table().html()


def uncertainties(frame: pd.DataFrame) -> Uncertainties:
    """The uncertainty of the three indicators of a capture.

    Raises:
        ConfigError: the table carries no description.
    """
    about = packets.info(frame)
    offset = about.sync.get("worst_offset_ns")
    between = 2 * int(offset) if isinstance(offset, int | float) else None
    if about.sync.get("one_clock"):
        between = 0
    arrivals = resolution_ns(scheduled_times_ns(frame), about.cycle_ns)
    programs = resolution_ns(rt_app_latency_ns(frame), about.cycle_ns)
    return Uncertainties(
        scheduled_times=_of(scheduled_times_ns(frame), between, arrivals),
        rt_app_latency=_of(rt_app_latency_ns(frame), 0, programs),
        network_jitter=_of(network_jitter_ns(frame), between, arrivals),
        info=about,
        implausible=implausible(frame),
    )


def implausible(frame: pd.DataFrame) -> Implausible:
    """The path delays of a capture that cannot be true.

    Raises:
        ConfigError: the table carries no description.
    """
    about = packets.info(frame)
    arrived, sent = scheduled_times_ns(frame), rt_app_latency_ns(frame)
    both = (arrived.notna() & sent.notna()).to_numpy()
    arrivals, programs = packets.taken(arrived[both]), packets.taken(sent[both])
    negative, beyond = int((arrivals < programs).sum()), 0
    if about.window is not None:
        opens, closes = about.window
        beyond = int((arrivals - np.maximum(programs, opens) > closes - opens).sum())
    return Implausible(negative, beyond)


def resolution_ns(times: pd.Series[int], cycle_ns: int) -> int | None:
    """The step of the timestamps, from times within the cycle; None if there are none.

    Args:
        times: scheduled times or latencies, in ns.
        cycle_ns: of the stream.
    """
    values = np.unique(packets.taken(times))
    if len(values) > 1:
        return int(np.diff(values).min())
    return math.gcd(int(values[0]), cycle_ns) or None if len(values) else None


def settled(frame: pd.DataFrame, warm_up: int) -> pd.DataFrame:
    """The capture without its first packets, in which caches, clocks and queues were still settling.

    Its counts are those of the packets that are left.

    Args:
        warm_up: so many packets at the beginning.

    Raises:
        ConfigError: no packet would be left, or the table carries no description.
    """
    about = packets.info(frame)
    if not 0 <= warm_up < max(1, len(frame)):
        raise ConfigError(f"warm_up: {warm_up} of {len(frame)} packets cannot be discarded")
    if not warm_up:
        return frame
    kept = frame.iloc[warm_up:].reset_index(drop=True)
    arrived = int(kept[list(packets.ARRIVAL_COLUMNS)].notna().any(axis=1).sum())
    stamped = int(packets.arrival(packets.attach(kept, about)).notna().sum())
    counts = {
        "warm_up": about.warm_up + warm_up,
        "sent": len(kept),
        "received": arrived,
        "lost": len(kept) - arrived,
        "not_stamped": arrived - stamped,
    }
    return packets.attach(kept, about.model_copy(update=counts))


def _of(series: pd.Series[Any], sync_ns: int | None, step_ns: int | None) -> Uncertainty:
    values = series.dropna().to_numpy(np.float64)
    count = len(values)
    mean = _CONFIDENCE_95 * float(values.std(ddof=1)) / math.sqrt(count) if count > 1 else None
    return Uncertainty(sync_ns, step_ns, mean, count)


def _row(title: str, value: Uncertainty) -> tuple[str, ...]:
    whole = (value.sync_ns, value.resolution_ns, value.single_ns)
    numbers = ["-" if number is None else str(number) for number in whole]
    mean = "-" if value.mean_ns is None else f"{value.mean_ns:.1f}"
    share = "-" if value.beyond_share is None else f"up to {100 * value.beyond_share:.2g} %"
    return (title, *numbers, mean, share)
