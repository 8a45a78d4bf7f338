"""One supervised program of the synchronisation: ptp4l or phc2sys on a node, and what it has said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tsnlab.hosts import Host, Process
from tsnlab.ptp.log import Message, Offset, PortState, parse

GOOD_SAMPLES = 3
"""So many offsets in a row have to be below the threshold."""

RESTARTS_MAX = 3
"""So often a program that has ended is started anew, until it has been found in order again."""


@dataclass
class Clock:
    """A ptp4l or phc2sys and what it has said.

    Attributes:
        node: where it runs.
        threshold_ns: the largest offset that counts as synchronised.
        interfaces: its ports; for phc2sys, the clock that follows.
        options: of ptp4l's section [global].
        state: of the port that changed last.
        good_samples: so many offsets in a row have to be below the threshold.
        restarts_left: so often it may still be started anew when it has ended.
        ends: when it ended without being told to, in ns of the lab's time, and how.
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
    restarts_left: int = RESTARTS_MAX
    ends: list[tuple[int, str]] = field(default_factory=list)
    _begin: Callable[[], Process] | None = None
    _settled: int = 0
    _said_before: str = ""
    _since: int = 0
    """Offsets from here on are those of the program as it runs now."""

    def start(self, host: Host, argv: Sequence[str], on_line: Callable[[str], None]) -> None:
        """Starts the program; it is started anew the same way."""
        self._begin = lambda: host.start(argv, on_line)
        self.process = self._begin()

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

    def supervise(self, now_ns: int) -> None:
        """Starts the program anew if it has ended without being told to, up to a limit; each end is counted."""
        if not self.ended or not self.restarts_left or self._begin is None:
            return
        self.ends.append((now_ns, self.how_it_ended()))
        self.restarts_left -= 1
        self._renew()

    def again(self) -> None:
        """Ends the program and starts it anew, as it only sets its clock in the beginning."""
        if self.process is not None and self._begin is not None:
            self.process.stop()
            self._renew()

    def _renew(self) -> None:
        assert self.process is not None
        assert self._begin is not None
        self._said_before += self.process.stderr
        self.state = "starting"
        self._since = len(self.offsets)
        self.process = self._begin()

    def how_it_ended(self) -> str:
        """In words; it has ended."""
        assert self.process is not None
        status = self.process.returncode or 0
        said = f": {self.warnings[-1]}" if self.warnings else ""
        # a shell on the way reports a signal as 128 + its number
        number = -status if status < 0 else status - 128 if status > 128 else 0
        return (f"was ended by signal {number}" if number else f"ended with status {status}") + said

    def acknowledge(self) -> None:
        """Takes what it has complained about so far as settled, and gives it its restarts back."""
        self._settled = len(self._complaints())
        self.restarts_left = RESTARTS_MAX

    def _complaints(self) -> list[str]:
        now = self.process.stderr if self.process is not None else ""
        return (self._said_before + now).splitlines()

    @property
    def warnings(self) -> list[str]:
        """What it printed to standard error since it was last found in order, without the prefixes."""
        lines = self._complaints()[self._settled :]
        found = [(line, parse(line)) for line in lines]
        return [value.text if isinstance(value, Message) else line for line, value in found if line.strip()]

    def addressed(self) -> dict[str, Any]:
        """How pmc reaches it."""
        options = self.options
        return {
            "domain": int(options.get("domainNumber", "0")),
            "transport_specific": int(options.get("transportSpecific", "0"), 0),
            "socket": options.get("uds_address", ""),
        }

    @property
    def ended(self) -> bool:
        """Whether the program has ended."""
        return self.process is not None and self.process.returncode is not None

    @property
    def following(self) -> bool:
        """Whether it follows a source at all."""
        return self.program == "phc2sys" or self.state == "SLAVE"

    def locked(self, since_ns: int = 0) -> bool:
        """Whether it follows its source closely enough, by what it has said since an instant of the lab's time."""
        last = self.offsets[self._since :][-self.good_samples :]
        good = len(last) == self.good_samples and all(
            moment >= since_ns and offset.worst_ns <= self.threshold_ns for moment, offset in last
        )
        return self.following and good and not self.ended

    def between(self, start_ns: int, end_ns: int) -> list[Offset]:
        """The offsets of a span of the lab's time, and the last one before it: one a second, it may have none."""
        before = [offset for moment, offset in self.offsets if moment < start_ns]
        return before[-1:] + [offset for moment, offset in self.offsets if start_ns <= moment <= end_ns]

    def ended_between(self, start_ns: int, end_ns: int) -> list[str]:
        """How it ended in a span of the lab's time, each time."""
        return [how for moment, how in self.ends if start_ns <= moment <= end_ns]

    @property
    def named(self) -> str:
        """The program and where it runs."""
        return self.node if self.program == "ptp4l" else f"{self.node} ({self.program})"

    def __str__(self) -> str:
        again = f", started anew {len(self.ends)} times" if self.ends else ""
        if not self.offsets:
            return f"{self.named}: {self.state}{again}"
        last = self.offsets[-1][1]
        delay = "" if last.delay_ns is None else f", path delay {last.delay_ns} ns"
        state = self.state if self.program == "ptp4l" else "following"
        return f"{self.named}: {state}, offset at most {last.worst_ns} ns{delay}{again}"
