"""A measurement in the course of its packets, as a strip that is cheap to draw: per step of the way, lowest to highest.

The number of packets does not matter for what is kept or drawn, so that it can follow a measurement that runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from tsnlab.show import ink

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

STEPS = 400
"""The whole way is shown by no more strokes than this, and by half as many or more once there are enough packets."""

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 760, 150, 56, 8, 22
_TICKS = 4


class Envelope:
    """Lowest and highest value of each step of the way; when there are too many steps, each becomes twice as wide.

    Attributes:
        width: so many packets are one step.
        count: values so far.
        low, high: extremes of all.
        steps: lowest and highest of each step; None where there was none.
    """

    def __init__(self) -> None:
        self.width = 1
        self.count = 0
        self.low: int | None = None
        self.high: int | None = None
        self.steps: list[tuple[int, int] | None] = []

    @classmethod
    def of(cls, seqs: npt.NDArray[np.int64], values: npt.NDArray[np.int64]) -> Envelope:
        """The envelope of a whole table: int64 arrays of the same length."""
        import numpy as np

        made = cls()
        if not len(seqs):
            return made
        made.count, made.low, made.high = len(values), int(values.min()), int(values.max())
        while int(seqs.max()) // made.width >= STEPS:
            made.width *= 2
        places = seqs // made.width
        low = np.full(int(places.max()) + 1, made.high + 1)
        high = np.full(len(low), made.low - 1)
        np.minimum.at(low, places, values)
        np.maximum.at(high, places, values)
        pairs = zip(low.tolist(), high.tolist(), strict=True)
        made.steps = [(least, most) if least <= most else None for least, most in pairs]
        return made

    def add(self, seq: int, value: int) -> None:
        """Takes the value of a packet."""
        self.count += 1
        self.low = value if self.low is None or value < self.low else self.low
        self.high = value if self.high is None or value > self.high else self.high
        while (step := seq // self.width) >= STEPS:
            self._widen()
        if step >= len(self.steps):
            self.steps += [None] * (step + 1 - len(self.steps))
        seen = self.steps[step]
        self.steps[step] = (value, value) if seen is None else (min(seen[0], value), max(seen[1], value))

    def _widen(self) -> None:
        self.width *= 2
        pairs = zip_longest(self.steps[::2], self.steps[1::2])
        self.steps = [_joined([one for one in pair if one is not None]) for pair in pairs]

    def __str__(self) -> str:
        """Extremes and spread in microseconds, for values in nanoseconds."""
        if self.low is None or self.high is None:
            return "none yet"
        spread = (self.high - self.low) / 1000
        return f"{self.low / 1000:.3f} to {self.high / 1000:.3f} us, spread {spread:.3f}"


def _joined(seen: list[tuple[int, int]]) -> tuple[int, int] | None:
    return (min(low for low, _ in seen), max(high for _, high in seen)) if seen else None


class Strip:
    """Scheduled times and application latency over the packets.

    Attributes:
        scheduled, latency: nanoseconds after the beginning of the cycle.
        highest: largest sequence number so far; the drawing ends there.
    """

    def __init__(self) -> None:
        self.scheduled = Envelope()
        self.latency = Envelope()
        self.highest = 0

    def add(self, packets: Iterable[tuple[int, int | None, int | None]]) -> None:
        """Takes packets: sequence number, scheduled time and application latency in ns, None where not taken."""
        for seq, scheduled, latency in packets:
            self.highest = max(self.highest, seq)
            if scheduled is not None:
                self.scheduled.add(seq, scheduled)
            if latency is not None:
                self.latency.add(seq, latency)

    def svg(self) -> str:
        """The drawing; its axes are packets and microseconds in the cycle."""
        top = _round_up(max(self.scheduled.high or 0, self.latency.high or 0, 1000))
        label = f"scheduled times {self.scheduled}; application latency {self.latency}"
        per_packet = (_WIDTH - _LEFT) / (self.highest + 1)
        return ink.sheet(
            _WIDTH,
            _HEIGHT,
            label,
            *_grid(top, self.highest),
            _strokes(self.latency, top, per_packet, ink.OTHER),
            _strokes(self.scheduled, top, per_packet, ink.STREAM),
        )

    def legend(self) -> str:
        """What the colours mean, with the extremes, in HTML."""
        pairs = ((ink.STREAM, "scheduled times", self.scheduled), (ink.OTHER, "application latency", self.latency))
        return "<br>".join(f'<span style="color:{colour}">■</span> {name}: {one}' for colour, name, one in pairs)


def _strokes(envelope: Envelope, top: int, per_packet: float, colour: str) -> str:
    """A vertical stroke for each step, never so short that it could not be seen."""
    width = envelope.width * per_packet
    path = []
    for index, seen in enumerate(envelope.steps):
        if seen is not None:
            low, high = (_y(value, top) for value in seen)
            path.append(
                f"M{min(_WIDTH - 0.5, _LEFT + (index + 0.5) * width):.1f},{low + 1:.1f}V{min(high, low - 1):.1f}"
            )
    return f'<path d="{"".join(path)}" stroke="{colour}" stroke-width="{max(1.0, width):.2f}" fill="none"/>'


def _y(value: int, top: int) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * value / top


def _grid(top: int, last: int) -> Iterator[str]:
    for tick in range(_TICKS + 1):
        y = _y(top * tick // _TICKS, top)
        yield ink.line(_LEFT, y, _WIDTH, y, extra='stroke-opacity="0.25"')
        yield ink.text(_LEFT - 6, y + 4, f"{top * tick / _TICKS / 1000:g}", anchor="end", faint=True)
    yield ink.text(_LEFT, _HEIGHT - 6, "packet 0")
    yield ink.text(_WIDTH, _HEIGHT - 6, str(last), anchor="end")
    yield ink.text(
        (_LEFT + _WIDTH) / 2, _HEIGHT - 6, "us after the beginning of the cycle", anchor="middle", faint=True
    )


def _round_up(value_ns: int) -> int:
    """A scale that four ticks divide into round numbers."""
    decade: int = 10 ** (len(str(value_ns)) - 1)
    steps: Sequence[float] = (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10)
    return next(int(step * decade) for step in steps if step * decade >= value_ns)
