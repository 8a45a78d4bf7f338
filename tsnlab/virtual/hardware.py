"""The devices of a virtual lab whose file asks for them, and the cables between these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tsnlab.lab import Endpoint, LabFile
from tsnlab.virtual import network
from tsnlab.virtual.device.agenda import Agenda
from tsnlab.virtual.device.cable import Cable, Quality
from tsnlab.virtual.device.clock import HardwareClock
from tsnlab.virtual.i210.nic import I210
from tsnlab.virtual.i210.timesync import TICK_NS


class Hardware:
    """What is plugged into the lab's kernel.

    Args:
        spec: the lab.

    Attributes:
        nics: the devices by ``node:interface``, in the order of their PCI slots.
        cables: the cable of each device, by the same names.
        clocks: the clock of each device, by the same names.
    """

    def __init__(self, spec: LabFile) -> None:
        self._spec = spec
        self.nics: dict[str, I210] = {}
        self.cables: dict[str, Cable] = {}
        self.clocks: dict[str, HardwareClock] = {}

    def make(self, agenda: Agenda) -> Sequence[I210]:
        """Makes everything, for a machine that is about to boot."""
        for end in network.devices(self._spec):
            node = self._spec.nodes[end.node]
            name, mac = str(end), self._spec.interface(end).mac or ""
            clock = self.clocks[name] = HardwareClock(agenda.now, TICK_NS, node.clock.error_ppb)
            cable = self.cables[name] = self._cable(agenda, end)
            self.nics[name] = I210(name, mac, agenda, clock, cable, node.clock.offset)
        return list(self.nics.values())

    def _cable(self, agenda: Agenda, end: Endpoint) -> Cable:
        """The cable of an interface: the one that the other end has got already, or a new one."""
        there = self.cables.get(str(self._spec.port_of(end)))
        link = self._spec.link_of(end)
        return there or Cable(agenda, Quality(link.rate, link.delay, link.jitter, link.loss, link.seed))

    def settings(self, node: str) -> Iterable[list[str]]:
        """The commands that set up the devices of a node as the equipment they stand for.

        A switch forwards without the delay of moderated interrupts, and has a queue for each class; what the
        guide sets on a node is left to its steps.
        """
        if self._spec.nodes[node].bridge is None:
            return
        for end in network.devices(self._spec):
            if end.node == node:
                queues = min(4, self._spec.interface(end).queues)
                yield ["ethtool", "-L", end.interface, "combined", str(queues)]
                yield ["ethtool", "-C", end.interface, "rx-usecs", "0"]
