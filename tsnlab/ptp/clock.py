"""One supervised program of the synchronisation: ptp4l or phc2sys on a node, and what it has said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tsnlab.hosts import Process
from tsnlab.ptp.log import Message, Offset, PortState, parse

GOOD_SAMPLES = 3
"""So many offsets in a row have to be below the threshold."""


@dataclass
class Clock:
    """A ptp4l or phc2sys and what it has said.

    Attributes:
        node: where it runs.
        threshold_ns: the largest offset that counts as synchronised.
        interfaces: its ports.
        options: of ptp4l's section [global].
        state: of the port that changed last.
        good_samples: so many offsets in a row have to be below the threshold.
    """

    node: str
    threshold_ns: int
    interfaces: Sequence[str] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    good_samples: int = GOOD_SAMPLES
    program: str = "ptp4l"
    process: Process | None = None
    state: str = "starting"
    offsets: list[tuple[int, Offset]] = field(default_factory=list)
    """Each with the lab's time in ns at which it was read."""

    states: list[tuple[int, PortState]] = field(default_factory=list)
    messages: list[tuple[int, str]] = field(default_factory=list)
    _settled: int = 0

    def take(self, now_ns: int, line: str) -> None:
        """Takes one line of its log."""
        match parse(line):
            case Offset() as offset:
                self.offsets.append((now_ns, offset))
            case PortState() as change:
                if change.port:  # port 0 is the socket for pmc
                    self.state = change.after
                    self.states.append((now_ns, change))
            case Message() as message:
                self.messages.append((now_ns, message.text))

    def acknowledge(self) -> None:
        """Takes what it has complained about so far as settled."""
        self._settled = len(self._complaints())

    def _complaints(self) -> list[str]:
        return self.process.stderr.splitlines() if self.process is not None else []

    @property
    def warnings(self) -> list[str]:
        """What it printed to standard error since it was last found in order, without the prefixes."""
        lines = self._complaints()[self._settled :]
        found = [(line, parse(line)) for line in lines]
        return [value.text if isinstance(value, Message) else line for line, value in found if line.strip()]

    def addressed(self) -> dict[str, int]:
        """How pmc reaches it."""
        options = self.options
        return {
            "domain": int(options.get("domainNumber", "0")),
            "transport_specific": int(options.get("transportSpecific", "0"), 0),
        }

    @property
    def ended(self) -> bool:
        """Whether the program has ended."""
        return self.process is not None and self.process.returncode is not None

    @property
    def following(self) -> bool:
        """Whether it follows a source at all."""
        return self.program == "phc2sys" or self.state == "SLAVE"

    @property
    def locked(self) -> bool:
        """Whether it follows its source closely enough."""
        last = [offset for _, offset in self.offsets[-self.good_samples :]]
        good = len(last) == self.good_samples and all(offset.worst_ns <= self.threshold_ns for offset in last)
        return self.following and good and not self.ended

    def between(self, start_ns: int, end_ns: int) -> list[Offset]:
        """The offsets of a span of the lab's time, and the last one before it: one a second, it may have none."""
        before = [offset for moment, offset in self.offsets if moment < start_ns]
        return before[-1:] + [offset for moment, offset in self.offsets if start_ns <= moment <= end_ns]

    def __str__(self) -> str:
        name = self.node if self.program == "ptp4l" else f"{self.node} ({self.program})"
        if not self.offsets:
            return f"{name}: {self.state}"
        last = self.offsets[-1][1]
        delay = "" if last.delay_ns is None else f", path delay {last.delay_ns} ns"
        state = self.state if self.program == "ptp4l" else "following"
        return f"{name}: {state}, offset at most {last.worst_ns} ns{delay}"
