"""etf as a value: frames leave at their launch time.

Source: tc-etf(8), net/sched/sch_etf.c.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from tsnlab import files
from tsnlab.quantity import DurationNs
from tsnlab.schedule.value import Comparable

DEADLINE_MODE, OFFLOAD, SKIP_SOCK_CHECK = 1, 2, 4
"""Flags of ``struct tc_etf_qopt``."""

Delta = Annotated[DurationNs, Field(ge=0, lt=1 << 31)]


class Etf(Comparable):
    """An etf qdisc: frames leave at their launch time, early by ``delta`` for what comes after it."""

    delta: Delta
    """How long before its launch time a frame is handed to the interface, in software."""

    offload_delta: Delta
    """The same for an interface that launches frames itself: the guide's value."""

    deadline_mode: bool = False
    """The launch time is a deadline: a frame leaves as soon as it can."""

    skip_sock_check: bool = False
    """Frames need no socket with SO_TXTIME (for taprio's txtime-assist)."""

    def delta_ns(self, offload: bool) -> int:
        """The delta that fits the interface."""
        return self.offload_delta if offload else self.delta

    def flags(self, offload: bool) -> int:
        """Flags of ``struct tc_etf_qopt``."""
        return DEADLINE_MODE * self.deadline_mode | OFFLOAD * offload | SKIP_SOCK_CHECK * self.skip_sock_check

    def to_tc(self, offload: bool) -> list[str]:
        """The arguments after ``tc qdisc replace dev DEV parent HANDLE:QUEUE``."""
        words = ["etf", "clockid", "CLOCK_TAI", "delta", str(self.delta_ns(offload))]
        words += ["deadline_mode"] if self.deadline_mode else []
        words += ["skip_sock_check"] if self.skip_sock_check else []
        return [*words, "offload"] if offload else words

    @classmethod
    def from_tc_json(cls, options: dict[str, Any]) -> Etf:
        """The qdisc in the options that ``tc -j qdisc show`` gives; both deltas are the one it has.

        Raises:
            ConfigError: they are no etf's.
        """
        content = {key: options[key] == "on" for key in ("deadline_mode", "skip_sock_check")}
        deltas = {"delta": options["delta"], "offload_delta": options["delta"]}
        return files.check({**content, **deltas}, cls, "the kernel's etf", exact=True)

    def same_as(self, options: dict[str, Any], offload: bool) -> list[str]:
        """What differs in the options that ``tc -j qdisc show`` gives."""
        wanted = {"clockid": "TAI", "delta": self.delta_ns(offload), "offload": "on" if offload else "off"}
        wanted |= {key: "on" if getattr(self, key) else "off" for key in ("deadline_mode", "skip_sock_check")}
        return [
            f"{key}: wanted {value}, kernel says {options.get(key)}"
            for key, value in wanted.items()
            if options.get(key) != value
        ]
