"""The transmit side: four rings of descriptors, the arbiter between them, and the line.

Sources: data sheet, sections 7.2.1 to 7.2.2 (descriptors), 7.2.7.5 (arbitration and launch time), 8.12 (registers);
igb_main.c, igb_tx_map, igb_tx_ctxtdesc, igb_configure_tx_ring, igb_setup_tx_mode, igb_config_tx_modes.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tsnlab.errors import DeviceError
from tsnlab.virtual.device.agenda import Agenda, Event
from tsnlab.virtual.device.cable import FCS_BYTES, GAP_BYTES, PREAMBLE_BYTES
from tsnlab.virtual.device.memory import GuestMemory
from tsnlab.virtual.i210 import offload
from tsnlab.virtual.i210 import registers as r
from tsnlab.virtual.i210.interrupts import Interrupts
from tsnlab.virtual.i210.statistics import Statistics
from tsnlab.virtual.i210.timesync import TimeSync

LAUNCH_STEP_NS = 32
"""Resolution of a launch time (data sheet, 7.2.2.2.3)."""

_SECOND = 1_000_000_000
_HALF = _SECOND // 2

_DESCRIPTOR = struct.Struct("<QII")
_CONTEXT = struct.Struct("<IIII")
_WORD = struct.Struct("<I")
_SIZE = 16

_EXTENDED, _CONTEXT_TYPE, _DATA_TYPE = 1 << 29, 2, 3
_END, _REPORT, _TAG, _SEGMENT, _STAMP = 1 << 24, 1 << 27, 1 << 30, 1 << 31, 1 << 19
_CHECK_L4, _CHECK_IP = 1 << 9, 1 << 8
_DONE = 1

_LARGEST = 1 << 17
"""Bytes of a frame, before it is cut into segments, that no driver exceeds."""


@dataclass
class Outgoing:
    """What one packet of the driver's becomes.

    Attributes:
        frames: the frames still to be sent; more than one after segmentation.
        launch: launch time within the second, in steps of 32 ns; None if it is not to be launched.
        stamp: whether the time at which it is sent is asked for.
        last: number of its last descriptor.
        following: number of the first descriptor after it.
        report: whether the driver wants to know when it is done.
    """

    frames: deque[bytes]
    launch: int | None
    stamp: bool
    last: int
    following: int
    report: bool


class Line(Protocol):
    """What frames are sent over."""

    @property
    def rate(self) -> int:
        """The rate in bit/s; 0 while there is no link."""

    def send(self, frame: bytes, stamp_ns: int, end_ns: int) -> None:
        """Sends a frame; see :meth:`tsnlab.virtual.device.cable.Cable.send`."""


class Ring:
    """One queue's ring of descriptors."""

    def __init__(self, registers: r.Registers, number: int, inserts_tags: Callable[[], bool]) -> None:
        self._registers = registers
        self._number = number
        self._inserts_tags = inserts_tags
        self._front: Outgoing | None = None
        self.head = 0
        self.context = offload.Context()
        registers.on_read(r.of_queue(r.TDH, number), lambda: self.head)

    def restart(self) -> None:
        """Begins with the first descriptor, as a queue does that has just been enabled."""
        self.head = 0
        self._front = None
        self.context = offload.Context()

    @property
    def waiting(self) -> bool:
        """Whether there are descriptors that the driver has switched on and that are not done."""
        return self.head != self._get(r.TDT) and bool(self._get(r.TXDCTL) & r.TXDCTL_ENABLE)

    def front(self, memory: GuestMemory, *, launched: bool) -> Outgoing | None:
        """The packet whose turn it is; None if there is none.

        Raises:
            DeviceError: a descriptor is malformed.
        """
        if self._front is None and self.waiting:
            try:
                self._front = self._fetch(memory, launched)
            except DeviceError as error:
                raise DeviceError(f"transmit queue {self._number}, descriptor {self.head}: {error}") from None
        return self._front

    def finish(self, memory: GuestMemory) -> bool:
        """The packet in front has been sent; returns whether the driver wants to be told."""
        done, self._front = self._front, None
        if done is None:
            return False
        self.head = done.following
        if done.report:
            memory.pack(_WORD, self._base + _SIZE * done.last + 12, _DONE)
        return done.report

    def _get(self, register: int) -> int:
        return self._registers.get(r.of_queue(register, self._number))

    @property
    def _base(self) -> int:
        return self._get(r.TDBAH) << 32 | self._get(r.TDBAL)

    def _fetch(self, memory: GuestMemory, launched: bool) -> Outgoing | None:
        base, count, tail = self._base, self._get(r.TDLEN) // _SIZE, self._get(r.TDT)
        if not 0 < count <= 4096 or tail >= count or self.head >= count:
            raise DeviceError(f"a ring of {count} descriptors with head {self.head} and tail {tail}")
        at, data, options = self.head, bytearray(), None
        while at != tail:
            place = base + _SIZE * at
            address, command, status = memory.unpack(_DESCRIPTOR, place)
            if not command & _EXTENDED:
                raise DeviceError("a legacy descriptor, which this model does not know")
            kind, here, at = command >> 20 & 0xF, at, (at + 1) % count
            if kind == _CONTEXT_TYPE:
                self._take_context(memory.unpack(_CONTEXT, place))
                continue
            if kind != _DATA_TYPE:
                raise DeviceError(f"a descriptor of type {kind}")
            options = status if options is None else options
            data += memory.read(address, command & 0xFFFF)
            if len(data) > _LARGEST:
                raise DeviceError(f"a packet of more than {_LARGEST} bytes")
            if command & _END:
                frames = self._frames(bytes(data), command, options)
                return Outgoing(
                    frames,
                    self.context.launch if launched else None,
                    bool(command & _STAMP),
                    here,
                    at,
                    bool(command & _REPORT),
                )
        return None

    def _take_context(self, words: tuple[int, ...]) -> None:
        self.context = offload.Context.parse(*words)

    def _frames(self, data: bytes, command: int, options: int) -> deque[bytes]:
        if len(data) < 14:
            raise DeviceError(f"a packet of {len(data)} bytes")
        if command & _SEGMENT:
            made: list[bytes | bytearray] = list(offload.segments(data, self.context))
        else:
            frame = bytearray(data)
            if options & _CHECK_IP:
                offload.insert_ip_checksum(frame, self.context)
            if options & _CHECK_L4:
                offload.insert_l4_checksum(frame, self.context)
            made = [frame]
        tag = self.context.vlan if command & _TAG and self._inserts_tags() else None
        return deque(offload.padded(bytes(f) if tag is None else offload.tagged(bytes(f), tag)) for f in made)


class Transmitter:
    """The arbiter between the queues, and the line.

    Queues 0 and 1 are served first while they are stream reservation queues (Qav mode), each frame not before its
    launch time if that is switched on, and a frame of another queue only if it is over by then (SP_WAIT_SR).
    """

    def __init__(
        self,
        registers: r.Registers,
        interrupts: Interrupts,
        statistics: Statistics,
        timesync: TimeSync,
        agenda: Agenda,
        line: Line,
    ) -> None:
        self._registers = registers
        self._interrupts = interrupts
        self._statistics = statistics
        self._timesync = timesync
        self._agenda = agenda
        self._line = line
        self._memory: GuestMemory | None = None
        self._free_ns = 0
        self._busy = False
        self._waiting: Event | None = None
        self._next_legacy = 0
        self._epoch = 0
        self._rings = [Ring(registers, n, self._inserts_tags) for n in range(r.QUEUES)]
        for number, ring in enumerate(self._rings):
            registers.on_write(r.of_queue(r.TDT, number), lambda _value: self.work())
            registers.on_write(
                r.of_queue(r.TXDCTL, number),
                lambda value, ring=ring: self._enabled(ring, value),  # type: ignore[misc]
            )

    def attach(self, memory: GuestMemory) -> None:
        """The guest's memory is there."""
        self._memory = memory

    def reset(self) -> None:
        """Forgets everything, also the frame on the line."""
        self._epoch += 1
        self._busy = False
        for number, ring in enumerate(self._rings):
            ring.restart()
            for register in (r.TXDCTL, r.TDT):
                self._registers.kept[r.of_queue(register, number)] = 0
        for register in (r.TCTL, r.TQAVCTRL, r.TQAVCC0, r.TQAVCC0 + 0x40):
            self._registers.kept[register] = 0

    def work(self) -> None:
        """Sends what may be sent now, and looks again when that can have changed."""
        if self._busy or self._memory is None or not self._line.rate or not self._registers.get(r.TCTL) & r.TCTL_EN:
            return
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        now = self._agenda.now()
        if now < self._free_ns:
            self._look_again(self._free_ns)
            return
        chosen, launch_ns = self._choose(now)
        if chosen is not None:
            self._send(now, chosen)
        elif launch_ns is not None:
            self._look_again(launch_ns)

    def _inserts_tags(self) -> bool:
        return bool(self._registers.get(r.CTRL) & r.CTRL_VME)

    def _enabled(self, ring: Ring, value: int) -> None:
        if not value & r.TXDCTL_ENABLE:
            ring.restart()
        self.work()

    def _look_again(self, time_ns: int) -> None:
        self._waiting = self._agenda.at(time_ns, self.work)

    def _choose(self, now: int) -> tuple[int | None, int | None]:
        """The queue whose frame is sent now, or else when to look again."""
        assert self._memory is not None
        control = self._registers.get(r.TQAVCTRL)
        if not control & r.TQAVCTRL_QAV:
            return self._choose_legacy(), None
        launch_ns: int | None = None
        for number, ring in enumerate(self._rings):
            reserved = number < 2 and bool(self._registers.get(r.TQAVCC0 + 0x40 * number) & r.TQAVCC_SR)
            front = ring.front(self._memory, launched=reserved and bool(control & r.TQAVCTRL_LAUNCH))
            if front is None:
                continue
            at = self._launch_ns(now, front)
            if at > now:
                launch_ns = at if launch_ns is None else min(at, launch_ns)
            elif reserved or not control & r.TQAVCTRL_SP_WAIT_SR or self._fits(now, front, launch_ns):
                return number, None
        return None, launch_ns

    def _choose_legacy(self) -> int | None:
        """In turn: frames leave in the order in which they are fetched (data sheet, table 7-46)."""
        assert self._memory is not None
        for offset in range(r.QUEUES):
            number = (self._next_legacy + offset) % r.QUEUES
            if self._rings[number].front(self._memory, launched=False) is not None:
                self._next_legacy = number + 1
                return number
        return None

    def _launch_ns(self, now: int, front: Outgoing) -> int:
        """When a frame may leave; a launch time half a second ahead or more counts as passed (7.2.2.2.3)."""
        if front.launch is None:
            return now
        clock = self._timesync.clock
        value = clock.read(now)
        launch = (front.launch + self._registers.get(r.LAUNCH_OS0)) * LAUNCH_STEP_NS
        ahead = (launch - value) % _SECOND
        if not 0 < ahead < _HALF:
            return now
        at = clock.time_of(value + ahead)
        return now if at is None else at

    def _fits(self, now: int, front: Outgoing, launch_ns: int | None) -> bool:
        """Whether a frame and its gap are over when another is to be launched."""
        length = PREAMBLE_BYTES + len(front.frames[0]) + FCS_BYTES + GAP_BYTES
        return launch_ns is None or now + self._bytes_ns(length) <= launch_ns

    def _bytes_ns(self, count: int) -> int:
        return count * 8 * _SECOND // self._line.rate

    def _send(self, now: int, number: int) -> None:
        assert self._memory is not None
        ring = self._rings[number]
        front = ring.front(self._memory, launched=False)
        assert front is not None
        frame = front.frames.popleft()
        stamp_ns = now + self._bytes_ns(PREAMBLE_BYTES)
        end_ns = stamp_ns + self._bytes_ns(len(frame) + FCS_BYTES)
        self._free_ns = end_ns + self._bytes_ns(GAP_BYTES)
        self._busy = True
        epoch, rate = self._epoch, self._line.rate
        self._line.send(frame, stamp_ns, end_ns)

        def sent() -> None:
            if epoch != self._epoch:
                return
            self._busy = False
            self._statistics.sent(frame)
            if not front.frames:
                if front.stamp:
                    self._timesync.sent(stamp_ns, rate)
                self._finish(number)
            if any(ring.waiting for ring in self._rings):
                self.work()

        self._agenda.at(end_ns, sent)

    def _finish(self, number: int) -> None:
        assert self._memory is not None
        if self._rings[number].finish(self._memory):
            self._interrupts.queue(number, transmit=True)
