"""The receive side: from the line through the filters into the rings.

Sources: data sheet, sections 7.1.3 to 7.1.5 (buffers, descriptors) and 8.10 (registers);
igb_main.c, igb_clean_rx_irq, igb_process_skb_fields, igb_setup_srrctl, igb_alloc_rx_buffers.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque

from tsnlab.errors import DeviceError
from tsnlab.virtual.device.cable import FCS_BYTES
from tsnlab.virtual.device.memory import GuestMemory
from tsnlab.virtual.i210 import registers as r
from tsnlab.virtual.i210 import statistics
from tsnlab.virtual.i210.interrupts import Interrupts
from tsnlab.virtual.i210.offload import ones_complement_sum
from tsnlab.virtual.i210.statistics import Statistics
from tsnlab.virtual.i210.steering import Steering, tag_of
from tsnlab.virtual.i210.timesync import TimeSync

_ADDRESS = struct.Struct("<Q")
_WRITTEN_BACK = struct.Struct("<HHIIHH")
_SIZE = 16

_DONE, _END, _TAGGED, _UDP_CHECKED, _TCP_CHECKED, _IP_CHECKED, _STAMPED = 1, 2, 8, 0x10, 0x20, 0x40, 0x8000
_HEADER_BYTES = 16
_KIB = 1024
_DEFAULT_BUFFER_KIB = 34


class Receiver:
    """The packet buffer and the four rings."""

    def __init__(
        self,
        registers: r.Registers,
        interrupts: Interrupts,
        counters: Statistics,
        timesync: TimeSync,
    ) -> None:
        self._registers = registers
        self._interrupts = interrupts
        self._statistics = counters
        self._timesync = timesync
        self._steering = Steering(registers)
        self._memory: GuestMemory | None = None
        self._heads = [0] * r.QUEUES
        self._buffer: deque[tuple[int, bytes, bytes, int]] = deque()
        self._buffered = 0
        for queue in range(r.QUEUES):
            registers.on_read(r.of_queue(r.RDH, queue), lambda q=queue: self._heads[q])  # type: ignore[misc]
            registers.on_write(r.of_queue(r.RDT, queue), lambda _value: self._drain())
            registers.on_write(r.of_queue(r.RXDCTL, queue), lambda value, q=queue: self._enabled(q, value))  # type: ignore[misc]

    def attach(self, memory: GuestMemory) -> None:
        """The guest's memory is there."""
        self._memory = memory

    def reset(self) -> None:
        """Forgets everything."""
        self._heads = [0] * r.QUEUES
        self._buffer.clear()
        self._buffered = 0
        for queue in range(r.QUEUES):
            for register in (r.RXDCTL, r.RDT):
                self._registers.kept[r.of_queue(register, queue)] = 0
        self._registers.kept[r.RCTL] = 0

    def arrive(self, frame: bytes, stamp_ns: int, rate: int) -> None:
        """A frame has come in whole; its start frame delimiter passed at `stamp_ns`."""
        if self._memory is None or not self._registers.get(r.RCTL) & r.RCTL_EN or not self._steering.accepts(frame):
            return
        if len(frame) + FCS_BYTES > (self._registers.get(r.RLPML) or 9728):
            self._statistics.count(statistics.ROC)
            return
        queue = self._steering.queue(frame)
        control = self._get(r.SRRCTL, queue)
        stamped = self._timesync.stamps_received and control & r.SRRCTL_TIMESTAMP
        stamp = b""
        if stamped and self._registers.get(r.RXPBS) & r.RXPBS_TIMESTAMP:
            stamp = self._timesync.received(stamp_ns, rate)
        data, tag, flags = self._prepared(frame)
        if self._buffered + len(data) > (self._registers.get(r.RXPBS) & 0x3F or _DEFAULT_BUFFER_KIB) * _KIB:
            self._statistics.count(statistics.MPC)
            return
        self._statistics.received(frame)
        self._buffer.append((queue, stamp + data, tag, flags | (_STAMPED if stamp else 0)))
        self._buffered += len(stamp) + len(data)
        self._drain()

    def _prepared(self, frame: bytes) -> tuple[bytes, bytes, int]:
        """The frame as it is put into memory, its tag, and the flags of its descriptor."""
        flags, tag = _checked(frame), tag_of(frame)
        taken = b""
        if tag is not None and self._registers.get(r.CTRL) & r.CTRL_VME:
            taken, frame, flags = frame[14:16], frame[:12] + frame[16:], flags | _TAGGED
        if not self._registers.get(r.RCTL) & r.RCTL_SECRC:
            frame += zlib.crc32(frame).to_bytes(4, "little")
        return frame, taken, flags

    def _drain(self) -> None:
        """Moves frames into their rings, in the order in which they came, as long as there is room."""
        while self._buffer:
            queue, data, tag, flags = self._buffer[0]
            needed = -(-len(data) // self._buffer_size(queue))
            if self._free(queue) < needed:
                if not self._get(r.SRRCTL, queue) & r.SRRCTL_DROP:
                    return
                self._registers.kept[r.of_queue(r.RQDPC, queue)] = self._get(r.RQDPC, queue) + 1
            else:
                self._put(queue, data, tag, flags)
            self._buffer.popleft()
            self._buffered -= len(data)

    def _get(self, register: int, queue: int) -> int:
        return self._registers.get(r.of_queue(register, queue))

    def _enabled(self, queue: int, value: int) -> None:
        if not value & r.RXDCTL_ENABLE:
            self._heads[queue] = 0

    def _count(self, queue: int) -> int:
        return self._get(r.RDLEN, queue) // _SIZE

    def _buffer_size(self, queue: int) -> int:
        return (self._get(r.SRRCTL, queue) & 0x7F or 2) * _KIB

    def _free(self, queue: int) -> int:
        count = self._count(queue)
        if not self._get(r.RXDCTL, queue) & r.RXDCTL_ENABLE or not 0 < count <= 4096:
            return 0
        return (self._get(r.RDT, queue) - self._heads[queue]) % count

    def _put(self, queue: int, data: bytes, tag: bytes, flags: int) -> None:
        assert self._memory is not None
        base = self._get(r.RDBAH, queue) << 32 | self._get(r.RDBAL, queue)
        size, count = self._buffer_size(queue), self._count(queue)
        for at in range(0, len(data), size):
            piece, head = data[at : at + size], self._heads[queue]
            try:
                (address,) = self._memory.unpack(_ADDRESS, base + _SIZE * head)
                self._memory.write(address, piece)
            except DeviceError as error:
                raise DeviceError(f"receive queue {queue}, descriptor {head}: {error}") from None
            last = at + size >= len(data)
            status = _DONE | (_END | flags if last else flags & _STAMPED if at == 0 else 0)
            value = int.from_bytes(tag, "big") if last else 0
            self._memory.pack(_WRITTEN_BACK, base + _SIZE * head, 0, 0, 0, status, len(piece), value)
            self._heads[queue] = (head + 1) % count
        self._interrupts.queue(queue, transmit=False)


def _checked(frame: bytes) -> int:
    """The flags of the checksums that were looked at and found right (data sheet, section 7.1.7)."""
    ip = 18 if frame[12:14] == b"\x81\x00" else 14
    if frame[ip - 2 : ip] != b"\x08\x00" or len(frame) < ip + 20:
        return 0
    l4, end = ip + 4 * (frame[ip] & 15), ip + int.from_bytes(frame[ip + 2 : ip + 4], "big")
    protocol, fragment = frame[ip + 9], int.from_bytes(frame[ip + 6 : ip + 8], "big") & 0x3FFF
    if ones_complement_sum(frame[ip:l4]) != 0xFFFF:
        return 0
    known = {6: _TCP_CHECKED, 17: _UDP_CHECKED}.get(protocol)
    if known is None or fragment or end > len(frame):
        return _IP_CHECKED
    pseudo = ones_complement_sum(frame[ip + 12 : ip + 20], protocol + end - l4)
    if ones_complement_sum(frame[l4:end], pseudo) != 0xFFFF:
        return _IP_CHECKED
    return _IP_CHECKED | known
