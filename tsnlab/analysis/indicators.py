"""The three indicators of the guide (Table 2), defined once.

One packet on its way, in its cycle:

    cycle begins      program calls send        leaves in its window         NIC of the listener
    |                 |                         |                            |
    +-----------------+-------------------------+----------------------------+--------------------> time
    interval_start    tx_program                tx_kernel_hardware           rx_hardware (else rx_kernel)
    |                 |                                                      |
    |<--------------->| RT application latency = tx_program - interval_start |
    |                                                                        |
    |<---------------------------------------------------------------------->|
      scheduled time = arrival - interval_start

    TSN network jitter = mean of the run's scheduled times - scheduled time

Healthy values: with TSN, scheduled times are the programmed transmit time plus the wire, whatever the
application latency does, and the jitter is a few clock steps around 0. Without it, they follow the
application latency.

Two definitions, by name:

- `unwrapped` (the default): the formulas above on int64 nanoseconds. Nothing is taken modulo the cycle, so
  a packet that is late by a whole cycle is seen to be late. The mean is that of all packets of the run, so
  the jitter of a packet does not depend on the order in which packets are looked at, and their jitters add
  up to 0. The sign is netlatency's: early is positive, late is negative. Its spread, max - min, is the
  peak-to-peak jitter and the same as that of the scheduled times.
- `netlatency`: as nl-calc computes them (nl-calc.py, netlatency 0.4): the application latency modulo the
  cycle; for the jitter, the scheduled time modulo the cycle, taken from the running mean of all packets up
  to and including this one, in order of arrival. The first packets then have little jitter by definition.
  The running mean is computed exactly; nl-calc updates it in floating point, which differs in the last
  digits.

The tables are meant to hold one stream; select one with `frame[frame["stream"] == 1]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from tsnlab import packets
from tsnlab.analysis.summary import Summary, exact_mean, summarise
from tsnlab.analysis.table import Table
from tsnlab.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

Mode = Literal["unwrapped", "netlatency"]

TITLES = {
    "scheduled_times_us": "Scheduled times",
    "rt_app_latency_us": "RT application latency",
    "network_jitter_ns": "TSN network jitter",
}
_HEADER = ("", "", "count", "min", "mean", "max", "spread", "std", "p50", "p99", "p99.9")


def scheduled_times_ns(frame: pd.DataFrame) -> pd.Series[int]:
    """Time of arrival - interval_start of each packet: Int64 nanoseconds, null where it did not arrive."""
    return (packets.arrival(frame) - frame["interval_start"]).rename("scheduled_times_ns")


def rt_app_latency_ns(frame: pd.DataFrame, *, mode: Mode = "unwrapped") -> pd.Series[int]:
    """tx_program - interval_start of each packet: Int64 nanoseconds, null where the talker took no time.

    Raises:
        ConfigError: mode netlatency, and the capture does not say how long a cycle is.
    """
    latency = (frame["tx_program"] - frame["interval_start"]).rename("rt_app_latency_ns")
    return latency % _cycle_ns(frame) if mode == "netlatency" else latency


def network_jitter_ns(frame: pd.DataFrame, *, mode: Mode = "unwrapped") -> pd.Series[float]:
    """Mean of the scheduled times - scheduled time: Float64 nanoseconds, null where it did not arrive.

    The subtraction is made in integers from an origin near the mean, so that float64 only ever holds small
    differences.

    Raises:
        ConfigError: mode netlatency, and the capture does not say how long a cycle is.
    """
    import pandas as pd

    scheduled = scheduled_times_ns(frame)
    present = scheduled.notna().to_numpy()
    values = packets.taken(scheduled)
    jitter = np.full(len(frame), np.nan)
    if mode == "netlatency":
        arrivals = packets.taken(packets.arrival(frame)[present])
        jitter[present] = _from_running_mean(values % _cycle_ns(frame), arrivals)
    elif len(values):
        jitter[present] = _from_mean(values)
    return pd.Series(pd.arrays.FloatingArray(jitter, ~present), index=frame.index, name="network_jitter_ns")


@dataclass(frozen=True, repr=False)
class Indicators:
    """The three indicators of a capture, summarised; shows itself as a table."""

    scheduled_times_us: Summary
    rt_app_latency_us: Summary
    network_jitter_ns: Summary
    info: packets.CaptureInfo
    mode: Mode = "unwrapped"

    def to_json(self) -> dict[str, Any]:
        """What run.json says: `indicators`, `packets`, `badges`, `clock`, `arrival`, `definition`."""
        return {
            "indicators": {name: getattr(self, name).to_json() for name in TITLES},
            "packets": _counts(self.info),
            "badges": list(self.info.badges),
            "clock": self.info.clock,
            "arrival": self.info.arrival_text,
            "definition": self.mode,
        }

    def table(self) -> Table:
        """The indicators, what became of the packets, the clock and the badges."""
        counts = _counts(self.info)
        what_became = ", ".join(f"{counts[key]} {key.replace('_', ' ')}" for key in counts if key != "late_reasons")
        badges = (" · ".join(self.info.badges),) if self.info.badges else ()
        return Table(
            title="Indicators" if self.mode == "unwrapped" else f"Indicators as {self.mode} defines them",
            header=_HEADER,
            rows=tuple(_row(title, getattr(self, name)) for name, title in TITLES.items()),
            align="ll" + "r" * (len(_HEADER) - 2),
            notes=(
                f"packets: {what_became}",
                f"clock: {self.info.clock or 'not named'}; arrival: {self.info.arrival_text}",
                *badges,
            ),
        )

    def __repr__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table().html()


def indicators(frame: pd.DataFrame, *, mode: Mode = "unwrapped") -> Indicators:
    """Computes and summarises the three indicators of a capture; with no packets, their count is 0.

    Args:
        frame: the `packets` table with its description.
        mode: which definition, see this module.

    Raises:
        ConfigError: the table carries no description, or mode netlatency and it does not say how long a
            cycle is.
    """
    return Indicators(
        scheduled_times_us=_summary(frame, scheduled_times_ns(frame), "us", 1000),
        rt_app_latency_us=_summary(frame, rt_app_latency_ns(frame, mode=mode), "us", 1000),
        network_jitter_ns=_summary(frame, network_jitter_ns(frame, mode=mode), "ns", 1),
        info=packets.info(frame),
        mode=mode,
    )


def _summary(frame: pd.DataFrame, series: pd.Series[Any], unit: str, per_unit: int) -> Summary:
    present = series.notna().to_numpy()
    number: type[np.int64] | type[np.float64] = np.int64 if series.dtype == "Int64" else np.float64
    values = series[present].to_numpy(number)
    seq = frame["seq"][present].to_numpy(np.int64)
    return summarise(values, seq=seq, unit=unit, per_unit=per_unit)


def _from_mean(values: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    mean = exact_mean(values)
    origin = round(mean)
    return float(mean - origin) - (values - origin).astype(np.float64)


def _from_running_mean(values: npt.NDArray[np.int64], arrivals: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    order = np.argsort(arrivals, kind="stable")
    in_order = values[order]
    means = np.cumsum(in_order) / np.arange(1, len(values) + 1)
    jitter = np.empty(len(values))
    jitter[order] = means - in_order
    return jitter


def _cycle_ns(frame: pd.DataFrame) -> int:
    cycle_ns = packets.info(frame).cycle_ns
    if not cycle_ns:
        raise ConfigError("indicators: mode netlatency takes times modulo the cycle, but the capture has cycle_ns = 0")
    return cycle_ns


def _counts(about: packets.CaptureInfo) -> dict[str, Any]:
    return {
        "sent": about.sent,
        "received": about.received,
        "lost": about.lost,
        "late": about.late_total,
        "late_reasons": dict(about.late),
        "duplicated": about.duplicated,
        "reordered": about.reordered,
        "not_stamped": about.not_stamped,
        "warm_up": about.warm_up,
    }


def _row(title: str, summary: Summary) -> tuple[str, ...]:
    digits = 1 if summary.unit == "ns" else 3
    numbers = ("min", "mean", "max", "spread", "std", "p50", "p99", "p99_9")
    shown = (getattr(summary, name) for name in numbers)
    cells = ("-" if value is None else f"{value:.{digits}f}" for value in shown)
    return (title, summary.unit.replace("us", "µs"), str(summary.count), *cells)
