"""The case file: one experiment - stream, schedule, load, acceptance limits - as checked values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import Field, model_validator

from tsnlab import files
from tsnlab.errors import ConfigError
from tsnlab.paths import PARAMS
from tsnlab.quantity import DurationNs, RateBps
from tsnlab.schedule import PRIORITIES, Etf, Taprio
from tsnlab.verdict import Limits


class WakeupLatency(files.Value):
    """The injected wake-up latency of the virtual talker: a shifted log-normal distribution with a maximum.

    In virtual time a program is woken exactly on time; what a standard kernel in a virtual machine adds is
    drawn from this distribution. It is fitted to the figures that the guide prints, and never used elsewhere.
    """

    minimum: DurationNs
    median: DurationNs
    sigma: Annotated[float, Field(gt=0)]
    """Standard deviation of the logarithm of (latency - minimum)."""

    maximum: DurationNs

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not 0 <= self.minimum < self.median < self.maximum:
            raise ValueError("expected 0 <= minimum < median < maximum")
        return self


class Stream(files.Value):
    """The time-sensitive stream (the guide's Tables 1 and 3)."""

    cycle: Annotated[DurationNs, Field(gt=0)]
    packets: Annotated[int, Field(gt=0)]
    warm_up: Annotated[int, Field(ge=0)] = 0
    """So many packets are sent before those that count, while caches, queues and clocks are still settling."""

    vlan: Annotated[int, Field(ge=1, le=4094)]
    pcp: Annotated[int, Field(ge=0, le=7)]
    priority: Annotated[int, Field(ge=0, le=15)]
    """SO_PRIORITY of the talker's socket."""

    tool: Literal["tsnlab", "isochron", "sample-app-taprio"] = "tsnlab"
    """What sends and receives it; the others have to be installed on the talker's and the listener's node."""

    window: tuple[DurationNs, DurationNs] | None = None
    """Transmit window after the start of the cycle; None sends as soon as the talker is awake."""

    offset_in_window: DurationNs = 0
    seed: int = 1
    wakeup_latency: WakeupLatency

    @property
    def sent(self) -> int:
        """How many packets the talker sends in all."""
        return self.warm_up + self.packets

    @property
    def launch_ns(self) -> int | None:
        """Launch time after the start of the cycle; None if the kernel is not told one."""
        return None if self.window is None else self.window[0] + self.offset_in_window

    @model_validator(mode="after")
    def _window_in_cycle(self) -> Self:
        if self.window is not None:
            start, end = self.window
            if not 0 <= start < end <= self.cycle:
                raise ValueError(f"window: expected a span within the cycle of {self.cycle} ns; got {start}..{end} ns")
            if not 0 <= self.offset_in_window < end - start:
                raise ValueError("offset_in_window: lies outside of the window")
        return self


class SwitchPort(files.Value):
    """802.1Qbv at the switch port towards the listener: best effort has to pause around the stream.

    The guide gives no gate control list for its switch; this one follows from the launch time.
    """

    qbv: bool
    before: Annotated[DurationNs, Field(ge=0)]
    """How long before the launch time best effort stops and the stream's gate opens."""

    after: Annotated[DurationNs, Field(gt=0)]
    """How long after the launch time the stream's gate closes and best effort goes on."""

    def taprio(self, stream: Stream) -> Taprio:
        """The gates over the stream's cycle: class 1 is the stream's priority, class 0 everything else."""
        launch = stream.launch_ns or 0
        spans = [("01", launch - self.before), ("02", self.before + self.after)]
        spans.append(("01", stream.cycle - launch - self.after))
        return files.check(
            {
                "map": [int(priority == stream.priority) for priority in range(PRIORITIES)],
                "queues": ["1@0", "1@1"],
                "schedule": [{"gates": gates, "for": length} for gates, length in spans if length],
            },
            Taprio,
            "switch",
            exact=True,
        )


class Load(files.Value):
    """Best-effort load."""

    rate: Annotated[RateBps, Field(ge=0)]
    """Offered rate of Ethernet frames, without preamble, FCS and gap; 0 for none."""

    frame: Annotated[int, Field(ge=64, le=1514)]
    """Length of a frame in bytes, without FCS."""

    tool: Literal["frames", "iperf3"] = "frames"
    """What makes it: tsnlab's own frames, or iperf3 as in the guide (UDP, payload of 1448 bytes)."""

    to: Literal["listener", "load_sink"]
    """Where it goes: to the listener's node, sharing its switch port with the stream, or to the load sink."""


class Guide(files.Value):
    """What the guide printed for this case: its text and the legends of its figures."""

    source: str
    packets: int
    lost: int
    scheduled_times_us: tuple[float, float]
    rt_app_latency_us: tuple[float, float]
    network_jitter_ns: tuple[float, float]


class Case(files.Value):
    """An experiment, as its case file describes it."""

    name: str
    title: str
    stream: Stream
    taprio: Taprio | None = None
    etf: Etf | None = None
    switch: SwitchPort | None = None
    load: Load | None = None
    limits: Limits
    wall_clock_limits: Limits
    """The limits by the wall clock where no NIC launches frames, and timers are some 100 us late."""

    guide: Guide

    @model_validator(mode="after")
    def _schedules_fit_the_stream(self) -> Self:
        if self.taprio and self.stream.cycle % self.taprio.cycle_ns:
            raise ValueError(
                f"taprio: its cycle of {self.taprio.cycle_ns} ns does not divide the stream's of {self.stream.cycle} ns"
            )
        if self.switch is not None:
            self.switch.taprio(self.stream)
        if self.taprio and self.stream.window and not self.taprio.is_open(self.stream.priority, *self.stream.window):
            raise ValueError("stream.window: the gate of the stream's priority is not open throughout the window")
        if self.etf is not None and self.stream.window is None:
            raise ValueError("stream.window: missing, but etf needs launch times")
        return self

    def __str__(self) -> str:
        from tsnlab.show import facts

        return facts.text(self.title, facts.of_case(self))

    def _repr_html_(self) -> str:
        from tsnlab.show import facts

        drawing = self.taprio._repr_html_() if self.taprio is not None else ""
        return facts.html(self.title, facts.of_case(self), drawing)

    def with_parameters(self, **parameters: Any) -> Case:
        """A copy with some parameters of its notebook set; checked like the file.

        Args:
            parameters: any of `packets`, `cycle_us`, `seed`, `wakeup_median_us`, `wakeup_max_us`, `offset_us`,
                `etf_delta_us`, `switch_qbv`, `load_mbps`, `load_to`, `load_tool`; None keeps what the case file says.

        Raises:
            ConfigError: the parameter is unknown, does not belong to this case, or its value is not valid.
        """
        content = self.model_dump(by_alias=True)
        for name, value in parameters.items():
            if name not in _PARAMETERS:
                raise ConfigError(f"{self.name} has no parameter {name!r}; it has {', '.join(_PARAMETERS)}")
            if value is None:
                continue
            *sections, key, scale = _PARAMETERS[name]
            section = content
            for part in sections:
                section = section[part]
                if section is None:
                    raise ConfigError(f"{self.name}: parameter {name!r} does not apply: the case has no {part}")
            section[key] = value if scale is None else f"{value} {scale}"
            if name == "load_mbps":
                content["limits"]["load_min_mbps"] = self._load_limit(value)
        return files.check(content, Case, f"parameters of {self.name}", exact=True)

    def _load_limit(self, load_mbps: float) -> float | None:
        """The limit on the load for another rate: what arrives can be no more than what is asked for."""
        limit = self.limits.load_min_mbps
        if limit is None or self.load is None or load_mbps * 1e6 >= self.load.rate:
            return limit
        return 0.995 * load_mbps or None


_PARAMETERS: dict[str, tuple[Any, ...]] = {
    "packets": ("stream", "packets", None),
    "cycle_us": ("stream", "cycle", "us"),
    "seed": ("stream", "seed", None),
    "wakeup_median_us": ("stream", "wakeup_latency", "median", "us"),
    "wakeup_max_us": ("stream", "wakeup_latency", "maximum", "us"),
    "offset_us": ("stream", "offset_in_window", "us"),
    "etf_delta_us": ("etf", "delta", "us"),
    "switch_qbv": ("switch", "qbv", None),
    "load_mbps": ("load", "rate", "Mbit/s"),
    "load_to": ("load", "to", None),
    "load_tool": ("load", "tool", None),
}


class HasClock(Protocol):
    """What a case wants to know of a lab."""

    @property
    def precise(self) -> bool:
        """Whether a case's own limits hold there."""


CASES = PARAMS / "cases"
"""Where the case files are that come with tsnlab."""


def load_case(name: str | Path, lab: HasClock | None = None, **parameters: Any) -> Case:
    """Reads a case file, by path or bare name, and sets the notebook's parameters in it.

    Args:
        name: the case.
        lab: the lab it is for; its clock decides which of the case's limits apply (default: the case's own).
        parameters: see :meth:`Case.with_parameters`.

    Raises:
        ConfigError: names the file or parameter, the key and what was expected.
    """
    case = files.load(files.find(name, CASES), Case)
    if lab is not None and not lab.precise:
        case = case.model_copy(update={"limits": case.wall_clock_limits})
    return case.with_parameters(**parameters) if parameters else case
