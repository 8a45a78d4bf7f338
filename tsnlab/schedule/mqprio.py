"""mqprio and cbs as values: classes without gates, and a class's share of the link.

Sources: tc-mqprio(8), tc-cbs(8), net/sched/sch_mqprio.c, sch_cbs.c; IEEE 802.1Q clause 8.6.8.2 and annex L.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tsnlab import files
from tsnlab.schedule.queues import PriorityMap, QueueRanges, check_queues, queues_from_json, queues_needed
from tsnlab.schedule.value import Comparable

Rates = Annotated[list[Annotated[int, Field(ge=0, lt=1 << 63)]], Field(max_length=16)]
"""Bits per second of each traffic class."""


class Mqprio(Comparable):
    """An mqprio qdisc: priorities to traffic classes, classes to queues."""

    map: PriorityMap
    queues: QueueRanges
    hardware: bool = False
    """Whether the interface sets up the classes itself (``hw 1``)."""

    mode: Literal["dcb", "channel"] = "dcb"
    shaper: Literal["dcb", "bw_rlimit"] = "dcb"
    min_rate: Rates = Field(default_factory=list)
    max_rate: Rates = Field(default_factory=list)

    @model_validator(mode="after")
    def _as_the_kernel_takes_it(self) -> Self:
        check_queues(self.map, self.queues)
        if (self.mode, self.shaper) != ("dcb", "dcb") and not self.hardware:
            raise ValueError("mode, shaper: belong to an interface that sets up the classes itself (hardware: true)")
        if (self.min_rate or self.max_rate) and self.shaper != "bw_rlimit":
            raise ValueError("min_rate, max_rate: belong to the shaper bw_rlimit")
        if self.shaper == "bw_rlimit" and self.mode != "channel":
            raise ValueError("shaper: bw_rlimit belongs to the mode channel")
        if max(len(self.min_rate), len(self.max_rate)) > len(self.queues):
            raise ValueError(f"min_rate, max_rate: there are only {len(self.queues)} traffic classes")
        return self

    @property
    def queue_count(self) -> int:
        """How many transmit queues the interface needs."""
        return queues_needed(self.queues)

    def to_tc(self, handle: str = "100") -> list[str]:
        """The arguments after ``tc qdisc replace dev DEV parent root``."""
        words = ["handle", handle, "mqprio", "num_tc", str(len(self.queues))]
        words += ["map", *map(str, self.map), "queues", *self.queues, "hw", str(int(self.hardware))]
        words += ["mode", self.mode] if self.mode != "dcb" else []
        words += ["shaper", self.shaper] if self.shaper != "dcb" else []
        words += ["min_rate", *(f"{rate}bit" for rate in self.min_rate)] if self.min_rate else []
        words += ["max_rate", *(f"{rate}bit" for rate in self.max_rate)] if self.max_rate else []
        return words

    @classmethod
    def from_tc_json(cls, options: dict[str, Any]) -> Mqprio:
        """The qdisc in the options that ``tc -j qdisc show`` gives (``hw`` and rates are only there with hardware).

        Raises:
            ConfigError: they are no mqprio's.
        """
        hardware = options.get("shaper", "dcb") != "dcb" or options.get("mode", "dcb") != "dcb"
        content = {"map": options["map"], "queues": queues_from_json(options), "hardware": hardware}
        content |= {key: options[key] for key in ("mode", "shaper") if key in options}
        return files.check(content, cls, "the kernel's mqprio", exact=True)


class Cbs(Comparable):
    """A cbs qdisc: the credits of a class, in kbit/s and bytes, as tc writes them."""

    idleslope: Annotated[int, Field(gt=0, lt=1 << 31)]
    """Rate at which credit grows while the class waits: its share of the link, in kbit/s."""

    sendslope: Annotated[int, Field(lt=0, ge=-(1 << 31))]
    """Rate at which it falls while a frame is sent: idleslope - link rate, in kbit/s."""

    hicredit: Annotated[int, Field(ge=0, lt=1 << 31)]
    locredit: Annotated[int, Field(le=0, ge=-(1 << 31))]
    offload: bool = False

    @classmethod
    def for_share(cls, share_kbps: int, link_kbps: int, largest_frame: int, largest_other: int = 1522) -> Cbs:
        """The credits of a class that gets a share of a link (IEEE 802.1Q, annex L.1).

        Args:
            share_kbps, link_kbps: in kbit/s.
            largest_frame: of the class, in bytes.
            largest_other: of any other class, in bytes: how long the class may have to wait.

        Raises:
            ConfigError: the share is not below the link's rate.
        """
        sendslope = share_kbps - link_kbps
        hicredit = -(-largest_other * share_kbps // link_kbps)
        locredit = -(largest_frame * -sendslope // link_kbps)
        values = (share_kbps, sendslope, hicredit, locredit)
        return files.check(dict(zip(_CBS_KEYS, values, strict=True)), cls, "cbs")

    def to_tc(self) -> list[str]:
        """The arguments after ``tc qdisc replace dev DEV parent HANDLE:QUEUE``."""
        words = [str(word) for key in _CBS_KEYS for word in (key, getattr(self, key))]
        return ["cbs", *words, "offload", str(int(self.offload))]

    @classmethod
    def from_tc_json(cls, options: dict[str, Any]) -> Cbs:
        """The qdisc in the options that ``tc -j qdisc show`` gives.

        Raises:
            ConfigError: they are no cbs's.
        """
        content = {key: options[key] for key in _CBS_KEYS}
        return files.check({**content, "offload": bool(options["offload"])}, cls, "the kernel's cbs", exact=True)


_CBS_KEYS = ("idleslope", "sendslope", "hicredit", "locredit")
