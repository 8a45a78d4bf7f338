"""Two I210 on one cable, and as much of a driver as a test needs: registers, descriptors, a second of virtual time."""

import os
import struct

from tsnlab.virtual.device.agenda import NEVER, Agenda
from tsnlab.virtual.device.cable import Cable, Quality
from tsnlab.virtual.device.clock import HardwareClock
from tsnlab.virtual.device.memory import GuestMemory, Region
from tsnlab.virtual.i210 import registers as r
from tsnlab.virtual.i210.nic import I210

RING = 16
RINGS, BUFFERS, FRAMES = 0x10000, 0x40000, 0x80000
GIGABIT = 1_000_000_000


class Endpoint:
    """Where interrupts go in these tests: a list."""

    def __init__(self):
        self.messages = []

    def interrupt(self, data):
        self.messages.append(data)


class Driver:
    """The least that brings up one I210 and lets frames through it."""

    def __init__(self, bench, number, **options):
        self.memory = bench.memory
        self.base = number << 24
        clock = HardwareClock(bench.agenda.now, 8, options.get("error_ppb", 0))
        mac = f"02:00:00:00:00:0{number + 1}"
        self.nic = I210(f"nic{number}", mac, bench.agenda, clock, bench.cable, options.get("offset_ns", 0))
        self.endpoint = Endpoint()
        self.nic.attach(self.endpoint, self.memory)
        self.tails = [0] * 4
        self.next_frame = FRAMES

    def write(self, register, value, queue=0):
        self.nic.write(0, r.of_queue(register, queue), 4, value & 0xFFFFFFFF)

    def read(self, register, queue=0):
        return self.nic.read(0, r.of_queue(register, queue), 4)

    def start(self, *, queues=4, interrupts=True, receive_buffers=RING - 1):
        self.nic.write_config(4, 2, 0x6)
        self.nic.write_config(0x72, 2, 0x8000)
        for vector in range(5):
            for offset, value in ((0, 0xA0000), (8, 100 + vector), (12, 0)):
                self.nic.write(3, 16 * vector + offset, 4, value)
        self.write(r.GPIE, 1 << 4 | r.GPIE_EIAME | 1)
        for row in range(2):
            self.write(r.IVAR0 + 4 * row, sum((0x80 | 2 * row + half + 1) * 0x0101 << 16 * half for half in (0, 1)))
        self.write(r.IVAR_MISC, 0x80 << 8)
        self.write(r.EIAC, 0x1F)
        self.write(r.EIAM, 0x1F)
        if interrupts:
            self.write(r.EIMS, 0x1F)
        self.write(r.RCTL, r.RCTL_EN | r.RCTL_BAM | r.RCTL_SECRC)
        self.write(r.CTRL, r.CTRL_SLU | r.CTRL_VME)
        self.write(r.TCTL, r.TCTL_EN | r.TCTL_PSP)
        for queue in range(queues):
            self._rings(queue, receive_buffers)
        return self

    def _rings(self, queue, receive_buffers):
        for register, at in ((r.TDBAL, self.ring(queue, 0)), (r.RDBAL, self.ring(queue, 1))):
            self.write(register, at, queue)
        self.write(r.TDLEN, 16 * RING, queue)
        self.write(r.RDLEN, 16 * RING, queue)
        self.write(r.TXDCTL, r.TXDCTL_ENABLE, queue)
        self.write(r.SRRCTL, 2 | r.SRRCTL_TIMESTAMP, queue)
        self.write(r.RXDCTL, r.RXDCTL_ENABLE, queue)
        for index in range(RING):
            self.memory.write(self.ring(queue, 1) + 16 * index, struct.pack("<QQ", self.buffer(queue, index), 0))
        self.write(r.RDT, receive_buffers, queue)

    def ring(self, queue, receive):
        return self.base + RINGS + 0x2000 * queue + 0x1000 * receive

    def buffer(self, queue, index):
        return self.base + BUFFERS + 0x8000 * queue + 2048 * index

    def send(self, data, queue=0, *, context=None, flags=0, options=0):
        """Puts a packet, after a context descriptor if one is given, into a ring."""
        if context is not None:
            self._descriptor(queue, struct.pack("<IIII", *context))
        place = self.base + self.next_frame
        self.next_frame += (len(data) + 63) & ~63
        self.memory.write(place, data)
        command = 0x2B300000 | len(data) | flags
        self._descriptor(queue, struct.pack("<QII", place, command, len(data) << 14 | options))
        self.write(r.TDT, self.tails[queue], queue)

    def _descriptor(self, queue, words):
        self.memory.write(self.ring(queue, 0) + 16 * self.tails[queue], words)
        self.tails[queue] = (self.tails[queue] + 1) % RING

    def received(self, queue=0):
        """What has been written back: (data, status, vlan) of each descriptor."""
        found = []
        for index in range(self.read(r.RDH, queue)):
            entry = self.memory.read(self.ring(queue, 1) + 16 * index, 16)
            _, _, _, status, length, vlan = struct.unpack("<HHIIHH", entry)
            found.append((self.memory.read(self.buffer(queue, index), length), status, vlan))
        return found


def launch_context(steps, *, tag=0, mac=14, ip=0, l4=0, kind=0, segment=0):
    """The words of a context descriptor."""
    return (tag << 16 | mac << 9 | ip, steps, 0x20200000 | kind, segment << 16 | l4 << 8)


class Bench:
    """Time, a guest's memory, a cable, and two drivers."""

    def __init__(self, *, rate=GIGABIT, delay_ns=500, options=({}, {}), **quality):
        self.now = 0
        self.agenda = Agenda(lambda: self.now)
        descriptor = os.memfd_create("guest")
        os.truncate(descriptor, 1 << 26)
        self.memory = GuestMemory(Region(0, 1 << 26, 0), descriptor)
        self.cable = Cable(self.agenda, Quality(rate, delay_ns, **quality))
        self.here, self.there = (Driver(self, number, **options[number]) for number in (0, 1))

    def started(self, **options):
        """Both brought up, and the link as well."""
        self.here.start(**options)
        self.there.start(**options)
        self.run(200_000_000)
        assert self.cable.rate
        return self

    def run(self, duration_ns):
        """Lets time pass."""
        end = self.now + duration_ns
        while self.agenda.next_ns <= end and self.agenda.next_ns != NEVER:
            self.now = self.agenda.next_ns
            self.agenda.happen()
        self.now = end
