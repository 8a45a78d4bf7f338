"""A cable between two ports of the virtual lab's devices: a rate, a delay, and what can be wrong with it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

from tsnlab.virtual.device.agenda import Agenda, Event

PREAMBLE_BYTES = 8
"""Preamble and start frame delimiter (IEEE 802.3, clause 3.1.1). A timestamp is that of the delimiter's end."""

FCS_BYTES = 4
GAP_BYTES = 12

NEGOTIATION_NS = 100_000_000
"""From the moment both ends are willing until the link is up; a real pair of 1000BASE-T takes 1 to 3 s."""


class Port(Protocol):
    """An end of a cable."""

    def speeds(self) -> set[int]:
        """The rates that it offers at this moment, in bit/s; none while it is switched off."""

    def link_changed(self, rate: int) -> None:
        """The link is up at a rate, or, at 0, down."""

    def arrive(self, frame: bytes, stamp_ns: int) -> None:
        """A frame has been received whole; its delimiter had passed at `stamp_ns`."""

    def garbled(self) -> None:
        """A frame has been received whose checksum is wrong."""


@dataclass(frozen=True)
class Quality:
    """What a cable does to frames.

    Attributes:
        rate: the highest rate that it carries, bit/s.
        delay_ns: propagation, including the transceivers at both ends.
        jitter_ns: up to so much more, at random; frames stay in order.
        loss: share of the frames that arrive garbled, 0 to 1.
        seed: of what is random.
    """

    rate: int
    delay_ns: int
    jitter_ns: int = 0
    loss: float = 0.0
    seed: int = 0


class Cable:
    """A cable, with the link that its two ports negotiate over it."""

    def __init__(self, agenda: Agenda, quality: Quality) -> None:
        self.quality = quality
        self.rate = 0
        self._agenda = agenda
        self._ports: list[Port] = []
        self._plugged = True
        self._negotiation: Event | None = None
        self._links = 0
        self._last_arrival_ns = [0, 0]
        self._chance = random.Random(quality.seed)

    def plug(self, port: Port) -> int:
        """Connects a port; returns which end it has, 0 or 1."""
        self._ports.append(port)
        return len(self._ports) - 1

    @property
    def plugged(self) -> bool:
        """Whether it is plugged in at both ends; may be set."""
        return self._plugged

    @plugged.setter
    def plugged(self, plugged: bool) -> None:
        self._plugged = plugged
        self.negotiate()

    def negotiate(self) -> None:
        """Takes the link down; it comes up again when both ends have agreed on a rate."""
        if self._negotiation is not None:
            self._negotiation.cancel()
        self._set_rate(0)
        if self._common_rate():
            self._negotiation = self._agenda.at(self._agenda.now() + NEGOTIATION_NS, self._agreed)

    def send(self, end: int, frame: bytes, stamp_ns: int, end_ns: int) -> None:
        """Carries a frame.

        Args:
            end: which end it is sent from.
            frame: from the destination address to the last byte before the checksum.
            stamp_ns: when its start frame delimiter has left.
            end_ns: when its last bit has left.
        """
        quality, link = self.quality, self._links
        delay_ns = quality.delay_ns
        if quality.jitter_ns:
            delay_ns += self._chance.randint(0, quality.jitter_ns)
            delay_ns = max(delay_ns, self._last_arrival_ns[end] - stamp_ns)
            self._last_arrival_ns[end] = end_ns + delay_ns
        port = self._ports[1 - end]
        lost = quality.loss > 0 and self._chance.random() < quality.loss

        def arrive() -> None:
            if link == self._links:
                if lost:
                    port.garbled()
                else:
                    port.arrive(frame, stamp_ns + delay_ns)

        self._agenda.at(end_ns + delay_ns, arrive)

    def _common_rate(self) -> int:
        if not self._plugged or len(self._ports) < 2:
            return 0
        common = self._ports[0].speeds() & self._ports[1].speeds()
        return max((rate for rate in common if rate <= self.quality.rate), default=0)

    def _agreed(self) -> None:
        self._negotiation = None
        self._set_rate(self._common_rate())

    def _set_rate(self, rate: int) -> None:
        if rate != self.rate:
            self.rate = rate
            self._links += 1
            for port in self._ports:
                port.link_changed(rate)
